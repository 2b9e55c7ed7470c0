//! HTTP/1.1 with keep-alive.

use anyhow::{Context as _, bail};

use super::{Answer, Client, key, value};

/// Statuses below this are acknowledgements.
const STATUS_DONE_BELOW: u16 = 300;

/// Writes keys: `PUT /v1/keys/{key}`.
pub struct PutKeys {
    /// Between the key and the value.
    head: Vec<u8>,
}

impl PutKeys {
    /// A client with this session.
    pub fn new(token: &str) -> Self {
        let head = format!(
            " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            super::VALUE_BYTES
        );
        PutKeys {
            head: head.into_bytes(),
        }
    }
}

impl Client for PutKeys {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PUT /v1/keys/");
        out.extend_from_slice(&key(number));
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&value(number));
    }

    fn hear(
        &mut self,
        input: &[u8],
        _out: &mut Vec<u8>,
    ) -> anyhow::Result<(usize, Option<Answer>)> {
        hear(input)
    }
}

/// Takes one answer, if it is whole.
pub fn hear(input: &[u8]) -> anyhow::Result<(usize, Option<Answer>)> {
    let Some(head) = find(input, b"\r\n\r\n") else {
        return Ok((0, None));
    };
    let status = status(&input[..head])?;
    let whole = head + 4 + content_length(&input[..head], status)?;
    if input.len() < whole {
        return Ok((0, None));
    }
    if status < STATUS_DONE_BELOW {
        return Ok((whole, Some(Answer::Done)));
    }
    let words = String::from_utf8_lossy(&input[head + 4..whole]);
    Ok((whole, Some(Answer::Refused(format!("{status} {words}")))))
}

/// The status of `HTTP/1.1 201 Created`.
fn status(head: &[u8]) -> anyhow::Result<u16> {
    let digits = head
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.context("not HTTP")?.parse().context("not HTTP")
}

fn content_length(head: &[u8], status: u16) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    for line in head.split(|byte| *byte == b'\n') {
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            let value = std::str::from_utf8(&line[NAME.len()..])?;
            return value.trim().parse().context("the length of an answer");
        }
    }
    if status == 204 {
        return Ok(0);
    }
    bail!(
        "an answer without a length: {}",
        String::from_utf8_lossy(head)
    )
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
