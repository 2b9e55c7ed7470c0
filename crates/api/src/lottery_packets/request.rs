//! What an agency asks.

use super::bet::{BadBet, Bet, write_number};
use super::frame::{TooLong, frame};

/// Bets of a batch: as many of the longest as fit a packet.
pub const BETS_PER_BATCH_MAX: usize = 63;

/// Bytes of a request id: a UUID with its hyphens fits, and so does a full batch beside it.
pub const REQUEST_ID_MAX_BYTES: usize = 36;

/// What an agency asks. Agencies are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Store a bet.
    StoreBet {
        /// Whose.
        agency: u32,
        /// Which.
        bet: Bet<'a>,
    },
    /// Store all of these bets, or none.
    StoreBatch {
        /// Whose.
        agency: u32,
        /// 1 to [`BETS_PER_BATCH_MAX`].
        bets: Vec<Bet<'a>>,
    },
    /// The same, once, however often it is asked with this id.
    StoreBatchOnce {
        /// 1 to [`REQUEST_ID_MAX_BYTES`] visible ASCII characters but `;` and `:`, unlike any
        /// other of the agency's.
        id: &'a str,
        /// Whose.
        agency: u32,
        /// 1 to [`BETS_PER_BATCH_MAX`].
        bets: Vec<Bet<'a>>,
        /// Whether the answer is to be a receipt ([`super::Receipt`]).
        receipt: bool,
    },
    /// The agency takes no more bets.
    AgencyClose {
        /// Which.
        agency: u32,
    },
    /// Who has won of this agency's.
    WinnersRequest {
        /// Which.
        agency: u32,
    },
    /// From now on this connection means one lottery, whichever is opened after it.
    Lottery {
        /// Its id, from 1; the current one's if it is left out.
        lottery: Option<i64>,
    },
}

/// Why the body of a packet is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// There is no `:` after a type.
    #[error("it has no type")]
    NoType,
    /// No packet has this type.
    #[error("{0:?} is no type of a packet")]
    UnknownType(String),
    /// The agency is no number from 1.
    #[error("the agency is no number from 1")]
    NoAgency,
    /// The lottery is no number from 1.
    #[error("the lottery is no number from 1")]
    NoLottery,
    /// The request id is missing, too long or holds what it may not.
    #[error("the request id is not 1 to {REQUEST_ID_MAX_BYTES} visible ASCII characters")]
    NoRequestId,
    /// A batch without bets.
    #[error("a batch of no bets")]
    NoBets,
    /// A batch of too many.
    #[error("a batch of more than {BETS_PER_BATCH_MAX} bets")]
    TooManyBets,
    /// One of the bets is none.
    #[error("bet {place}: {why}")]
    Bet {
        /// Counted from 1.
        place: usize,
        /// What is wrong with it.
        why: BadBet,
    },
}

/// The part of an unknown type that is told: every known one is shorter.
const TYPE_TOLD_CHARS: usize = 20;

