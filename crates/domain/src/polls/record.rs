//! The public record of a closed poll: every final ballot under the hash of its voter's code, and
//! the proof that one of them is among all. It shows what each ballot weighs, because the weighted
//! result could not be recounted otherwise; what that gives away is said in [`crate::polls`].

use crate::polls::merkle::{Hash, Leaf, inclusion, leaf_hash, root};
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

/// A page of the record, or `None` if there is no such poll.
#[derive(Clone, Debug)]
pub struct GetRecord {
    /// Which poll.
    pub poll: i64,
    /// How many receipts to leave out before the page. They no longer change.
    pub from: i64,
    /// At most this many, 1 to 10,000.
    pub limit: u32,
}

/// A page of the record of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The poll, as nobody in particular sees it.
    pub poll: Poll,
    /// The receipts of the page, in the order of the tree; none while the poll is not closed.
    pub receipts: Vec<Receipt>,
    /// The root of the tree, on the first page.
    pub root: Option<Hash>,
    /// Where the next page starts, if there is one.
    pub next: Option<i64>,
}

impl Query for GetRecord {
    type Answer = Option<Record>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(poll) = closed_or_not(sql, self.poll)? else {
            return Ok(None);
        };
        let mut record = Record {
            poll,
            receipts: Vec::new(),
            root: None,
            next: None,
        };
        if record.poll.state != State::Closed {
            return Ok(Some(record));
        }
        let all = receipts(sql, &record.poll)?;
        if self.from == 0 {
            record.root = Some(root(&leaves(&all)));
        }
        let (from, limit) = (
            self.from.max(0),
            i64::from(self.limit.clamp(1, RECORD_PAGE_MAX)),
        );
        record.next = (from.saturating_add(limit) < all.len() as i64).then_some(from + limit);
        record.receipts = all
            .into_iter()
            .skip(from as usize)
            .take(limit as usize)
            .collect();
        Ok(Some(record))
    }
}

/// The proof that a ballot is among the final ones, by the hash of its code.
#[derive(Clone, Debug)]
pub struct GetProof {
    /// Which poll.
    pub poll: i64,
    /// SHA-256 of the voter's code.
    pub code_hash: Hash,
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

/// What there is to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// There is no such poll.
    NoPoll,
    /// The ballots are not final yet.
    NotClosed,
    /// No final ballot has that code.
    NoBallot,
    /// Here it is.
    Proof(Proof),
}

impl Query for GetProof {
    type Answer = Proven;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(poll) = closed_or_not(sql, self.poll)? else {
            return Ok(Proven::NoPoll);
        };
        if poll.state != State::Closed {
            return Ok(Proven::NotClosed);
        }
        let all = receipts(sql, &poll)?;
        let Some(index) = all.iter().position(|one| one.code_hash == self.code_hash) else {
            return Ok(Proven::NoBallot);
        };
        let leaves = leaves(&all);
        Ok(Proven::Proof(Proof {
            receipt: all[index].clone(),
            index,
            size: leaves.len(),
            path: inclusion(&leaves, index),
            root: root(&leaves),
        }))
    }
}

fn closed_or_not(sql: &mut dyn Sql, poll: i64) -> Result<Option<Poll>, Fault> {
    let viewer = Viewer::default();
    GetPoll { viewer, poll }.run(sql)
}

/// Every ballot in the order of the tree: see [`crate::polls::merkle`].
fn receipts(sql: &mut dyn Sql, poll: &Poll) -> Result<Vec<Receipt>, Fault> {
    let rows = sql.query(
        "SELECT b.code_hash, b.choice, b.weight, COALESCE(a.name, '')
         FROM ballots b LEFT JOIN accounts a ON a.id = b.account WHERE b.poll = ?1
         ORDER BY b.code_hash, b.choice, b.weight",
        &[poll.id.into()],
    )?;
    let receipts = rows.iter().map(|row| receipt(poll, row));
    let mut receipts = receipts.collect::<Result<Vec<_>, _>>()?;
    // Voters who chose the same code and vote alike differ by name alone.
    let order = |one: &Receipt| (one.code_hash, one.choice, one.weight, one.leaf);
    receipts.sort_by_key(order);
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

fn leaves(receipts: &[Receipt]) -> Vec<Hash> {
    receipts.iter().map(|receipt| receipt.leaf).collect()
}
