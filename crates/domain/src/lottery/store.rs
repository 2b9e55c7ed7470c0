//! The rows of lotteries, as the handlers and the queries read them.

use crate::command::{Rejection, Thing};
use crate::context::Step;
use crate::lottery::Rule;
use crate::sql::{Fault, Row, Sql};

/// Leaves of a block of the Merkle tree. The root of each full block is kept, so that a receipt
/// reads a thousand leaves and not a million.
pub(super) const BLOCK_LEAVES: i64 = 1 << BLOCK_LEVEL;

/// Height of a full block's tree.
pub(super) const BLOCK_LEVEL: u32 = 10;

/// A lottery and one of its agencies, as the handlers need them.
pub(super) struct Desk {
    /// Agencies that have not closed.
    pub open_agencies: u32,
    /// Bets so far.
    pub bets: i64,
    /// Batches so far: leaves of the tree.
    pub batches: i64,
    /// The tree's frontier, as bytes.
    pub frontier: Vec<u8>,
    /// The number, once it has been drawn.
    pub number: Option<u16>,
    /// Whether the agency has closed.
    pub closed: bool,
    /// How the number is found.
    pub rule: Vec<u8>,
}

/// The lottery's row and the agency's, or the rejection that there is no such lottery or agency.
pub(super) fn desk(sql: &mut dyn Sql, lottery: i64, agency: u32) -> Step<Desk> {
    let rows = sql.query(SELECT_DESK, &[lottery.into(), agency.into()])?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Lottery))?;
    if agency == 0 || i64::from(agency) > row.int(0)? {
        return Err(Rejection::NotFound(Thing::Agency).into());
    }
    Ok(Desk {
        open_agencies: small(row.int(1)?)?,
        bets: row.int(2)?,
        batches: row.int(3)?,
        frontier: row.blob(4)?.to_vec(),
        number: number(row, 5)?,
        closed: row.int_opt(6)?.is_some(),
        rule: row.blob(7)?.to_vec(),
    })
}

const SELECT_DESK: &str = "
    SELECT l.agencies, l.open_agencies, l.bets, l.batches, l.frontier, l.number, a.closed_at_ms,
        l.rule
    FROM lotteries l LEFT JOIN lottery_agencies a ON a.lottery = l.id AND a.agency = ?2
    WHERE l.id = ?1";

/// The number in a column, `None` before the draw.
pub(super) fn number(row: &Row, column: usize) -> Result<Option<u16>, Fault> {
    let number = row.int_opt(column)?.map(u16::try_from).transpose();
    number.map_err(|_| Fault::Corrupt("a drawn number has too many digits"))
}

/// A count or an agency's number, which the rules keep small.
pub(super) fn small(value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| Fault::Corrupt("a lottery's count is out of its bounds"))
}

/// The stored form of a rule: postcard behind a version byte.
pub(super) fn encode_rule(rule: &Rule) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(rule, vec![RULE_VERSION])
        .map_err(|_| Fault::Corrupt("a rule cannot be encoded"))
}

/// Reads what [`encode_rule`] wrote.
pub(super) fn decode_rule(bytes: &[u8]) -> Result<Rule, Fault> {
    match bytes.split_first() {
        Some((&RULE_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|_| Fault::Corrupt("a rule is unreadable"))
        }
        _ => Err(Fault::Corrupt("a rule is of another version")),
    }
}

const RULE_VERSION: u8 = 1;
