//! Lotteries: what agencies send, what is drawn, and all that is needed to recompute it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// 32 bytes, as 64 hexadecimal digits: a SHA-256 hash, or the secret behind one.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String)]
pub struct Hex32(pub [u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHex32;

impl fmt::Display for NotHex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it must be 64 hexadecimal digits")
    }
}

impl std::error::Error for NotHex32 {}

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hex32 {
    type Err = NotHex32;

    fn from_str(text: &str) -> Result<Self, NotHex32> {
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).map(|digit| digit as u8).ok_or(NotHex32))
            .collect::<Result<_, _>>()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high * 16 + low).collect();
        match (bytes.try_into(), rest) {
            (Ok(bytes), []) => Ok(Self(bytes)),
            _ => Err(NotHex32),
        }
    }
}

impl TryFrom<String> for Hex32 {
    type Error = NotHex32;

    fn try_from(text: String) -> Result<Self, NotHex32> {
        text.parse()
    }
}

impl From<Hex32> for String {
    fn from(hex: Hex32) -> Self {
        hex.to_string()
    }
}

/// A new lottery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLottery {
    /// One line of at most 100 characters.
    #[schema(example = "Sorteo de Navidad")]
    pub name: String,
    /// How many agencies, numbered from 1; at most 1,000.
    #[schema(example = 5)]
    pub agencies: u32,
    /// `fixed:NUMBER`, `external` or `verifiable`; `fixed:7574` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// SHA-256 of the secret of 32 bytes that the draw will reveal, of `verifiable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Hex32>,
    /// What public value will be mixed in, of `verifiable`: best one that nobody can know before
    /// all agencies have closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A lottery was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LotteryMade {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// How far a lottery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LotteryState {
    /// Some agencies have not closed.
    Open,
    /// All agencies have closed, the draw is to come.
    Closed,
    /// It has been drawn.
    Drawn,
}

/// A lottery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lottery {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: LotteryState,
    /// How many agencies it has, numbered from 1.
    pub agencies: u32,
    /// Agencies that have not closed.
    pub open_agencies: u32,
    /// `fixed:NUMBER`, `external` or `verifiable`.
    pub rule: String,
    /// SHA-256 of the secret, of `verifiable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Hex32>,
    /// The public source that was named, of `verifiable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was opened.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// Bets so far.
    pub bets: i64,
    /// Batches so far: leaves of the Merkle tree.
    pub batches: i64,
    /// Root of the Merkle tree over the batches so far (RFC 6962, SHA-256).
    pub root: Hex32,
    /// The draw, once it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
}

/// A draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draw {
    /// The number, 0 to 9999.
    pub number: u16,
    /// Bets on it, over all agencies.
    pub winners: i64,
    /// When it was drawn.
    #[schema(format = DateTime)]
    pub at: String,
    /// The secret that was committed to, of `verifiable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Hex32>,
    /// The public source's value, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_value: Option<String>,
}

/// One lottery with its agencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LotteryShown {
    /// The lottery.
    #[serde(flatten)]
    pub lottery: Lottery,
    /// The agencies that have sent bets or closed, in order.
    pub by_agency: Vec<Agency>,
}

/// An agency of a lottery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agency {
    /// Its number.
    pub agency: u32,
    /// Its bets.
    pub bets: i64,
    /// Its winning bets, 0 before the draw.
    pub winners: i64,
    /// When it closed.
    #[schema(format = DateTime)]
    pub closed_at: Option<String>,
}

/// The history of lotteries, newest first. The first is the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lotteries {
    /// The lotteries.
    pub lotteries: Vec<Lottery>,
    /// Goes into `?before=` for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// A person's bet on a number. No field may hold `;`, `:` or control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bet {
    /// 1 to 50 bytes.
    #[schema(example = "Santiago Lionel")]
    pub first_name: String,
    /// 1 to 50 bytes.
    #[schema(example = "Lorca")]
    pub last_name: String,
    /// 1 to 10 bytes.
    #[schema(example = "30904465")]
    pub document: String,
    /// `YYYY-MM-DD`, a date that exists.
    #[schema(example = "1999-03-17")]
    pub birthdate: String,
    /// 0 to 9999.
    #[schema(example = 7574)]
    pub number: u16,
}

