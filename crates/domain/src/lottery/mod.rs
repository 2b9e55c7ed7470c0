//! Lotteries: agencies send bets, close one after the other, and a number is drawn.
//!
//! ```text
//!             StoreBets, CloseAgency                 DrawLottery
//!   open ───────────────────────────▶ all closed ────────────────▶ drawn
//!                                           (a fixed number is drawn by the last closing)
//! ```
//!
//! A batch is stored whole or not at all, in the command that checks that its agency is open. It
//! is one row: its [canonical text](canonical), which is also the leaf of the lottery's
//! [Merkle tree](merkle), so an agency can prove later that its batch was there. A *verifiable*
//! lottery draws its number from that tree's root and from a secret committed to beforehand: see
//! [`verifiable`], which also says what that does not prove.
//!
//! Bets count from 1 over the whole lottery, leaves from 0 as in RFC 6962, agencies from 1.

pub mod canonical;
pub(crate) mod commands;
mod date;
mod draw;
mod queries;
pub mod raffle;
mod store;
pub mod verifiable;

pub use crate::merkle;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::unprintable;

pub use queries::{
    Agency, Batch, CurrentLottery, CurrentWinners, Drawn, GetLottery, GetReceipt, ListLotteries,
    Lotteries, Lottery, Receipt, Record, RecordPage, Winners, WinnersAnswer, WinnersPage,
};

/// A batch has at most this many bets: with the longest names it fits the 8,190 bytes of one
/// packet of the agencies' protocol.
pub const BETS_PER_BATCH_MAX: usize = 63;

/// A lottery has at most this many agencies: they are listed whole.
pub const AGENCIES_MAX: u32 = 1_000;

/// A lottery takes at most this many bets, because one command draws over all of them: twice the
/// million that is drawn within a second.
pub const BETS_PER_LOTTERY_MAX: i64 = 2_000_000;

/// There are at most this many lotteries: one a day for 27 years. None is ever removed.
pub const LOTTERIES_MAX: i64 = 10_000;

/// A lottery's name has at most this many characters: it is a heading.
pub const NAME_MAX_CHARS: usize = 100;

/// A first or last name has at most this many bytes, so that a batch fits its packet.
pub const PERSON_MAX_BYTES: usize = 50;

/// A document has at most this many bytes, so that a batch fits its packet.
pub const DOCUMENT_MAX_BYTES: usize = 10;

/// The largest number: four digits are played.
pub const NUMBER_MAX: u16 = 9_999;

/// A public source's name or value has at most this many characters: a sentence.
pub const SOURCE_MAX_CHARS: usize = 300;

/// The number that the fixed rule draws unless another is given, as the original did.
pub const FIXED_NUMBER: u16 = 7_574;

/// A person's bet on a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bet {
    /// 1 to [`PERSON_MAX_BYTES`] bytes.
    pub first_name: String,
    /// 1 to [`PERSON_MAX_BYTES`] bytes.
    pub last_name: String,
    /// 1 to [`DOCUMENT_MAX_BYTES`] bytes.
    pub document: String,
    /// `YYYY-MM-DD`, a date that exists.
    pub birthdate: String,
    /// 0 to [`NUMBER_MAX`].
    pub number: u16,
}

/// What is wrong with a bet: the field, and why in one English sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BetProblem {
    /// The field's name as in the API.
    pub field: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for BetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl std::error::Error for BetProblem {}

impl Bet {
    /// Refuses a bet that no agency may send. No field may hold `;`, `:` or a control character:
    /// they separate fields and bets wherever bets are text.
    pub fn check(&self) -> Result<(), BetProblem> {
        let names = "a name has 1 to 50 bytes";
        check_text("first_name", &self.first_name, PERSON_MAX_BYTES, names)?;
        check_text("last_name", &self.last_name, PERSON_MAX_BYTES, names)?;
        let document = "a document has 1 to 10 bytes";
        check_text("document", &self.document, DOCUMENT_MAX_BYTES, document)?;
        if !date::is_date(&self.birthdate) {
            return Err(BetProblem {
                field: "birthdate",
                reason: "it must be a date that exists, as YYYY-MM-DD",
            });
        }
        check_number(self.number)
    }
}

/// Refuses a number of more than four digits.
pub fn check_number(number: u16) -> Result<(), BetProblem> {
    if number <= NUMBER_MAX {
        return Ok(());
    }
    Err(BetProblem {
        field: "number",
        reason: "a number is 0 to 9999",
    })
}

fn check_text(
    field: &'static str,
    text: &str,
    max_bytes: usize,
    length: &'static str,
) -> Result<(), BetProblem> {
    if !(1..=max_bytes).contains(&text.len()) {
        let reason = length;
        return Err(BetProblem { field, reason });
    }
    if text.contains(|c| c == ';' || c == ':' || unprintable(c)) {
        let reason = "it must not hold ';', ':' or control characters";
        return Err(BetProblem { field, reason });
    }
    Ok(())
}

