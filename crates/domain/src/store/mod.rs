//! The replicated store: keys that hold a string, a list, a hash, a set or a journal.
//!
//! One command holds many [`Operation`]s, which are applied one after the other with nothing in
//! between: a transaction, or what a front door had to do anyhow. Each has an [`Answer`] of its
//! own. Reads alone need no command: [`Ask`] runs them as a query.
//!
//! ```text
//!   Action::Store ─▶ execute ─▶ strings · keys · lists · groups · journals ─▶ Answers
//!                                       │ Source: row, rows    │ Work: put, delete
//!   Ask, look_up ───────────────────────┘                      ▼
//!                                                   Table in memory ─save─▶ one SQL table
//! ```
//!
//! - **Versions.** A key's version is the place in the log of the command that last changed it. It
//!   never repeats, so a key that was removed and made again is not taken for the old one.
//! - **Time.** What has expired is gone at once for whoever asks, and swept away later. Commands go
//!   by log time; queries by log time or by their own clock, whichever is later.
//! - **Kinds.** A counter is a string in decimal. Lists, hashes and sets vanish with their last
//!   element; journals stay, and remember their last id.
//! - **Decide, then write.** An operation that answers an error has written nothing. That does not
//!   undo the others of its command, as in Redis.

mod access;
mod changes;
mod execute;
mod groups;
mod heads;
mod journals;
mod keys;
mod lists;
mod memory;
mod merge;
pub mod operation;
mod queries;
mod ranges;
pub mod record;
pub mod reply;
mod rows;
mod strings;
mod sweep;
mod table;
mod touched;
mod work;

pub use changes::{Changed, ChangedKey, ListChanged, ListRemoved, Removed, RemovedKey};
pub use memory::Memory;
pub use operation::{
    Condition, Deadline, End, EntryId, ExpireWhen, Expiry, NewId, Operation, Read, Trim, When,
    Write,
};
pub use queries::{Ask, Looked};
pub use ranges::matches;
pub use record::Kind;
pub use reply::{Answer, Entry, Executed, Journal, StoreError, StoreReply};
pub use touched::{Message, Touched, TouchedKey};

pub(crate) use execute::execute;
pub(crate) use heads::{may_be_list, put_aside, take_head};
pub(crate) use sweep::sweep;

use crate::event::EventId;
use crate::sql::Fault;

/// A key has at most this many bytes: a path or a URL fits, and the tree of keys stays shallow.
pub const KEY_MAX_BYTES: usize = 1024;

/// A string, an item, a field with its value, a member or an entry has at most this many bytes:
/// more belongs in a file, and a log entry must hold it.
pub const VALUE_MAX_BYTES: usize = 512 * 1024;

/// A page of a scan looks at this many keys, fields or members at most: about a millisecond.
pub const SCAN_MAX: u32 = 1_000;

/// Operations of one command: a pipeline of the deepest kind in use fits, and one command keeps
/// others waiting for some milliseconds at most.
pub const OPERATIONS_MAX: usize = 4_096;

/// Keys that a command may be conditional on.
pub const CONDITIONS_MAX: usize = 1_024;

/// Rows that one operation may read and write: some tens of milliseconds, in which nothing else is
/// applied. What needs more answers [`StoreError::TooLarge`].
pub const OPERATION_ROWS_MAX: usize = 20_000;

/// Bytes that the answers of one command may have: room for the largest value and what belongs to
/// it.
pub const ANSWERS_MAX_BYTES: usize = 1024 * 1024;

/// The same for a command with a request id, whose answers are stored for a day.
pub const STORED_ANSWERS_MAX_BYTES: usize = 64 * 1024;

/// Bytes that the answers of all commands of one log entry may have: they travel between nodes in
/// one frame.
const ENTRY_ANSWERS_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Rows that all commands of one log entry may read and write: a second or two. Past it operations
/// answer [`StoreError::Busy`].
const ENTRY_ROWS_MAX: usize = 1_000_000;

/// The version of whatever a command at this place changes: log index and number within the entry.
/// A key that exists has one; 0 stands for a key that does not.
pub fn version_at(position: EventId) -> Result<i64, Fault> {
    let index = i64::try_from(position.index).ok();
    let shifted = index.filter(|index| *index <= i64::MAX >> NUMBER_BITS);
    match (shifted, position.number >> NUMBER_BITS) {
        (Some(index), 0) => Ok(index << NUMBER_BITS | i64::from(position.number)),
        _ => Err(Fault::Corrupt("a command's place is beyond all versions")),
    }
}

/// The log index in a version.
pub fn index_of(version: i64) -> u64 {
    (version >> NUMBER_BITS).max(0).cast_unsigned()
}

/// Bits of a version for the number of the command within its entry: an entry holds far fewer.
const NUMBER_BITS: u32 = 16;

/// What the store counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Raised with each flush: keys of earlier ones do not exist.
    pub epoch: u32,
    /// The newest number given to a key or a collection.
    pub ids: u64,
    /// Keys, also those that have expired and are not swept away yet.
    pub keys: i64,
    /// Removed keys that are remembered.
    pub tombstones: i64,
    /// Removals up to this version are forgotten.
    pub floor: i64,
    /// Things to be swept away.
    pub garbage: i64,
}
