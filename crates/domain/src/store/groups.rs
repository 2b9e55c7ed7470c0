//! Hashes and sets. Each field or member is a row named by its digest: found at once, whatever its
//! length, and in an order that nobody chose, which makes a digest's first bytes a cursor for scans
//! and a random digest a fair choice.

use bytes::Bytes;

use super::SCAN_MAX;
use super::access::{Done, ODD_BODY, Pair, Source, body_of, check_key};
use super::ranges::{matches, matching_rows};
use super::record::{Body, Group, Kind};
use super::reply::{StoreError, StoreReply};
use super::rows;
use super::strings::{answered, check_length, integer};
use super::work::Work;
use crate::sql::Fault;

/// The least that a page of a scan looks at: more than could be made to share a cursor.
const PAGE_MIN: u32 = 16;

/// A hash or a set with the end of its time to live.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    group: Group,
    ends: Option<i64>,
}

pub(super) fn length(source: &mut dyn Source, key: &[u8], kind: Kind) -> Done<StoreReply> {
    let length = find(source, key, kind)?.map_or(0, |found| found.group.length);
    Ok(StoreReply::Integer(length as i64))
}

pub(super) fn get(source: &mut dyn Source, key: &[u8], field: &[u8]) -> Done<StoreReply> {
    match find(source, key, Kind::Hash)? {
        Some(found) => match value(source, found.group, field)? {
            Some(value) => answered(source, value),
            None => Ok(StoreReply::Nil),
        },
        None => Ok(StoreReply::Nil),
    }
}

pub(super) fn get_many(source: &mut dyn Source, key: &[u8], fields: &[Bytes]) -> Done<StoreReply> {
    let found = find(source, key, Kind::Hash)?;
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        let value = match found {
            Some(found) => value(source, found.group, field)?,
            None => None,
        };
        source
            .budget()
            .take_bytes(value.as_ref().map_or(0, Bytes::len))?;
        values.push(value);
    }
    Ok(StoreReply::Values(values))
}

pub(super) fn pairs(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let mut pairs = Vec::new();
    if let Some(found) = find(source, key, Kind::Hash)? {
        for row in all(source, found.group)? {
            pairs.push(pair(source, &row)?);
        }
    }
    Ok(StoreReply::Pairs(pairs))
}

pub(super) fn members(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let mut members = Vec::new();
    if let Some(found) = find(source, key, Kind::Set)? {
        for (_, member) in all(source, found.group)? {
            source.budget().take_bytes(member.len())?;
            members.push(Some(Bytes::from(member)));
        }
    }
    Ok(StoreReply::Values(members))
}

pub(super) fn has(source: &mut dyn Source, key: &[u8], members: &[Bytes]) -> Done<StoreReply> {
    let found = find(source, key, Kind::Set)?;
    let mut flags = Vec::with_capacity(members.len());
    for member in members {
        source.budget().take_bytes(1)?;
        flags.push(match found {
            Some(found) => exists(source, found.group, member)?,
            None => false,
        });
    }
    Ok(StoreReply::Flags(flags))
}

/// Where a scan stands, and what it wants.
pub(super) struct Scanning<'a> {
    pub cursor: u64,
    pub count: u32,
    pub pattern: Option<&'a [u8]>,
}

pub(super) fn scan(
    source: &mut dyn Source,
    key: &[u8],
    kind: Kind,
    scanning: &Scanning<'_>,
) -> Done<StoreReply> {
    let (mut cursor, mut found) = (0, Vec::new());
    if let Some(group) = find(source, key, kind)?.map(|found| found.group) {
        let count = scanning.count.clamp(PAGE_MIN, SCAN_MAX) as usize;
        let range = rows::elements(group.id, scanning.cursor, None);
        found = source.rows(&range, count + 1, false)?;
        if let Some((next, _)) = found.get(count) {
            cursor = rows::place_of(next)?;
            found.truncate(count);
        }
    }
    if kind == Kind::Hash {
        let mut items = Vec::new();
        for row in found {
            if wanted(source, scanning, split(&row.1)?.0)? {
                items.push(pair(source, &row)?);
            }
        }
        return Ok(StoreReply::PairsPage { cursor, items });
    }
    let mut items = Vec::new();
    for (_, member) in found {
        if wanted(source, scanning, &member)? {
            source.budget().take_bytes(member.len())?;
            items.push(Bytes::from(member));
        }
    }
    Ok(StoreReply::Page { cursor, items })
}

fn wanted(source: &mut dyn Source, scanning: &Scanning<'_>, text: &[u8]) -> Done<bool> {
    let Some(glob) = scanning.pattern else {
        return Ok(true);
    };
    source.budget().take_rows(matching_rows(glob, text))?;
    Ok(matches(glob, text))
}

