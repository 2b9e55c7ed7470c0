//! Names of the store's rows. All of them are in one table, ordered by their bytes:
//!
//! ```text
//!   b  epoch  number         ─▶ key                in order of birth: for scans and random keys
//!   e  collection  place     ─▶ item, field, …     the place is a position, a digest or an index
//!   g  number                ─▶ garbage            what is to be swept away, oldest first
//!   k  epoch  key            ─▶ record             see [`super::record`]
//!   t  version  key          ─▶                    keys that were removed lately
//!   x  time  epoch  key      ─▶                    keys to look at when this time has come
//! ```
//!
//! Numbers are big-endian, so that they sort as numbers. Each flush begins a new epoch.

use crate::sql::Fault;

/// A range of names: from the first on, up to and without the second.
pub(crate) type Range = (Vec<u8>, Vec<u8>);

/// Bytes of a digest: 2^80 tries to find two things that share one.
const DIGEST_BYTES: usize = 20;

/// The row of a key.
pub(crate) fn key(epoch: u32, key: &[u8]) -> Vec<u8> {
    name(b'k', &[&epoch.to_be_bytes(), key])
}

/// The rows of the keys that begin so.
pub(crate) fn keys(epoch: u32, prefix: &[u8]) -> Range {
    let first = key(epoch, prefix);
    let end = after(&first);
    (first, end)
}

/// The key that a row's name holds.
pub(crate) fn key_of(row: &[u8]) -> Result<&[u8], Fault> {
    part(row, 5)
}

/// The row that finds a key by its birth.
pub(crate) fn birth(epoch: u32, number: u64) -> Vec<u8> {
    name(b'b', &[&epoch.to_be_bytes(), &number.to_be_bytes()])
}

/// The births of an epoch from a number on.
pub(crate) fn births(epoch: u32, from: u64) -> Range {
    let end = after(&name(b'b', &[&epoch.to_be_bytes()]));
    (birth(epoch, from), end)
}

/// The number of a birth.
pub(crate) fn birth_of(row: &[u8]) -> Result<u64, Fault> {
    number(part(row, 5)?)
}

/// An element of a collection, in order of a number.
pub(crate) fn element(collection: u64, place: u64) -> Vec<u8> {
    name(b'e', &[&collection.to_be_bytes(), &place.to_be_bytes()])
}

/// An element of a collection, by what it is.
pub(crate) fn element_of(collection: u64, content: &[u8]) -> Vec<u8> {
    let hash = blake3::hash(content);
    let digest = &hash.as_bytes()[..DIGEST_BYTES];
    name(b'e', &[&collection.to_be_bytes(), digest])
}

/// The elements of a collection from a number on, up to and without another; `None` is the end.
pub(crate) fn elements(collection: u64, from: u64, to: Option<u64>) -> Range {
    let end = match to {
        Some(to) => element(collection, to),
        None => after(&name(b'e', &[&collection.to_be_bytes()])),
    };
    (element(collection, from), end)
}

/// The number that an element is ordered by, or the first bytes of its digest as one.
pub(crate) fn place_of(row: &[u8]) -> Result<u64, Fault> {
    let place = part(row, 9)?;
    number(place.get(..8).unwrap_or_default())
}

/// The collection that an element belongs to, if the row is one.
pub(crate) fn collection_of(row: &[u8]) -> Option<u64> {
    match row.split_first() {
        Some((b'e', rest)) => number(rest.get(..8)?).ok(),
        _ => None,
    }
}

/// A key that was removed.
pub(crate) fn tombstone(version: i64, key: &[u8]) -> Vec<u8> {
    name(b't', &[&version.to_be_bytes(), key])
}

/// The removals from a version on.
pub(crate) fn tombstones(from: i64) -> Range {
    (tombstone(from.max(0), b""), vec![b't' + 1])
}

/// The removals after another one.
pub(crate) fn tombstones_after(version: i64, key: &[u8]) -> Range {
    let mut first = tombstone(version.max(0), key);
    first.push(0);
    (first, vec![b't' + 1])
}

/// The version of a removal, and its key.
pub(crate) fn removal_of(row: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let version = number(row.get(1..9).unwrap_or_default())?;
    Ok((version.cast_signed(), part(row, 9)?))
}

