//! Strings, and counters, which are strings in decimal.

use bytes::Bytes;

use super::access::{Done, ODD_BODY, Source, head, record, record_of};
use super::operation::{Deadline, Expiry, When};
use super::record::{Body, Kind, Record};
use super::reply::{StoreError, StoreReply};
use super::work::{Spot, Work};
use super::{VALUE_MAX_BYTES, ranges};

pub(super) fn get(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    match string(source, key)? {
        Some((_, value)) => answered(source, value),
        None => Ok(StoreReply::Nil),
    }
}

pub(super) fn get_many(source: &mut dyn Source, keys: &[Bytes]) -> Done<StoreReply> {
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        let value = match record(source, key)?.map(|record| record.body) {
            Some(Body::String(value)) => Some(value),
            _ => None,
        };
        source
            .budget()
            .take_bytes(value.as_ref().map_or(0, Bytes::len))?;
        values.push(value);
    }
    Ok(StoreReply::Values(values))
}

pub(super) fn length(source: &mut dyn Source, key: &[u8]) -> Done<StoreReply> {
    let length = string(source, key)?.map_or(0, |(_, value)| value.len());
    Ok(StoreReply::Integer(length as i64))
}

pub(super) fn part(source: &mut dyn Source, key: &[u8], start: i64, end: i64) -> Done<StoreReply> {
    let value = string(source, key)?
        .map(|(_, value)| value)
        .unwrap_or_default();
    // As Redis has it, an end before the first byte means that byte; but not if the range is empty.
    let end = match start < 0 && start > end {
        true => end,
        false => end.max(-(value.len() as i64)),
    };
    let range = ranges::within(start, end, value.len() as u64);
    answered(
        source,
        value.slice(range.start as usize..range.end as usize),
    )
}

/// How a string is stored.
pub(super) struct Setting {
    pub when: When,
    pub expiry: Expiry,
    pub get: bool,
}

pub(super) fn set(
    work: &mut Work<'_, '_>,
    key: &[u8],
    value: &[u8],
    setting: &Setting,
) -> Done<StoreReply> {
    check_length(value.len())?;
    let reply = match setting.get {
        true => get(work, key)?,
        false => StoreReply::Done,
    };
    let spot = work.spot(key)?;
    let now_ms = work.stamp.now_ms;
    let head = spot.old.map(|old| old.head);
    let head = head.filter(|head| !head.has_ended(now_ms));
    let (exists, ends) = (head.is_some(), head.and_then(|head| head.ends));
    let allowed = match setting.when {
        When::Always => true,
        When::New => !exists,
        When::Existing => exists,
    };
    let ends = match setting.expiry {
        Expiry::None => None,
        Expiry::Keep => ends.map(|ends| ends.at_ms),
        Expiry::Until(deadline) => Some(future(work, deadline)?),
    };
    match allowed {
        true => put(work, key, &spot, value, ends)?,
        false if setting.get => {}
        false => return Ok(StoreReply::Nil),
    }
    Ok(reply)
}

pub(super) fn set_many(
    work: &mut Work<'_, '_>,
    pairs: &[(Bytes, Bytes)],
    only_new: bool,
) -> Done<StoreReply> {
    if pairs.is_empty() {
        return Err(StoreError::NothingGiven.into());
    }
    let mut free = true;
    for (key, value) in pairs {
        check_length(value.len())?;
        free &= head(work, key)?.is_none();
    }
    if only_new && !free {
        return Ok(StoreReply::Integer(0));
    }
    for (key, value) in pairs {
        work.put_string(key, &[value], None)?;
    }
    Ok(match only_new {
        true => StoreReply::Integer(1),
        false => StoreReply::Done,
    })
}

pub(super) fn append(work: &mut Work<'_, '_>, key: &[u8], value: &[u8]) -> Done<StoreReply> {
    let (ends, old) = string(work, key)?.unwrap_or_default();
    let length = old.len() + value.len();
    check_length(length)?;
    work.put_string(key, &[&old, value], ends)?;
    Ok(StoreReply::Integer(length as i64))
}

pub(super) fn patch(
    work: &mut Work<'_, '_>,
    key: &[u8],
    offset: u64,
    value: &[u8],
) -> Done<StoreReply> {
    let (ends, old) = string(work, key)?.unwrap_or_default();
    if value.is_empty() {
        return Ok(StoreReply::Integer(old.len() as i64));
    }
    let offset = usize::try_from(offset).map_err(|_| StoreError::ValueTooLong)?;
    let end = offset.checked_add(value.len());
    let end = end.ok_or(StoreError::ValueTooLong)?;
    check_length(end)?;
    let mut patched = old.to_vec();
    patched.resize(end.max(old.len()), 0);
    patched[offset..end].copy_from_slice(value);
    work.put_string(key, &[&patched], ends)?;
    Ok(StoreReply::Integer(patched.len() as i64))
}

