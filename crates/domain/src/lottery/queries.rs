//! What can be asked about lotteries.

use crate::lottery::merkle::{self, Frontier, Hash};
use crate::lottery::store::{BLOCK_LEAVES, decode_rule, number, small};
use crate::lottery::{Bet, Rule, canonical};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

/// The longest page of lotteries.
const LOTTERIES_PAGE_MAX: u32 = 200;

/// The longest page of a record: at most 2 MB of bets.
const RECORD_PAGE_MAX: u32 = 256;

/// A lottery, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lottery {
    /// Its id, from 1.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// How many agencies it has, numbered from 1.
    pub agencies: u32,
    /// How the number is found.
    pub rule: Rule,
    /// When it was opened, in milliseconds since 1970.
    pub opened_at_ms: i64,
    /// Agencies that have not closed.
    pub open_agencies: u32,
    /// Bets so far.
    pub bets: i64,
    /// Batches so far: leaves of the Merkle tree.
    pub batches: i64,
    /// The root of the Merkle tree over the batches so far.
    pub root: Hash,
    /// The draw, once it was made.
    pub drawn: Option<Drawn>,
}

/// A draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The number.
    pub number: u16,
    /// Bets on it, over all agencies.
    pub winners: i64,
    /// The secret that was committed to ([`Rule::Verifiable`]).
    pub secret: Option<[u8; 32]>,
    /// The value of the public source, if one was named.
    pub source_value: Option<String>,
}

/// An agency of a lottery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Its number.
    pub agency: u32,
    /// Its bets.
    pub bets: i64,
    /// Its winning bets, 0 before the draw.
    pub winners: i64,
    /// When it closed, in milliseconds since 1970.
    pub closed_at_ms: Option<i64>,
}

/// The current lottery: the one that was opened last, whether drawn or not, because its winners
/// are asked for after the draw.
#[derive(Clone, Debug)]
pub struct CurrentLottery;

impl Query for CurrentLottery {
    type Answer = Option<Lottery>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(SELECT_PAGE, &[i64::MAX.into(), 1_i64.into()])?;
        rows.first().map(lottery_of).transpose()
    }
}

/// One lottery with those of its agencies that have sent bets or closed, in order.
#[derive(Clone, Debug)]
pub struct GetLottery {
    /// Which.
    pub id: i64,
}

impl Query for GetLottery {
    type Answer = Option<(Lottery, Vec<Agency>)>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(lottery) = find(sql, self.id)? else {
            return Ok(None);
        };
        let rows = sql.query(
            "SELECT agency, bets, winners, closed_at_ms FROM lottery_agencies
             WHERE lottery = ?1 ORDER BY agency",
            &[self.id.into()],
        )?;
        let agencies: Result<_, _> = rows.iter().map(agency_of).collect();
        Ok(Some((lottery, agencies?)))
    }
}

/// The history: lotteries with an id below `before`, newest first.
#[derive(Clone, Debug)]
pub struct ListLotteries {
    /// `i64::MAX` starts at the newest.
    pub before: i64,
    /// At most this many, 1 to 200.
    pub limit: u32,
}

/// A page of lotteries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lotteries {
    /// Newest first.
    pub lotteries: Vec<Lottery>,
    /// `before` of the next page, if there is one.
    pub next: Option<i64>,
}

impl Query for ListLotteries {
    type Answer = Lotteries;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let limit = self.limit.clamp(1, LOTTERIES_PAGE_MAX);
        // Lotteries are numbered without gaps: below the last of a page there are more, down to 1.
        let rows = sql.query(SELECT_PAGE, &[self.before.into(), limit.into()])?;
        let lotteries: Vec<_> = rows.iter().map(lottery_of).collect::<Result<_, _>>()?;
        let last = lotteries.last().map(|lottery| lottery.id);
        Ok(Lotteries {
            next: last.filter(|id| *id > 1),
            lotteries,
        })
    }
}

