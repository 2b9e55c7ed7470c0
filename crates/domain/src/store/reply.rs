//! What operations answer.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::operation::EntryId;
use super::record::Kind;

/// What a whole command came to. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Executed {
    /// Every operation was tried, in order.
    Done {
        /// The version of whatever the command changed: larger than all before.
        version: i64,
        /// One for each operation. An error of one does not undo the others, as in Redis.
        results: Vec<Answer>,
    },
    /// A condition does not hold: nothing was tried.
    Moved {
        /// Which of the conditions, from 0.
        condition: u32,
        /// The version that its key has, 0 if there is none.
        version: i64,
    },
}

/// The result of one operation.
pub type Answer = Result<StoreReply, StoreError>;

/// What an operation answers if it went well. The order of the variants is the wire format: append
/// only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreReply {
    /// Done; there is nothing more to say.
    Done,
    /// There is no such thing, or a condition was not met.
    Nil,
    /// A number.
    Integer(i64),
    /// A string, an item, a value.
    Bytes(Bytes),
    /// Several; `None` where there is no such thing.
    Values(Vec<Option<Bytes>>),
    /// Several yes or no.
    Flags(Vec<bool>),
    /// Fields with their values.
    Pairs(Vec<(Bytes, Bytes)>),
    /// Part of many.
    Page {
        /// Where to go on; 0 if that was all.
        cursor: u64,
        /// What was found; may be empty and not the end.
        items: Vec<Bytes>,
    },
    /// Part of many fields with their values.
    PairsPage {
        /// Where to go on; 0 if that was all.
        cursor: u64,
        /// What was found; may be empty and not the end.
        items: Vec<(Bytes, Bytes)>,
    },
    /// What kind of thing a key is.
    Kind(Kind),
    /// The time to live of a key that exists.
    Expiry {
        /// When it ends, in milliseconds since 1970; `None` if never.
        at_ms: Option<i64>,
        /// The time that the answer was made for: subtract it to get what is left.
        now_ms: i64,
    },
    /// From which of several lists, and what.
    Popped {
        /// The key.
        key: Bytes,
        /// At least one.
        items: Vec<Bytes>,
    },
    /// The id of a new entry.
    EntryId {
        /// As Redis has it.
        id: EntryId,
        /// As we have it: 1 is a journal's first.
        index: u64,
    },
    /// Entries of a journal.
    Entries(Vec<Entry>),
    /// A journal as a whole.
    Journal(Journal),
}

/// An entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// 1 is a journal's first; never used again, also if the entry is deleted.
    pub index: u64,
    /// Its id as Redis has it.
    pub id: EntryId,
    /// Raft term in which it was appended; 0 where there are no terms.
    pub term: u64,
    /// Log time, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// The member who appended it, if one was signed in.
    pub author: Option<String>,
    /// Names with their values, in the author's order.
    pub fields: Vec<(Bytes, Bytes)>,
}

/// A journal as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Entries it holds.
    pub length: u64,
    /// Index of the oldest that may still be there; one more than `newest` if it is empty.
    pub oldest: u64,
    /// Index of the newest that was ever appended, 0 if none was.
    pub newest: u64,
    /// Id of the newest that was ever appended.
    pub last_id: EntryId,
}

/// Why an operation did nothing. The order of the variants is the wire format: append only.
///
/// The text of [`std::fmt::Display`] is the one that Redis has, without `ERR`, where Redis has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreError {
    /// The key holds another kind of thing.
    WrongType,
    /// The string is not a 64-bit integer in decimal.
    NotAnInteger,
    /// The field is not a 64-bit integer in decimal.
    HashNotAnInteger,
    /// The number would not fit 64 bits.
    Overflow,
    /// There is no such key.
    NoSuchKey,
    /// There is no such item.
    OutOfRange,
    /// The time to live is zero, negative, or beyond all times.
    InvalidExpiry,
    /// The key has more than [`super::KEY_MAX_BYTES`].
    KeyTooLong,
    /// The value, item, field, member or entry has more than [`super::VALUE_MAX_BYTES`].
    ValueTooLong,
    /// A list of keys, values, fields, members or pairs is empty.
    NothingGiven,
    /// The entry's id is not larger than the journal's last.
    EntryIdTooSmall,
    /// The entry's id is 0-0.
    EntryIdZero,
    /// The journal has had the largest possible id.
    EntryIdsExhausted,
    /// The answer would be too large, or the work too much for one operation: do it in parts.
    TooLarge,
    /// The log entry that holds the command has no room for this answer: try again.
    Busy,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StoreError::WrongType => "Operation against a key holding the wrong kind of value",
            StoreError::NotAnInteger => "value is not an integer or out of range",
            StoreError::HashNotAnInteger => "hash value is not an integer",
            StoreError::Overflow => "increment or decrement would overflow",
            StoreError::NoSuchKey => "no such key",
            StoreError::OutOfRange => "index out of range",
            StoreError::InvalidExpiry => "invalid expire time",
            StoreError::KeyTooLong => "a key has at most 1024 bytes",
            StoreError::ValueTooLong => "string exceeds maximum allowed size (524288 bytes)",
            StoreError::NothingGiven => "wrong number of arguments",
            StoreError::EntryIdTooSmall => {
                "The ID specified in XADD is equal or smaller than the target stream top item"
            }
            StoreError::EntryIdZero => "The ID specified in XADD must be greater than 0-0",
            StoreError::EntryIdsExhausted => {
                "The stream has exhausted the last possible ID, unable to add more items"
            }
            StoreError::TooLarge => "too much for one command; do it in parts",
            StoreError::Busy => "too much is answered at once; try again",
        })
    }
}

impl std::error::Error for StoreError {}
