//! What can be done with the store: reads, which a query runs too, and writes, which only a command
//! can.
//!
//! The names are those of the things (key, list, hash, set, journal); beside each stands the Redis
//! command that it serves. Positions and ranges mean what they mean in Redis: from 0, negative ones
//! from the end, both ends included.

mod read;
mod write;

pub use read::Read;
pub use write::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One step of a command. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Answers and changes nothing.
    Read(Read),
    /// May change something.
    Write(Write),
}

/// A key and the version it must still have: what `WATCH` remembered, or a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The key.
    pub key: Bytes,
    /// As [`Read::Version`] answered it: 0 if there must be no such key.
    pub version: i64,
}

impl Operation {
    /// True if it may read or write rows by the thousand: it walks over a range, and not only over
    /// what it names.
    pub(crate) fn may_take_long(&self) -> bool {
        match self {
            Operation::Read(read) => read.walks(),
            Operation::Write(write) => write.walks(),
        }
    }
}

impl From<Read> for Operation {
    fn from(read: Read) -> Self {
        Operation::Read(read)
    }
}

impl From<Write> for Operation {
    fn from(write: Write) -> Self {
        Operation::Write(write)
    }
}

/// Under which condition a string is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Always.
    #[default]
    Always,
    /// Only if there is no such key (NX).
    New,
    /// Only if there is one (XX).
    Existing,
}

/// A moment, absolute or from now on. Both count in log time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deadline {
    /// So many milliseconds after the command.
    In(i64),
    /// At this time, in milliseconds since 1970 (UTC).
    At(i64),
}

/// What becomes of a time to live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// There is none afterwards (plain SET; PERSIST).
    #[default]
    None,
    /// It stays as it is (KEEPTTL; plain GETEX).
    Keep,
    /// It ends then (EX, PX, EXAT, PXAT). Zero and less is `InvalidExpiry`.
    Until(Deadline),
}

/// Under which condition a time to live is set. A key without one lives for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpireWhen {
    /// Always.
    #[default]
    Always,
    /// Only if it has none (NX).
    None,
    /// Only if it has one (XX).
    Some,
    /// Only if the new one is later (GT).
    Later,
    /// Only if the new one is earlier (LT).
    Earlier,
    /// Only if it has one and the new one is later (XX GT).
    SomeLater,
    /// Only if it has one and the new one is earlier (XX LT).
    SomeEarlier,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Where index 0 is (LEFT).
    Head,
    /// Where index -1 is (RIGHT).
    Tail,
}

/// The id of a journal's entry as Redis has it, `ms-seq`. Ids of a journal only grow.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EntryId {
    /// Milliseconds since 1970, unless the client says something else.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl EntryId {
    /// Smaller than the id of any entry.
    pub const MIN: EntryId = EntryId { ms: 0, seq: 0 };
    /// The largest possible id.
    pub const MAX: EntryId = EntryId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The next larger id, if there is one.
    pub fn next(self) -> Option<EntryId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(EntryId { ms: self.ms, seq }),
            None => Some(EntryId {
                ms: self.ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The next smaller id, if there is one.
    pub fn previous(self) -> Option<EntryId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(EntryId { ms: self.ms, seq }),
            None => Some(EntryId {
                ms: self.ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Which id a new entry gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewId {
    /// Log time and the next number (`*`).
    Auto,
    /// This time and the next number (`ms-*`).
    At(u64),
    /// This one, which must be larger than all before (`ms-seq`).
    Exact(EntryId),
}

/// Which entries a journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trim {
    /// The newest, so many (MAXLEN).
    Newest(u64),
    /// Those with at least this id (MINID).
    From(EntryId),
}