/// The winners of an agency, in the order of their bets.
#[derive(Clone, Debug)]
pub struct Winners {
    /// Lottery id.
    pub lottery: i64,
    /// The agency.
    pub agency: u32,
    /// Leave out this many, which were on earlier pages.
    pub after: i64,
}

/// What is known of an agency's winners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WinnersAnswer {
    /// There is no such lottery.
    NoLottery,
    /// The lottery has no such agency.
    NoAgency,
    /// The number has not been drawn.
    NotReady {
        /// Agencies that have not closed; 0 if only the draw is missing.
        open_agencies: u32,
    },
    /// The number has been drawn.
    Page(WinnersPage),
}

/// A page of winners: at most 4,096, all of them if `next` is `None` and `after` was 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WinnersPage {
    /// The number that was drawn.
    pub number: u16,
    /// The agency's winning bets, over all pages.
    pub total: i64,
    /// Documents; somebody who won twice is there twice.
    pub documents: Vec<String>,
    /// `after` of the next page, if there is one.
    pub next: Option<i64>,
}

impl Query for Winners {
    type Answer = WinnersAnswer;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let place = [self.lottery.into(), self.agency.into()];
        let rows = sql.query(SELECT_DRAW, &place)?;
        let Some(row) = rows.first() else {
            return Ok(WinnersAnswer::NoLottery);
        };
        if self.agency == 0 || i64::from(self.agency) > row.int(0)? {
            return Ok(WinnersAnswer::NoAgency);
        }
        let Some(number) = number(row, 2)? else {
            let open_agencies = small(row.int(1)?)?;
            return Ok(WinnersAnswer::NotReady { open_agencies });
        };
        let total = row.int_opt(3)?.unwrap_or(0);
        let documents = self.documents(sql)?;
        let seen = self.after.max(0).saturating_add(documents.len() as i64);
        Ok(WinnersAnswer::Page(WinnersPage {
            number,
            total,
            documents,
            next: (seen < total).then_some(seen),
        }))
    }
}

/// The winners of an agency of the current lottery: which that is and what came of it are seen in
/// one state. `None` if no lottery was ever opened.
#[derive(Clone, Debug)]
pub struct CurrentWinners {
    /// The agency.
    pub agency: u32,
}

impl Query for CurrentWinners {
    type Answer = Option<(i64, WinnersAnswer)>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query("SELECT MAX(id) FROM lotteries", &[])?;
        let newest = rows.first().map(|row| row.int_opt(0)).transpose()?;
        let Some(lottery) = newest.flatten() else {
            return Ok(None);
        };
        let winners = Winners {
            lottery,
            agency: self.agency,
            after: 0,
        };
        Ok(Some((lottery, winners.run(sql)?)))
    }
}

impl Winners {
    /// The documents of the row in which the page starts, from there on.
    fn documents(&self, sql: &mut dyn Sql) -> Result<Vec<String>, Fault> {
        let from = self.after.max(0).saturating_add(1);
        let place = [self.lottery.into(), self.agency.into(), from.into()];
        let rows = sql.query(SELECT_WINNERS, &place)?;
        let Some(row) = rows.first() else {
            return Ok(Vec::new());
        };
        let skipped = from - row.int(0)?;
        let documents = row.text(1)?.split(';').skip(skipped as usize);
        Ok(documents.map(str::to_owned).collect())
    }
}

const SELECT_DRAW: &str = "
    SELECT l.agencies, l.open_agencies, l.number, a.winners
    FROM lotteries l LEFT JOIN lottery_agencies a ON a.lottery = l.id AND a.agency = ?2
    WHERE l.id = ?1";

const SELECT_WINNERS: &str = "
    SELECT first_winner, documents FROM lottery_winners
    WHERE lottery = ?1 AND agency = ?2 AND first_winner <= ?3
    ORDER BY first_winner DESC LIMIT 1";

