//! Any bytes that a Redis client may send.
#![no_main]

#[path = "../properties/resp.rs"]
mod resp;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| resp::hold(stream));
