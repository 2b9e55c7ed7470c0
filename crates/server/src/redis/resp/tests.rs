//! Requests in every chunking, good and broken, and replies to the byte.
#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::BytesMut;

use super::{
    ARGUMENTS_MAX, BULK_MAX_BYTES, INLINE_MAX_BYTES, Parser, ProtocolError, Replies, Requests,
    Version,
};

/// What a client's bytes came to.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
    /// Bytes of a request whose rest has not come.
    left: usize,
}

/// Parses bytes that come in pieces of these lengths, over and over.
fn parse_in(bytes: &[u8], pieces: &[usize], unknown: bool) -> Parsed {
    let mut parser = Parser::default();
    parser.unknown = unknown;
    let (mut buffer, mut batch) = (BytesMut::new(), Requests::new());
    let mut requests = Vec::new();
    let mut rest = bytes;
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let length = (*lengths.next().unwrap()).min(rest.len());
        buffer.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        loop {
            parser.parse(&mut buffer, &mut batch);
            requests.extend(batch.iter().map(|request| {
                let mut words = vec![request.name().to_vec()];
                words.extend(request.arguments().map(<[u8]>::to_vec));
                words
            }));
            if batch.is_empty() || batch.error().is_some() {
                break;
            }
        }
        if let Some(error) = batch.error() {
            return Parsed {
                requests,
                error: Some(error),
                left: 0,
            };
        }
    }
    let left = buffer.len();
    Parsed {
        requests,
        error: None,
        left,
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    parse_in(bytes, &[usize::MAX], false)
}

fn words(line: &[&[u8]]) -> Vec<Vec<u8>> {
    line.iter().map(|word| word.to_vec()).collect()
}

