//! Reads the log after a start: cuts a torn tail, refuses a damaged middle.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::frame::{self, Found, Head, Record, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::index::{Index, Place, Segment};
use super::{LogError, segment_name};
use crate::env::{Disk, File};

/// What was found on disk.
pub struct Recovered<F> {
    /// Every entry and the hard state.
    pub index: Index<F>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentFound<F>>,
    /// Sequence of the next frame.
    pub sequence: u64,
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
}

/// A segment as recovery found it.
pub struct SegmentFound<F> {
    /// Its file name.
    pub name: String,
    /// The open file.
    pub segment: Arc<Segment<F>>,
    /// Where its last valid frame ends.
    pub end: u64,
    /// The file's length.
    pub length: u64,
    /// The largest index of an entry in it.
    pub last_index: Option<u64>,
}

/// Reads all segments in `dir`. Blocking.
pub fn recover<D: Disk>(disk: &D, dir: &Path) -> Result<Recovered<D::File>, LogError> {
    disk.create_dir_all(dir)?;
    let mut scan = Scan {
        recovered: Recovered {
            index: Index::new(Head::default()),
            segments: Vec::new(),
            sequence: 0,
            cut_bytes: 0,
        },
    };
    remove_leftovers(disk, dir)?;
    let names = segment_names(disk, dir)?;
    for (position, name) in names.iter().enumerate() {
        let later = &names[position + 1..];
        scan.segment(disk, dir, name, later)?;
    }
    // What a killed process left in the system's cache was read too, and is not durable before
    // this; others are told that it is.
    if let Some(last) = scan.recovered.segments.last() {
        last.segment.file.sync_data()?;
        disk.sync_dir(dir)?;
    }
    Ok(scan.recovered)
}

fn remove_leftovers<D: Disk>(disk: &D, dir: &Path) -> io::Result<()> {
    let names = disk.list(dir)?;
    for leftover in names.iter().filter(|name| name.ends_with(".new")) {
        disk.remove(&dir.join(leftover))?;
    }
    Ok(())
}

/// The segments in `dir`, oldest first.
pub fn segment_names<D: Disk>(disk: &D, dir: &Path) -> io::Result<Vec<String>> {
    let mut names = disk.list(dir)?;
    names.retain(|name| name.ends_with(".log"));
    Ok(names)
}

struct Scan<F> {
    recovered: Recovered<F>,
}

impl<F: File> Scan<F> {
    fn segment<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        dir: &Path,
        name: &str,
        later: &[String],
    ) -> Result<(), LogError> {
        let path = dir.join(name);
        let file = disk.open(&path, false)?;
        let bytes = read_whole(&file)?;
        let Some(header) = SegmentHeader::decode(&bytes) else {
            // It is synced before the segment gets its name, so this is no torn write.
            return Err(LogError::Damaged {
                file: path,
                offset: 0,
            });
        };
        let expected = self.recovered.sequence;
        let first = self.recovered.segments.is_empty();
        if segment_name(header.first) != name || (!first && header.first != expected) {
            return Err(LogError::Damaged {
                file: path,
                offset: 0,
            });
        }
        self.recovered.sequence = header.first;
        let segment = Arc::new(Segment {
            file,
            salt: header.salt,
        });
        let (end, last_index) = self.frames(&segment, &bytes, &path)?;
        self.tail(disk, dir, &path, &segment, &bytes, end, later)?;
        self.recovered.segments.push(SegmentFound {
            name: name.to_owned(),
            segment,
            end: end as u64,
            length: bytes.len() as u64,
            last_index,
        });
        Ok(())
    }

    fn frames(
        &mut self,
        segment: &Arc<Segment<F>>,
        bytes: &[u8],
        path: &Path,
    ) -> Result<(usize, Option<u64>), LogError> {
        let mut offset = SEGMENT_HEADER_BYTES;
        let mut last_index = None;
        while let Found::Frame { payload, next } =
            frame::find(bytes, offset, segment.salt, self.recovered.sequence)
        {
            let place = Place {
                segment: Arc::clone(segment),
                offset: offset as u64,
                length: (next - offset) as u32,
                sequence: self.recovered.sequence,
            };
            let records =
                frame::decode(&bytes[payload]).map_err(|frame::Unreadable| LogError::Version {
                    file: path.to_owned(),
                    offset: offset as u64,
                })?;
            for record in records {
                last_index = last_index.max(self.replay(record, &place));
            }
            self.recovered.sequence += 1;
            offset = next;
        }
        Ok((offset, last_index))
    }

    /// Takes one record in; answers the index if it is an entry.
    fn replay(&mut self, record: Record, place: &Place<F>) -> Option<u64> {
        let index = &mut self.recovered.index;
        match record {
            Record::Head(head) => {
                if self.recovered.segments.is_empty() && place.offset == SEGMENT_HEADER_BYTES as u64
                {
                    *index = Index::new(head);
                }
                None
            }
            Record::Entry(entry) => {
                let at = entry.log_id.index;
                // Entries up to the purged one may still stand in a segment that holds later ones.
                if index.head.purged.is_none_or(|purged| at > purged.index) {
                    index.push(entry, Some(place.clone()));
                }
                Some(at)
            }
            Record::Vote(vote) => {
                index.head.vote = Some(vote);
                None
            }
            Record::Truncate(after) => {
                index.truncate_from(after.map_or(0, |after| after + 1));
                None
            }
            Record::Purge(upto) => {
                index.purge(upto);
                None
            }
            Record::Committed(committed) => {
                index.head.committed = committed;
                None
            }
        }
    }

    /// What follows the last valid frame: zeros, a torn frame (cut), or proof of damage.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and each is a different thing"
    )]
    fn tail<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        dir: &Path,
        path: &Path,
        segment: &Segment<F>,
        bytes: &[u8],
        end: usize,
        later: &[String],
    ) -> Result<(), LogError> {
        let damaged = || LogError::Damaged {
            file: path.to_owned(),
            offset: end as u64,
        };
        let sequence = self.recovered.sequence;
        if frame::any_valid_from(bytes, end, segment.salt, sequence) {
            return Err(damaged());
        }
        if let Some(next) = later.first() {
            let header = read_header(&disk.open(&dir.join(next), false)?)?;
            if header.is_some_and(|header| header.first != sequence) {
                return Err(damaged());
            }
        }
        let torn = bytes[end..].iter().rposition(|byte| *byte != 0);
        if let (Some(last), true) = (torn, later.is_empty()) {
            let zeros = vec![0; last + 1];
            segment.file.write_all_at(&zeros, end as u64)?;
            segment.file.sync_data()?;
            self.recovered.cut_bytes = zeros.len() as u64;
        }
        Ok(())
    }
}

/// All bytes of a file.
pub fn read_whole<F: File>(file: &F) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn read_header<F: File>(file: &F) -> io::Result<Option<SegmentHeader>> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    file.read_at(&mut bytes, 0)?;
    Ok(SegmentHeader::decode(&bytes))
}
