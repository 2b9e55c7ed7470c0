//! All that a node touches outside its own memory goes through one [`Env`]: a runtime (tasks,
//! timers, clocks, randomness, blocking work), a disk and a transport.
//!
//! Production binds tokio, files and TCP ([`crate::production`]); a simulation binds a virtual
//! clock, a disk that forgets what was not synced and a network of its own, and so runs the very
//! same node code, whole clusters in one thread, from one seed.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// The world of one node.
pub trait Env: Clone + Send + Sync + 'static {
    /// Tasks, timers, clocks, randomness and blocking work.
    type Runtime: Runtime;
    /// Files, and the SQLite VFS that lives beside them.
    type Disk: Disk;
    /// Connections to the other nodes.
    type Transport: Transport;

    /// The node's disk.
    fn disk(&self) -> &Self::Disk;

    /// The node's transport.
    fn transport(&self) -> &Self::Transport;
}

/// openraft's runtime, and the two things it has no word for. Randomness is `thread_rng`, blocking
/// work is `spawn_blocking`: there is no other way to either.
pub trait Runtime: openraft_rt::AsyncRuntime + Send + Sync {
    /// The wall clock in milliseconds since 1970 (UTC). It may jump either way.
    fn wall_clock_ms() -> i64;

    /// False while that clock is made to be wrong on purpose.
    fn clock_is_believed() -> bool {
        true
    }
}

/// A disk. Every call may block and is made from `spawn_blocking`.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: File;

    /// Makes a directory and its parents; one that exists is fine.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file for reading and writing; `create` makes it if it is missing (its name is
    /// durable after [`Disk::sync_dir`]).
    fn open(&self, path: &Path, create: bool) -> io::Result<Self::File>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Renames a file over another, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The SQLite VFS that keeps databases on this disk; `None` is SQLite's own.
    fn vfs(&self) -> Option<String>;

    /// How that VFS names the file at `path`.
    fn database_path(&self, path: &Path) -> PathBuf;
}

/// An open file of a [`Disk`].
#[expect(
    clippy::len_without_is_empty,
    reason = "a file's length is asked, its emptiness never"
)]
pub trait File: Send + Sync + 'static {
    /// Reads at `offset`; fewer bytes than asked only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Not durable before [`File::sync_data`] returned.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// `fdatasync`: what was written before is durable when it returns.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
}

/// Connections between nodes: ordered, whole frames, like TCP with a length before each message.
pub trait Transport: Clone + Send + Sync + 'static {
    /// One direction of a connection, for sending.
    type Sender: FrameSender;
    /// The other direction.
    type Receiver: FrameReceiver;

    /// Connects to the peer port at `address` (`host:port`).
    fn connect(
        &self,
        address: &str,
    ) -> impl Future<Output = io::Result<(Self::Sender, Self::Receiver)>> + Send;

    /// The next connection that a peer makes to this node.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Sender, Self::Receiver)>> + Send;
}

/// The sending half of a connection; dropping both halves closes it.
pub trait FrameSender: Send + Sync + 'static {
    /// Sends one frame of at most [`FRAME_MAX_BYTES`]. Waits while the peer is slow to read.
    fn send(&mut self, frame: Bytes) -> impl Future<Output = io::Result<()>> + Send;
}

/// The receiving half of a connection.
pub trait FrameReceiver: Send + Sync + 'static {
    /// The next frame, or `None` when the peer has closed.
    fn receive(&mut self) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;
}

/// The longest frame: room for one log entry of the largest size with its frame around it, and
/// small enough that a peer cannot make a node allocate without bound.
pub const FRAME_MAX_BYTES: usize = 8 * 1024 * 1024;
