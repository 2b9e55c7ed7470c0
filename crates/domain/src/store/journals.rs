//! Journals. Entries lie at their indexes, which grow by one and are never used again; ids grow
//! with them, so that an id is found by halving the indexes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::access::{Done, ODD_BODY, Pair, Source, body_of};
use super::operation::{EntryId, NewId, Trim};
use super::record::{Body, Kind, Log};
use super::reply::{Entry, Journal, StoreError, StoreReply};
use super::rows::{self, Garbage};
use super::strings::check_length;
use super::work::Work;
use crate::sql::Fault;

/// Entries that a trim deletes at once; of more the sweeper takes care.
const TRIMMED_AT_ONCE: u64 = 64;

/// A journal with the end of its time to live.
#[derive(Clone, Copy)]
struct Found {
    log: Log,
    ends: Option<i64>,
}

pub(super) fn length(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let length = find(source, key)?.map_or(0, |found| found.log.length);
    Ok(StoreReply::Integer(length as i64))
}

pub(super) fn info(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    Ok(match find(source, key)? {
        Some(Found { log, .. }) => StoreReply::Journal(Journal {
            length: log.length,
            oldest: log.oldest,
            newest: log.newest,
            last_id: log.last_id,
        }),
        None => StoreReply::Nil,
    })
}

/// Which entries are wanted, by their ids.
pub(super) struct Wanted {
    pub from: EntryId,
    pub to: EntryId,
    pub reverse: bool,
    pub limit: u64,
}

pub(super) fn range(source: &mut dyn Source, key: &[u8], wanted: &Wanted) -> Done<StoreReply> {
    let mut entries = Vec::new();
    if let Some(Found { log, .. }) = find(source, key)?
        && wanted.from <= wanted.to
    {
        let first = first_with(source, log, wanted.from)?;
        let end = match wanted.to.next() {
            Some(next) => first_with(source, log, next)?,
            None => log.newest + 1,
        };
        let range = rows::elements(log.id, first, Some(end));
        entries = read(source, &range, wanted.limit, wanted.reverse)?;
    }
    Ok(StoreReply::Entries(entries))
}

pub(super) fn from_index(
    source: &mut dyn Source,
    key: &[u8],
    index: u64,
    limit: u64,
) -> Done<StoreReply> {
    let mut entries = Vec::new();
    if let Some(Found { log, .. }) = find(source, key)? {
        let range = rows::elements(log.id, index.max(log.oldest), None);
        entries = read(source, &range, limit, false)?;
    }
    Ok(StoreReply::Entries(entries))
}

/// An entry to be appended.
pub(super) struct New<'a> {
    pub id: NewId,
    pub fields: &'a [(Bytes, Bytes)],
    pub create: bool,
    pub trim: Option<Trim>,
}

pub(super) fn append(work: &mut Work<'_, '_>, key: &[u8], new: &New<'_>) -> Done<StoreReply> {
    if new.fields.is_empty() {
        return Err(StoreError::NothingGiven.into());
    }
    let sizes = new
        .fields
        .iter()
        .map(|(name, value)| name.len() + value.len());
    check_length(sizes.sum())?;
    let found = find(work, key)?;
    if found.is_none() && !new.create {
        return Ok(StoreReply::Nil);
    }
    let last = found.map_or(EntryId::MIN, |found| found.log.last_id);
    let id = new_id(new.id, last, work.stamp.now_ms)?;
    let mut found = found.unwrap_or(Found {
        log: Log::new(0),
        ends: None,
    });
    let cut = match new.trim {
        // The new entry counts already.
        Some(Trim::Newest(0)) => None,
        Some(Trim::Newest(kept)) => cut(work, found.log, Trim::Newest(kept - 1))?,
        Some(trim) => cut(work, found.log, trim)?,
        None => None,
    };
    if found.log.id == 0 {
        found.log.id = work.new_id();
    }
    drop_before(work, &mut found.log, cut);
    let index = put(work, &mut found.log, id, new.fields)?;
    if new.trim.is_some_and(|trim| forbids(trim, id)) {
        let all = Cut {
            first: index + 1,
            count: found.log.length,
        };
        drop_before(work, &mut found.log, Some(all));
    }
    store(work, key, found)?;
    Ok(StoreReply::EntryId { id, index })
}

