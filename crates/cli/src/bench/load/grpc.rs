//! gRPC, as little of HTTP/2 (RFC 9113) as one unary call at a time on a connection needs.
//!
//! The first request spells its headers out and lets the server's HPACK table (RFC 7541) remember
//! them; every other one is six bytes of indices. Answers' headers are not decoded: a call that
//! worked carries a message, one that failed carries none.

use anyhow::bail;

use super::{Answer, Client, Operation, VALUE_BYTES, key, value};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Of DATA and HEADERS.
const END_STREAM: u8 = 1;
/// Of SETTINGS and PING: the same bit.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// So many bytes may arrive on a connection before the window must be widened again: the most
/// that HTTP/2 allows, more than any measurement receives.
const WINDOW_BYTES: u32 = 0x7fff_ffff - 0xffff;

/// `POST`, `http`, and the five headers of the table from the oldest on, as [`headers`] lists them.
const HEADERS_AGAIN: [u8; 7] = [0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe];

/// A service that writes and reads keys with `key = 1` and `value = 2` as fields.
pub struct Service {
    put: &'static str,
    get: &'static str,
    /// A header that says how fresh a reading must be.
    freshness: (&'static str, &'static str),
}

/// etcd's: readings are linearizable unless they say otherwise.
pub const ETCD: Service = Service {
    put: "/etcdserverpb.KV/Put",
    get: "/etcdserverpb.KV/Range",
    freshness: ("x-freshness", "linearizable"),
};

/// This program's.
pub const CONSORCIO: Service = Service {
    put: "/consorcio.v1.Store/Put",
    get: "/consorcio.v1.Store/Get",
    freshness: (api::types::headers::CONSISTENCY, "linearizable"),
};

/// Writes or reads keys of a service.
pub struct Keys {
    service: &'static Service,
    operation: Operation,
    stream: u32,
    /// What has arrived of the message of the call under way.
    message_bytes: usize,
}

impl Keys {
    /// A client.
    pub fn new(service: &'static Service, operation: Operation) -> Self {
        Keys {
            service,
            operation,
            stream: 0,
            message_bytes: 0,
        }
    }
}

impl Client for Keys {
    fn greet(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(PREFACE);
        frame(out, SETTINGS, 0, 0, &[]);
        frame(out, WINDOW_UPDATE, 0, 0, &WINDOW_BYTES.to_be_bytes());
    }

    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        if self.stream == 0 {
            self.stream = 1;
            let block = headers(self.path(), self.service.freshness);
            frame(out, HEADERS, END_HEADERS, self.stream, &block);
        } else {
            self.stream += 2;
            frame(out, HEADERS, END_HEADERS, self.stream, &HEADERS_AGAIN);
        }
        self.message_bytes = 0;
        let message = match self.operation {
            Operation::Set => message(&[(KEY, &key(number)), (VALUE, &value(number))]),
            Operation::Get => message(&[(KEY, &key(number))]),
        };
        frame(out, DATA, END_STREAM, self.stream, &message);
    }

    fn hear(&mut self, input: &[u8], out: &mut Vec<u8>) -> anyhow::Result<(usize, Option<Answer>)> {
        let mut used = 0;
        while let Some(received) = Frame::parse(&input[used..]) {
            used += FRAME_HEAD_BYTES + received.payload.len();
            if let Some(answer) = self.take(&received, out)? {
                return Ok((used, Some(answer)));
            }
        }
        Ok((used, None))
    }
}

impl Keys {
    fn path(&self) -> &'static str {
        match self.operation {
            Operation::Set => self.service.put,
            Operation::Get => self.service.get,
        }
    }

    /// More than so many bytes are an answer: a reading that found nothing is none.
    fn least_bytes(&self) -> usize {
        match self.operation {
            Operation::Set => 0,
            Operation::Get => VALUE_BYTES,
        }
    }

    fn take(&mut self, received: &Frame<'_>, out: &mut Vec<u8>) -> anyhow::Result<Option<Answer>> {
        match received.kind {
            SETTINGS if received.flags & ACK == 0 => frame(out, SETTINGS, ACK, 0, &[]),
            PING if received.flags & ACK == 0 => frame(out, PING, ACK, 0, received.payload),
            GOAWAY => bail!("the server closed a connection: {:?}", received.payload),
            DATA if received.stream == self.stream => {
                self.message_bytes += received.payload.len();
                return Ok(self.end(received));
            }
            HEADERS if received.stream == self.stream => return Ok(self.end(received)),
            RST_STREAM if received.stream == self.stream => {
                return Ok(Some(Answer::Refused("the call was reset".to_owned())));
            }
            _ => {}
        }
        Ok(None)
    }

    /// The answer, if this frame is its last.
    fn end(&self, received: &Frame<'_>) -> Option<Answer> {
        if received.flags & END_STREAM == 0 {
            return None;
        }
        if self.message_bytes > self.least_bytes() {
            return Some(Answer::Done);
        }
        let words = String::from_utf8_lossy(received.payload);
        Some(Answer::Refused(format!("no message: {words:?}")))
    }
}

/// A whole frame that arrived.
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(input: &'a [u8]) -> Option<Self> {
        let (head, rest) = input.split_first_chunk::<FRAME_HEAD_BYTES>()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload: rest.get(..length)?,
        })
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The header block of the first request: "literal with incremental indexing", so that the server
/// remembers it. 4, 1 and 31 are `:path`, `:authority` and `content-type` of HPACK's static table.
fn headers(path: &str, (name, value): (&str, &str)) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x44];
    text(&mut block, path);
    block.push(0x41);
    text(&mut block, "localhost");
    block.push(0x5f);
    text(&mut block, "application/grpc");
    block.push(0x40);
    text(&mut block, "te");
    text(&mut block, "trailers");
    block.push(0x40);
    text(&mut block, name);
    text(&mut block, value);
    block
}

/// A string of HPACK: its length (below 127), and itself, not Huffman-coded.
fn text(block: &mut Vec<u8>, text: &str) {
    block.push(text.len() as u8);
    block.extend_from_slice(text.as_bytes());
}

/// The tags of `key = 1` and `value = 2`, both of bytes.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// A gRPC message: not compressed, its length, and these fields, each shorter than 128 bytes, so
/// that a length is one byte.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let length: usize = fields.iter().map(|(_, bytes)| 2 + bytes.len()).sum();
    let mut message = Vec::with_capacity(5 + length);
    message.push(0);
    message.extend_from_slice(&(length as u32).to_be_bytes());
    for (tag, bytes) in fields {
        message.extend_from_slice(&[*tag, bytes.len() as u8]);
        message.extend_from_slice(bytes);
    }
    message
}
