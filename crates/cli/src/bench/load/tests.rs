//! The generator against servers of a few lines.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

/// Answers every request of `request_bytes` with what `answer` says to its number.
fn serve(request_bytes: usize, answer: fn(usize) -> &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut request = vec![0; request_bytes];
                for number in 0.. {
                    if stream.read_exact(&mut request).is_err() {
                        return;
                    }
                    stream.write_all(answer(number)).unwrap();
                }
            });
        }
    });
    address
}

fn request_bytes() -> usize {
    let mut request = Vec::new();
    http::Keys::new(Operation::Set, "t").ask(0, &mut request);
    request.len()
}

#[test]
fn every_request_is_answered_once() {
    let address = serve(request_bytes(), |_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    });
    let clients = (0..8)
        .map(|_| http::Keys::new(Operation::Set, "t"))
        .collect();
    let measured = drive(&[address], clients, Until::Done(1000)).unwrap();
    assert_eq!((measured.done, measured.refused), (1000, 0));
    assert_eq!(measured.latencies_ms.len(), 1000);
}

#[test]
fn what_is_refused_is_asked_again() {
    let address = serve(request_bytes(), |number| match number % 3 {
        2 => b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy",
        _ => b"HTTP/1.1 204 No Content\r\n\r\n",
    });
    let measured = drive(
        &[address],
        vec![http::Keys::new(Operation::Set, "t")],
        Until::Done(100),
    )
    .unwrap();
    assert_eq!((measured.done, measured.refused), (100, 49));
    assert_eq!(measured.refusal.as_deref(), Some("503 busy"));
}

#[test]
fn a_system_that_only_refuses_is_an_error() {
    let address = serve(request_bytes(), |_| {
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
    });
    let refused = drive(
        &[address],
        vec![http::Keys::new(Operation::Set, "t")],
        Until::Done(1),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a request was refused: 401 no"
    );
}

#[test]
fn an_answer_in_pieces_is_one_answer() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for cut in 0..answer.len() {
        assert_eq!(http::hear(&answer[..cut]).unwrap(), (0, None));
    }
    assert_eq!(
        http::hear(answer).unwrap(),
        (answer.len(), Some(Answer::Done))
    );
}

#[test]
fn a_call_with_a_message_is_done_and_one_without_is_refused() {
    let mut out = Vec::new();
    let mut client = grpc::Keys::new(&grpc::ETCD, Operation::Set);
    client.ask(0, &mut out);
    // HEADERS, DATA of six bytes, HEADERS that end the stream, all of stream 1.
    let done = [
        &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88][..],
        &[0, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 7],
        &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0xbf],
    ]
    .concat();
    assert_eq!(
        client.hear(&done, &mut out).unwrap(),
        (done.len(), Some(Answer::Done))
    );
    client.ask(1, &mut out);
    let refused = [0, 0, 1, 1, 5, 0, 0, 0, 3, 0x88];
    let (used, answer) = client.hear(&refused, &mut out).unwrap();
    assert_eq!(used, refused.len());
    assert!(matches!(answer, Some(Answer::Refused(_))));
}

#[test]
fn a_reading_that_finds_nothing_is_refused() {
    let mut out = Vec::new();
    let mut client = grpc::Keys::new(&grpc::ETCD, Operation::Get);
    for (message_bytes, found) in [(40, false), (120, true)] {
        client.ask(0, &mut out);
        let stream = 1 + 2 * u8::from(found);
        let mut answer = vec![0, 0, message_bytes, 0, 1, 0, 0, 0, stream];
        answer.resize(9 + usize::from(message_bytes), 7);
        let (used, answer) = client.hear(&answer, &mut out).unwrap();
        assert_eq!(used, 9 + usize::from(message_bytes));
        assert_eq!(answer == Some(Answer::Done), found);
    }
}

#[test]
fn a_pipeline_keeps_its_depth_and_every_request_is_answered_once() {
    let mut request = Vec::new();
    let mut client = redis::Keys::new(Operation::Set, 10);
    client.ask(0, &mut request);
    let address = serve(request.len(), |_| b"+OK\r\n");
    let clients = (0..4)
        .map(|_| redis::Keys::new(Operation::Set, 10))
        .collect();
    let measured = drive_deep(&[address], clients, 16, Until::Done(1000)).unwrap();
    assert_eq!((measured.done, measured.refused), (1000, 0));
}

#[test]
fn replies_of_redis_are_taken_whole() {
    use redis::{Reply, reply};
    let cases: [(&[u8], Reply<'_>); 6] = [
        (b"+OK\r\n", Reply::Line(b"OK")),
        (b":12\r\n", Reply::Line(b"12")),
        (b"-ERR no\r\n", Reply::Line(b"-ERR no")),
        (b"$5\r\nhe\r\nl\r\n", Reply::Bulk(b"he\r\nl")),
        (b"$-1\r\n", Reply::Nil),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", Reply::Array),
    ];
    for (bytes, expected) in cases {
        for cut in 0..bytes.len() {
            assert_eq!(
                reply(&bytes[..cut]).unwrap(),
                None,
                "{bytes:?} cut at {cut}"
            );
        }
        assert_eq!(reply(bytes).unwrap(), Some((bytes.len(), expected)));
    }
    assert!(reply(b"HTTP/1.1 400\r\n").is_err());
}

#[test]
fn keys_and_values_differ() {
    assert_eq!(&key(0), b"k000000000");
    assert_eq!(&key(123_456), b"k000023456");
    assert_ne!(value(1), value(2));
    assert!(value(3).iter().all(u8::is_ascii_lowercase));
}