/// A key to be looked at when a time has come.
pub(crate) fn expiry(at_ms: i64, epoch: u32, key: &[u8]) -> Vec<u8> {
    name(
        b'x',
        &[&time(at_ms).to_be_bytes(), &epoch.to_be_bytes(), key],
    )
}

/// What is to be looked at by now.
pub(crate) fn expiries(now_ms: i64) -> Range {
    let end = time(now_ms.saturating_add(1));
    (vec![b'x'], name(b'x', &[&end.to_be_bytes()]))
}

/// All that is ever to be looked at.
pub(crate) fn all_expiries() -> Range {
    (vec![b'x'], vec![b'x' + 1])
}

/// The time, the epoch and the key of such a row.
pub(crate) fn expiry_of(row: &[u8]) -> Result<(i64, u32, &[u8]), Fault> {
    let at_ms = number(row.get(1..9).unwrap_or_default())?;
    let epoch = row.get(9..13).and_then(|bytes| bytes.try_into().ok());
    let epoch = epoch.map(u32::from_be_bytes).ok_or(DAMAGED)?;
    Ok((at_ms.cast_signed(), epoch, part(row, 13)?))
}

/// Something to be swept away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbage {
    /// The keys of an epoch.
    Epoch(u32),
    /// The elements of a collection whose place is below a number; `u64::MAX` means all.
    Elements {
        /// The collection.
        collection: u64,
        /// The first place that stays.
        below: u64,
    },
}

impl Garbage {
    /// Its row's value.
    pub fn stored(self) -> Box<[u8]> {
        let stored = match self {
            Garbage::Epoch(epoch) => name(0, &[&epoch.to_be_bytes()]),
            Garbage::Elements { collection, below } => {
                name(1, &[&collection.to_be_bytes(), &below.to_be_bytes()])
            }
        };
        stored.into_boxed_slice()
    }

    /// Reads a row's value.
    pub fn of(stored: &[u8]) -> Result<Self, Fault> {
        match stored.split_first() {
            Some((0, epoch)) => {
                let epoch = epoch.try_into().map_err(|_| DAMAGED)?;
                Ok(Garbage::Epoch(u32::from_be_bytes(epoch)))
            }
            Some((1, rest)) => Ok(Garbage::Elements {
                collection: number(rest.get(..8).unwrap_or_default())?,
                below: number(rest.get(8..).unwrap_or_default())?,
            }),
            _ => Err(DAMAGED),
        }
    }
}

/// The row of something to be swept away.
pub(crate) fn garbage(number: u64) -> Vec<u8> {
    name(b'g', &[&number.to_be_bytes()])
}

/// All that is to be swept away.
pub(crate) fn all_garbage() -> Range {
    (vec![b'g'], vec![b'g' + 1])
}

const DAMAGED: Fault = Fault::Corrupt("a row of the store has no name of ours");

fn name(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut name = Vec::with_capacity(1 + length);
    name.push(tag);
    for part in parts {
        name.extend_from_slice(part);
    }
    name
}

fn part(row: &[u8], from: usize) -> Result<&[u8], Fault> {
    row.get(from..).ok_or(DAMAGED)
}

fn number(bytes: &[u8]) -> Result<u64, Fault> {
    let bytes = bytes.try_into().map_err(|_| DAMAGED)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Times before 1970 have all passed.
fn time(at_ms: i64) -> u64 {
    at_ms.max(0).cast_unsigned()
}

/// The first name that does not begin so.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Garbage, after, birth_of, births, expiry, expiry_of, key, key_of, keys};

    #[test]
    fn names_are_read_as_they_were_made() {
        assert_eq!(key_of(&key(7, b"a")).unwrap(), b"a");
        assert_eq!(birth_of(&births(7, 9).0).unwrap(), 9);
        assert_eq!(expiry_of(&expiry(5, 6, b"k")).unwrap(), (5, 6, &b"k"[..]));
        assert!(key_of(b"k").is_err());
        for garbage in [
            Garbage::Epoch(3),
            Garbage::Elements {
                collection: 5,
                below: u64::MAX,
            },
        ] {
            assert_eq!(Garbage::of(&garbage.stored()).unwrap(), garbage);
        }
    }

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(after(b"ab"), b"ac");
        assert_eq!(after(b"a\xff\xff"), b"b");
        let (first, end) = keys(u32::MAX, b"\xff");
        assert!(first < end && key(u32::MAX, b"\xff\xff\xff") < end);
    }
}