/// A batch of bets of one agency: all are stored or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBets {
    /// The agency, from 1.
    pub agency: u32,
    /// 1 to 63 bets.
    pub bets: Vec<Bet>,
}

/// A batch was stored: what the agency keeps to prove it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BetsStored {
    /// The lottery's id.
    pub lottery: i64,
    /// The agency.
    pub agency: u32,
    /// Index of the first bet, from 1 over the whole lottery.
    pub first: i64,
    /// How many bets.
    pub count: u32,
    /// Index of the batch's leaf in the Merkle tree, from 0.
    pub leaf_index: i64,
    /// The leaf.
    pub leaf: Hex32,
}

/// An agency has closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgencyClosed {
    /// The lottery's id.
    pub lottery: i64,
    /// The agency.
    pub agency: u32,
    /// `false` if it had closed before.
    pub changed: bool,
    /// Agencies that have not closed.
    pub open_agencies: u32,
    /// Whether the number has been drawn, by this closing or before.
    pub drawn: bool,
}

/// What the draw needs: `number` for the rule `external`, `secret` for `verifiable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDraw {
    /// The official number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// What was committed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Hex32>,
    /// The public source's value, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_value: Option<String>,
}

/// A lottery was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrawMade {
    /// The lottery's id.
    pub lottery: i64,
    /// The number.
    pub number: u16,
    /// Bets on it, over all agencies.
    pub winners: i64,
}

/// A page of the winners of an agency, at most 4,096.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Winners {
    /// The lottery's id.
    pub lottery: i64,
    /// The agency.
    pub agency: u32,
    /// The number that was drawn.
    pub number: u16,
    /// The agency's winning bets, over all pages.
    pub winners: i64,
    /// Documents in the order of the bets; somebody who won twice is there twice.
    pub documents: Vec<String>,
    /// Goes into `?after=` for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// A batch in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// Index of its leaf, from 0.
    pub leaf_index: i64,
    /// The agency.
    pub agency: u32,
    /// Index of its first bet, from 1.
    pub first: i64,
    /// How many bets.
    pub count: u32,
    /// When it was stored.
    #[schema(format = DateTime)]
    pub at: String,
    /// The leaf: SHA-256 of a zero byte and the batch's canonical text.
    pub leaf: Hex32,
    /// The bets, if an administrator asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bets: Option<Vec<Bet>>,
}

/// A page of a record: all that is needed to recompute the root, the number and, with the bets,
/// the winners. `consorcio lottery verify` reads the pages put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// The lottery.
    pub lottery: Lottery,
    /// Batches in the order of their leaves.
    pub batches: Vec<Batch>,
    /// Goes into `?from=` for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// The proof that a batch is in the lottery's Merkle tree (RFC 6962, section 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The lottery's id.
    pub lottery: i64,
    /// The batch, without its bets.
    pub batch: Batch,
    /// Leaves of the tree.
    pub tree_size: i64,
    /// Root of the tree.
    pub root: Hex32,
    /// Siblings on the way from the leaf to the root, the nearest first.
    pub path: Vec<Hex32>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hashes_are_hexadecimal() {
        let hex = Hex32(std::array::from_fn(|at| at as u8 * 7));
        let text = hex.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(hex));
        assert_eq!(text.to_uppercase().parse(), Ok(hex));
        let long = format!("{text}0");
        for wrong in ["", "00", &text[1..], &long, &text.replace('0', "g"), "ñ"] {
            assert_eq!(wrong.parse::<Hex32>(), Err(NotHex32), "{wrong}");
        }
        let json = serde_json::to_string(&hex).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Hex32>(&json).unwrap(), hex);
    }
}
