//! What a node answers.

use super::frame::{TooLong, frame};
use crate::types::Hex32;

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bets were stored durably, all of them; or none was.
    Store {
        /// Which of the two.
        stored: bool,
    },
    /// The bets were stored durably, all of them, and this is the proof to keep.
    Receipt(Receipt),
    /// The lottery is not drawn yet.
    NotReady,
    /// It is, and these documents won.
    Winners(Vec<String>),
    /// The lottery that the connection means, by its id; 0 if there is no such one.
    Lottery(i64),
}

/// Where a batch stands in a lottery's Merkle tree: with the lottery's record it proves later that
/// the batch took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The lottery's id, from 1.
    pub lottery: i64,
    /// Index of the batch's first bet, from 1 over the whole lottery.
    pub first: i64,
    /// Index of its leaf, from 0.
    pub leaf_index: i64,
    /// The leaf: SHA-256, in hexadecimal where it travels.
    pub leaf: Hex32,
}

/// Something that no node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is none of this protocol")]
pub struct Unintelligible;

impl Answer {
    /// Reads the body of a packet.
    ///
    /// # Errors
    ///
    /// If it is no answer.
    pub fn parse(body: &[u8]) -> Result<Self, Unintelligible> {
        let text = str::from_utf8(body).map_err(|_| Unintelligible)?;
        match text.split_once(':').ok_or(Unintelligible)? {
            ("StoreResponse", "0") => Ok(Answer::Store { stored: true }),
            ("StoreResponse", "1") => Ok(Answer::Store { stored: false }),
            ("ReceiptResponse", receipt) => receipt_of(receipt)
                .map(Answer::Receipt)
                .ok_or(Unintelligible),
            ("NotReadyResponse", "") => Ok(Answer::NotReady),
            ("WinnersResponse", "") => Ok(Answer::Winners(Vec::new())),
            ("WinnersResponse", winners) => documents(winners),
            ("LotteryResponse", id) => id.parse().map(Answer::Lottery).map_err(|_| Unintelligible),
            _ => Err(Unintelligible),
        }
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// If there are more winners than fit; nothing is appended then.
    pub fn render(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        frame(out, |out| match self {
            Answer::Store { stored: true } => out.extend_from_slice(b"StoreResponse:0"),
            Answer::Store { stored: false } => out.extend_from_slice(b"StoreResponse:1"),
            Answer::Receipt(receipt) => write_receipt(out, receipt),
            Answer::Lottery(id) => {
                out.extend_from_slice(b"LotteryResponse:");
                out.extend_from_slice(id.to_string().as_bytes());
            }
            Answer::NotReady => out.extend_from_slice(b"NotReadyResponse:"),
            Answer::Winners(documents) => {
                out.extend_from_slice(b"WinnersResponse:");
                out.extend_from_slice(documents.join(";").as_bytes());
            }
        })
    }
}

fn receipt_of(text: &str) -> Option<Receipt> {
    let mut fields = text.split(';');
    let receipt = Receipt {
        lottery: fields.next()?.parse().ok()?,
        first: fields.next()?.parse().ok()?,
        leaf_index: fields.next()?.parse().ok()?,
        leaf: fields.next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(receipt)
}

fn write_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    use std::io::Write as _;
    let Receipt {
        lottery,
        first,
        leaf_index,
        leaf,
    } = receipt;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "ReceiptResponse:{lottery};{first};{leaf_index};{leaf}");
}

fn documents(text: &str) -> Result<Answer, Unintelligible> {
    let documents: Vec<String> = text.split(';').map(str::to_owned).collect();
    match documents.iter().any(String::is_empty) {
        true => Err(Unintelligible),
        false => Ok(Answer::Winners(documents)),
    }
}
