//! The replicated store: keys that hold a string, a list, a hash, a set or a journal.
//!
//! One command holds many [`Operation`]s, which are applied one after the other with nothing in
//! between: a transaction, or what a front door had to do anyhow. Each has an [`Answer`] of its own.
//! Reads alone need no command: [`Ask`] runs them as a query.
//!
//! - **Versions.** A key's version is the place in the log of the command that last changed it. It
//!   never repeats, so a key that was removed and made again is not taken for the old one.
//! - **Time.** What has expired is gone at once for whoever asks, and swept away later. Commands go
//!   by log time; queries by log time or by their own clock, whichever is later.
//! - **Kinds.** A counter is a string in decimal. Lists, hashes, sets and journals vanish with
//!   their last item, journals excepted: those stay, and remember their last id.

pub mod operation;
pub mod record;
pub mod reply;

pub use operation::{
    Condition, Deadline, End, EntryId, ExpireWhen, Expiry, NewId, Operation, Read, Trim, When,
    Write,
};
pub use record::Kind;
pub use reply::{Answer, Entry, Executed, Journal, StoreError, StoreReply};

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