impl<'a> Request<'a> {
    /// Reads the body of a packet.
    ///
    /// # Errors
    ///
    /// If it is none that an agency may send.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let text = str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
        let (kind, rest) = text.split_once(':').ok_or(Malformed::NoType)?;
        match kind {
            "StoreBet" => store_bet(rest),
            "StoreBatch" => {
                let (agency, bets) = batch(rest)?;
                Ok(Request::StoreBatch { agency, bets })
            }
            "StoreBatchOnce" | "StoreReceipted" => {
                let (id, rest) = rest.split_once(':').ok_or(Malformed::NoBets)?;
                let id = is_request_id(id)
                    .then_some(id)
                    .ok_or(Malformed::NoRequestId)?;
                let (agency, bets) = batch(rest)?;
                Ok(Request::StoreBatchOnce {
                    id,
                    agency,
                    bets,
                    receipt: kind == "StoreReceipted",
                })
            }
            "AgencyClose" => Ok(Request::AgencyClose {
                agency: read_agency(rest)?,
            }),
            "WinnersRequest" => Ok(Request::WinnersRequest {
                agency: read_agency(rest)?,
            }),
            "Lottery" => Ok(Request::Lottery {
                lottery: read_lottery(rest)?,
            }),
            _ => Err(Malformed::UnknownType(
                kind.chars().take(TYPE_TOLD_CHARS).collect(),
            )),
        }
    }

    /// Appends the packet to `out`. Bets made by [`Bet::from_fields`] are read back as they were.
    ///
    /// # Errors
    ///
    /// If it does not fit, which a batch of the allowed size always does.
    pub fn render(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        frame(out, |out| match self {
            Request::StoreBet { agency, bet } => {
                out.extend_from_slice(b"StoreBet:");
                write_batch(out, *agency, std::slice::from_ref(bet));
            }
            Request::StoreBatch { agency, bets } => {
                out.extend_from_slice(b"StoreBatch:");
                write_batch(out, *agency, bets);
            }
            Request::StoreBatchOnce {
                id,
                agency,
                bets,
                receipt,
            } => {
                out.extend_from_slice(match receipt {
                    true => b"StoreReceipted:",
                    false => b"StoreBatchOnce:",
                });
                out.extend_from_slice(id.as_bytes());
                out.push(b':');
                write_batch(out, *agency, bets);
            }
            Request::AgencyClose { agency } => {
                out.extend_from_slice(b"AgencyClose:");
                write_number(out, *agency);
            }
            Request::WinnersRequest { agency } => {
                out.extend_from_slice(b"WinnersRequest:");
                write_number(out, *agency);
            }
            Request::Lottery { lottery } => {
                let id = lottery.map_or(String::new(), |id| id.to_string());
                out.extend_from_slice(b"Lottery:");
                out.extend_from_slice(id.as_bytes());
            }
        })
    }
}

fn store_bet(text: &str) -> Result<Request<'_>, Malformed> {
    let (agency, bet) = text.split_once(';').unwrap_or((text, ""));
    let agency = read_agency(agency)?;
    let bet = Bet::parse(bet).map_err(|why| Malformed::Bet { place: 1, why })?;
    Ok(Request::StoreBet { agency, bet })
}

/// An agency and its bets, in both forms.
fn batch(text: &str) -> Result<(u32, Vec<Bet<'_>>), Malformed> {
    // The agency ends at the first separator, whichever it is.
    let end = text.find([';', ':']).ok_or(Malformed::NoBets)?;
    let agency = read_agency(&text[..end])?;
    let bets = &text[end + 1..];
    if bets.is_empty() {
        return Err(Malformed::NoBets);
    }
    // Counted first: what is refused is not read, and what is read is allocated once.
    let count = bets.bytes().filter(|byte| *byte == b':').count() + 1;
    if count > BETS_PER_BATCH_MAX {
        return Err(Malformed::TooManyBets);
    }
    let mut read = Vec::with_capacity(count);
    for (place, bet) in bets.split(':').enumerate() {
        let bet = Bet::parse(bet).map_err(|why| Malformed::Bet {
            place: place + 1,
            why,
        })?;
        read.push(bet);
    }
    Ok((agency, read))
}

fn write_batch(out: &mut Vec<u8>, agency: u32, bets: &[Bet<'_>]) {
    write_number(out, agency);
    for (place, bet) in bets.iter().enumerate() {
        out.push(if place == 0 { b';' } else { b':' });
        bet.write(out);
    }
}

fn read_agency(text: &str) -> Result<u32, Malformed> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| *number > 0)
        .ok_or(Malformed::NoAgency)
}

fn read_lottery(text: &str) -> Result<Option<i64>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = digits.then(|| text.parse().ok()).flatten();
    let id = id.filter(|id| *id > 0).ok_or(Malformed::NoLottery)?;
    Ok(Some(id))
}

fn is_request_id(text: &str) -> bool {
    let fits = (1..=REQUEST_ID_MAX_BYTES).contains(&text.len());
    fits && text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b';')
}
