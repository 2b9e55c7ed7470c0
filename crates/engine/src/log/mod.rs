//! The durable log: every entry and vote, in order, with group commit.
//!
//! Everything goes through one queue to one [`writer`]; an entry can be read as soon as it is
//! queued and counts as flushed only after `fdatasync` returned. The files are described in
//! [`frame`], what a crash leaves in [`recovery`].

pub mod damage;
pub mod frame;
pub mod index;
pub mod recovery;
pub mod writer;

use std::fmt;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;

use futures_util::stream::{self, Stream};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use openraft_rt::AsyncRuntime;
use tokio::sync::{Notify, mpsc, oneshot};

use self::frame::{Found, Record};
use self::index::{Index, Place};
use self::writer::{Change, File_, Files, Kept, Op, Writer};
use crate::env::{Disk, Env, File};
use crate::types::{Entry, LogId, Types, Vote};

/// Operations that may wait for the writer. openraft keeps few under way; past this it waits.
const QUEUE_MAX: usize = 1024;

/// Bytes of entries that one read returns, at least one entry: a frame to a follower holds them.
const READ_MAX_BYTES: usize = 2 * 1024 * 1024;

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A record in the middle does not match its checksum.
    #[error(
        "the log is damaged: {file} at byte {offset} holds a record that does not match its \
         checksum, and valid records follow it. Do not delete it. If the other nodes are healthy, \
         `consorcio cluster rebuild --data DIR` puts it away and has this node join anew at its \
         next start; if not, restore a backup",
        file = file.display()
    )]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where the damage begins.
        offset: u64,
    },
    /// A record is intact but of another version.
    #[error(
        "the log was written by another version: {file} at byte {offset}. Start the version that \
         wrote it, or join this node anew with an empty data directory",
        file = file.display()
    )]
    Version {
        /// The segment.
        file: PathBuf,
        /// Where the record is.
        offset: u64,
    },
    /// The disk failed.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// How the log is laid out.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Where the segments are.
    pub dir: PathBuf,
    /// Bytes of a segment.
    pub segment_bytes: u64,
}

/// The log of one node. Clones are the same log.
pub struct Log<E: Env> {
    index: Arc<Mutex<Index<File_<E>>>>,
    ops: mpsc::Sender<Op>,
    room: Arc<AtomicBool>,
    /// Rung when entries became durable, and when the writer ends.
    settled: Arc<Notify>,
}

impl<E: Env> Clone for Log<E> {
    fn clone(&self) -> Self {
        Log {
            index: Arc::clone(&self.index),
            ops: self.ops.clone(),
            room: Arc::clone(&self.room),
            settled: Arc::clone(&self.settled),
        }
    }
}

impl<E: Env> Log<E> {
    /// Recovers the log in a directory, or begins one there, and starts its writer.
    pub async fn open(env: &E, options: LogOptions) -> Result<Self, LogError> {
        let disk = env.disk().clone();
        let salt = salt::<E>();
        let (index, files) =
            E::Runtime::spawn_blocking(move || open_files(disk, options, salt)).await??;
        let (ops, receiver) = mpsc::channel(QUEUE_MAX);
        let head = index.head.clone();
        let index = Arc::new(Mutex::new(index));
        let room = Arc::new(AtomicBool::new(true));
        let settled = Arc::new(Notify::new());
        let writer = Writer {
            env: env.clone(),
            index: Arc::clone(&index),
            room: Arc::clone(&room),
            settled: Arc::clone(&settled),
            head,
            files: Some(files),
        };
        drop(E::Runtime::spawn(writer.run(receiver)));
        Ok(Log {
            index,
            ops,
            room,
            settled,
        })
    }

    /// False while the disk has no room for another segment: new commands should be refused, what
    /// is left is for what Raft itself must write.
    pub fn has_room(&self) -> bool {
        self.room.load(Ordering::Relaxed)
    }

    /// About how many bytes the entries take that are not purged.
    pub fn stored_bytes(&self) -> usize {
        self.index().stored_bytes()
    }

