//! Files: their names and what is to be known of them. Their bytes are elsewhere.
//!
//! ```text
//!   entry: name ─ owner ─ size ─ media type ─ root ─ tags        a command, as everything here
//!     └──▶ hashes of the chunks, in order                        with it, 32 bytes a mebibyte
//!             └──▶ chunks, on the disks of those whom the ring names      the engine's business
//! ```
//!
//! So listing, searching, permissions and quotas are exact, and the log carries no bytes of files.
//! A front door stores the chunks first and then puts the entry that names them: a file that can
//! be found has bytes, and bytes that no entry names are cleaned away after a while.
//!
//! **Names.** Shared files have one name space for all members, and each member has another one
//! that nobody else sees, for private files. An administrator does not see those either, and they
//! make no events, which everybody may follow. They are not encrypted: whoever runs a node can
//! read its disk.
//!
//! **Replacing** a file keeps its id and its owner. What must be there before can be made a
//! [`Condition`], which is decided when the command is applied: of two members who replace the
//! same version only one succeeds.

pub(crate) mod chunks;
pub(crate) mod manage;
mod name;
pub mod queries;
pub(crate) mod usage;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use name::{FileName, NAME_MAX_BYTES, PART_MAX_BYTES};

/// Bytes of each chunk of a file but the last, which may be shorter. One message between nodes
/// carries a chunk whole, so it bounds what a transfer under way holds in memory; smaller ones
/// would cost more syncs for each byte, larger ones more waiting before a read can begin.
pub const CHUNK_BYTES: i64 = 1024 * 1024;

/// A file has at most this many bytes: its list of chunks (512 KiB) fits into a command.
pub const SIZE_MAX_BYTES: i64 = 16 * 1024 * 1024 * 1024;

/// There are at most this many files: each takes some 300 bytes of every node's state.
pub const FILES_MAX: i64 = 1_000_000;

/// A member has at most this many files, so that one alone cannot take the room of all.
pub const FILES_PER_OWNER_MAX: i64 = 200_000;

/// All files together have at most this many bytes, each counted once: what each node reads to
/// see whether it has its share stays below 64 MB.
pub const BYTES_MAX: i64 = 2 * 1024 * 1024 * 1024 * 1024;

/// A member's files have at most this many bytes.
pub const BYTES_PER_OWNER_MAX: i64 = 256 * 1024 * 1024 * 1024;

/// A file has at most this many tags.
pub const TAGS_MAX: usize = 16;

/// A tag has at most this many characters.
pub const TAG_MAX_CHARS: usize = 40;

/// A media type has at most this many bytes: twice the longest that is registered.
pub const MEDIA_TYPE_MAX_BYTES: usize = 255;

/// Copies of each chunk that are wanted unless others are: two may be lost at once.
pub const COPIES_DEFAULT: u32 = 3;

/// At most this many copies can be wanted.
pub const COPIES_MAX: u32 = 7;

/// Bytes of a chunk's hash.
pub const HASH_BYTES: usize = 32;

/// A condition names at most this many roots.
pub const ROOTS_MAX: usize = 16;

/// A file's entry, whose chunks are stored already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Its name.
    pub name: FileName,
    /// Whether only its owner sees it.
    pub private: bool,
    /// The area it belongs to; a private file has none.
    pub area: Option<i64>,
    /// What kind of file it is: `text/plain`.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: i64,
    /// BLAKE3 of all its bytes.
    pub root: [u8; 32],
    /// The BLAKE3 of each chunk, one after the other.
    pub chunks: Bytes,
    /// At most [`TAGS_MAX`] lines.
    pub tags: Vec<String>,
    /// Copies of each chunk that are wanted, 1 to [`COPIES_MAX`]; fewer if there are fewer nodes.
    pub copies: u32,
}

/// What must be there before, or nothing is changed. The order of the variants is the wire format:
/// append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Whatever there is.
    Any,
    /// No file of that name.
    Absent,
    /// A file of that name.
    Present,
    /// A file of that name, with one of these roots.
    OneOf(Vec<[u8; 32]>),
    /// No file of that name, or one with another root.
    NoneOf(Vec<[u8; 32]>),
}

impl Condition {
    /// Whether it holds, where a file with this root is there or none.
    pub fn holds(&self, root: Option<&[u8; 32]>) -> bool {
        match self {
            Condition::Any => true,
            Condition::Absent => root.is_none(),
            Condition::Present => root.is_some(),
            Condition::OneOf(roots) => root.is_some_and(|root| roots.contains(root)),
            Condition::NoneOf(roots) => root.is_none_or(|root| !roots.contains(root)),
        }
    }
}

/// How many chunks a file of this size has.
pub fn chunks_of(size_bytes: i64) -> i64 {
    size_bytes.div_euclid(CHUNK_BYTES) + i64::from(size_bytes.rem_euclid(CHUNK_BYTES) > 0)
}

/// The name space of the files that all members see; a member's own is the account's id.
const SHARED: i64 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_as_many_chunks_as_it_needs() {
        let counts = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, SIZE_MAX_BYTES].map(chunks_of);
        assert_eq!(counts, [0, 1, 1, 2, 16 * 1024]);
    }

    #[test]
    fn conditions_hold_or_not() {
        let (one, other) = ([1; 32], [2; 32]);
        let both = vec![one, [3; 32]];
        let cases = [
            (Condition::Any, [true, true, true]),
            (Condition::Absent, [true, false, false]),
            (Condition::Present, [false, true, true]),
            (Condition::OneOf(both.clone()), [false, true, false]),
            (Condition::NoneOf(both), [true, false, true]),
        ];
        for (condition, expected) in cases {
            let held = [None, Some(&one), Some(&other)].map(|root| condition.holds(root));
            assert_eq!(held, expected, "{condition:?}");
        }
    }
}