pub(super) fn trim(work: &mut Work<'_, '_>, key: &[u8], trim: Trim) -> Done<StoreReply> {
    let Some(mut found) = find(work, key)? else {
        return Ok(StoreReply::Integer(0));
    };
    let cut = cut(work, found.log, trim)?;
    let count = cut.as_ref().map_or(0, |cut| cut.count);
    if count > 0 {
        drop_before(work, &mut found.log, cut);
        store(work, key, found)?;
    }
    Ok(StoreReply::Integer(count as i64))
}

pub(super) fn delete(work: &mut Work<'_, '_>, key: &[u8], ids: &[EntryId]) -> Done<StoreReply> {
    let Some(mut found) = find(work, key)? else {
        return Ok(StoreReply::Integer(0));
    };
    let mut indexes = Vec::new();
    for id in ids {
        let at = first_with(work, found.log, *id)?;
        if let Some(entry) = entry_from(work, found.log, at)?
            && entry.id == *id
        {
            indexes.push(entry.index);
        }
    }
    indexes.sort_unstable();
    indexes.dedup();
    for index in &indexes {
        work.delete(&rows::element(found.log.id, *index));
        found.log.length -= 1;
        if *index == found.log.oldest {
            found.log.oldest += 1;
        }
    }
    if !indexes.is_empty() {
        store(work, key, found)?;
    }
    Ok(StoreReply::Integer(indexes.len() as i64))
}

fn find(source: &mut dyn Source, key: &[u8]) -> Done<Option<Found>> {
    match body_of(source, key, Kind::Journal)? {
        None => Ok(None),
        Some((head, Body::Journal(log))) => Ok(Some(Found {
            log,
            ends: head.ends.map(|ends| ends.at_ms),
        })),
        Some(_) => Err(ODD_BODY),
    }
}

/// Stores a journal's record. An empty journal stays: it knows its last id.
fn store(work: &mut Work<'_, '_>, key: &[u8], found: Found) -> Done<()> {
    let body = Body::Journal(found.log);
    work.put_body(key, Kind::Journal, body, found.ends)
}

fn new_id(wanted: NewId, last: EntryId, now_ms: i64) -> Done<EntryId> {
    let after_last = last.next().ok_or(StoreError::EntryIdsExhausted)?;
    let id = match wanted {
        NewId::Auto => {
            let ms = now_ms.max(0).cast_unsigned();
            EntryId { ms, seq: 0 }.max(after_last)
        }
        NewId::At(ms) => match after_last.max(EntryId { ms, seq: 0 }) {
            id if id.ms == ms => id,
            _ => return Err(StoreError::EntryIdTooSmall.into()),
        },
        NewId::Exact(EntryId::MIN) => return Err(StoreError::EntryIdZero.into()),
        NewId::Exact(id) if id <= last => return Err(StoreError::EntryIdTooSmall.into()),
        NewId::Exact(id) => id,
    };
    Ok(id)
}

/// Whether a journal trimmed so does not keep an entry with this id, though it is the newest.
fn forbids(trim: Trim, id: EntryId) -> bool {
    match trim {
        Trim::Newest(kept) => kept == 0,
        Trim::From(from) => id < from,
    }
}

/// What a trim drops.
struct Cut {
    /// The first index that stays.
    first: u64,
    /// Entries before it.
    count: u64,
}

/// What has to be dropped, found without writing.
fn cut(source: &mut dyn Source, log: Log, trim: Trim) -> Done<Option<Cut>> {
    let gapless = log.length == log.newest + 1 - log.oldest;
    let (first, count) = match trim {
        Trim::Newest(kept) if kept >= log.length => return Ok(None),
        Trim::Newest(0) => (log.newest + 1, log.length),
        Trim::Newest(kept) if gapless => (log.newest + 1 - kept, log.length - kept),
        Trim::Newest(kept) => {
            let count = log.length - kept;
            let first = index_at(source, log, count)?;
            (first, count)
        }
        Trim::From(id) => {
            let first = first_with(source, log, id)?;
            let count = match gapless {
                true => first - log.oldest,
                false => count_before(source, log, first)?,
            };
            (first, count)
        }
    };
    Ok((count > 0).then_some(Cut { first, count }))
}

/// The index of the entry with so many before it.
fn index_at(source: &mut dyn Source, log: Log, before: u64) -> Done<u64> {
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let kept = log.length - before;
    let range = rows::elements(log.id, log.oldest, None);
    let found = match before < kept {
        true => source.rows(&range, size(before + 1), false)?,
        false => source.rows(&range, size(kept), true)?,
    };
    let (name, _) = found.last().ok_or(MISCOUNTED)?;
    Ok(rows::place_of(name)?)
}

