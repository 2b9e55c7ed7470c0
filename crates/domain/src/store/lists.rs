//! Lists. Items lie at consecutive places, so that both ends and every index are found at once.

use bytes::Bytes;

use super::access::{Done, ODD_BODY, Source, body_of, check_key};
use super::operation::End;
use super::record::{Body, Kind, List};
use super::reply::{StoreError, StoreReply};
use super::strings::{answered, check_length};
use super::work::Work;
use super::{ranges, rows};
use crate::sql::Fault;

/// A list with the end of its time to live.
#[derive(Clone, Copy)]
struct Found {
    list: List,
    ends: Option<i64>,
}

pub(super) fn length(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let length = find(source, key)?.map_or(0, |found| found.list.length());
    Ok(StoreReply::Integer(length as i64))
}

pub(super) fn range(
    source: &mut dyn Source,
    key: &[u8],
    start: i64,
    stop: i64,
) -> Done<StoreReply> {
    let Some(Found { list, .. }) = find(source, key)? else {
        return Ok(StoreReply::Values(Vec::new()));
    };
    let wanted = ranges::within(start, stop, list.length());
    let (from, to) = (list.head + wanted.start, list.head + wanted.end);
    let items = items(source, list, from, to)?;
    Ok(StoreReply::Values(items.into_iter().map(Some).collect()))
}

pub(super) fn index(source: &mut dyn Source, key: &[u8], index: i64) -> Done<StoreReply> {
    let Some(Found { list, .. }) = find(source, key)? else {
        return Ok(StoreReply::Nil);
    };
    match ranges::at(index, list.length()) {
        Some(place) => {
            let item = item(source, list, list.head + place)?;
            answered(source, item)
        }
        None => Ok(StoreReply::Nil),
    }
}

pub(super) fn push(
    work: &mut Work<'_, '_>,
    key: &[u8],
    end: End,
    values: &[Bytes],
    only_existing: bool,
) -> Done<StoreReply> {
    if values.is_empty() {
        return Err(StoreError::NothingGiven.into());
    }
    for value in values {
        check_length(value.len())?;
    }
    let found = find(work, key)?;
    if found.is_none() && only_existing {
        return Ok(StoreReply::Integer(0));
    }
    work.budget.take_rows(values.len())?;
    let mut found = found.unwrap_or_else(|| Found {
        list: List::new(work.new_id()),
        ends: None,
    });
    for value in values {
        put_end(work, &mut found.list, end, value);
    }
    store(work, key, found)?;
    Ok(StoreReply::Integer(found.list.length() as i64))
}

pub(super) fn pop(
    work: &mut Work<'_, '_>,
    key: &[u8],
    end: End,
    count: Option<u64>,
) -> Done<StoreReply> {
    let Some(found) = find(work, key)? else {
        return Ok(StoreReply::Nil);
    };
    let mut taken = take(work, key, found, end, count.unwrap_or(1))?;
    Ok(match count {
        Some(_) => StoreReply::Values(taken.into_iter().map(Some).collect()),
        None => taken.pop().map_or(StoreReply::Nil, StoreReply::Bytes),
    })
}

pub(super) fn pop_first(
    work: &mut Work<'_, '_>,
    keys: &[Bytes],
    end: End,
    count: u64,
) -> Done<StoreReply> {
    for key in keys {
        if let Some(found) = find(work, key)? {
            work.budget.take_bytes(key.len())?;
            let items = take(work, key, found, end, count)?;
            let key = key.clone();
            return Ok(StoreReply::Popped { key, items });
        }
    }
    Ok(StoreReply::Nil)
}

pub(super) fn set(
    work: &mut Work<'_, '_>,
    key: &[u8],
    index: i64,
    value: &[u8],
) -> Done<StoreReply> {
    check_length(value.len())?;
    let found = find(work, key)?.ok_or(StoreError::NoSuchKey)?;
    let place = ranges::at(index, found.list.length()).ok_or(StoreError::OutOfRange)?;
    let name = rows::element(found.list.id, found.list.head + place);
    work.put(&name, &[value], false);
    store(work, key, found)?;
    Ok(StoreReply::Done)
}

