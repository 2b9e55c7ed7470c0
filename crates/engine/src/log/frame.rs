//! The bytes of the log: frames of records.
//!
//! ```text
//!   segment:  header 32 B │ frame │ frame │ … │ zeros to the end (filled beforehand)
//!   frame:    magic u32 │ length u32 │ sequence u64 │ crc u32 │ 0 u32 │ payload │ pad to 8
//!   payload:  records, one after the other, in postcard
//! ```
//!
//! A frame is one group commit: it is written whole and synced before the next one is begun, so at
//! any moment at most one frame of the log is not durable, and it is the last one. That is what
//! lets recovery tell a torn tail (nothing valid comes after) from damage (something does).
//!
//! The CRC-32C starts from the segment's salt, covers length, sequence and payload, and so is
//! never satisfied by zeros, by a frame of another log, or by bytes that a client sent.

use std::ops::Range;

use openraft::entry::RaftEntry;
use serde::{Deserialize, Serialize};

use crate::types::{Entry, LogId, Vote};

/// Bytes before the payload of a frame.
pub const FRAME_HEADER_BYTES: usize = 24;

/// Bytes before the first frame of a segment.
pub const SEGMENT_HEADER_BYTES: usize = 32;

const FRAME_MAGIC: u32 = 0x434E_5346;
const SEGMENT_MAGIC: [u8; 8] = *b"CNSLOG\0\x01";

/// One fact of the log. The order of the variants is the stored format: append only.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Record {
    /// First record of a segment: all that earlier segments said and that still holds.
    Head(Head),
    /// An entry was appended.
    Entry(Entry),
    /// A vote was given or seen.
    Vote(Vote),
    /// Entries after this index were taken back; `None` takes back all.
    Truncate(Option<u64>),
    /// Entries up to and with this one are covered by the state and were dropped.
    Purge(LogId),
    /// Entries up to and with this one are known to be committed.
    Committed(Option<LogId>),
}

/// What [`encode`] takes: a [`Record`] that borrows.
#[derive(Serialize)]
pub enum RecordRef<'a> {
    /// See [`Record::Head`].
    Head(&'a Head),
    /// See [`Record::Entry`].
    Entry(&'a Entry),
    /// See [`Record::Vote`].
    Vote(&'a Vote),
    /// See [`Record::Truncate`].
    Truncate(Option<u64>),
    /// See [`Record::Purge`].
    Purge(&'a LogId),
    /// See [`Record::Committed`].
    Committed(Option<LogId>),
}

/// The hard state that a new segment restates, so that the ones before it can be dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last entry that was purged.
    pub purged: Option<LogId>,
    /// The last entry known to be committed.
    pub committed: Option<LogId>,
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Start value of every CRC in the segment; random for each log.
    pub salt: u32,
    /// Sequence of the segment's first frame.
    pub first: u64,
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A valid frame.
    Frame {
        /// Where in the buffer its payload is.
        payload: Range<usize>,
        /// Where the next frame starts.
        next: usize,
    },
    /// No valid frame with this sequence.
    Nothing,
}

/// Why a payload could not be read although its checksum is right: another version wrote it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Appends a frame to `out`.
pub fn encode(out: &mut Vec<u8>, salt: u32, sequence: u64, records: &[RecordRef<'_>]) {
    let start = out.len();
    out.resize(start + FRAME_HEADER_BYTES, 0);
    for record in records {
        let buffer = std::mem::take(out);
        // Extending a Vec cannot fail, and every record has a serialisation.
        *out = postcard::to_extend(record, buffer).unwrap_or_default();
    }
    let length = (out.len() - start - FRAME_HEADER_BYTES) as u32;
    let crc = checksum(salt, length, sequence, &out[start + FRAME_HEADER_BYTES..]);
    let header = &mut out[start..start + FRAME_HEADER_BYTES];
    header[0..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + padded(FRAME_HEADER_BYTES + length as usize), 0);
}

/// Gives an encoded frame another sequence: it moved behind the head of a new segment.
pub fn renumber(bytes: &mut [u8], salt: u32, sequence: u64) {
    let length = u32_at(bytes, 4).unwrap_or_default();
    let end = FRAME_HEADER_BYTES + length as usize;
    let crc = checksum(salt, length, sequence, &bytes[FRAME_HEADER_BYTES..end]);
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
}

/// Looks for the frame `sequence` at `offset` of a segment's bytes.
pub fn find(bytes: &[u8], offset: usize, salt: u32, sequence: u64) -> Found {
    match parse(bytes, offset, salt) {
        Some((found, payload)) if found == sequence => {
            let next = offset + padded(FRAME_HEADER_BYTES + payload.len());
            Found::Frame { payload, next }
        }
        _ => Found::Nothing,
    }
}

/// True if a valid frame with a sequence of at least `sequence` stands anywhere from `offset` on.
pub fn any_valid_from(bytes: &[u8], offset: usize, salt: u32, sequence: u64) -> bool {
    (padded(offset)..bytes.len())
        .step_by(8)
        .any(|at| parse(bytes, at, salt).is_some_and(|(found, _)| found >= sequence))
}

/// Reads the records of a valid frame.
pub fn decode(payload: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let mut records = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let (record, left) = postcard::take_from_bytes(rest).map_err(|_| Unreadable)?;
        records.push(record);
        rest = left;
    }
    Ok(records)
}

/// An upper bound of what an entry takes in a frame, in bytes.
pub fn size_of(entry: &Entry) -> usize {
    const FIXED: usize = 128;
    match &entry.payload {
        openraft::EntryPayload::Normal(batch) => {
            FIXED
                + batch
                    .proposals
                    .iter()
                    .map(|proposal| proposal.len() + 5)
                    .sum::<usize>()
        }
        openraft::EntryPayload::Membership(_) => FIXED + 4096,
        openraft::EntryPayload::Blank => FIXED,
    }
}

/// The place of an entry.
pub fn log_id(entry: &Entry) -> LogId {
    entry.log_id()
}

impl SegmentHeader {
    /// The segment's first bytes.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..24]);
        bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a segment's first bytes; `None` if they are not a header of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEGMENT_HEADER_BYTES] = bytes.first_chunk()?;
        let salt = u32_at(bytes, 8)?;
        let first = u64_at(bytes, 16)?;
        let header = SegmentHeader { salt, first };
        (header.encode() == *bytes).then_some(header)
    }
}

fn parse(bytes: &[u8], offset: usize, salt: u32) -> Option<(u64, Range<usize>)> {
    let header = bytes.get(offset..offset + FRAME_HEADER_BYTES)?;
    if u32_at(header, 0)? != FRAME_MAGIC {
        return None;
    }
    let length = u32_at(header, 4)?;
    let sequence = u64_at(header, 8)?;
    let start = offset + FRAME_HEADER_BYTES;
    let range = start..start.checked_add(length as usize)?;
    let payload = bytes.get(range.clone())?;
    (u32_at(header, 16)? == checksum(salt, length, sequence, payload)).then_some((sequence, range))
}

fn checksum(salt: u32, length: u32, sequence: u64, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(salt, &length.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &sequence.to_le_bytes());
    crc32c::crc32c_append(crc, payload)
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|chunk| u64::from_le_bytes(*chunk))
}
