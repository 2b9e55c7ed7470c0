//! Keys of any kind: whether they exist, how long they live, what they are called.

use bytes::Bytes;

use super::access::{Done, Source, check_key, head, record};
use super::operation::{Deadline, ExpireWhen};
use super::ranges::{literal_prefix, matches, matching_rows};
use super::record::{Head, Kind};
use super::reply::{StoreError, StoreReply};
use super::rows::{self, Garbage};
use super::work::Work;
use super::{SCAN_MAX, strings};

/// Births that are looked at for a random key: of so many in a row, one at least has hardly ever
/// not expired.
const RANDOM_TRIED_MAX: usize = 64;

pub(super) fn exists(source: &mut dyn Source, keys: &[Bytes]) -> Done<StoreReply> {
    let mut count = 0;
    for key in keys {
        count += i64::from(head(source, key)?.is_some());
    }
    Ok(StoreReply::Integer(count))
}

pub(super) fn kind(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let head = head(source, key)?;
    Ok(head.map_or(StoreReply::Nil, |head| StoreReply::Kind(head.kind)))
}

pub(super) fn expiry(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let now_ms = source.now_ms();
    let told = |head: Head| StoreReply::Expiry {
        at_ms: head.ends.map(|ends| ends.at_ms),
        now_ms,
    };
    Ok(head(source, key)?.map_or(StoreReply::Nil, told))
}

pub(super) fn version(source: &mut dyn Source, key: &[u8]) -> Done<i64> {
    Ok(head(source, key)?.map_or(0, |head| head.version))
}

pub(super) fn count(source: &mut dyn Source) -> StoreReply {
    StoreReply::Integer(source.counters().keys)
}

pub(super) fn scan(
    source: &mut dyn Source,
    cursor: u64,
    count: u32,
    pattern: Option<&[u8]>,
    wanted: Option<Kind>,
) -> Done<StoreReply> {
    let count = count.clamp(1, SCAN_MAX) as usize;
    let Some(from) = cursor.checked_add(1) else {
        return Ok(page(0, Vec::new()));
    };
    let range = rows::births(source.counters().epoch, from);
    let births = source.rows(&range, count, false)?;
    let cursor = match births.last() {
        Some((name, _)) if births.len() == count => rows::birth_of(name)?,
        _ => 0,
    };
    let mut items = Vec::new();
    for (_, key) in births {
        if let Some(pattern) = pattern {
            source.budget().take_rows(matching_rows(pattern, &key))?;
            if !matches(pattern, &key) {
                continue;
            }
        }
        let head = head(source, &key)?;
        if head.is_some_and(|head| wanted.is_none_or(|kind| kind == head.kind)) {
            source.budget().take_bytes(key.len())?;
            items.push(Bytes::from(key));
        }
    }
    Ok(page(cursor, items))
}

fn page(cursor: u64, items: Vec<Bytes>) -> StoreReply {
    StoreReply::Page { cursor, items }
}

pub(super) fn matching(source: &mut dyn Source, pattern: &[u8]) -> Done<StoreReply> {
    let epoch = source.counters().epoch;
    let range = rows::keys(epoch, literal_prefix(pattern));
    let now_ms = source.now_ms();
    let mut found = Vec::new();
    // Past the budget the rows say that it is too much.
    for (name, stored) in source.fronts(&range)? {
        let key = rows::key_of(&name)?;
        let (head, _) = Head::of(&stored)?;
        source.budget().take_rows(matching_rows(pattern, key))?;
        if !head.has_ended(now_ms) && matches(pattern, key) {
            source.budget().take_bytes(key.len())?;
            found.push(Some(Bytes::copy_from_slice(key)));
        }
    }
    Ok(StoreReply::Values(found))
}