/// A page of everything that is needed to recompute a draw, or `None` if there is no such lottery.
#[derive(Clone, Debug)]
pub struct Record {
    /// Lottery id.
    pub lottery: i64,
    /// The leaf to start at, from 0.
    pub from_leaf: i64,
    /// At most this many batches, 1 to 256.
    pub limit: u32,
    /// With the bets themselves, which are personal data: for administrators. Without them the
    /// leaves still lead to the root and the number.
    pub with_bets: bool,
}

/// A page of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// The lottery.
    pub lottery: Lottery,
    /// Batches in the order of their leaves.
    pub batches: Vec<Batch>,
    /// `from_leaf` of the next page, if there is one.
    pub next: Option<i64>,
}

/// A batch of bets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Index of its leaf, from 0.
    pub leaf_index: i64,
    /// The agency that sent it.
    pub agency: u32,
    /// Index of its first bet, from 1.
    pub first: i64,
    /// How many bets it has.
    pub count: u32,
    /// When it was stored, in milliseconds since 1970.
    pub at_ms: i64,
    /// The leaf.
    pub leaf: Hash,
    /// The bets, if they were asked for.
    pub bets: Option<Vec<Bet>>,
}

impl Query for Record {
    type Answer = Option<RecordPage>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(lottery) = find(sql, self.lottery)? else {
            return Ok(None);
        };
        let limit = i64::from(self.limit.clamp(1, RECORD_PAGE_MAX));
        let from = self.from_leaf.clamp(0, lottery.batches);
        let statement = if self.with_bets {
            SELECT_BATCHES
        } else {
            SELECT_LEAVES
        };
        let rows = sql.query(statement, &[self.lottery.into(), from.into(), limit.into()])?;
        let batches: Vec<_> = rows.iter().map(batch_of).collect::<Result<_, _>>()?;
        let next = from + batches.len() as i64;
        Ok(Some(RecordPage {
            next: (next < lottery.batches).then_some(next),
            lottery,
            batches,
        }))
    }
}

macro_rules! select_batches {
    ($body:literal) => {
        concat!(
            "SELECT leaf, agency, first_bet, bets, at_ms, hash, ",
            $body,
            " FROM lottery_batches WHERE lottery = ?1 AND leaf >= ?2 ORDER BY leaf LIMIT ?3"
        )
    };
}

const SELECT_BATCHES: &str = select_batches!("body");
const SELECT_LEAVES: &str = select_batches!("NULL");

/// The receipt of a batch with the proof that it is in the tree, or `None` if there is no such
/// leaf.
#[derive(Clone, Debug)]
pub struct GetReceipt {
    /// Lottery id.
    pub lottery: i64,
    /// Index of the leaf, from 0.
    pub leaf_index: i64,
}

/// A receipt and its proof: see [`merkle::includes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The batch, without its bets.
    pub batch: Batch,
    /// Leaves of the tree now.
    pub tree_size: i64,
    /// Root of the tree now.
    pub root: Hash,
    /// Siblings on the way to the root, the nearest first.
    pub path: Vec<Hash>,
}

impl Query for GetReceipt {
    type Answer = Option<Receipt>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(lottery) = find(sql, self.lottery)? else {
            return Ok(None);
        };
        if !(0..lottery.batches).contains(&self.leaf_index) {
            return Ok(None);
        }
        let block = self.leaf_index / BLOCK_LEAVES;
        let leaves = leaves(sql, self.lottery, block)?;
        let at = (self.leaf_index % BLOCK_LEAVES) as usize;
        let one = [self.lottery.into(), self.leaf_index.into(), 1_i64.into()];
        let rows = sql.query(SELECT_LEAVES, &one)?;
        let row = rows.first().ok_or(Fault::Corrupt("a leaf is missing"))?;
        let mut path = merkle::path(at, &leaves);
        path.extend(merkle::path(block as usize, &blocks(sql, &lottery)?));
        Ok(Some(Receipt {
            batch: batch_of(row)?,
            tree_size: lottery.batches,
            root: lottery.root,
            path,
        }))
    }
}

