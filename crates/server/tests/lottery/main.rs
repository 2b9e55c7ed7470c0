//! The lottery's front door, from outside: bytes over a socket, on a node of its own for every
//! test. What went wrong with the system that this one replaces is a test each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agencies;
mod bad_input;
mod counter;
mod limits;
