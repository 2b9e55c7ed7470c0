//! Polls at the front door: from the rules' types to the API's and back, and the tasks that
//! keep them alive.
//!
//! ```text
//!   ballot ─▶ log ─▶ state: tally += 1          no event: there are 10,000 of them a second
//!                      │
//!          every 50 ms, if somebody looks and something was applied: which tallies differ?
//!                      ▼
//!                 hub ── broadcast, one item a round ──▶ readers of those polls
//! ```
//!
//! Tallies are state, not history. Each node reads those of the open polls that changed, at most
//! twenty times a second and only while a reader on this node follows one, and hands all of a round
//! to its readers as one item, rendered once. The message (`event: poll.tally`) has no `id:`, so a
//! client's `Last-Event-ID` stays that of the last real event; one that comes back is first told
//! how its polls stand now. Only readers who ask for a poll or for the kind get them. A round reads
//! a state that holds everything applied when it began: a ballot is on every screen after at most a
//! round, a read and the way there.

mod convert;
mod feed;
mod records;
mod tasks;

pub(crate) use convert::{Csv, hex, new_poll, not_final, poll, proof, record, result, tally_event};
pub(crate) use feed::feed;
pub(crate) use records::Records;
pub(crate) use tasks::{follow_tallies, settle_due};
