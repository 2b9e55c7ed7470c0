//! The bytes of files: chunks on the disks of the nodes that the ring names.
//!
//! ```text
//!   store_chunk ─▶ place on the circle ─▶ k successors, each: write, sync, rename ─▶ a majority
//!   fetch_chunk ─▶ own disk, else the others in the order of the circle ─▶ verified
//!
//!   repair   every node walks over all entries: what is its own share and not there is copied
//!            from another; what no entry has named for a while goes ([`repair`])
//!   scrub    every node reads its chunks again, slowly ([`scrub`])
//! ```
//!
//! A chunk is named by its BLAKE3, so any copy that has the right hash is as good as any other:
//! there are no versions, and a node that lies is found out by whoever reads. The members of the
//! cluster know each other all, so the owner of a chunk is found in one step, by the same places
//! on the circle that a Chord lookup would find ([`placement`]).
//!
//! **When a chunk counts as stored.** It is sent to as many live nodes as copies are wanted, and
//! all are waited for; one that fails is replaced by the next on the circle. If in the end more
//! than half of the wanted copies are durable, that will do, and repair makes the rest: otherwise
//! nobody could store anything while one of three nodes is away. So with three copies one node may
//! be lost at the moment of an acknowledgement, and two once repair has been round.

mod disk;
mod loose;
mod placement;
mod repair;
mod scrub;
mod transfer;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use disk::Chunks;
pub use loose::GRACE as CHUNK_GRACE;
pub(crate) use repair::run as repair;
pub(crate) use scrub::run as scrub;
pub(crate) use transfer::TRANSFERS_MAX;

/// The BLAKE3 of a chunk, which is its name.
pub type ChunkHash = [u8; 32];

/// A chunk has at most this many bytes. See [`domain::files::CHUNK_BYTES`].
pub const CHUNK_MAX_BYTES: usize = domain::files::CHUNK_BYTES as usize;

/// Why a chunk was not stored or not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ChunkError {
    /// Too much is being stored; nothing was done.
    #[error("too many chunks wait for the files that they belong to; try again later")]
    Busy,
    /// No space is left where it should be.
    #[error("no space is left for chunks on the disk of a node")]
    DiskFull,
    /// It is not what its hash says, or longer than a chunk may be.
    #[error("a chunk arrived damaged")]
    Damaged,
    /// A disk failed.
    #[error("a disk failed: {0}")]
    Disk(String),
    /// A node that should store it did not answer.
    #[error("a node that should store a chunk did not answer")]
    Silent,
    /// Not enough nodes have stored it.
    #[error("only {stored} of {wanted} copies of a chunk could be stored: {reason}")]
    TooFew {
        /// Copies that are durable.
        stored: u32,
        /// Copies that are wanted.
        wanted: u32,
        /// What the last node that failed said.
        reason: String,
    },
    /// No node that can be reached has it.
    #[error("no node that can be reached has the chunk {0}")]
    Missing(String),
}

/// How closely a node looks whether it has a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Look {
    /// There is one of that name.
    IsThere,
    /// It was read, and is what its name says.
    IsWhole,
}

/// A chunk with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its name.
    pub hash: ChunkHash,
    /// Its bytes, which may turn out to be others.
    pub bytes: Bytes,
}

impl Chunk {
    /// These bytes under their own name.
    pub fn of(bytes: Bytes) -> Self {
        let hash = *blake3::hash(&bytes).as_bytes();
        Chunk { hash, bytes }
    }

    /// Whether the bytes are what the name says.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.len() <= CHUNK_MAX_BYTES && *blake3::hash(&self.bytes).as_bytes() == self.hash
    }
}
