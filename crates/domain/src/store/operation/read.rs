//! Operations that change nothing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::EntryId;
use crate::store::record::Kind;

/// An operation that changes nothing. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// The string: `Bytes`, or `Nil` (GET).
    Get {
        /// The key.
        key: Bytes,
    },
    /// `Values` with one for each key; a key that holds no string counts as missing (MGET).
    GetMany {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// Length of the string: `Integer`, 0 if missing (STRLEN).
    Length {
        /// The key.
        key: Bytes,
    },
    /// Part of the string: `Bytes`, empty if missing (GETRANGE).
    Part {
        /// The key.
        key: Bytes,
        /// First byte.
        start: i64,
        /// Last byte.
        end: i64,
    },
    /// How many of the keys exist, one named twice counts twice: `Integer` (EXISTS, TOUCH).
    Exists {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// `Kind`, or `Nil` (TYPE).
    Kind {
        /// The key.
        key: Bytes,
    },
    /// `Expiry`, or `Nil` if there is no such key (TTL, PTTL, EXPIRETIME, PEXPIRETIME).
    Expiry {
        /// The key.
        key: Bytes,
    },
    /// Version of the last change: `Integer`, 0 if there is no such key (WATCH).
    Version {
        /// The key.
        key: Bytes,
    },
    /// How many keys there are: `Integer`. Counts keys that have expired and are not swept yet, as
    /// Redis does (DBSIZE).
    CountKeys,
    /// Some keys: `Page` (SCAN).
    ///
    /// A key that exists all the time is found exactly once. Cursors are positions: any node
    /// understands those of another, and they never expire.
    Scan {
        /// 0 begins; otherwise what the last page gave.
        cursor: u64,
        /// How many keys to look at, 1 to [`crate::store::SCAN_MAX`]; larger is cut.
        count: u32,
        /// A glob as in Redis, or all.
        pattern: Option<Bytes>,
        /// Only keys of this kind.
        kind: Option<Kind>,
    },
    /// All keys that match a glob, in byte order: `Values`. `TooLarge` if too many keys would have
    /// to be looked at: scan instead (KEYS).
    Keys {
        /// The glob.
        pattern: Bytes,
    },
    /// Some key: `Bytes`, or `Nil` if there is none (RANDOMKEY).
    RandomKey {
        /// A random number, made by the front door.
        at: u64,
    },
    /// Length of the list: `Integer`, 0 if missing (LLEN).
    ListLength {
        /// The key.
        key: Bytes,
    },
    /// Items of the list: `Values` (LRANGE).
    ListRange {
        /// The key.
        key: Bytes,
        /// First item.
        start: i64,
        /// Last item.
        stop: i64,
    },
    /// An item: `Bytes`, or `Nil` (LINDEX).
    ListIndex {
        /// The key.
        key: Bytes,
        /// Which.
        index: i64,
    },
    /// A field's value: `Bytes`, or `Nil` (HGET).
    HashGet {
        /// The key.
        key: Bytes,
        /// The field.
        field: Bytes,
    },
    /// `Values` with one for each field (HMGET).
    HashGetMany {
        /// The key.
        key: Bytes,
        /// The fields.
        fields: Vec<Bytes>,
    },
    /// Every field with its value: `Pairs` (HGETALL, HKEYS, HVALS).
    HashAll {
        /// The key.
        key: Bytes,
    },
    /// How many fields: `Integer` (HLEN).
    HashLength {
        /// The key.
        key: Bytes,
    },
    /// Some fields with their values: `PairsPage` (HSCAN). As [`Read::Scan`].
    HashScan {
        /// The key.
        key: Bytes,
        /// 0 begins.
        cursor: u64,
        /// How many to look at.
        count: u32,
        /// A glob for the field, or all.
        pattern: Option<Bytes>,
    },
    /// Every member: `Values` (SMEMBERS).
    SetMembers {
        /// The key.
        key: Bytes,
    },
    /// `Flags` with one for each asked (SISMEMBER, SMISMEMBER).
    SetHas {
        /// The key.
        key: Bytes,
        /// The members asked for.
        members: Vec<Bytes>,
    },
    /// How many members: `Integer` (SCARD).
    SetLength {
        /// The key.
        key: Bytes,
    },
    /// Some members: `Page` (SSCAN). As [`Read::Scan`].
    SetScan {
        /// The key.
        key: Bytes,
        /// 0 begins.
        cursor: u64,
        /// How many to look at.
        count: u32,
        /// A glob, or all.
        pattern: Option<Bytes>,
    },
    /// Different members from a random place on, at most `count`: `Values` (SRANDMEMBER).
    SetRandom {
        /// The key.
        key: Bytes,
        /// A random number, made by the front door.
        at: u64,
        /// How many.
        count: u64,
    },
    /// How many entries: `Integer` (XLEN).
    JournalLength {
        /// The key.
        key: Bytes,
    },
    /// Entries with ids in a range, both ends included: `Entries` (XRANGE, XREVRANGE).
    JournalRange {
        /// The key.
        key: Bytes,
        /// The smallest id.
        from: EntryId,
        /// The largest id.
        to: EntryId,
        /// Newest first.
        reverse: bool,
        /// At most this many.
        limit: u64,
    },
    /// Entries from an index on: `Entries`. Deleted ones are left out.
    JournalFrom {
        /// The key.
        key: Bytes,
        /// The first index wanted, from 1.
        index: u64,
        /// At most this many.
        limit: u64,
    },
    /// `Journal`, or `Nil` if there is no such key (XINFO STREAM, XREAD's `$`).
    JournalInfo {
        /// The key.
        key: Bytes,
    },
}

impl Read {
    /// True if it goes over a range, whose length it may not name.
    pub(super) fn walks(&self) -> bool {
        match self {
            Read::Scan { .. }
            | Read::Keys { .. }
            | Read::ListRange { .. }
            | Read::HashAll { .. }
            | Read::HashScan { .. }
            | Read::SetMembers { .. }
            | Read::SetScan { .. }
            | Read::SetRandom { .. }
            | Read::JournalRange { .. }
            | Read::JournalFrom { .. } => true,
            Read::Get { .. }
            | Read::GetMany { .. }
            | Read::Length { .. }
            | Read::Part { .. }
            | Read::Exists { .. }
            | Read::Kind { .. }
            | Read::Expiry { .. }
            | Read::Version { .. }
            | Read::CountKeys
            | Read::RandomKey { .. }
            | Read::ListLength { .. }
            | Read::ListIndex { .. }
            | Read::HashGet { .. }
            | Read::HashGetMany { .. }
            | Read::HashLength { .. }
            | Read::SetHas { .. }
            | Read::SetLength { .. }
            | Read::JournalLength { .. }
            | Read::JournalInfo { .. } => false,
        }
    }
}