pub(super) fn random(source: &mut dyn Source, key: &[u8], at: u64, count: u64) -> Done<StoreReply> {
    let mut members = Vec::new();
    if let Some(found) = find(source, key, Kind::Set)? {
        for (_, member) in from_random(source, found.group, at, count)? {
            source.budget().take_bytes(member.len())?;
            members.push(Some(Bytes::from(member)));
        }
    }
    Ok(StoreReply::Values(members))
}

pub(super) fn hash_set(
    work: &mut Work<'_, '_>,
    key: &[u8],
    pairs: &[(Bytes, Bytes)],
) -> Done<StoreReply> {
    if pairs.is_empty() {
        return Err(StoreError::NothingGiven.into());
    }
    for (field, value) in pairs {
        check_length(field.len() + value.len())?;
    }
    let mut found = find_or_new(work, key, Kind::Hash)?;
    work.budget.take_rows(pairs.len())?;
    let before = found.group.length;
    for (field, value) in pairs {
        put_field(work, &mut found.group, field, value)?;
    }
    let added = found.group.length - before;
    store(work, key, found)?;
    Ok(StoreReply::Integer(added as i64))
}

pub(super) fn hash_set_new(
    work: &mut Work<'_, '_>,
    key: &[u8],
    field: &[u8],
    value: &[u8],
) -> Done<StoreReply> {
    check_length(field.len() + value.len())?;
    let mut found = find_or_new(work, key, Kind::Hash)?;
    if exists(work, found.group, field)? {
        return Ok(StoreReply::Integer(0));
    }
    put_field(work, &mut found.group, field, value)?;
    store(work, key, found)?;
    Ok(StoreReply::Integer(1))
}

pub(super) fn hash_add(
    work: &mut Work<'_, '_>,
    key: &[u8],
    field: &[u8],
    by: i64,
) -> Done<StoreReply> {
    check_length(field.len())?;
    let mut found = find_or_new(work, key, Kind::Hash)?;
    let number = match value(work, found.group, field)? {
        Some(value) => integer(&value).ok_or(StoreError::HashNotAnInteger)?,
        None => 0,
    };
    let number = number.checked_add(by).ok_or(StoreError::Overflow)?;
    put_field(work, &mut found.group, field, number.to_string().as_bytes())?;
    store(work, key, found)?;
    Ok(StoreReply::Integer(number))
}

pub(super) fn set_add(work: &mut Work<'_, '_>, key: &[u8], members: &[Bytes]) -> Done<StoreReply> {
    if members.is_empty() {
        return Err(StoreError::NothingGiven.into());
    }
    for member in members {
        check_length(member.len())?;
    }
    let mut found = find_or_new(work, key, Kind::Set)?;
    work.budget.take_rows(members.len())?;
    let before = found.group.length;
    for member in members {
        add_member(work, &mut found.group, member)?;
    }
    let added = found.group.length - before;
    if added > 0 {
        store(work, key, found)?;
    }
    Ok(StoreReply::Integer(added as i64))
}

/// Removes fields of a hash or members of a set.
pub(super) fn remove(
    work: &mut Work<'_, '_>,
    key: &[u8],
    kind: Kind,
    contents: &[Bytes],
) -> Done<StoreReply> {
    let Some(mut found) = find(work, key, kind)? else {
        return Ok(StoreReply::Integer(0));
    };
    work.budget.take_rows(contents.len())?;
    let before = found.group.length;
    for content in contents {
        if exists(work, found.group, content)? {
            work.delete(&rows::element_of(found.group.id, content));
            found.group.length -= 1;
        }
    }
    let removed = before - found.group.length;
    if removed > 0 {
        store(work, key, found)?;
    }
    Ok(StoreReply::Integer(removed as i64))
}

pub(super) fn set_pop(work: &mut Work<'_, '_>, key: &[u8], count: Option<u64>) -> Done<StoreReply> {
    let mut taken = Vec::new();
    if let Some(mut found) = find(work, key, Kind::Set)? {
        let at = work.stamp.random();
        let chosen = from_random(work, found.group, at, count.unwrap_or(1))?;
        for (_, member) in &chosen {
            work.budget.take_bytes(member.len())?;
        }
        for (name, member) in chosen {
            work.delete(&name);
            found.group.length -= 1;
            taken.push(Bytes::from(member));
        }
        if !taken.is_empty() {
            store(work, key, found)?;
        }
    }
    Ok(match count {
        Some(_) => StoreReply::Values(taken.into_iter().map(Some).collect()),
        None => taken.pop().map_or(StoreReply::Nil, StoreReply::Bytes),
    })
}

