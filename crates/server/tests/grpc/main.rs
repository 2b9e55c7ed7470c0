//! The gRPC front door, from outside: a generated client over a socket, on a node of its own for
//! every test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod accounts;
mod bad_input;
mod bounds;
mod cluster;
mod deadlines;
mod events;
mod journals;
mod lotteries;
mod news;
mod once;
mod polls;
mod raw;
mod site;
mod standard;
mod store;
