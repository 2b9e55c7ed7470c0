//! The JSON types of Consorcio's API and the client library that speaks it.

pub mod client;
pub mod lottery_packets;
pub mod types;
pub mod verify;

pub use client::{Client, Error};