/// How the number is found. The order of the variants is the wire and stored format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// It is known from the start, and the closing of the last agency draws it.
    Fixed {
        /// The number.
        number: u16,
    },
    /// An administrator enters it, for example the official one.
    External,
    /// It follows from a secret, from all bets and from a public source: see [`verifiable`].
    Verifiable {
        /// SHA-256 of the secret.
        commitment: [u8; 32],
        /// What public value will be mixed in, named beforehand ("first prize of the national
        /// lottery of 24 December 2026"); `None` if there is none.
        source: Option<String>,
    },
}

impl Rule {
    /// The rule's word: `fixed`, `external` or `verifiable`.
    pub fn word(&self) -> &'static str {
        match self {
            Rule::Fixed { .. } => "fixed",
            Rule::External => "external",
            Rule::Verifiable { .. } => "verifiable",
        }
    }
}

/// What an administrator brings to the draw. The order of the variants is the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disclosure {
    /// For [`Rule::External`].
    Number(u16),
    /// For [`Rule::Verifiable`].
    Secret {
        /// What was committed to.
        secret: [u8; 32],
        /// The public source's value, if a source was named.
        source_value: Option<String>,
    },
}

/// How a user names a rule: `fixed`, `fixed:7574`, `external` or `verifiable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleWord {
    /// `fixed` or `fixed:NUMBER`.
    Fixed(u16),
    /// `external`.
    External,
    /// `verifiable`.
    Verifiable,
}

/// The text names no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARule;

impl fmt::Display for NotARule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a rule is fixed:NUMBER (0 to 9999), external or verifiable"
        )
    }
}

impl std::error::Error for NotARule {}

impl FromStr for RuleWord {
    type Err = NotARule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "fixed" => Ok(Self::Fixed(FIXED_NUMBER)),
            "external" => Ok(Self::External),
            "verifiable" => Ok(Self::Verifiable),
            _ => {
                let digits = text.strip_prefix("fixed:").ok_or(NotARule)?;
                let number = digits.parse().map_err(|_| NotARule)?;
                check_number(number).map_err(|_| NotARule)?;
                Ok(Self::Fixed(number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Bet, NotARule, RuleWord};

    fn bet() -> Bet {
        Bet {
            first_name: "Santiago Lionel".to_owned(),
            last_name: "Lorca".to_owned(),
            document: "30904465".to_owned(),
            birthdate: "1999-03-17".to_owned(),
            number: 7574,
        }
    }

    #[test]
    fn a_bet_is_told_what_is_wrong_with_it() {
        bet().check().unwrap();
        type Spoil = fn(&mut Bet);
        let spoils: [(&str, Spoil); 14] = [
            ("first_name", |bet| bet.first_name = String::new()),
            ("first_name", |bet| bet.first_name = "x".repeat(51)),
            ("first_name", |bet| bet.first_name = "ñ".repeat(26)),
            ("first_name", |bet| bet.first_name = "Ana;Eva".to_owned()),
            ("last_name", |bet| bet.last_name = "Pérez:".to_owned()),
            ("last_name", |bet| bet.last_name = "Pé\nrez".to_owned()),
            ("last_name", |bet| bet.last_name = "Pé\0rez".to_owned()),
            ("document", |bet| bet.document = String::new()),
            ("document", |bet| bet.document = "12345678901".to_owned()),
            ("birthdate", |bet| bet.birthdate = "2023-02-30".to_owned()),
            ("birthdate", |bet| bet.birthdate = "17/03/1999".to_owned()),
            ("birthdate", |bet| bet.birthdate = String::new()),
            ("number", |bet| bet.number = 10_000),
            ("number", |bet| bet.number = u16::MAX),
        ];
        for (field, spoil) in spoils {
            let mut spoiled = bet();
            spoil(&mut spoiled);
            assert_eq!(spoiled.check().unwrap_err().field, field, "{spoiled:?}");
        }
    }

    #[test]
    fn rules_have_words() {
        assert_eq!("fixed".parse(), Ok(RuleWord::Fixed(7574)));
        assert_eq!("fixed:0".parse(), Ok(RuleWord::Fixed(0)));
        assert_eq!("external".parse(), Ok(RuleWord::External));
        assert_eq!("verifiable".parse(), Ok(RuleWord::Verifiable));
        for text in ["", "fixed:", "fixed:10000", "fixed:-1", "Fixed", "random"] {
            assert_eq!(text.parse::<RuleWord>(), Err(NotARule), "{text}");
        }
    }
}