/// A request as clients send it.
fn encode(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn a_pipeline_is_parsed_whole() {
    let bytes =
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\nget k\r\n*2\r\n$3\r\nGE";
    let parsed = parse(bytes);
    let expected = vec![
        words(&[b"SET", b"k", b""]),
        words(&[b"PING"]),
        words(&[b"get", b"k"]),
    ];
    assert_eq!(parsed.requests, expected);
    assert_eq!((parsed.error, parsed.left), (None, "*2\r\n$3\r\nGE".len()));
}

#[test]
fn empty_lines_and_arrays_ask_for_nothing() {
    let parsed = parse(b"\r\n\n   \r\n*0\r\n*-1\r\n*-7\r\nPING\n");
    assert_eq!(parsed.requests, [words(&[b"PING"])]);
    assert_eq!((parsed.error, parsed.left), (None, 0));
}

#[test]
fn a_line_may_have_quotes() {
    let cases: &[(&[u8], &[&[u8]])] = &[
        (b"set a  b\t c", &[b"set", b"a", b"b", b"c"]),
        (br#"set "a b" 'c d'"#, &[b"set", b"a b", b"c d"]),
        (
            br#"e "\x41\xfF\n\r\t\b\a\q\"" x"#,
            &[b"e", b"A\xff\n\r\t\x08\x07q\"", b"x"],
        ),
        (br#"e "\xg1" '\n\''"#, &[b"e", b"xg1", b"\\n'"]),
        (br#"e "" '' pre"fix""#, &[b"e", b"", b"", b"prefix"]),
    ];
    for (line, expected) in cases {
        let mut bytes = line.to_vec();
        bytes.extend_from_slice(b"\r\nPING\r\n");
        let parsed = parse(&bytes);
        assert_eq!(parsed.error, None, "{line:?}");
        assert_eq!(parsed.requests, [words(expected), words(&[b"PING"])]);
    }
    for line in [
        &br#"e "a"#[..],
        br#"e "a"b"#,
        b"e 'a",
        br#"e 'a'b"#,
        br#"e "\"#,
    ] {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        assert_eq!(
            parse(&bytes).error,
            Some(ProtocolError::Unbalanced),
            "{line:?}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_in_redis_words() {
    let too_many = format!("*{}\r\n", ARGUMENTS_MAX + 1);
    let too_long = format!("*1\r\n${}\r\n", BULK_MAX_BYTES + 1);
    let many = [
        b"*3\r\n".to_vec(),
        [
            b"$1048576\r\n".to_vec(),
            vec![b'x'; BULK_MAX_BYTES],
            b"\r\n".to_vec(),
        ]
        .concat()
        .repeat(3),
    ]
    .concat();
    let line = vec![b'x'; INLINE_MAX_BYTES + 2];
    let cases: &[(&[u8], &str)] = &[
        (b"*99999999999\r\n", "invalid multibulk length"),
        (b"*99999999999999999999999\r\n", "invalid multibulk length"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (too_many.as_bytes(), "invalid multibulk length"),
        (&[b'*'; 40], "too big mbulk count string"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$-9223372036854775808\r\n", "invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (too_long.as_bytes(), "invalid bulk length"),
        (
            b"*1\r\n$11111111111111111111111111111111111",
            "too big bulk count string",
        ),
        (b"*2\r\n$4\r\nECHO\r\n:3\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n", "expected '$', got '\\x0d'"),
        (&many, "too big request"),
        (&line, "too big inline request"),
    ];
    for (bytes, expected) in cases {
        let error = parse(bytes).error.map(|error| error.to_string());
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert_eq!(
            error,
            Some(format!("Protocol error: {expected}")),
            "{shown:?}"
        );
    }
}

#[test]
fn a_stranger_may_say_little() {
    let stranger = |bytes: &[u8]| parse_in(bytes, &[usize::MAX], true).error;
    assert_eq!(stranger(b"*11\r\n"), Some(ProtocolError::UnknownCount));
    assert_eq!(
        stranger(b"*1\r\n$16385\r\n"),
        Some(ProtocolError::UnknownLength)
    );
    assert_eq!(stranger(b"*10\r\n$16384\r\n"), None);
    assert_eq!(parse(b"*11\r\n$16385\r\n").error, None);
}

/// A generator that repeats from its seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn word(&mut self) -> Vec<u8> {
        let length = [0, 1, 3, 8, 60][self.roll(5)];
        (0..length)
            .map(|_| b"ab\r\n$*:\"' \x00\xff12"[self.roll(14)])
            .collect()
    }

    fn pipeline(&mut self) -> (Vec<Vec<Vec<u8>>>, Vec<u8>) {
        let count = 1 + self.roll(5);
        let requests: Vec<_> = (0..count)
            .map(|_| (0..=self.roll(4)).map(|_| self.word()).collect::<Vec<_>>())
            .collect();
        let bytes = requests
            .iter()
            .flat_map(|request| encode(request))
            .collect();
        (requests, bytes)
    }

    fn pieces(&mut self) -> Vec<usize> {
        (0..=self.roll(4)).map(|_| 1 + self.roll(9)).collect()
    }
}

#[test]
fn what_was_sent_comes_out_however_it_is_cut() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let (requests, bytes) = dice.pipeline();
        let parsed = parse_in(&bytes, &dice.pieces(), false);
        assert_eq!(parsed.requests, requests, "seed {seed}");
        assert_eq!((parsed.error, parsed.left), (None, 0), "seed {seed}");
    }
}

#[test]
fn a_long_pipeline_is_taken_in_parts() {
    let bytes = b"PING\r\n".repeat(10_000);
    assert_eq!(parse(&bytes).requests.len(), 10_000);
}

#[test]
fn replies_are_of_the_version_that_the_client_speaks() {
    let write = |version| {
        let mut replies = Replies::new();
        replies.version = version;
        replies.ok();
        replies.simple("PONG");
        replies.error("ERR a\r\nb");
        replies.integer(i64::MIN);
        replies.bulk(b"a\r\nb");
        replies.bulk_or_null(None);
        replies.null_array();
        replies.array(2);
        replies.map(1);
        replies.set(3);
        replies.push(4);
        replies.boolean(true);
        replies.double(1.5);
        replies.text("hi");
        String::from_utf8(replies.as_bytes().to_vec()).unwrap()
    };
    let start = "+OK\r\n+PONG\r\n-ERR a  b\r\n:-9223372036854775808\r\n$4\r\na\r\nb\r\n";
    assert_eq!(
        write(Version::Two),
        format!("{start}$-1\r\n*-1\r\n*2\r\n*2\r\n*3\r\n*4\r\n:1\r\n$3\r\n1.5\r\n$2\r\nhi\r\n")
    );
    assert_eq!(
        write(Version::Three),
        format!("{start}_\r\n_\r\n*2\r\n%1\r\n~3\r\n>4\r\n#t\r\n,1.5\r\n=6\r\ntxt:hi\r\n")
    );
}