pub(super) fn add(work: &mut Work<'_, '_>, key: &[u8], by: i64) -> Done<StoreReply> {
    let old = string(work, key)?;
    let (ends, number) = match &old {
        Some((ends, value)) => (*ends, integer(value).ok_or(StoreError::NotAnInteger)?),
        None => (None, 0),
    };
    let number = number.checked_add(by).ok_or(StoreError::Overflow)?;
    work.put_string(key, &[number.to_string().as_bytes()], ends)?;
    Ok(StoreReply::Integer(number))
}

pub(super) fn get_delete(work: &mut Work<'_, '_>, key: &[u8]) -> Done<StoreReply> {
    let Some((_, value)) = string(work, key)? else {
        return Ok(StoreReply::Nil);
    };
    let reply = answered(work, value)?;
    if let Some(old) = work.old(key)? {
        work.remove(key, old)?;
    }
    Ok(reply)
}

pub(super) fn get_expire(work: &mut Work<'_, '_>, key: &[u8], expiry: Expiry) -> Done<StoreReply> {
    let ends = match expiry {
        Expiry::None | Expiry::Keep => None,
        Expiry::Until(deadline) => Some(future(work, deadline)?),
    };
    let Some((had, value)) = string(work, key)? else {
        return Ok(StoreReply::Nil);
    };
    let reply = answered(work, value)?;
    match expiry {
        Expiry::Keep => {}
        Expiry::None if had.is_none() => {}
        Expiry::None | Expiry::Until(_) => super::keys::end_at(work, key, ends)?,
    }
    Ok(reply)
}

/// Stores a string that may end at once.
fn put(
    work: &mut Work<'_, '_>,
    key: &[u8],
    spot: &Spot,
    value: &[u8],
    ends_ms: Option<i64>,
) -> Done<()> {
    if ends_ms.is_none_or(|at_ms| at_ms > work.stamp.now_ms) {
        work.put_string_at(key, spot, &[value], ends_ms);
        return Ok(());
    }
    match spot.old {
        Some(old) => work.remove(key, old),
        None => Ok(()),
    }
}

/// A string with the end of its time to live.
type Found = (Option<i64>, Bytes);

fn string(source: &mut dyn Source, key: &[u8]) -> Done<Option<Found>> {
    match record_of(source, key, Kind::String)? {
        None => Ok(None),
        Some(Record {
            head,
            body: Body::String(value),
        }) => Ok(Some((head.ends.map(|ends| ends.at_ms), value))),
        Some(_) => Err(ODD_BODY),
    }
}

/// A value as an answer.
pub(super) fn answered(source: &mut dyn Source, value: Bytes) -> Done<StoreReply> {
    source.budget().take_bytes(value.len())?;
    Ok(StoreReply::Bytes(value))
}

pub(super) fn check_length(length: usize) -> Done<()> {
    match length <= VALUE_MAX_BYTES {
        true => Ok(()),
        false => Err(StoreError::ValueTooLong.into()),
    }
}

/// A moment for a time to live that is given with a value.
fn future(work: &Work<'_, '_>, deadline: Deadline) -> Done<i64> {
    let (Deadline::In(ms) | Deadline::At(ms)) = deadline;
    if ms <= 0 {
        return Err(StoreError::InvalidExpiry.into());
    }
    moment(work.stamp.now_ms, deadline)
}

/// A moment as a time.
pub(super) fn moment(now_ms: i64, deadline: Deadline) -> Done<i64> {
    match deadline {
        Deadline::At(ms) => Ok(ms),
        Deadline::In(ms) => Ok(now_ms.checked_add(ms).ok_or(StoreError::InvalidExpiry)?),
    }
}

/// A 64-bit integer as Redis reads one: decimal, no plus, no zeros or spaces before it.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    plain.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn integers_are_what_redis_takes_for_them() {
        for (text, number) in [("0", 0), ("-7", -7), ("9223372036854775807", i64::MAX)] {
            assert_eq!(integer(text.as_bytes()), Some(number));
        }
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            " 1",
            "1 ",
            "1.5",
            "9223372036854775808",
            "é",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
