//! Damage on purpose: a byte of the log that is not as it was written, as a bad disk leaves it.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::frame::{self, Found, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::recovery::{read_whole, segment_names};
use crate::env::{Disk, File};

/// A byte that was flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flipped {
    /// The segment.
    pub file: PathBuf,
    /// Where in it.
    pub offset: usize,
}

/// Flips a byte in the middle of the newest segment that has one with valid frames behind it: the
/// next start must notice. `None` if there is none yet. Blocking.
pub fn flip_a_byte<D: Disk>(disk: &D, dir: &Path) -> io::Result<Option<Flipped>> {
    for name in segment_names(disk, dir)?.iter().rev() {
        let path = dir.join(name);
        let file = disk.open(&path, false)?;
        let bytes = read_whole(&file)?;
        if let Some(offset) = middle(&bytes) {
            file.write_all_at(&[!bytes[offset]], offset as u64)?;
            file.sync_data()?;
            return Ok(Some(Flipped { file: path, offset }));
        }
    }
    Ok(None)
}

/// A byte of a frame in the middle of a segment's frames, of which there must be several.
fn middle(bytes: &[u8]) -> Option<usize> {
    let frames = payloads(bytes)?;
    let (_last, before) = frames.split_last()?;
    let payload = before.get(before.len() / 2)?;
    Some(payload.start + payload.len() / 2)
}

fn payloads(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let header = SegmentHeader::decode(bytes)?;
    let (mut frames, mut offset) = (Vec::new(), SEGMENT_HEADER_BYTES);
    for sequence in header.first.. {
        let Found::Frame { payload, next } = frame::find(bytes, offset, header.salt, sequence)
        else {
            break;
        };
        frames.push(payload);
        offset = next;
    }
    Some(frames)
}
