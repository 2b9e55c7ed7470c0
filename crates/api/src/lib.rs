//! What Consorcio's APIs say, in JSON and in Protobuf, and the client library that speaks JSON.

pub mod client;
pub mod grpc;
pub mod lottery_packets;
pub mod types;
pub mod verify;

pub use client::{Client, Error};
