//! The HTTP front door, from outside: bytes over a socket, on a node of its own for every test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod accounts;
mod bad_input;
mod cluster;
mod cookies;
mod drills;
mod events;
mod faults;
mod feeds;
mod files;
mod hits;
mod journals;
mod keys;
mod lotteries;
mod lottery_pages;
mod news;
mod overload;
mod poll_lists;
mod poll_pages;
mod polls;
mod site;
mod system;
mod web;