pub(super) fn random(source: &mut dyn Source, at: u64) -> Done<StoreReply> {
    let counters = source.counters();
    let place = at % counters.ids.saturating_add(1);
    for from in [place, 0] {
        let range = rows::births(counters.epoch, from);
        for (_, key) in source.rows(&range, RANDOM_TRIED_MAX, false)? {
            if head(source, &key)?.is_some() {
                return strings::answered(source, Bytes::from(key));
            }
        }
    }
    Ok(StoreReply::Nil)
}

pub(super) fn delete(work: &mut Work<'_, '_>, keys: &[Bytes]) -> Done<StoreReply> {
    let mut count = 0;
    for key in keys {
        check_key(key)?;
    }
    for key in keys {
        let existed = head(work, key)?.is_some();
        if let Some(old) = work.old(key)? {
            work.remove(key, old)?;
        }
        count += i64::from(existed);
    }
    Ok(StoreReply::Integer(count))
}

pub(super) fn expire(
    work: &mut Work<'_, '_>,
    key: &[u8],
    deadline: Deadline,
    when: ExpireWhen,
) -> Done<StoreReply> {
    let at_ms = strings::moment(work.stamp.now_ms, deadline)?;
    let Some(head) = head(work, key)? else {
        return Ok(StoreReply::Integer(0));
    };
    let had = head.ends.map(|ends| ends.at_ms);
    // Without a time to live a key lives for ever.
    let lives_until = had.unwrap_or(i64::MAX);
    let allowed = match when {
        ExpireWhen::Always => true,
        ExpireWhen::None => had.is_none(),
        ExpireWhen::Some => had.is_some(),
        ExpireWhen::Later | ExpireWhen::SomeLater => had.is_some() && at_ms > lives_until,
        ExpireWhen::Earlier => at_ms < lives_until,
        ExpireWhen::SomeEarlier => had.is_some() && at_ms < lives_until,
    };
    if allowed {
        end_at(work, key, Some(at_ms))?;
    }
    Ok(StoreReply::Integer(i64::from(allowed)))
}

pub(super) fn persist(work: &mut Work<'_, '_>, key: &[u8]) -> Done<StoreReply> {
    let mortal = head(work, key)?.is_some_and(|head| head.ends.is_some());
    if mortal {
        work.put_ends(key, None)?;
    }
    Ok(StoreReply::Integer(i64::from(mortal)))
}

/// Sets or takes away the time to live of a key that exists; one that is over removes the key.
pub(super) fn end_at(work: &mut Work<'_, '_>, key: &[u8], ends_ms: Option<i64>) -> Done<()> {
    if ends_ms.is_none_or(|at_ms| at_ms > work.stamp.now_ms) {
        return work.put_ends(key, ends_ms);
    }
    match work.old(key)? {
        Some(old) => work.remove(key, old),
        None => Ok(()),
    }
}

pub(super) fn rename(
    work: &mut Work<'_, '_>,
    from: &[u8],
    to: &[u8],
    only_new: bool,
) -> Done<StoreReply> {
    check_key(to)?;
    let Some(moved) = record(work, from)? else {
        return Err(StoreError::NoSuchKey.into());
    };
    let taken = head(work, to)?.is_some();
    if only_new && taken {
        return Ok(StoreReply::Integer(0));
    }
    if from != to {
        if let Some(old) = work.old(from)? {
            work.forget(from, old)?;
        }
        let ends = moved.head.ends.map(|ends| ends.at_ms);
        work.put_body(to, moved.head.kind, moved.body, ends)?;
    }
    Ok(match only_new {
        true => StoreReply::Integer(1),
        false => StoreReply::Done,
    })
}

pub(super) fn flush(work: &mut Work<'_, '_>) -> StoreReply {
    if work.counters.keys > 0 {
        work.discard(Garbage::Epoch(work.counters.epoch));
        work.counters.epoch += 1;
        work.counters.keys = 0;
        // Which keys were removed is not written down one by one.
        work.counters.floor = work.stamp.version;
    }
    work.table.touched.all();
    StoreReply::Done
}
