//! What does it cost to find the requests of a pipeline? Ours beside the crate `redis-protocol`,
//! which knows neither requests that are lines nor Redis's words for what is wrong. The figures
//! behind our choice stand in ARCHITECTURE.md.
//!
//! ```text
//! cargo bench -p server --bench resp
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use redis_protocol::resp2::decode::decode_bytes_mut;
use server::resp::{Parser, Requests};

/// How many times everything is measured; the median is shown.
const ROUNDS: usize = 9;

/// Requests of a measurement, whatever the pipeline.
const REQUESTS: usize = 1_024_000;

/// A SET as `redis-benchmark -d 64` sends it.
fn pipeline(requests: usize) -> Vec<u8> {
    let value = "x".repeat(64);
    let set = format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$64\r\n{value}\r\n");
    set.repeat(requests).into_bytes()
}

fn ours(bytes: &[u8], buffer: &mut BytesMut, parser: &mut Parser, requests: &mut Requests) {
    requests.clear();
    buffer.extend_from_slice(bytes);
    parser.parse(buffer, requests);
    for request in requests.iter() {
        black_box((request.name(), request.bytes(1), request.bytes(2)));
    }
}

fn theirs(bytes: &[u8], buffer: &mut BytesMut) {
    buffer.extend_from_slice(bytes);
    while let Some((frame, _, _)) = decode_bytes_mut(buffer).unwrap() {
        black_box(frame);
    }
}

/// Nanoseconds a request.
fn median(requests: usize, mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..REQUESTS / requests).for_each(|_| work());
            begun.elapsed().as_nanos() as f64 / REQUESTS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    println!("nanoseconds for a SET of 64 bytes, by requests in the pipeline");
    for requests in [1, 16, 256] {
        let bytes = pipeline(requests);
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        let (mut parser, mut batch) = (Parser::default(), Requests::new());
        let own = median(requests, || {
            ours(&bytes, &mut buffer, &mut parser, &mut batch)
        });
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        let other = median(requests, || theirs(&bytes, &mut buffer));
        println!("{requests:>4}  ours {own:>6.0}  redis-protocol {other:>6.0}");
    }
}
