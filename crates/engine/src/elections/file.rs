//! The file of the history: a version byte, a CRC-32C, and the entries. It is replaced whole and
//! not synced: it is worth no write that others wait for.

use std::io;
use std::path::Path;

use super::{Cause, ELECTIONS_MAX, Election, Happened};
use crate::env::{Disk, File};

/// The file in the data directory.
const NAME: &str = "elections";

/// Version of the file.
const VERSION: u8 = 1;

/// Bytes before the entries.
const HEAD_BYTES: usize = 5;

/// A file that is longer holds something else.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// What was kept; nothing if it cannot be read. Blocking.
pub fn load<D: Disk>(disk: &D, data: &Path) -> Vec<Election> {
    let read = || {
        let file = disk.open(&data.join(NAME), false)?;
        if file.len()? > FILE_MAX_BYTES {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        crate::log::recovery::read_whole(&file)
    };
    // Without a history the node does as well.
    let bytes = read().unwrap_or_default();
    decode(&bytes).unwrap_or_default()
}

/// Replaces what was kept. Blocking.
pub fn save<D: Disk>(disk: &D, data: &Path, elections: &[Election]) -> io::Result<()> {
    let draft = data.join("elections.new");
    let file = disk.open(&draft, true)?;
    file.set_len(0)?;
    file.write_all_at(&encode(elections)?, 0)?;
    disk.rename(&draft, &data.join(NAME))
}

/// Notes that a node was made a cluster of one. Blocking.
pub fn note_recovery<D: Disk>(disk: &D, data: &Path, at_ms: i64, term: u64) -> io::Result<()> {
    let mut elections = load(disk, data);
    let excess = (elections.len() + 1).saturating_sub(ELECTIONS_MAX);
    elections.drain(..excess);
    let what = Happened::Stood(Cause::Forced);
    elections.push(Election { at_ms, term, what });
    save(disk, data, &elections)
}

pub(super) fn encode(elections: &[Election]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![VERSION, 0, 0, 0, 0];
    bytes = postcard::to_extend(elections, bytes).map_err(io::Error::other)?;
    let sum = crc32c::crc32c(&bytes[HEAD_BYTES..]);
    bytes[1..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Election>> {
    let (head, entries) = bytes.split_at_checked(HEAD_BYTES)?;
    let sum = crc32c::crc32c(entries).to_le_bytes();
    if head[0] != VERSION || head[1..] != sum {
        return None;
    }
    let mut elections: Vec<Election> = postcard::from_bytes(entries).ok()?;
    let excess = elections.len().saturating_sub(ELECTIONS_MAX);
    elections.drain(..excess);
    Some(elections)
}
