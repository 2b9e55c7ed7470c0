//! The Redis protocol, version 2.

use anyhow::{Context as _, bail};

use super::{Answer, Client, Operation, VALUE_BYTES, key_of, value};

/// Reads or writes keys, each in its turn.
pub struct Keys {
    operation: Operation,
    /// Different keys; then it begins again.
    count: u64,
}

impl Keys {
    /// A client of so many keys.
    pub fn new(operation: Operation, count: u64) -> Self {
        Keys {
            operation,
            count: count.max(1),
        }
    }
}

impl Client for Keys {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        let key = key_of(number % self.count);
        match self.operation {
            Operation::Set => command(out, &[b"SET", &key, &value(number)]),
            Operation::Get => command(out, &[b"GET", &key]),
        }
    }

    fn hear(&mut self, input: &[u8], _: &mut Vec<u8>) -> anyhow::Result<(usize, Option<Answer>)> {
        let Some((used, reply)) = reply(input)? else {
            return Ok((0, None));
        };
        let answer = match (self.operation, reply) {
            (Operation::Set, Reply::Line(b"OK")) => Answer::Done,
            (Operation::Get, Reply::Bulk(value)) if value.len() == VALUE_BYTES => Answer::Done,
            (_, other) => Answer::Refused(other.to_string()),
        };
        Ok((used, Some(answer)))
    }
}

/// Appends a command: an array of bulk strings.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    head(out, b'*', words.len());
    for word in words {
        head(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn head(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    // Short lengths are nearly all there are.
    match u8::try_from(length) {
        Ok(digit @ 0..=9) => out.push(b'0' + digit),
        _ => out.extend_from_slice(length.to_string().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}

/// A reply, as far as the measurements need them.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A status, an error (with its sign before it) or a number.
    Line(&'a [u8]),
    /// A string.
    Bulk(&'a [u8]),
    /// Nothing there.
    Nil,
    /// An array; how many bytes it takes is all that is known of it.
    Array,
}

impl std::fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reply::Line(line) => f.write_str(&String::from_utf8_lossy(line)),
            Reply::Bulk(bytes) => write!(f, "a value of {} bytes", bytes.len()),
            Reply::Nil => f.write_str("no such key"),
            Reply::Array => f.write_str("an array"),
        }
    }
}

/// Takes one reply and its length, if it is whole.
pub fn reply(input: &[u8]) -> anyhow::Result<Option<(usize, Reply<'_>)>> {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let line = input[1..end].strip_suffix(b"\r").context("not Redis")?;
    let after = end + 1;
    Ok(match input[0] {
        b'+' | b':' => Some((after, Reply::Line(line))),
        b'-' => Some((after, Reply::Line(&input[..after - 2]))),
        b'$' | b'*' if line == b"-1" => Some((after, Reply::Nil)),
        b'$' => {
            let length: usize = std::str::from_utf8(line)?.parse().context("not Redis")?;
            let whole = after + length + 2;
            (input.len() >= whole).then(|| (whole, Reply::Bulk(&input[after..after + length])))
        }
        b'*' => {
            let count: usize = std::str::from_utf8(line)?.parse().context("not Redis")?;
            let mut used = after;
            for _ in 0..count {
                let Some((item, _)) = reply(&input[used..])? else {
                    return Ok(None);
                };
                used += item;
            }
            Some((used, Reply::Array))
        }
        other => bail!("a reply of an unknown kind: {:?}", char::from(other)),
    })
}
