//! What holds of any bytes that a Redis client sends.

use bytes::BytesMut;
use server::resp::{
    ARGUMENTS_MAX, BULK_MAX_BYTES, Parser, ProtocolError, REQUEST_MAX_BYTES, Requests,
};

/// The requests of some bytes, what is wrong after them, and how many bytes wait for their rest.
type Parsed = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>, usize);

/// However the bytes are cut, they are the same requests, and the same is wrong with them; what was
/// understood is understood again when it is written as clients write it.
pub fn hold(stream: &[u8]) {
    for unknown in [false, true] {
        let whole = parse(stream, stream.len().max(1), unknown);
        let (requests, error, left) = &whole;
        assert_eq!(parse(stream, 1, unknown), whole);
        assert_eq!(parse(stream, 7, unknown), whole);
        assert!(*left <= stream.len());
        if let Some(error) = error {
            let line = error.to_string();
            assert!(line.starts_with("Protocol error: ") && !line.contains(['\r', '\n']));
        }
        for request in requests {
            assert!((1..=ARGUMENTS_MAX).contains(&request.len()));
            assert!(request.iter().all(|word| word.len() <= BULK_MAX_BYTES));
            assert!(request.iter().map(Vec::len).sum::<usize>() <= REQUEST_MAX_BYTES);
        }
        let again = requests.iter().flat_map(|request| written(request));
        let again = parse(&again.collect::<Vec<u8>>(), usize::MAX, false);
        assert_eq!(again, (requests.clone(), None, 0));
    }
}

fn written(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for word in request {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn parse(bytes: &[u8], piece: usize, unknown: bool) -> Parsed {
    let mut parser = Parser::default();
    parser.unknown = unknown;
    let (mut buffer, mut requests) = (BytesMut::new(), Requests::new());
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            parser.parse(&mut buffer, &mut requests);
            for request in requests.iter() {
                let words = request.arguments().map(<[u8]>::to_vec);
                found.push(
                    std::iter::once(request.name().to_vec())
                        .chain(words)
                        .collect(),
                );
            }
            if requests.error().is_some() {
                return (found, requests.error(), 0);
            }
            if requests.is_empty() {
                break;
            }
        }
    }
    (found, None, buffer.len())
}