pub(super) fn remove(
    work: &mut Work<'_, '_>,
    key: &[u8],
    count: i64,
    value: &[u8],
) -> Done<StoreReply> {
    let Some(mut found) = find(work, key)? else {
        return Ok(StoreReply::Integer(0));
    };
    let list = found.list;
    let places = equal_places(work, list, count, value)?;
    let (Some(&first), Some(&last)) = (places.first(), places.last()) else {
        return Ok(StoreReply::Integer(0));
    };
    let removed = places.len() as u64;
    // The shorter side closes the gaps.
    if list.tail - first <= last + 1 - list.head {
        let kept = others(work, list, first, list.tail, &places)?;
        rewrite(work, list, first, kept);
        found.list.tail -= removed;
        work.delete_places(list.id, found.list.tail, list.tail);
    } else {
        let kept = others(work, list, list.head, last + 1, &places)?;
        found.list.head += removed;
        rewrite(work, list, found.list.head, kept);
        work.delete_places(list.id, list.head, found.list.head);
    }
    store(work, key, found)?;
    Ok(StoreReply::Integer(removed as i64))
}

pub(super) fn trim(work: &mut Work<'_, '_>, key: &[u8], start: i64, stop: i64) -> Done<StoreReply> {
    let Some(found) = find(work, key)? else {
        return Ok(StoreReply::Done);
    };
    let list = found.list;
    let kept = ranges::within(start, stop, list.length());
    if kept.end - kept.start == list.length() {
        return Ok(StoreReply::Done);
    }
    if kept.is_empty() {
        if let Some(old) = work.old(key)? {
            work.remove(key, old)?;
        }
        return Ok(StoreReply::Done);
    }
    let (from, to) = (list.head + kept.start, list.head + kept.end);
    let dropped = usize::try_from(list.length() - (to - from)).unwrap_or(usize::MAX);
    if dropped <= work.budget.rows {
        work.budget.take_rows(dropped)?;
        work.delete_places(list.id, list.head, from);
        work.delete_places(list.id, to, list.tail);
        let list = List {
            head: from,
            tail: to,
            ..list
        };
        store(work, key, Found { list, ..found })?;
    } else {
        move_to_another(work, key, found, from, to)?;
    }
    Ok(StoreReply::Done)
}

/// Puts what stays of a long list into a new one; the old one is swept away later.
fn move_to_another(
    work: &mut Work<'_, '_>,
    key: &[u8],
    found: Found,
    from: u64,
    to: u64,
) -> Done<()> {
    let kept = raw_items(work, found.list, from, to)?;
    let mut list = List::new(work.new_id());
    for item in kept {
        put_end(work, &mut list, End::Tail, &item);
    }
    let ends = found.ends;
    store(work, key, Found { list, ends })
}

pub(super) fn move_item(
    work: &mut Work<'_, '_>,
    from: &[u8],
    to: &[u8],
    take_from: End,
    put_to: End,
) -> Done<StoreReply> {
    check_key(to)?;
    let Some(source) = find(work, from)? else {
        return Ok(StoreReply::Nil);
    };
    let target = find(work, to)?;
    let place = end_place(source.list, take_from);
    let item = item(work, source.list, place)?;
    let reply = answered(work, item.clone())?;
    if from == to {
        let mut rotated = source;
        drop_end(work, &mut rotated.list, take_from);
        put_end(work, &mut rotated.list, put_to, &item);
        store(work, to, rotated)?;
        return Ok(reply);
    }
    let mut rest = source;
    drop_end(work, &mut rest.list, take_from);
    store(work, from, rest)?;
    let mut target = target.unwrap_or_else(|| Found {
        list: List::new(work.new_id()),
        ends: None,
    });
    put_end(work, &mut target.list, put_to, &item);
    store(work, to, target)?;
    Ok(reply)
}

fn find(source: &mut dyn Source, key: &[u8]) -> Done<Option<Found>> {
    match body_of(source, key, Kind::List)? {
        None => Ok(None),
        Some((head, Body::List(list))) => Ok(Some(Found {
            list,
            ends: head.ends.map(|ends| ends.at_ms),
        })),
        Some(_) => Err(ODD_BODY),
    }
}

/// Stores a list's record; one without items vanishes.
fn store(work: &mut Work<'_, '_>, key: &[u8], found: Found) -> Done<()> {
    if found.list.length() > 0 {
        let body = Body::List(found.list);
        return work.put_body(key, Kind::List, body, found.ends);
    }
    match work.old(key)? {
        Some(old) => work.forget(key, old),
        None => Ok(()),
    }
}