    /// The index up to which the log can be purged so that about `keep_bytes` of it remain.
    pub fn purgeable(&self, keep_bytes: usize) -> Option<u64> {
        self.index().purgeable(keep_bytes)
    }

    /// The last entry, durable or not.
    pub fn last(&self) -> Option<LogId> {
        self.index().last()
    }

    /// The last vote that was stored.
    pub fn vote(&self) -> Option<Vote> {
        self.index().vote()
    }

    /// True once a vote was stored: never again false, unless the log was lost.
    pub fn has_voted(&self) -> bool {
        self.index().vote().is_some()
    }

    /// Waits until the entry at `index` is durable here: a majority may have it before this node.
    pub async fn durable_upto(&self, index: u64) -> io::Result<()> {
        loop {
            let settled = self.settled.notified();
            let slot_waits = |slot: &index::Slot<_>| slot.place.is_none();
            if !self.index().slot(index).is_some_and(slot_waits) {
                return Ok(());
            }
            if self.ops.is_closed() {
                return Err(closed());
            }
            settled.await;
        }
    }

    /// Waits until all that was appended before is durable.
    pub async fn barrier(&self) -> io::Result<()> {
        self.durable(Change::Barrier).await
    }

    fn index(&self) -> MutexGuard<'_, Index<File_<E>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, change: Change, flushed: Flushed) -> io::Result<()> {
        self.ops
            .send(Op { change, flushed })
            .await
            .map_err(|_| closed())
    }

    async fn durable(&self, change: Change) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.send(change, Flushed::Waiter(sender)).await?;
        receiver.await.map_err(|_| closed())?
    }

    /// The entries of a range, up to a size; those not in memory are read from disk.
    async fn read(&self, start: u64, end: u64, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next = start.max(self.index().first());
        while next < end && (entries.is_empty() || bytes < max_bytes) {
            let Some(found) = self.look(next) else { break };
            let batch = match found {
                Lookup::Cached(entry) => vec![entry],
                Lookup::OnDisk(place) => {
                    let read = move || read_frame(&place);
                    let records = E::Runtime::spawn_blocking(read).await??;
                    self.still_there(records, next, end)
                }
            };
            if batch.is_empty() {
                return Err(io::Error::other(
                    "an entry of the log is not where it was written",
                ));
            }
            bytes += batch.iter().map(frame::size_of).sum::<usize>();
            next += batch.len() as u64;
            entries.extend(batch);
        }
        Ok(entries)
    }

    fn look(&self, index: u64) -> Option<Lookup<File_<E>>> {
        let guard = self.index();
        let slot = guard.slot(index)?;
        match (&slot.entry, &slot.place) {
            (Some(entry), _) => Some(Lookup::Cached(entry.clone())),
            (None, Some(place)) => Some(Lookup::OnDisk(place.clone())),
            (None, None) => None,
        }
    }

    /// Of a frame's records, the entries that follow each other from `next` on and still stand.
    fn still_there(&self, records: Vec<Record>, next: u64, end: u64) -> Vec<Entry> {
        let guard = self.index();
        let mut wanted = next;
        let mut entries = Vec::new();
        for record in records {
            let Record::Entry(entry) = record else {
                continue;
            };
            let stands = guard
                .slot(wanted)
                .is_some_and(|slot| slot.log_id == entry.log_id);
            if stands && wanted < end {
                entries.push(entry);
                wanted += 1;
            }
        }
        entries
    }
}

enum Lookup<F> {
    Cached(Entry),
    OnDisk(Place<F>),
}

/// Whom to tell when an operation is durable.
pub enum Flushed {
    /// openraft's callback. It is boxed because it is generic over the runtime.
    Callback(Box<dyn FnOnce(io::Result<()>) + Send>),
    /// A caller that waits.
    Waiter(oneshot::Sender<io::Result<()>>),
}

