//! The Redis front door, from outside: bytes over a socket, on a node of its own for every test;
//! beside a real Redis where there is one; and with real clients, unmodified.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod blocking;
mod harness;
mod leaving;
mod limits;
mod messages;
mod node;
mod oracle;
mod pipelines;
mod programs;
mod protocol;
mod sign_in;
mod transactions;
