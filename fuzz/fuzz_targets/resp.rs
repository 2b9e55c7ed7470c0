//! Any bytes at all come over a Redis client's socket: in one piece and byte by byte they are the
//! same requests, and the same is wrong with them.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use server::resp::{Parser, ProtocolError, Requests};

fuzz_target!(|input: (bool, Vec<u8>)| {
    let (unknown, bytes) = input;
    let whole = parse(&bytes, bytes.len().max(1), unknown);
    let single = parse(&bytes, 1, unknown);
    assert_eq!(whole, single);
});

/// The requests of bytes that come in pieces, and what is wrong after them.
fn parse(bytes: &[u8], piece: usize, unknown: bool) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut parser = Parser::default();
    parser.unknown = unknown;
    let (mut buffer, mut requests) = (BytesMut::new(), Requests::new());
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            parser.parse(&mut buffer, &mut requests);
            for request in requests.iter() {
                let mut words = vec![request.name().to_vec()];
                words.extend(request.arguments().map(<[u8]>::to_vec));
                found.push(words);
            }
            if requests.error().is_some() {
                return (found, requests.error());
            }
            if requests.is_empty() {
                break;
            }
        }
    }
    (found, None)
}
