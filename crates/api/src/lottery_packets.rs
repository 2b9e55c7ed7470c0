//! The packets of the lottery's TCP protocol, for both sides.
//!
//! ```text
//!   packet    2 bytes, big-endian: the length of the body, 1 to 8190 · the body, UTF-8
//!
//!   StoreBet:agency;bet                         one bet
//!   StoreBatch:agency;bet:bet:…                 up to 63; only the first carries the agency
//!   StoreBatch:agency:bet:bet:…                 the same, with the agency as a segment of its own
//!   StoreBatchOnce:request id:agency;bet:bet:…  the same, and a repetition changes nothing
//!   StoreReceipted:request id:agency;bet:bet:…  the same again, answered with a receipt
//!   AgencyClose:agency                          no answer
//!   WinnersRequest:agency
//!   Lottery:id                                  this connection means that lottery; without an id,
//!                                               the one that is the current one now
//!
//!   bet       first name;last name;document;birthdate;number
//!
//!   StoreResponse:0   all of it is stored, durably      StoreResponse:1   nothing was stored
//!   ReceiptResponse:lottery;first bet;leaf index;leaf   stored; its place in the Merkle tree
//!   NotReadyResponse:                                   not all agencies have closed
//!   WinnersResponse:document;document;…                 the agency's winners, if it has any
//!   LotteryResponse:id                                  what this connection means; 0 if there is
//!                                                       no such lottery, and nothing has changed
//! ```
//!
//! Parsing borrows from the packet and allocates once for a batch. What a field may hold is checked
//! here, so that an agency knows before it sends; which bets a lottery takes is the domain's rule.

mod answer;
mod bet;
mod frame;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Receipt, Unintelligible};
pub use bet::{
    BIRTHDATE_MAX_BYTES, BadBet, Bet, DOCUMENT_MAX_BYTES, Field, NAME_MAX_BYTES, NUMBER_MAX,
};
pub use frame::{BODY_MAX_BYTES, BrokenFrame, HEADER_BYTES, TooLong, body_bytes, frame};
pub use request::{BETS_PER_BATCH_MAX, Malformed, REQUEST_ID_MAX_BYTES, Request};