fn count_before(source: &mut dyn Source, log: Log, first: u64) -> Done<u64> {
    let range = rows::elements(log.id, log.oldest, Some(first));
    Ok(source.rows(&range, usize::MAX, false)?.len() as u64)
}

fn drop_before(work: &mut Work<'_, '_>, log: &mut Log, cut: Option<Cut>) {
    let Some(Cut { first, count }) = cut else {
        return;
    };
    let gapless = log.length == log.newest + 1 - log.oldest;
    if gapless && count <= TRIMMED_AT_ONCE {
        work.delete_places(log.id, log.oldest, first);
    } else {
        work.discard(Garbage::Elements {
            collection: log.id,
            below: first,
        });
    }
    log.oldest = first;
    log.length -= count;
}

/// An entry as it is stored, after a version byte. Its index is its row's place.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: EntryId,
    term: u64,
    at_ms: i64,
    author: Option<String>,
    fields: Vec<(Bytes, Bytes)>,
}

const ENTRY_VERSION: u8 = 1;

fn put(
    work: &mut Work<'_, '_>,
    log: &mut Log,
    id: EntryId,
    fields: &[(Bytes, Bytes)],
) -> Done<u64> {
    let stored = Stored {
        id,
        term: work.stamp.term,
        at_ms: work.stamp.now_ms,
        author: work.stamp.author.clone(),
        fields: fields.to_vec(),
    };
    let stored = postcard::to_extend(&stored, vec![ENTRY_VERSION])
        .map_err(|_| Fault::Corrupt("an entry cannot be encoded"))?;
    log.newest += 1;
    log.length += 1;
    log.last_id = id;
    let name = rows::element(log.id, log.newest);
    work.put(&name, &[&stored], true);
    Ok(log.newest)
}

fn read(
    source: &mut dyn Source,
    range: &rows::Range,
    limit: u64,
    reverse: bool,
) -> Done<Vec<Entry>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = source.rows(range, limit, reverse)?;
    for (_, stored) in &found {
        source.budget().take_bytes(stored.len())?;
    }
    found.iter().map(|row| Ok(entry(row)?)).collect()
}

/// The first entry at an index or after it.
fn entry_from(source: &mut dyn Source, log: Log, index: u64) -> Done<Option<Entry>> {
    // Without gaps it is there, and likely in memory.
    if (log.oldest..=log.newest).contains(&index) {
        let name = rows::element(log.id, index);
        let stored = source.row(&name)?.map(|stored| stored.into_owned());
        if let Some(stored) = stored {
            return Ok(Some(entry(&(name.into(), stored.into()))?));
        }
    }
    let range = rows::elements(log.id, index.max(log.oldest), None);
    let found = source.rows(&range, 1, false)?;
    Ok(found.first().map(entry).transpose()?)
}

/// The first index whose entry has this id or a larger one; one more than the newest if there is
/// none. Looks from the end in growing steps first: most are asked for lately appended ones.
fn first_with(source: &mut dyn Source, log: Log, id: EntryId) -> Done<u64> {
    let (mut low, mut high) = (log.oldest, log.newest + 1);
    if id > log.last_id {
        return Ok(high);
    }
    let mut step = 1;
    while low < high {
        let middle = match step {
            0 => low + (high - low) / 2,
            _ => high.saturating_sub(step).max(low),
        };
        match entry_from(source, log, middle)? {
            Some(entry) if entry.id < id => {
                low = entry.index + 1;
                step = 0;
            }
            Some(_) | None => {
                high = middle;
                step *= 2;
            }
        }
    }
    Ok(low)
}

fn entry((name, stored): &Pair) -> Result<Entry, Fault> {
    let stored: Stored = match stored.split_first() {
        Some((&ENTRY_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|_| Fault::Corrupt("an entry is unreadable"))?
        }
        _ => return Err(Fault::Corrupt("an entry is of another version")),
    };
    Ok(Entry {
        index: rows::place_of(name)?,
        id: stored.id,
        term: stored.term,
        at_ms: stored.at_ms,
        author: stored.author,
        fields: stored.fields,
    })
}

const MISCOUNTED: Fault = Fault::Corrupt("the entries of a journal were miscounted");
