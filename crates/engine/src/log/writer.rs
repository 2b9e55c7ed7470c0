//! The one task that writes the log. It takes all that is waiting, writes it as one frame, syncs
//! once, and only then says "flushed".

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use tokio::sync::{Notify, mpsc};

use super::frame::{self, Head, RecordRef, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::index::{Index, Place, Segment};
use super::{Flushed, segment_name};
use crate::env::{Disk, Env, File};
use crate::types::{Entry, LogId, Vote};

/// A frame takes in what is waiting up to this size: large enough that a sync is shared by
/// thousands of small commands, small enough that its write does not delay the next vote.
const GROUP_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// Zeros written at a time when a segment is filled beforehand.
const FILL_BYTES: usize = 256 * 1024;

/// A change to be made durable, and whom to tell.
pub struct Op {
    /// What to write.
    pub change: Change,
    /// Whom to tell once it is durable.
    pub flushed: Flushed,
}

/// A change of the log.
pub enum Change {
    /// Entries to append.
    Append(Vec<Entry>),
    /// A vote to keep.
    Vote(Vote),
    /// Take back what comes after this index.
    Truncate(Option<u64>),
    /// Drop what is covered by the state.
    Purge(LogId),
    /// Nothing: it is durable when all before it is.
    Barrier,
}

/// The writer's side of the log.
pub struct Writer<E: Env> {
    /// The world.
    pub env: E,
    /// Shared with the readers.
    pub index: Arc<Mutex<Index<File_<E>>>>,
    /// False while no further segment can be made.
    pub room: Arc<AtomicBool>,
    /// Rung when entries became durable, and when the writer ends.
    pub settled: Arc<Notify>,
    /// The hard state as of the last durable group: a segment begins with what was said before it,
    /// and never with what is still waiting behind other changes.
    pub head: Head,
    /// The files; `None` only while a blocking call has them.
    pub files: Option<Files<E::Disk>>,
}

/// The file type of an environment.
pub type File_<E> = <<E as Env>::Disk as Disk>::File;

/// The segments on disk and where the next frame goes.
pub struct Files<D: Disk> {
    /// The disk.
    pub disk: D,
    /// Where the segments are.
    pub dir: PathBuf,
    /// Bytes of a new segment.
    pub segment_bytes: u64,
    /// Start value of the checksums.
    pub salt: u32,
    /// Sequence of the next frame.
    pub sequence: u64,
    /// All segments that hold frames, oldest first; the last one is written to.
    pub segments: Vec<Kept<D::File>>,
    /// Where the next frame starts in the last segment.
    pub position: u64,
    /// The next segment, filled with zeros beforehand.
    pub spare: Option<D::File>,
}

/// A segment that holds frames.
pub struct Kept<F> {
    /// Its file name.
    pub name: String,
    /// The open file.
    pub segment: Arc<Segment<F>>,
    /// Its length in bytes.
    pub length: u64,
    /// The largest index of an entry in it.
    pub last_index: Option<u64>,
}

impl<E: Env> Writer<E> {
    /// Writes until all senders are gone or the disk fails.
    pub async fn run(mut self, mut ops: mpsc::Receiver<Op>) {
        self.write_all(&mut ops).await;
        drop(ops);
        self.settled.notify_waiters();
    }

    async fn write_all(&mut self, ops: &mut mpsc::Receiver<Op>) {
        self.refill().await;
        while let Some(first) = self.next(ops).await {
            let (group, waiting) = gather(first, ops);
            let result = self.write(&group).await;
            for flushed in waiting {
                flushed.tell(&result);
            }
            if let Err(error) = result {
                tracing::error!(%error, "the log cannot be written");
                // After a failed sync nobody knows what is on disk: stop rather than guess.
                return;
            }
            self.refill().await;
        }
    }

    /// The next operation. Meanwhile a full disk is tried again: while it is full nothing may come.
    async fn next(&mut self, ops: &mut mpsc::Receiver<Op>) -> Option<Op> {
        while self
            .files
            .as_ref()
            .is_some_and(|files| files.spare.is_none())
        {
            match E::Runtime::timeout(FULL_RETRY, ops.recv()).await {
                Ok(op) => return op,
                Err(_) => self.refill().await,
            }
        }
        ops.recv().await
    }

    /// Writes and syncs one group; waits while the disk is full.
    async fn write(&mut self, group: &[Change]) -> Result<(), io::Error> {
        loop {
            let head = self.head.clone();
            let committed = lock(&self.index).head.committed;
            let (bytes, last_index) = self.encode(group, committed)?;
            let place = self
                .blocking(move |files| files.commit(&bytes, last_index, &head))
                .await;
            match place {
                Ok(place) => {
                    self.note_room();
                    return self.settle(group, committed, place).await;
                }
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    if self.room.swap(false, Ordering::Relaxed) {
                        tracing::warn!("the disk is full: the log waits for space");
                    }
                    E::Runtime::sleep(FULL_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn encode(
        &self,
        group: &[Change],
        committed: Option<LogId>,
    ) -> Result<(Vec<u8>, Option<u64>), io::Error> {
        let files = self.files.as_ref().ok_or_else(stopped)?;
        let mut records = Vec::with_capacity(group.len() + 1);
        let mut last_index = None;
        for change in group {
            match change {
                Change::Append(entries) => {
                    last_index = last_index.max(entries.last().map(|last| last.log_id.index));
                    records.extend(entries.iter().map(RecordRef::Entry));
                }
                Change::Vote(vote) => records.push(RecordRef::Vote(vote)),
                Change::Truncate(after) => records.push(RecordRef::Truncate(*after)),
                Change::Purge(upto) => records.push(RecordRef::Purge(upto)),
                Change::Barrier => {}
            }
        }
        records.push(RecordRef::Committed(committed));
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, files.salt, files.sequence, &records);
        Ok((bytes, last_index))
    }

    /// The group is durable: note where its entries are and drop the segments it made needless.
    async fn settle(
        &mut self,
        group: &[Change],
        committed: Option<LogId>,
        place: Place<File_<E>>,
    ) -> Result<(), io::Error> {
        let mut purged = None;
        {
            let mut index = lock(&self.index);
            for change in group {
                match change {
                    Change::Append(entries) => {
                        entries
                            .iter()
                            .for_each(|entry| index.written(entry.log_id, &place));
                    }
                    Change::Vote(vote) => self.head.vote = Some(*vote),
                    Change::Purge(upto) => {
                        purged = Some(*upto);
                        self.head.purged = self.head.purged.max(purged);
                    }
                    Change::Truncate(_) | Change::Barrier => {}
                }
            }
            index.evict();
        }
        self.settled.notify_waiters();
        self.head.committed = committed;
        match purged {
            Some(upto) => {
                self.blocking(move |files| files.drop_until(upto.index))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Makes the next segment ready while there is time.
    async fn refill(&mut self) {
        if self
            .files
            .as_ref()
            .is_none_or(|files| files.spare.is_some())
        {
            return;
        }
        match self.blocking(Files::prepare_spare).await {
            Ok(()) => self.note_room(),
            Err(error) => {
                if self.room.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "no log segment can be made: writes are refused");
                }
            }
        }
    }

    /// Takes commands again once the next segment is there to be written, and could be.
    fn note_room(&self) {
        let files = self.files.as_ref();
        if files.is_some_and(|files| files.spare.is_some())
            && !self.room.swap(true, Ordering::Relaxed)
        {
            tracing::info!("there is space on the disk again");
        }
    }

    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Files<E::Disk>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut files = self.files.take().ok_or_else(stopped)?;
        let (files, result) = E::Runtime::spawn_blocking(move || {
            let result = work(&mut files);
            (files, result)
        })
        .await?;
        self.files = Some(files);
        result
    }
}

impl<D: Disk> Files<D> {
    /// Writes a frame and syncs it; begins a new segment when it does not fit.
    fn commit(
        &mut self,
        bytes: &[u8],
        last_index: Option<u64>,
        head: &Head,
    ) -> io::Result<Place<D::File>> {
        let fits = |kept: &Kept<D::File>| self.position + bytes.len() as u64 <= kept.length;
        if self.segments.last().is_some_and(fits) {
            return self.write_frame(bytes, last_index);
        }
        // A frame carries its sequence, and the head record takes one: encode it for its new place.
        self.begin_segment(bytes.len() as u64, head)?;
        let mut moved = bytes.to_vec();
        frame::renumber(&mut moved, self.salt, self.sequence);
        self.write_frame(&moved, last_index)
    }

    fn write_frame(&mut self, bytes: &[u8], last_index: Option<u64>) -> io::Result<Place<D::File>> {
        let kept = self.segments.last_mut().ok_or_else(stopped)?;
        kept.segment.file.write_all_at(bytes, self.position)?;
        kept.segment.file.sync_data()?;
        kept.last_index = kept.last_index.max(last_index);
        let place = Place {
            segment: Arc::clone(&kept.segment),
            offset: self.position,
            length: bytes.len() as u32,
            sequence: self.sequence,
        };
        self.position += bytes.len() as u64;
        self.sequence += 1;
        Ok(place)
    }

    /// Starts a segment with room for `needed` bytes: header, then a frame with the hard state.
    fn begin_segment(&mut self, needed: u64, head: &Head) -> io::Result<()> {
        let mut first = SegmentHeader {
            salt: self.salt,
            first: self.sequence,
        }
        .encode()
        .to_vec();
        frame::encode(
            &mut first,
            self.salt,
            self.sequence,
            &[RecordRef::Head(head)],
        );
        let length = self.segment_bytes.max(first.len() as u64 + needed);
        if self.spare.is_none() {
            self.prepare_spare()?;
        }
        let file = self.spare.take().ok_or_else(stopped)?;
        if length > self.segment_bytes {
            fill(&file, length)?;
        }
        let name = segment_name(self.sequence);
        file.write_all_at(&first, 0)?;
        file.sync_data()?;
        self.disk
            .rename(&self.dir.join(SPARE_NAME), &self.dir.join(&name))?;
        self.disk.sync_dir(&self.dir)?;
        let segment = Arc::new(Segment {
            file,
            salt: self.salt,
        });
        self.segments.push(Kept {
            name,
            segment,
            length,
            last_index: None,
        });
        self.position = first.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// Creates the next segment and fills it with zeros, so that its blocks are allocated and an
    /// append changes no metadata. The first one of a log is small: a start should not wait.
    fn prepare_spare(&mut self) -> io::Result<()> {
        let path = self.dir.join(SPARE_NAME);
        let file = self.disk.open(&path, true)?;
        let small = SEGMENT_HEADER_BYTES as u64 + self.segment_bytes / 16;
        let length = if self.segments.is_empty() {
            small
        } else {
            self.segment_bytes
        };
        if let Err(error) = fill(&file, length) {
            // Give back what was taken, or the disk stays full because of us.
            self.disk.remove(&path)?;
            return Err(error);
        }
        self.spare = Some(file);
        Ok(())
    }

    /// Removes the oldest segments whose entries all are at or below `index`.
    fn drop_until(&mut self, index: u64) -> io::Result<()> {
        let mut dropped = false;
        while self.segments.len() > 1
            && self.segments[0].last_index.is_none_or(|last| last <= index)
        {
            let kept = self.segments.remove(0);
            self.disk.remove(&self.dir.join(&kept.name))?;
            dropped = true;
        }
        if dropped {
            self.disk.sync_dir(&self.dir)
        } else {
            Ok(())
        }
    }
}

/// The name of the segment that is being prepared.
const SPARE_NAME: &str = "spare.new";

fn fill<F: File>(file: &F, length: u64) -> io::Result<()> {
    let zeros = vec![0; FILL_BYTES];
    let mut at = 0;
    while at < length {
        let count = (length - at).min(FILL_BYTES as u64);
        file.write_all_at(&zeros[..count as usize], at)?;
        at += count;
    }
    file.sync_data()
}

fn gather(first: Op, ops: &mut mpsc::Receiver<Op>) -> (Vec<Change>, Vec<Flushed>) {
    let mut bytes = first.change.size();
    let mut group = vec![first.change];
    let mut waiting = vec![first.flushed];
    while bytes < GROUP_MAX_BYTES {
        let Ok(op) = ops.try_recv() else { break };
        bytes += op.change.size();
        group.push(op.change);
        waiting.push(op.flushed);
    }
    (group, waiting)
}

impl Change {
    fn size(&self) -> usize {
        match self {
            Change::Append(entries) => entries.iter().map(frame::size_of).sum(),
            Change::Vote(_) | Change::Truncate(_) | Change::Purge(_) | Change::Barrier => 64,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stopped() -> io::Error {
    io::Error::other("the log is closed")
}
