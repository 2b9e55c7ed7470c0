//! The chunks on a node's own disk: a file each, named by its hash.
//!
//! ```text
//!   chunks/tmp/7          being written ── fdatasync ── rename ──▶ chunks/a3/a3f0…   fsync of a3
//!   chunks/00 … chunks/ff by the first byte of the hash: no directory grows long
//! ```
//!
//! Before it is renamed a chunk does not count, so a crash leaves nothing half stored; what it
//! leaves in `tmp` is removed at the next start. Directories are made when they are needed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Instant as _};
use tokio::sync::Semaphore;

use super::loose::Loose;
use super::{CHUNK_MAX_BYTES, Chunk, ChunkError, ChunkHash, Look};
use crate::env::{Disk, Env, File};
use crate::identity::hex;
use crate::node::{InstantOf, lock};

/// Where chunks are, under the data directory.
const DIR: &str = "chunks";

/// Where they are written, under that.
const TEMPORARY: &str = "tmp";

/// Chunks that are written or read at once: enough to keep a disk at work, and it bounds what
/// writing takes of memory and of temporary space.
const AT_WORK_MAX: usize = 8;

/// The chunks of a node. Clones are the same chunks.
pub struct Chunks<E: Env> {
    shared: Arc<Shared<E>>,
}

struct Shared<E: Env> {
    env: E,
    dir: PathBuf,
    next: AtomicU64,
    at_work: Semaphore,
    loose: Mutex<Loose<InstantOf<E>>>,
    /// True once a chunk was found to be damaged, and removed.
    damaged: AtomicBool,
}