/// The leaves of a block.
fn leaves(sql: &mut dyn Sql, lottery: i64, block: i64) -> Result<Vec<Hash>, Fault> {
    let from = block.saturating_mul(BLOCK_LEAVES);
    let rows = sql.query(
        "SELECT hash FROM lottery_batches WHERE lottery = ?1 AND leaf >= ?2 ORDER BY leaf LIMIT ?3",
        &[lottery.into(), from.into(), BLOCK_LEAVES.into()],
    )?;
    rows.iter().map(|row| row.hash(0)).collect()
}

/// The roots of all blocks, of the last one too if it is not full.
fn blocks(sql: &mut dyn Sql, lottery: &Lottery) -> Result<Vec<Hash>, Fault> {
    let rows = sql.query(
        "SELECT hash FROM lottery_blocks WHERE lottery = ?1 ORDER BY block",
        &[lottery.id.into()],
    )?;
    let mut blocks: Vec<Hash> = rows
        .iter()
        .map(|row| row.hash(0))
        .collect::<Result<_, _>>()?;
    let rest = leaves(sql, lottery.id, blocks.len() as i64)?;
    if !rest.is_empty() {
        blocks.push(merkle::root(&rest));
    }
    Ok(blocks)
}

macro_rules! select_lotteries {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, agencies, rule, opened_at_ms, open_agencies, bets, batches, frontier,
                drawn_at_ms, number, winners, secret, source_value FROM lotteries ",
            $tail
        )
    };
}

const SELECT_ONE: &str = select_lotteries!("WHERE id = ?1");
const SELECT_PAGE: &str = select_lotteries!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");

fn find(sql: &mut dyn Sql, id: i64) -> Result<Option<Lottery>, Fault> {
    let rows = sql.query(SELECT_ONE, &[id.into()])?;
    rows.first().map(lottery_of).transpose()
}

fn lottery_of(row: &Row) -> Result<Lottery, Fault> {
    let batches = row.int(7)?;
    let frontier = Frontier::from_bytes(u64::from(small(batches)?), row.blob(8)?)
        .ok_or(Fault::Corrupt("a lottery's tree does not fit its size"))?;
    Ok(Lottery {
        id: row.int(0)?,
        name: row.text(1)?.to_owned(),
        agencies: small(row.int(2)?)?,
        rule: decode_rule(row.blob(3)?)?,
        opened_at_ms: row.int(4)?,
        open_agencies: small(row.int(5)?)?,
        bets: row.int(6)?,
        batches,
        root: frontier.root(),
        drawn: drawn_of(row)?,
    })
}

fn drawn_of(row: &Row) -> Result<Option<Drawn>, Fault> {
    let (Some(at_ms), Some(number)) = (row.int_opt(9)?, number(row, 10)?) else {
        return Ok(None);
    };
    let source_value = row.text_opt(13)?.map(str::to_owned);
    let secret = match row.0.get(12) {
        Some(crate::sql::Value::Null) => None,
        _ => Some(row.hash(12)?),
    };
    Ok(Some(Drawn {
        at_ms,
        number,
        winners: row.int(11)?,
        secret,
        source_value,
    }))
}

fn agency_of(row: &Row) -> Result<Agency, Fault> {
    Ok(Agency {
        agency: small(row.int(0)?)?,
        bets: row.int(1)?,
        winners: row.int(2)?,
        closed_at_ms: row.int_opt(3)?,
    })
}

fn batch_of(row: &Row) -> Result<Batch, Fault> {
    let body = row.text_opt(6)?;
    let bets =
        body.map(|body| canonical::read(body).ok_or(Fault::Corrupt("a batch is unreadable")));
    Ok(Batch {
        leaf_index: row.int(0)?,
        agency: small(row.int(1)?)?,
        first: row.int(2)?,
        count: small(row.int(3)?)?,
        at_ms: row.int(4)?,
        leaf: row.hash(5)?,
        bets: bets.transpose()?,
    })
}
