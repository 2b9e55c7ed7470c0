//! Where each entry of the log is: in memory, on disk, or both.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::{self, Head};
use crate::types::{Entry, LogId, Vote};

/// Bytes of entries kept in memory so that followers and the state machine need no disk: a few
/// seconds of heavy writing.
const CACHE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// A segment file that readers share with the writer.
pub struct Segment<F> {
    /// The open file.
    pub file: F,
    /// Start value of its checksums.
    pub salt: u32,
}

/// The place of a frame.
pub struct Place<F> {
    /// The segment it is in.
    pub segment: Arc<Segment<F>>,
    /// Where the frame starts.
    pub offset: u64,
    /// Its length with header, in bytes.
    pub length: u32,
    /// Its sequence.
    pub sequence: u64,
}

impl<F> Clone for Place<F> {
    fn clone(&self) -> Self {
        Place {
            segment: Arc::clone(&self.segment),
            offset: self.offset,
            length: self.length,
            sequence: self.sequence,
        }
    }
}

/// One entry as the index knows it: in memory, on disk or both, never neither.
pub struct Slot<F> {
    /// Its place in the log.
    pub log_id: LogId,
    /// The entry, while it is in memory.
    pub entry: Option<Entry>,
    /// The frame it is in, once that is written.
    pub place: Option<Place<F>>,
    /// About how many bytes it takes.
    size: usize,
}

/// The log as it stands, including what is not durable yet.
pub struct Index<F> {
    slots: VecDeque<Slot<F>>,
    /// Slots before this position hold no entry in memory.
    cached_from: usize,
    cached_bytes: usize,
    stored_bytes: usize,
    /// Vote, purged and committed.
    pub head: Head,
}

impl<F> Index<F> {
    /// An empty log that continues from `head`.
    pub fn new(head: Head) -> Self {
        Index {
            slots: VecDeque::new(),
            cached_from: 0,
            cached_bytes: 0,
            stored_bytes: 0,
            head,
        }
    }

    /// The last entry, or the last purged one.
    pub fn last(&self) -> Option<LogId> {
        self.slots
            .back()
            .map(|slot| slot.log_id)
            .or(self.head.purged)
    }

    /// The last entry known to be committed, of those that are there. What was noted may be ahead
    /// of the entries that were written with it: at its index there may then still be one that
    /// the leader has taken back, and to call that one committed would be to apply it.
    pub fn committed(&self) -> Option<LogId> {
        let noted = self.head.committed?;
        let there = self
            .slot(noted.index)
            .is_some_and(|slot| slot.log_id == noted);
        if there { Some(noted) } else { self.head.purged }
    }

    /// The vote.
    pub fn vote(&self) -> Option<Vote> {
        self.head.vote
    }

    /// Index of the first entry that is still there.
    pub fn first(&self) -> u64 {
        self.slots
            .front()
            .map_or(self.next(), |slot| slot.log_id.index)
    }

    /// Index of the entry to be appended next.
    pub fn next(&self) -> u64 {
        self.last().map_or(0, |last| last.index + 1)
    }

    /// The slot of an index.
    pub fn slot(&self, index: u64) -> Option<&Slot<F>> {
        self.slots
            .get(usize::try_from(index.checked_sub(self.first())?).ok()?)
    }

    /// Appends an entry. One that is there already at its index, and all after it, gives way.
    pub fn push(&mut self, entry: Entry, place: Option<Place<F>>) {
        self.truncate_from(entry.log_id.index);
        let size = frame::size_of(&entry);
        self.cached_bytes += size;
        self.stored_bytes += size;
        let log_id = entry.log_id;
        self.slots.push_back(Slot {
            log_id,
            entry: Some(entry),
            place,
            size,
        });
        self.evict();
    }

    /// Notes where the entry `log_id` was written, if it is still that entry.
    pub fn written(&mut self, log_id: LogId, place: &Place<F>) {
        let first = self.first();
        let position = log_id
            .index
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok());
        let slot = position.and_then(|at| self.slots.get_mut(at));
        if let Some(slot) = slot.filter(|slot| slot.log_id == log_id) {
            slot.place = Some(place.clone());
        }
    }

    /// Drops from memory what is on disk, oldest first, while there is too much.
    pub fn evict(&mut self) {
        while self.cached_bytes > CACHE_MAX_BYTES && self.cached_from + 1 < self.slots.len() {
            let slot = &mut self.slots[self.cached_from];
            if slot.place.is_none() {
                return;
            }
            if slot.entry.take().is_some() {
                self.cached_bytes -= slot.size;
            }
            self.cached_from += 1;
        }
    }

    /// Takes back the entries from `index` on.
    pub fn truncate_from(&mut self, index: u64) {
        while self
            .slots
            .back()
            .is_some_and(|slot| slot.log_id.index >= index)
        {
            self.forget_size(self.slots.len() - 1);
            self.slots.pop_back();
        }
        self.cached_from = self.cached_from.min(self.slots.len());
    }

    /// Drops the entries up to and with `upto`.
    pub fn purge(&mut self, upto: LogId) {
        while self
            .slots
            .front()
            .is_some_and(|slot| slot.log_id.index <= upto.index)
        {
            self.forget_size(0);
            self.slots.pop_front();
            self.cached_from = self.cached_from.saturating_sub(1);
        }
        self.head.purged = self.head.purged.max(Some(upto));
    }

    fn forget_size(&mut self, position: usize) {
        let Some(slot) = self.slots.get(position) else {
            return;
        };
        self.stored_bytes -= slot.size;
        if slot.entry.is_some() {
            self.cached_bytes -= slot.size;
        }
    }

    /// About how many bytes all entries take.
    pub fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }

    /// The entry up to which the log can be purged so that about `keep_bytes` remain.
    pub fn purgeable(&self, keep_bytes: usize) -> Option<u64> {
        let mut kept = 0;
        let newest_first = self.slots.iter().rev();
        let old = newest_first.skip_while(|slot| {
            kept += slot.size;
            kept <= keep_bytes
        });
        old.map(|slot| slot.log_id.index).next()
    }
}
