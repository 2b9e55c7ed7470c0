//! Reads a node's log as it stands on its disk, without the node and without changing anything.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use engine::env::{Disk, File};
use engine::log::frame::{self, Found, Head, Record, SEGMENT_HEADER_BYTES, SegmentHeader};
use engine::types::Entry;

use crate::cluster::DATA;
use crate::disk::SimDisk;

/// Bytes of a frame's header that say something.
const HEADER_USED_BYTES: u64 = 20;

/// The log of one node.
#[derive(Default)]
pub(crate) struct StoredLog {
    /// What is not purged or taken back, by index.
    pub(crate) entries: BTreeMap<u64, Entry>,
    /// Entries up to this index are covered by the state.
    pub(crate) purged: Option<u64>,
    /// Places that a valid frame covers, and that another valid one follows: file and bytes.
    pub(crate) guarded: Vec<(PathBuf, Range<u64>)>,
}

impl StoredLog {
    /// Reads the log on a disk; what is not there is empty.
    pub(crate) fn read(disk: &SimDisk) -> Self {
        let mut log = StoredLog::default();
        let dir = engine::log::dir(Path::new(DATA));
        let mut names = disk.list(&dir).unwrap_or_default();
        names.retain(|name| name.ends_with(".log"));
        for name in names {
            // A disk without power shows nothing.
            drop(log.segment(disk, dir.join(name)));
        }
        // The last frame looks like a torn one if it is damaged, and is cut.
        log.guarded.truncate(log.guarded.len().saturating_sub(2));
        log
    }

    /// True if the entry of this index and term is there, or covered by the state.
    pub(crate) fn holds(&self, index: u64, term: u64) -> bool {
        let is_it = |entry: &Entry| entry.log_id.leader_id.term == term;
        self.entries.get(&index).is_some_and(is_it)
            || self.purged.is_some_and(|purged| purged >= index)
    }

    fn segment(&mut self, disk: &SimDisk, path: PathBuf) -> io::Result<()> {
        let file = disk.open(&path, false)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_at(&mut bytes, 0)?;
        let Some(SegmentHeader { salt, first }) = SegmentHeader::decode(&bytes) else {
            return Ok(());
        };
        let (mut sequence, mut offset) = (first, SEGMENT_HEADER_BYTES);
        while let Found::Frame { payload, next } = frame::find(&bytes, offset, salt, sequence) {
            // The end of a header and the padding behind a payload are not used.
            let header = offset as u64;
            let used = header..header + HEADER_USED_BYTES;
            self.guarded.push((path.clone(), used));
            let used = payload.start as u64..payload.end as u64;
            self.guarded.push((path.clone(), used));
            for record in frame::decode(&bytes[payload]).unwrap_or_default() {
                self.take(record);
            }
            (sequence, offset) = (sequence + 1, next);
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Head(Head { purged, .. }) => {
                let purged = purged.map(|purged| purged.index);
                self.purged = self.purged.max(purged);
            }
            Record::Entry(entry) => {
                let index = entry.log_id.index;
                drop(self.entries.split_off(&index));
                if self.purged.is_none_or(|purged| index > purged) {
                    self.entries.insert(index, entry);
                }
            }
            Record::Truncate(after) => {
                drop(self.entries.split_off(&after.map_or(0, |after| after + 1)));
            }
            Record::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = self.purged.max(Some(upto.index));
            }
            Record::Vote(_) | Record::Committed(_) => {}
        }
    }
}
