//! Operations that may change something.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Deadline, End, EntryId, ExpireWhen, Expiry, NewId, Trim, When};

/// Items that are taken one by one in no time worth naming.
const FEW: u64 = 128;

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
    /// Counts: `Integer`, the number after. `NotAnInteger`, `Overflow` (INCR, DECR, INCRBY,
    /// DECRBY).
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
    HashPut {
        /// The key.
        key: Bytes,
        /// Fields with their values.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// Sets a field that must be missing: `Integer`, 1 if it was set (HSETNX).
    HashPutNew {
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
    /// True if it goes over a range whose length it does not name, or over a long one.
    pub(super) fn walks(&self) -> bool {
        match self {
            Write::ListRemove { .. } | Write::ListTrim { .. } | Write::JournalTrim { .. } => true,
            Write::ListPopFirst { count, .. } => *count > FEW,
            Write::ListPop { count, .. } | Write::SetPop { count, .. } => {
                count.is_some_and(|count| count > FEW)
            }
            Write::JournalAppend { trim, .. } => trim.is_some(),
            // What they change they name, one by one; what a removed key held goes later.
            Write::Set { .. }
            | Write::SetMany { .. }
            | Write::Append { .. }
            | Write::Patch { .. }
            | Write::Add { .. }
            | Write::GetDelete { .. }
            | Write::GetExpire { .. }
            | Write::Delete { .. }
            | Write::Expire { .. }
            | Write::Persist { .. }
            | Write::Rename { .. }
            | Write::Flush
            | Write::ListPush { .. }
            | Write::ListSet { .. }
            | Write::ListMove { .. }
            | Write::HashPut { .. }
            | Write::HashPutNew { .. }
            | Write::HashDelete { .. }
            | Write::HashAdd { .. }
            | Write::SetAdd { .. }
            | Write::SetRemove { .. }
            | Write::SetMove { .. }
            | Write::JournalDelete { .. }
            | Write::Publish { .. } => false,
        }
    }

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
