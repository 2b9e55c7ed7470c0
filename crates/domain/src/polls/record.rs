//! The public record of a closed poll: every final ballot under the hash of its voter's code, and
//! the proof that one of them is among all. It shows what each ballot weighs, because the weighted
//! result could not be recounted otherwise; what that gives away is said in [`crate::polls`].
//!
//! A poll that is closed takes no ballot any more, so its record is the same for ever: it is read
//! and hashed once ([`GetRecord`]), and whoever reads it may keep it for pages and proofs.

use crate::merkle::{Hash, Tree};
use crate::polls::leaf::{Leaf, leaf_hash};
use crate::polls::queries::{GetPoll, Poll, State, Viewer, choice};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

/// The longest page of a record: about a megabyte of JSON.
pub const RECORD_PAGE_MAX: u32 = 10_000;

/// A final ballot as the record shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// SHA-256 of the voter's code.
    pub code_hash: Hash,
    /// The option's number, `None` if it is blank.
    pub choice: Option<u32>,
    /// What it weighs.
    pub weight: i64,
    /// The member's name; empty unless the ballot is open and a member's.
    pub name: String,
    /// Its leaf.
    pub leaf: Hash,
}

/// The record of a poll, whole. It reads every ballot: [`BALLOTS_MAX`] bounds them.
///
/// [`BALLOTS_MAX`]: crate::polls::BALLOTS_MAX
#[derive(Clone, Debug)]
pub struct GetRecord {
    /// Which poll.
    pub poll: i64,
}

/// What there is of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no such poll.
    NoPoll,
    /// The ballots are not final yet.
    NotClosed,
    /// Here it is.
    Record(Record),
}

impl Query for GetRecord {
    type Answer = Found;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let viewer = Viewer::default();
        let poll = self.poll;
        match (GetPoll { viewer, poll }).run(sql)? {
            None => Ok(Found::NoPoll),
            Some(poll) if poll.state != State::Closed => Ok(Found::NotClosed),
            Some(poll) => Ok(Found::Record(Record::of(receipts(sql, &poll)?))),
        }
    }
}

/// Every final ballot of a poll, with the tree over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    receipts: Vec<Receipt>,
    tree: Tree,
}

/// A page of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// Its receipts, in the order of the tree.
    pub receipts: &'a [Receipt],
    /// The root of the tree, on the first page.
    pub root: Option<Hash>,
    /// Where the next page starts, if there is one.
    pub next: Option<i64>,
}

/// A receipt with its way to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Which ballot.
    pub receipt: Receipt,
    /// Its place among the leaves, from 0.
    pub index: usize,
    /// How many leaves there are.
    pub size: usize,
    /// The audit path of RFC 6962, from below.
    pub path: Vec<Hash>,
    /// The root.
    pub root: Hash,
}

impl Record {
    fn of(receipts: Vec<Receipt>) -> Self {
        let leaves = receipts.iter().map(|receipt| receipt.leaf);
        let tree = Tree::over(leaves.collect());
        Self { receipts, tree }
    }

    /// How many ballots there are.
    pub fn ballots(&self) -> usize {
        self.receipts.len()
    }

    /// The page that leaves out `from` receipts and has at most `limit`, 1 to 10,000.
    pub fn page(&self, from: i64, limit: u32) -> Page<'_> {
        let count = self.receipts.len();
        let from = usize::try_from(from.max(0)).map_or(count, |from| from.min(count));
        let limit = limit.clamp(1, RECORD_PAGE_MAX) as usize;
        let end = from.saturating_add(limit).min(count);
        Page {
            receipts: &self.receipts[from..end],
            root: (from == 0).then(|| self.tree.root()),
            next: (end < count).then_some(end as i64),
        }
    }

    /// The proof of the first ballot with a code, by the code's hash, if there is one.
    pub fn proof(&self, code_hash: &Hash) -> Option<Proof> {
        let before = |one: &Receipt| one.code_hash < *code_hash;
        let index = self.receipts.partition_point(before);
        let receipt = self.receipts.get(index)?;
        (receipt.code_hash == *code_hash).then(|| Proof {
            receipt: receipt.clone(),
            index,
            size: self.receipts.len(),
            path: self.tree.path(index),
            root: self.tree.root(),
        })
    }
}

/// Every ballot in the order of the tree: see [`crate::polls::leaf`].
fn receipts(sql: &mut dyn Sql, poll: &Poll) -> Result<Vec<Receipt>, Fault> {
    let rows = sql.query(
        "SELECT b.code_hash, b.choice, b.weight, COALESCE(a.name, '')
         FROM ballots b LEFT JOIN accounts a ON a.id = b.account WHERE b.poll = ?1",
        &[poll.id.into()],
    )?;
    let receipts = rows.iter().map(|row| receipt(poll, row));
    let mut receipts = receipts.collect::<Result<Vec<_>, _>>()?;
    // Voters who chose the same code and vote alike differ by name alone, which is in the leaf.
    let order = |one: &Receipt| (one.code_hash, one.choice, one.weight, one.leaf);
    receipts.sort_unstable_by_key(order);
    Ok(receipts)
}

fn receipt(poll: &Poll, row: &Row) -> Result<Receipt, Fault> {
    let name = if poll.open_ballot { row.text(3)? } else { "" };
    let (code_hash, stored, weight) = (row.hash(0)?, row.int(1)?, row.int(2)?);
    let leaf = leaf_hash(&Leaf {
        poll: poll.id,
        code_hash,
        choice: stored,
        weight,
        name,
    });
    Ok(Receipt {
        code_hash,
        choice: choice(stored)?,
        weight,
        name: name.to_owned(),
        leaf,
    })
}