impl Flushed {
    /// Tells the result.
    pub fn tell(self, result: &io::Result<()>) {
        let result = result.as_ref().map(|_| ()).map_err(copy_error);
        match self {
            Flushed::Callback(callback) => callback(result),
            // A caller that no longer waits has been cancelled; there is nobody to tell.
            Flushed::Waiter(waiter) => drop(waiter.send(result)),
        }
    }
}

fn copy_error(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

fn closed() -> io::Error {
    io::Error::other("the log is closed")
}

/// The file name of the segment whose first frame is `sequence`.
pub fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}.log")
}

fn salt<E: Env>() -> u32 {
    use rand::Rng as _;
    E::Runtime::thread_rng().next_u32()
}

type Opened<D> = (Index<<D as Disk>::File>, Files<D>);

fn open_files<D: Disk>(disk: D, options: LogOptions, salt: u32) -> Result<Opened<D>, LogError> {
    let found = recovery::recover(&disk, &options.dir)?;
    if found.cut_bytes > 0 {
        tracing::warn!(bytes = found.cut_bytes, "cut a torn tail off the log");
    }
    let last = found.segments.last();
    let salt = last.map_or(salt, |last| last.segment.salt);
    let position = last.map_or(0, |last| last.end);
    let segments = found.segments.into_iter().map(|found| Kept {
        name: found.name,
        segment: found.segment,
        length: found.length,
        last_index: found.last_index,
    });
    let files = Files {
        disk,
        dir: options.dir,
        segment_bytes: options.segment_bytes,
        salt,
        sequence: found.sequence,
        segments: segments.collect(),
        position,
        spare: None,
    };
    Ok((found.index, files))
}

fn read_frame<F: File>(place: &Place<F>) -> io::Result<Vec<Record>> {
    let mut bytes = vec![0; place.length as usize];
    place.segment.file.read_at(&mut bytes, place.offset)?;
    match frame::find(&bytes, 0, place.segment.salt, place.sequence) {
        Found::Frame { payload, .. } => frame::decode(&bytes[payload]).map_err(|_| damaged()),
        Found::Nothing => Err(damaged()),
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a record of the log does not match its checksum",
    )
}

impl<E: Env> RaftLogReader<Types<E::Runtime>> for Log<E> {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + fmt::Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_MAX_BYTES).await
    }

    /// Reads a bounded stretch at a time: after a start this may be the whole log.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + fmt::Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let state = (self.clone(), start, end, Vec::new().into_iter());
        let step = |(log, next, end, mut ready): (Self, u64, u64, IntoIter<Entry>)| async move {
            if ready.len() == 0 && next < end {
                ready = log.read(next, end, READ_MAX_BYTES).await?.into_iter();
            }
            let entry = ready.next();
            Ok(entry.map(|entry| (entry, (log, next + 1, end, ready))))
        };
        Box::pin(stream::try_unfold(state, step))
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.index().vote())
    }
}

impl<E: Env> RaftLogStorage<Types<E::Runtime>> for Log<E> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types<E::Runtime>>> {
        let index = self.index();
        Ok(LogState {
            last_purged_log_id: index.head.purged,
            last_log_id: index.last(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let vote = *vote;
        self.index().head.vote = Some(vote);
        self.durable(Change::Vote(vote)).await
    }

    /// Rides along with the next group: it saves work after a start and is nothing to wait for.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.index().head.committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.index().committed())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: IOFlushed<Types<E::Runtime>>,
    ) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        {
            let mut index = self.index();
            entries
                .iter()
                .for_each(|entry| index.push(entry.clone(), None));
        }
        let callback = Box::new(move |result| flushed.io_completed(result));
        self.send(Change::Append(entries), Flushed::Callback(callback))
            .await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let after = last.map(|last| last.index);
        self.index()
            .truncate_from(after.map_or(0, |after| after + 1));
        self.durable(Change::Truncate(after)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.index().purge(upto);
        self.durable(Change::Purge(upto)).await
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

/// Where the log of a data directory is.
pub fn dir(data: &Path) -> PathBuf {
    data.join("log")
}
