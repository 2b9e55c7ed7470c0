//! The Redis serialisation protocol, versions 2 and 3: requests as they come over a socket, and
//! replies. Nothing here does I/O.
//!
//! ```text
//!   bytes ─▶ Parser ─▶ Requests (a pipeline: all that is complete) ─▶ … ─▶ Replies ─▶ bytes
//! ```
//!
//! A request is an array of bulk strings, or a line of words as one types it into `nc`. The
//! protocol is described at <https://redis.io/docs/latest/develop/reference/protocol-spec/>; what
//! is wrong with a request is told in Redis's own words, which some clients look for.

mod number;
mod parser;
mod replies;
mod words;

#[cfg(test)]
mod tests;

pub use number::{Integer, parse_float, parse_integer};
pub use parser::{
    ARGUMENTS_MAX, BULK_MAX_BYTES, INLINE_MAX_BYTES, Parser, ProtocolError, REQUEST_MAX_BYTES,
    Request, Requests, UNKNOWN_ARGUMENTS_MAX, UNKNOWN_BULK_MAX_BYTES,
};
pub use replies::{Replies, Version};
