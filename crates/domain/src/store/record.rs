//! What is stored under a key: the kind, the last change, the time to live, and either the string
//! itself or where the elements are.
//!
//! ```text
//!   kind u8 │ version i64 │ birth u64 │ [ends i64 │ looked at i64] │ body
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::operation::EntryId;
use crate::sql::Fault;

/// What kind of thing a key holds. The order of the variants is the wire format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes; a counter is a string, too.
    String,
    /// Items with two ends.
    List,
    /// Fields with values.
    Hash,
    /// Members, each once.
    Set,
    /// Entries that are only appended.
    Journal,
}

impl Kind {
    /// As Redis's TYPE names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::Journal => "stream",
        }
    }

    fn number(self) -> u8 {
        match self {
            Kind::String => 0,
            Kind::List => 1,
            Kind::Hash => 2,
            Kind::Set => 3,
            Kind::Journal => 4,
        }
    }

    fn of(number: u8) -> Result<Self, Fault> {
        Ok(match number {
            0 => Kind::String,
            1 => Kind::List,
            2 => Kind::Hash,
            3 => Kind::Set,
            4 => Kind::Journal,
            _ => return Err(DAMAGED),
        })
    }
}

/// Set in the first byte if the record has a time to live.
const MORTAL: u8 = 0x80;

/// Bytes before the body of a record with a time to live; without one they are sixteen fewer.
const HEAD_MAX_BYTES: usize = 33;

/// All that a record says of its key but the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub kind: Kind,
    /// Of the last change.
    pub version: i64,
    /// When the key was made, as a number that grows: the order of scans.
    pub birth: u64,
    /// When it is gone.
    pub ends: Option<Ends>,
}

/// The end of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// In milliseconds of log time since 1970.
    pub at_ms: i64,
    /// When the sweeper looks at the key: earlier if the time to live was prolonged since.
    pub looked_at_ms: i64,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub head: Head,
    pub body: Body,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    String(Bytes),
    List(List),
    /// A hash or a set.
    Group(Group),
    Journal(Log),
}

/// A list: its items have the positions from `head` up to and without `tail`, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub id: u64,
    pub head: u64,
    pub tail: u64,
}

/// Fields or members, each in a row named by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub id: u64,
    pub length: u64,
}

/// A journal: its entries have the indexes from `oldest` to `newest`, with gaps where one was
/// deleted. Rows below `oldest` are garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub id: u64,
    pub length: u64,
    pub oldest: u64,
    pub newest: u64,
    pub last_id: EntryId,
}

/// Positions of lists begin in the middle: there is room for pushing at both ends.
const LIST_MIDDLE: u64 = 1 << 63;

impl List {
    pub fn new(id: u64) -> Self {
        List {
            id,
            head: LIST_MIDDLE,
            tail: LIST_MIDDLE,
        }
    }

    pub fn length(&self) -> u64 {
        self.tail - self.head
    }
}

impl Log {
    pub fn new(id: u64) -> Self {
        Log {
            id,
            length: 0,
            oldest: 1,
            newest: 0,
            last_id: EntryId::MIN,
        }
    }
}

impl Head {
    /// Reads the head of a stored record; answers also where the body begins.
    pub fn of(stored: &[u8]) -> Result<(Self, usize), Fault> {
        let mut reader = Reader(stored);
        let first = reader.byte()?;
        let kind = Kind::of(first & !MORTAL)?;
        let version = reader.number()?.cast_signed();
        let birth = reader.number()?;
        let mut ends = None;
        if first & MORTAL != 0 {
            ends = Some(Ends {
                at_ms: reader.number()?.cast_signed(),
                looked_at_ms: reader.number()?.cast_signed(),
            });
        }
        let head = Head {
            kind,
            version,
            birth,
            ends,
        };
        Ok((head, stored.len() - reader.0.len()))
    }

    /// True once the key's time has passed.
    pub fn has_ended(&self, now_ms: i64) -> bool {
        self.ends.is_some_and(|ends| ends.at_ms <= now_ms)
    }

