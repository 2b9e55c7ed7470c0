//! A proxy before nodes that do what a test tells them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;
mod forwarding;
mod ports;
mod retries;
mod stand;