fn item(source: &mut dyn Source, list: List, place: u64) -> Done<Bytes> {
    let name = rows::element(list.id, place);
    let item = source.row(&name)?.ok_or(MISSING)?;
    Ok(Bytes::copy_from_slice(&item))
}

/// Items for an answer.
fn items(source: &mut dyn Source, list: List, from: u64, to: u64) -> Done<Vec<Bytes>> {
    let items = raw_items(source, list, from, to)?;
    for item in &items {
        source.budget().take_bytes(item.len())?;
    }
    Ok(items)
}

fn raw_items(source: &mut dyn Source, list: List, from: u64, to: u64) -> Done<Vec<Bytes>> {
    if from == to {
        return Ok(Vec::new());
    }
    // A handful is found faster one by one: most are in memory.
    if to - from <= FEW {
        return (from..to).map(|place| item(source, list, place)).collect();
    }
    let range = rows::elements(list.id, from, Some(to));
    let found = source.rows(&range, usize::MAX, false)?;
    if found.len() as u64 != to - from {
        return Err(MISSING.into());
    }
    Ok(found.into_iter().map(|(_, item)| item.into()).collect())
}

const FEW: u64 = 4;

const MISSING: Fault = Fault::Corrupt("an item of a list is missing");

fn end_place(list: List, end: End) -> u64 {
    match end {
        End::Head => list.head,
        End::Tail => list.tail - 1,
    }
}

fn put_end(work: &mut Work<'_, '_>, list: &mut List, end: End, value: &[u8]) {
    match end {
        End::Head => list.head -= 1,
        End::Tail => list.tail += 1,
    }
    let name = rows::element(list.id, end_place(*list, end));
    work.put(&name, &[value], true);
}

fn drop_end(work: &mut Work<'_, '_>, list: &mut List, end: End) {
    work.delete(&rows::element(list.id, end_place(*list, end)));
    match end {
        End::Head => list.head += 1,
        End::Tail => list.tail -= 1,
    }
}

/// Takes items from an end, in the order of taking.
fn take(
    work: &mut Work<'_, '_>,
    key: &[u8],
    mut found: Found,
    end: End,
    count: u64,
) -> Done<Vec<Bytes>> {
    let list = found.list;
    let count = count.min(list.length());
    if count == 0 {
        return Ok(Vec::new());
    }
    let (from, to) = match end {
        End::Head => (list.head, list.head + count),
        End::Tail => (list.tail - count, list.tail),
    };
    let mut items = items(work, list, from, to)?;
    work.delete_places(list.id, from, to);
    match end {
        End::Head => found.list.head = to,
        End::Tail => {
            found.list.tail = from;
            items.reverse();
        }
    }
    store(work, key, found)?;
    Ok(items)
}

/// Items that are read at a time in a search.
const SEARCHED_AT_ONCE: u64 = 256;

/// The places of the items to be removed, in order.
fn equal_places(work: &mut Work<'_, '_>, list: List, count: i64, value: &[u8]) -> Done<Vec<u64>> {
    let wanted = match count.unsigned_abs() {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let (mut head, mut tail) = (list.head, list.tail);
    let mut places = Vec::new();
    while head < tail && places.len() < wanted {
        let size = SEARCHED_AT_ONCE.min(tail - head);
        let from = if count < 0 { tail - size } else { head };
        let items = raw_items(work, list, from, from + size)?;
        let mut equal: Vec<u64> = (from..)
            .zip(&items)
            .filter(|(_, item)| **item == value)
            .map(|(place, _)| place)
            .collect();
        match count < 0 {
            true => {
                tail = from;
                equal.reverse();
            }
            false => head = from + size,
        }
        equal.truncate(wanted - places.len());
        places.append(&mut equal);
    }
    places.sort_unstable();
    Ok(places)
}

/// The items of a stretch that stay.
fn others(
    work: &mut Work<'_, '_>,
    list: List,
    from: u64,
    to: u64,
    without: &[u64],
) -> Done<Vec<Bytes>> {
    let all = raw_items(work, list, from, to)?;
    let kept = (from..).zip(all);
    let kept = kept.filter(|(place, _)| without.binary_search(place).is_err());
    Ok(kept.map(|(_, item)| item).collect())
}

fn rewrite(work: &mut Work<'_, '_>, list: List, from: u64, items: Vec<Bytes>) {
    for (place, item) in (from..).zip(items) {
        let name = rows::element(list.id, place);
        work.put(&name, &[&item], false);
    }
}
