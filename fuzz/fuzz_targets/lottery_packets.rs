//! Any bytes that an agency, or a node, may send over a lottery's connection.
#![no_main]

#[path = "../properties/lottery_packets.rs"]
mod lottery_packets;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| lottery_packets::hold(stream));
