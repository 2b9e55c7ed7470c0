//! What can be done with the store: reads, which a query runs too, and writes, which only a command
//! can.
//!
//! The names are those of the things (key, list, hash, set, journal); beside each stands the Redis
//! command that it serves. Positions and ranges mean what they mean in Redis: from 0, negative ones
//! from the end, both ends included.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::Kind;

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
        /// How many keys to look at, 1 to [`super::SCAN_MAX`]; larger is cut.
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

/// An operation that may change something. The order of the variants is the wire format: append
/// only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Write {
    /// Stores a string, whatever was there (SET, SETNX, SETEX, PSETEX, GETSET).
    ///
    /// Without `get`: `Done`, or `Nil` if `when` forbade it. With `get`: the old string or `Nil`,
    /// whether it was stored or not; `WrongType` if something else was there.
    Set {
        /// The key.
        key: Bytes,
        /// The string.
        value: Bytes,
        /// Whether there must be a key or must be none.
        when: When,
        /// What becomes of the time to live.
        expiry: Expiry,
        /// Answer what was there.
        get: bool,
    },
    /// Stores several strings. `Done`; with `only_new` an `Integer`: 1, or 0 and nothing is stored
    /// if one of the keys exists (MSET, MSETNX).
    SetMany {
        /// Keys with their strings.
        pairs: Vec<(Bytes, Bytes)>,
        /// All of them must be missing.
        only_new: bool,
    },
    /// Adds to the end of a string; answers its length now: `Integer` (APPEND).
    Append {
        /// The key.
        key: Bytes,
        /// What is added.
        value: Bytes,
    },
    /// Overwrites part of a string, filling with zeros; answers its length now (SETRANGE).
    Patch {
        /// The key.
        key: Bytes,
        /// From where on.
        offset: u64,
        /// With what.
        value: Bytes,
    },
    /// Counts: `Integer`, the number after. `NotAnInteger`, `Overflow` (INCR, DECR, INCRBY, DECRBY).
    Add {
        /// The key.
        key: Bytes,
        /// By how much.
        by: i64,
    },
    /// Removes a string and answers it: `Bytes`, or `Nil` (GETDEL).
    GetDelete {
        /// The key.
        key: Bytes,
    },
    /// Answers a string and sets its time to live: `Bytes`, or `Nil` (GETEX).
    GetExpire {
        /// The key.
        key: Bytes,
        /// What becomes of the time to live.
        expiry: Expiry,
    },
    /// Removes keys of any kind; answers how many there were: `Integer` (DEL, UNLINK).
    Delete {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// Sets a time to live: `Integer`, 1 if it was set. A time that has passed removes the key
    /// (EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT).
    Expire {
        /// The key.
        key: Bytes,
        /// When it ends.
        deadline: Deadline,
        /// Under which condition.
        when: ExpireWhen,
    },
    /// Takes the time to live away: `Integer`, 1 if there was one (PERSIST).
    Persist {
        /// The key.
        key: Bytes,
    },
    /// Gives a key another name, over what was there. `Done`; with `only_new` an `Integer`.
    /// `NoSuchKey` (RENAME, RENAMENX).
    Rename {
        /// The name it has.
        from: Bytes,
        /// The name it gets.
        to: Bytes,
        /// The new name must be free.
        only_new: bool,
    },
    /// Removes every key at once; what they held is swept away little by little. `Done` (FLUSHDB).
    Flush,
    /// Adds to an end of a list, one after the other; answers its length now: `Integer` (LPUSH,
    /// RPUSH, LPUSHX, RPUSHX).
    ListPush {
        /// The key.
        key: Bytes,
        /// Which end.
        end: End,
        /// At least one.
        values: Vec<Bytes>,
        /// There must be a list already; otherwise 0.
        only_existing: bool,
    },
    /// Takes from an end of a list. Without a count: `Bytes` or `Nil`; with one: `Values` or `Nil`
    /// (LPOP, RPOP).
    ListPop {
        /// The key.
        key: Bytes,
        /// Which end.
        end: End,
        /// At most this many.
        count: Option<u64>,
    },
    /// Takes up to `count` items from the first of the keys that has a list: `Popped` or `Nil`
    /// (BLPOP, BRPOP, LMPOP).
    ListPopFirst {
        /// Tried in this order.
        keys: Vec<Bytes>,
        /// Which end.
        end: End,
        /// At most this many.
        count: u64,
    },
    /// Overwrites an item: `Done`; `NoSuchKey`, `OutOfRange` (LSET).
    ListSet {
        /// The key.
        key: Bytes,
        /// Which.
        index: i64,
        /// With what.
        value: Bytes,
    },
    /// Removes items equal to a value; answers how many: `Integer` (LREM).
    ListRemove {
        /// The key.
        key: Bytes,
        /// At most this many from the head if positive, from the tail if negative; all if 0.
        count: i64,
        /// Which.
        value: Bytes,
    },
    /// Keeps a range and removes the rest: `Done` (LTRIM).
    ListTrim {
        /// The key.
        key: Bytes,
        /// First item that stays.
        start: i64,
        /// Last item that stays.
        stop: i64,
    },
    /// Moves an item from one list to another or within one: `Bytes`, or `Nil` (LMOVE, RPOPLPUSH,
    /// BLMOVE).
    ListMove {
        /// From where.
        from: Bytes,
        /// To where.
        to: Bytes,
        /// The end it is taken from.
        take: End,
        /// The end it is put to.
        put: End,
    },
    /// Sets fields; answers how many are new: `Integer` (HSET, HMSET).
    HashSet {
        /// The key.
        key: Bytes,
        /// Fields with their values.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// Sets a field that must be missing: `Integer`, 1 if it was set (HSETNX).
    HashSetNew {
        /// The key.
        key: Bytes,
        /// The field.
        field: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// Removes fields; answers how many there were: `Integer` (HDEL).
    HashDelete {
        /// The key.
        key: Bytes,
        /// The fields.
        fields: Vec<Bytes>,
    },
    /// Counts in a field: `Integer`, the number after. `HashNotAnInteger`, `Overflow` (HINCRBY).
    HashAdd {
        /// The key.
        key: Bytes,
        /// The field.
        field: Bytes,
        /// By how much.
        by: i64,
    },
    /// Adds members; answers how many are new: `Integer` (SADD).
    SetAdd {
        /// The key.
        key: Bytes,
        /// The members.
        members: Vec<Bytes>,
    },
    /// Removes members; answers how many there were: `Integer` (SREM).
    SetRemove {
        /// The key.
        key: Bytes,
        /// The members.
        members: Vec<Bytes>,
    },
    /// Takes random members out. Without a count: `Bytes` or `Nil`; with one: `Values` (SPOP).
    SetPop {
        /// The key.
        key: Bytes,
        /// At most this many.
        count: Option<u64>,
    },
    /// Moves a member: `Integer`, 1 if it was there (SMOVE).
    SetMove {
        /// From where.
        from: Bytes,
        /// To where.
        to: Bytes,
        /// Which.
        member: Bytes,
    },
    /// Appends an entry to a journal: `EntryId`. `Nil` if there is none and none is to be made.
    /// `EntryIdTooSmall` (XADD).
    JournalAppend {
        /// The key.
        key: Bytes,
        /// Which id it gets.
        id: NewId,
        /// Names with their values, at least one pair.
        fields: Vec<(Bytes, Bytes)>,
        /// Makes the journal if there is none.
        create: bool,
        /// Drops old entries afterwards.
        trim: Option<Trim>,
    },
    /// Drops old entries; answers how many: `Integer` (XTRIM).
    JournalTrim {
        /// The key.
        key: Bytes,
        /// Which.
        trim: Trim,
    },
    /// Removes entries; answers how many there were: `Integer` (XDEL).
    JournalDelete {
        /// The key.
        key: Bytes,
        /// Their ids.
        ids: Vec<EntryId>,
    },
    /// Tells everybody who listens, on every node, in the order of the log; stores nothing. `Done`
    /// (PUBLISH).
    Publish {
        /// Where.
        channel: Bytes,
        /// What.
        message: Bytes,
    },
}

impl Write {
    /// Stores a string, whatever was there: the plain SET.
    pub fn set(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Write::Set {
            key: key.into(),
            value: value.into(),
            when: When::Always,
            expiry: Expiry::None,
            get: false,
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
