//! Journals, which Redis calls streams.

use std::time::Duration;

use bytes::Bytes;
use domain::store::{EntryId, NewId, Read, Trim, Write};

use super::Step;
use super::arguments::{Arguments, Parsed, Refusal};
use super::shape::Shape;
use super::waiting::{After, Blocking, Entries, Wanted};
use crate::redis::resp::parse_integer;

const INVALID_ID: Refusal =
    Refusal::because("Invalid stream ID specified as stream command argument");

pub(super) fn xadd(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let (mut create, mut trim) = (true, None);
    loop {
        if words.take("NOMKSTREAM") {
            create = false;
        } else if let Some(found) = trim_option(&mut words)? {
            if trim.replace(found).is_some() {
                return Err(Refusal::because(
                    "syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
        } else {
            break;
        }
    }
    let id = new_id(words.next().ok_or(Refusal::Arity)?)?;
    let fields = words.pairs()?;
    step.write(Write::JournalAppend {
        key,
        id,
        fields,
        create,
        trim,
    });
    Ok(Shape::Plain)
}

fn new_id(text: &[u8]) -> Parsed<NewId> {
    match text {
        b"*" => Ok(NewId::Auto),
        _ => match text.strip_suffix(b"-*") {
            Some(ms) => Ok(NewId::At(number(ms)?)),
            None => match id(text, 0)? {
                EntryId::MIN => Err(Refusal::because(
                    "The ID specified in XADD must be greater than 0-0",
                )),
                id => Ok(NewId::Exact(id)),
            },
        },
    }
}

/// `MAXLEN` or `MINID` with what follows; `None` if another word comes next.
///
/// With `~` Redis drops whole blocks only, and keeps more than asked. Here it is exact either way.
fn trim_option(words: &mut Arguments<'_>) -> Parsed<Option<Trim>> {
    let by_length = words.take("MAXLEN");
    if !by_length && !words.take("MINID") {
        return Ok(None);
    }
    let about = words.take("~");
    if !about {
        words.take("=");
    }
    let trim = match by_length {
        true => {
            let negative = |_| Refusal::because("The MAXLEN argument must be >= 0.");
            Trim::Newest(u64::try_from(words.integer()?).map_err(negative)?)
        }
        false => Trim::From(id(words.word()?, 0)?),
    };
    if words.take("LIMIT") {
        let negative = |_| Refusal::because("The LIMIT argument must be >= 0.");
        u64::try_from(words.integer()?).map_err(negative)?;
        if !about {
            return Err(Refusal::because(
                "syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
    }
    Ok(Some(trim))
}

pub(super) fn xtrim(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let trim = trim_option(&mut words)?.ok_or(Refusal::Syntax)?;
    words.end()?;
    step.write(Write::JournalTrim { key, trim });
    Ok(Shape::Plain)
}

pub(super) fn xdel(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let mut ids = Vec::with_capacity(words.left());
    while let Some(text) = words.next() {
        ids.push(id(text, 0)?);
    }
    step.write(Write::JournalDelete { key, ids });
    Ok(Shape::Plain)
}

pub(super) fn xlen(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::JournalLength {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn xrange(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let (from, to) = (words.word()?, words.word()?);
    range(words, step, key, (from, to), false)
}

pub(super) fn xrevrange(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let (to, from) = (words.word()?, words.word()?);
    range(words, step, key, (from, to), true)
}

fn range(
    mut words: Arguments<'_>,
    step: &mut Step<'_>,
    key: Bytes,
    (from, to): (&[u8], &[u8]),
    reverse: bool,
) -> Parsed<Shape> {
    let (from, to) = (first(from)?, last(to)?);
    let mut limit = u64::MAX;
    while words.left() > 0 {
        if !words.take("COUNT") {
            return Err(Refusal::Syntax);
        }
        limit = u64::try_from(words.integer()?).unwrap_or(0);
    }
    if limit == 0 {
        return Ok(Shape::NoArray);
    }
    step.read(Read::JournalRange {
        key,
        from,
        to,
        reverse,
        limit,
    });
    Ok(Shape::Plain)
}

/// The smaller end of a range.
fn first(text: &[u8]) -> Parsed<EntryId> {
    match text.strip_prefix(b"(") {
        Some(excluded) => id(excluded, 0)?
            .next()
            .ok_or(Refusal::because("invalid start ID for the interval")),
        None => end(text, 0),
    }
}

/// The larger end of a range.
fn last(text: &[u8]) -> Parsed<EntryId> {
    match text.strip_prefix(b"(") {
        Some(excluded) => id(excluded, u64::MAX)?
            .previous()
            .ok_or(Refusal::because("invalid end ID for the interval")),
        None => end(text, u64::MAX),
    }
}

fn end(text: &[u8], seq: u64) -> Parsed<EntryId> {
    match text {
        b"-" => Ok(EntryId::MIN),
        b"+" => Ok(EntryId::MAX),
        _ => id(text, seq),
    }
}

/// An id, whose second number may be left out.
fn id(text: &[u8], seq: u64) -> Parsed<EntryId> {
    let mut parts = text.splitn(2, |byte| *byte == b'-');
    let ms = number(parts.next().unwrap_or_default())?;
    let seq = parts.next().map_or(Ok(seq), number)?;
    Ok(EntryId { ms, seq })
}

fn number(text: &[u8]) -> Parsed<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(INVALID_ID)
}

/// XREAD, which waits only if it says so.
pub(super) fn xread(mut words: Arguments<'_>) -> Parsed<XRead> {
    let (mut limit, mut block) = (u64::MAX, None);
    loop {
        if words.take("COUNT") {
            // None at all means all of them, as in Redis.
            limit = match u64::try_from(words.integer()?) {
                Ok(0) | Err(_) => u64::MAX,
                Ok(limit) => limit,
            };
        } else if words.take("BLOCK") {
            block = Some(milliseconds(&mut words)?);
        } else if words.take("STREAMS") {
            break;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let entries = Entries {
        streams: streams(words)?,
        limit,
    };
    Ok(match block {
        None => XRead::Now(entries),
        Some(timeout) => XRead::Wait(Blocking {
            timeout,
            shape: Shape::Streams(entries.keys()),
            wanted: Wanted::Entries(entries),
        }),
    })
}

/// An XREAD that waits, or one that does not.
pub(super) enum XRead {
    /// It answers what there is.
    Now(Entries),
    /// It waits until there is something.
    Wait(Blocking),
}

/// Reads the entries that are there.
pub(super) fn entries(entries: &Entries, step: &mut Step<'_>) -> Shape {
    let (reads, keys) = entries.reads();
    reads.into_iter().for_each(|read| step.read(read));
    Shape::Streams(keys)
}

/// A time to wait, in whole milliseconds; `None` is without end.
pub(crate) fn milliseconds(words: &mut Arguments<'_>) -> Parsed<Option<Duration>> {
    let not_an_integer = Refusal::because("timeout is not an integer or out of range");
    let ms = parse_integer(words.word()?).ok_or(not_an_integer)?;
    let ms = u64::try_from(ms).map_err(|_| Refusal::because("timeout is negative"))?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

fn streams(mut words: Arguments<'_>) -> Parsed<Vec<(Bytes, After)>> {
    if words.left() == 0 || !words.left().is_multiple_of(2) {
        return Err(Refusal::because(
            "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    let keys = words.several(words.left() / 2)?;
    let after = |text: &[u8]| match text {
        b"$" => Ok(After::Newest),
        b">" => Err(Refusal::because(
            "The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        text => id(text, 0).map(After::Id),
    };
    keys.into_iter()
        .map(|key| Ok((key, after(words.word()?)?)))
        .collect()
}
