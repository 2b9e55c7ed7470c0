//! Live events, for SSE and for gRPC.
//!
//! ```text
//!   engine ── watch ──▶ Hub: shares each event ── broadcast ──▶ Reader ─▶ connection
//!                        └─ missed some? reads them from the outbox     (2,000 of them)
//! ```
//!
//! All readers share one ring of events, each of which is rendered once. A reader that falls a
//! whole ring behind is cut: it comes back with the last id it saw and reads what it missed from
//! the outbox.

mod hub;
mod reader;
mod render;

pub(crate) use hub::Hub;
pub(crate) use reader::{Filter, Reader, Told};
pub(crate) use render::{TALLY, check_kind};