    /// The stored form, and how long it is; the body comes after it.
    pub fn stored(&self) -> ([u8; HEAD_MAX_BYTES], usize) {
        let mut stored = [0; HEAD_MAX_BYTES];
        let mortal = if self.ends.is_some() { MORTAL } else { 0 };
        stored[0] = self.kind.number() | mortal;
        stored[1..9].copy_from_slice(&self.version.to_le_bytes());
        stored[9..17].copy_from_slice(&self.birth.to_le_bytes());
        let Some(ends) = self.ends else {
            return (stored, 17);
        };
        stored[17..25].copy_from_slice(&ends.at_ms.to_le_bytes());
        stored[25..33].copy_from_slice(&ends.looked_at_ms.to_le_bytes());
        (stored, HEAD_MAX_BYTES)
    }
}

impl Record {
    /// Reads a stored record.
    pub fn of(stored: &[u8]) -> Result<Self, Fault> {
        let (head, at) = Head::of(stored)?;
        let body = Body::of(head.kind, stored.get(at..).unwrap_or_default())?;
        Ok(Record { head, body })
    }

    /// The stored form.
    pub fn stored(&self) -> Vec<u8> {
        let (head, length) = self.head.stored();
        let mut stored = head[..length].to_vec();
        match &self.body {
            Body::String(bytes) => stored.extend_from_slice(bytes),
            Body::List(list) => add_numbers(&mut stored, &[list.id, list.head, list.tail]),
            Body::Group(group) => add_numbers(&mut stored, &[group.id, group.length]),
            Body::Journal(log) => {
                let EntryId { ms, seq } = log.last_id;
                let numbers = [log.id, log.length, log.oldest, log.newest, ms, seq];
                add_numbers(&mut stored, &numbers);
            }
        }
        stored
    }
}

fn add_numbers(stored: &mut Vec<u8>, numbers: &[u64]) {
    stored.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

impl Body {
    fn of(kind: Kind, stored: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader(stored);
        Ok(match kind {
            Kind::String => Body::String(Bytes::copy_from_slice(stored)),
            Kind::List => Body::List(List {
                id: reader.number()?,
                head: reader.number()?,
                tail: reader.number()?,
            }),
            Kind::Hash | Kind::Set => Body::Group(Group {
                id: reader.number()?,
                length: reader.number()?,
            }),
            Kind::Journal => Body::Journal(Log {
                id: reader.number()?,
                length: reader.number()?,
                oldest: reader.number()?,
                newest: reader.number()?,
                last_id: EntryId {
                    ms: reader.number()?,
                    seq: reader.number()?,
                },
            }),
        })
    }

    /// The collection that the elements belong to.
    pub fn collection(&self) -> Option<u64> {
        match self {
            Body::String(_) => None,
            Body::List(list) => Some(list.id),
            Body::Group(group) => Some(group.id),
            Body::Journal(log) => Some(log.id),
        }
    }

    /// True if there are elements.
    pub fn is_filled(&self) -> bool {
        match self {
            Body::String(_) => false,
            Body::List(list) => list.length() > 0,
            Body::Group(group) => group.length > 0,
            Body::Journal(log) => log.length > 0,
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.0.split_first().ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }
}

const DAMAGED: Fault = Fault::Corrupt("a record of the store is unreadable");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Body, Ends, Group, Head, Kind, List, Log, Record};

    #[test]
    fn records_are_read_as_they_were_stored() {
        let bodies = [
            (Kind::String, Body::String(bytes::Bytes::from_static(b"v"))),
            (Kind::List, Body::List(List::new(3))),
            (Kind::Set, Body::Group(Group { id: 4, length: 5 })),
            (Kind::Journal, Body::Journal(Log::new(6))),
        ];
        let ends = Some(Ends {
            at_ms: 7,
            looked_at_ms: 6,
        });
        for ((kind, body), ends) in bodies.into_iter().zip([None, ends, None, ends]) {
            let head = Head {
                kind,
                version: -1,
                birth: 2,
                ends,
            };
            let record = Record { head, body };
            assert_eq!(Record::of(&record.stored()).unwrap(), record);
        }
        assert!(Record::of(b"").is_err() && Record::of(&[1; 20]).is_err());
    }
}