pub(super) fn set_move(
    work: &mut Work<'_, '_>,
    from: &[u8],
    to: &[u8],
    member: &Bytes,
) -> Done<StoreReply> {
    check_key(to)?;
    let Some(mut source) = find(work, from, Kind::Set)? else {
        return Ok(StoreReply::Integer(0));
    };
    let mut target = find_or_new(work, to, Kind::Set)?;
    if !exists(work, source.group, member)? {
        return Ok(StoreReply::Integer(0));
    }
    if from != to {
        work.delete(&rows::element_of(source.group.id, member));
        source.group.length -= 1;
        store(work, from, source)?;
        add_member(work, &mut target.group, member)?;
        store(work, to, target)?;
    }
    Ok(StoreReply::Integer(1))
}

fn find(source: &mut dyn Source, key: &[u8], kind: Kind) -> Done<Option<Found>> {
    match body_of(source, key, kind)? {
        None => Ok(None),
        Some((head, Body::Group(group))) => Ok(Some(Found {
            kind,
            group,
            ends: head.ends.map(|ends| ends.at_ms),
        })),
        Some(_) => Err(ODD_BODY),
    }
}

/// A group to write into; a new one gets its number when it is stored, see [`put_element`].
fn find_or_new(work: &mut Work<'_, '_>, key: &[u8], kind: Kind) -> Done<Found> {
    let found = find(work, key, kind)?;
    Ok(found.unwrap_or(Found {
        kind,
        group: Group { id: 0, length: 0 },
        ends: None,
    }))
}

/// Stores a group's record; one without elements vanishes.
fn store(work: &mut Work<'_, '_>, key: &[u8], found: Found) -> Done<()> {
    if found.group.length > 0 {
        let body = Body::Group(found.group);
        return work.put_body(key, found.kind, body, found.ends);
    }
    match work.old(key)? {
        Some(old) => work.forget(key, old),
        None => Ok(()),
    }
}

fn put_field(work: &mut Work<'_, '_>, group: &mut Group, field: &[u8], value: &[u8]) -> Done<()> {
    let length = u32::try_from(field.len()).map_err(|_| StoreError::ValueTooLong)?;
    put_element(work, group, field, &[&length.to_le_bytes(), field, value])
}

fn add_member(work: &mut Work<'_, '_>, group: &mut Group, member: &[u8]) -> Done<()> {
    match exists(work, *group, member)? {
        true => Ok(()),
        false => put_element(work, group, member, &[member]),
    }
}

fn put_element(
    work: &mut Work<'_, '_>,
    group: &mut Group,
    content: &[u8],
    stored: &[&[u8]],
) -> Done<()> {
    if group.id == 0 {
        group.id = work.new_id();
    }
    let name = rows::element_of(group.id, content);
    let new = work.row(&name)?.is_none();
    work.put(&name, stored, new);
    group.length += u64::from(new);
    Ok(())
}

fn exists(source: &mut dyn Source, group: Group, content: &[u8]) -> Done<bool> {
    if group.length == 0 {
        return Ok(false);
    }
    let name = rows::element_of(group.id, content);
    Ok(source.row(&name)?.is_some())
}

fn value(source: &mut dyn Source, group: Group, field: &[u8]) -> Done<Option<Bytes>> {
    if group.length == 0 {
        return Ok(None);
    }
    let name = rows::element_of(group.id, field);
    let Some(stored) = source.row(&name)? else {
        return Ok(None);
    };
    let (_, value) = split(&stored)?;
    Ok(Some(Bytes::copy_from_slice(value)))
}

fn all(source: &mut dyn Source, group: Group) -> Done<Vec<Pair>> {
    let range = rows::elements(group.id, 0, None);
    source.rows(&range, usize::MAX, false)
}

/// Elements from a random place on, and from the first on past the last.
fn from_random(source: &mut dyn Source, group: Group, at: u64, count: u64) -> Done<Vec<Pair>> {
    let count = usize::try_from(count.min(group.length)).unwrap_or(usize::MAX);
    let mut chosen = Vec::new();
    for range in [
        rows::elements(group.id, at, None),
        rows::elements(group.id, 0, Some(at)),
    ] {
        let wanted = count - chosen.len();
        if wanted > 0 {
            chosen.extend(source.rows(&range, wanted, false)?);
        }
    }
    Ok(chosen)
}

fn pair(source: &mut dyn Source, (_, stored): &Pair) -> Done<(Bytes, Bytes)> {
    let (field, value) = split(stored)?;
    source.budget().take_bytes(field.len() + value.len())?;
    Ok((Bytes::copy_from_slice(field), Bytes::copy_from_slice(value)))
}

/// A stored field and its value.
fn split(stored: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let damaged = Fault::Corrupt("a field of a hash is unreadable");
    let Some((length, rest)) = stored.split_first_chunk() else {
        return Err(damaged);
    };
    let length = u32::from_le_bytes(*length) as usize;
    rest.split_at_checked(length).ok_or(damaged)
}
