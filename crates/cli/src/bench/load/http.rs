//! HTTP/1.1 with keep-alive.

use anyhow::{Context as _, bail};

use super::{Answer, Client, Operation, VALUE_BYTES, key, value};

/// Statuses below this are acknowledgements.
const STATUS_DONE_BELOW: u16 = 300;

/// Writes or reads keys: `PUT` or `GET /v1/keys/{key}`, readings linearizable.
pub struct Keys {
    operation: Operation,
    /// What comes after the key, up to the value of a write.
    head: Vec<u8>,
}

impl Keys {
    /// A client with this session.
    pub fn new(operation: Operation, token: &str) -> Self {
        let session = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
        let head = match operation {
            Operation::Set => format!(
                " HTTP/1.1\r\n{session}Content-Type: application/octet-stream\r\n\
                 Content-Length: {VALUE_BYTES}\r\n\r\n"
            ),
            Operation::Get => format!("?consistency=linearizable HTTP/1.1\r\n{session}\r\n"),
        };
        Keys {
            operation,
            head: head.into_bytes(),
        }
    }
}

impl Client for Keys {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        let method: &[u8] = match self.operation {
            Operation::Set => b"PUT",
            Operation::Get => b"GET",
        };
        out.extend_from_slice(method);
        out.extend_from_slice(b" /v1/keys/");
        out.extend_from_slice(&key(number));
        out.extend_from_slice(&self.head);
        if self.operation == Operation::Set {
            out.extend_from_slice(&value(number));
        }
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