impl<E: Env> Clone for Chunks<E> {
    fn clone(&self) -> Self {
        Chunks {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E: Env> Chunks<E> {
    /// The chunks under a data directory; what was being written when the node ended is removed.
    pub async fn open(env: &E, data: &Path) -> io::Result<Self> {
        let dir = data.join(DIR);
        let (disk, temporary) = (env.disk().clone(), dir.join(TEMPORARY));
        E::Runtime::spawn_blocking(move || clear(&disk, &temporary)).await??;
        Ok(Chunks {
            shared: Arc::new(Shared {
                env: env.clone(),
                dir,
                next: AtomicU64::new(0),
                at_work: Semaphore::new(AT_WORK_MAX),
                loose: Mutex::default(),
                damaged: AtomicBool::new(false),
            }),
        })
    }

    /// Stores a chunk, if it is what its hash says; it is durable when this returns.
    pub async fn put(&self, chunk: Chunk) -> Result<(), ChunkError> {
        let stored = move |this: &Self| {
            if !chunk.is_whole() {
                return Err(ChunkError::Damaged);
            }
            let (size_bytes, now) = (chunk.bytes.len() as u64, InstantOf::<E>::now());
            lock(&this.shared.loose).arrive(chunk.hash, size_bytes, now)?;
            Ok(this.write(&chunk)?)
        };
        self.work(stored).await?
    }

    /// A chunk, if it is here and whole. One that is damaged is removed.
    pub async fn get(&self, hash: ChunkHash) -> Result<Option<Bytes>, ChunkError> {
        let found = self.work(move |this| this.read(hash)).await?;
        Ok(found?)
    }

    /// Which of these chunks are not here.
    pub async fn lacks(
        &self,
        hashes: Vec<ChunkHash>,
        look: Look,
    ) -> Result<Vec<ChunkHash>, ChunkError> {
        let lacking = move |this: &Self| {
            let is_lacking = |hash: &ChunkHash| match this.is_there(hash, look) {
                Ok(there) => (!there).then_some(Ok(*hash)),
                Err(error) => Some(Err(error)),
            };
            hashes.iter().filter_map(is_lacking).collect()
        };
        let lacking: io::Result<Vec<ChunkHash>> = self.work(lacking).await?;
        Ok(lacking?)
    }

    /// Every chunk here whose hash begins with this byte, in order.
    pub async fn beginning(&self, first: u8) -> Result<Vec<ChunkHash>, ChunkError> {
        let listed = self.work(move |this| this.list(first)).await?;
        Ok(listed?)
    }

    /// Removes a chunk that no entry has named for so long that its time is over.
    pub async fn remove_if_over(&self, hash: ChunkHash) -> Result<bool, ChunkError> {
        let removed = move |this: &Self| {
            // Held while it is removed: whoever stores the same chunk now comes before or after.
            let mut loose = lock(&this.shared.loose);
            if !loose.is_over(hash, InstantOf::<E>::now()) {
                return Ok(false);
            }
            this.remove(&hash)?;
            loose.forget(&hash);
            Ok(true)
        };
        let removed: io::Result<bool> = self.work(removed).await?;
        Ok(removed?)
    }

    /// Removes a chunk that others hold.
    pub async fn give_up(&self, hash: ChunkHash) -> Result<(), ChunkError> {
        let removed = self.work(move |this| this.remove(&hash)).await?;
        Ok(removed?)
    }

    /// Notes that an entry names a chunk.
    pub fn is_named(&self, hash: &ChunkHash) {
        lock(&self.shared.loose).forget(hash);
    }

    /// Whether a damaged chunk was found and removed since this was last asked.
    pub fn take_damaged(&self) -> bool {
        self.shared.damaged.swap(false, Ordering::Relaxed)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, ChunkError> {
        let closed = |error: tokio::sync::AcquireError| ChunkError::Disk(error.to_string());
        let _turn = self.shared.at_work.acquire().await.map_err(closed)?;
        let this = self.clone();
        Ok(E::Runtime::spawn_blocking(move || work(&this)).await?)
    }

    fn write(&self, chunk: &Chunk) -> io::Result<()> {
        if self.read(chunk.hash)?.is_some() {
            return Ok(());
        }
        match self.write_anew(chunk) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_dirs(&chunk.hash)?;
                self.write_anew(chunk)
            }
            written => written,
        }
    }

    fn write_anew(&self, chunk: &Chunk) -> io::Result<()> {
        let disk = self.disk();
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self.shared.dir.join(TEMPORARY).join(number.to_string());
        let (dir, path) = self.place(&chunk.hash);
        let write = || {
            let file = disk.open(&temporary, true)?;
            file.write_all_at(&chunk.bytes, 0)?;
            file.sync_data()?;
            disk.rename(&temporary, &path)
        };
        if let Err(error) = write() {
            // What cannot be removed now is removed at the next start.
            drop(disk.remove(&temporary));
            return Err(error);
        }
        disk.sync_dir(&dir)
    }

    /// Makes the directories that a chunk needs, durably.
    fn make_dirs(&self, hash: &ChunkHash) -> io::Result<()> {
        let (disk, dir) = (self.disk(), &self.shared.dir);
        disk.create_dir_all(&dir.join(TEMPORARY))?;
        disk.create_dir_all(&self.place(hash).0)?;
        disk.sync_dir(dir)?;
        dir.parent().map_or(Ok(()), |data| disk.sync_dir(data))
    }

    /// A whole chunk, or `None`; a damaged one is removed.
    fn read(&self, hash: ChunkHash) -> io::Result<Option<Bytes>> {
        let path = self.place(&hash).1;
        let Some(file) = found(self.disk().open(&path, false))? else {
            return Ok(None);
        };
        let length = file.len()?.min(CHUNK_MAX_BYTES as u64 + 1);
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        let chunk = Chunk {
            hash,
            bytes: bytes.into(),
        };
        if chunk.is_whole() {
            return Ok(Some(chunk.bytes));
        }
        tracing::warn!(
            chunk = hex(&hash),
            "a chunk is damaged on this disk and is removed"
        );
        self.remove(&hash)?;
        self.shared.damaged.store(true, Ordering::Relaxed);
        Ok(None)
    }

    fn is_there(&self, hash: &ChunkHash, look: Look) -> io::Result<bool> {
        match look {
            Look::IsThere => Ok(found(self.disk().open(&self.place(hash).1, false))?.is_some()),
            Look::IsWhole => Ok(self.read(*hash)?.is_some()),
        }
    }

    fn list(&self, first: u8) -> io::Result<Vec<ChunkHash>> {
        let names = found(self.disk().list(&self.shared.dir.join(hex(&[first]))))?;
        let names = names.unwrap_or_default();
        Ok(names.iter().filter_map(|name| hash_of(name)).collect())
    }

    /// Not durably: one that comes back after a crash is found to be too much again.
    fn remove(&self, hash: &ChunkHash) -> io::Result<()> {
        found(self.disk().remove(&self.place(hash).1)).map(drop)
    }

    /// The directory of a chunk, and its path.
    fn place(&self, hash: &ChunkHash) -> (PathBuf, PathBuf) {
        let dir = self.shared.dir.join(hex(&hash[..1]));
        let path = dir.join(hex(hash));
        (dir, path)
    }

    fn disk(&self) -> &E::Disk {
        self.shared.env.disk()
    }
}

fn clear(disk: &impl Disk, temporary: &Path) -> io::Result<()> {
    for name in found(disk.list(temporary))?.unwrap_or_default() {
        disk.remove(&temporary.join(name))?;
    }
    Ok(())
}

/// What is there; what is not is no error.
fn found<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The hash that a file's name says; `None` for what is no chunk.
fn hash_of(name: &str) -> Option<ChunkHash> {
    let hash = blake3::Hash::from_hex(name).ok()?;
    (hex(hash.as_bytes()) == name).then(|| *hash.as_bytes())
}

impl From<io::Error> for ChunkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ChunkError::DiskFull,
            _ => ChunkError::Disk(error.to_string()),
        }
    }
}
