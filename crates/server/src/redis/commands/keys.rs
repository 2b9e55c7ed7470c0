//! Keys of any kind: whether they are there, how long they live, and looking for them.

use bytes::Bytes;
use domain::store::{Deadline, ExpireWhen, Kind, Read, SCAN_MAX, Write};

use super::Step;
use super::arguments::{Arguments, Parsed, Refusal};
use super::shape::{Shape, Time};
use super::strings::SECOND_MS;
use crate::redis::random;

pub(super) fn del(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::Delete { keys: words.rest() });
    Ok(Shape::Plain)
}

pub(super) fn exists(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Exists { keys: words.rest() });
    Ok(Shape::Plain)
}

pub(super) fn kind(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Kind {
        key: words.bytes()?,
    });
    Ok(Shape::KindOrNone)
}

pub(super) fn expire(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expire_at(words, step, Deadline::In, SECOND_MS)
}

pub(super) fn pexpire(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expire_at(words, step, Deadline::In, 1)
}

pub(super) fn expireat(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expire_at(words, step, Deadline::At, SECOND_MS)
}

pub(super) fn pexpireat(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expire_at(words, step, Deadline::At, 1)
}

fn expire_at(
    mut words: Arguments<'_>,
    step: &mut Step<'_>,
    make: fn(i64) -> Deadline,
    unit: i64,
) -> Parsed<Shape> {
    let key = words.bytes()?;
    let time = words.integer()?;
    let when = expire_when(&mut words)?;
    let ms = time.checked_mul(unit).ok_or(Refusal::InvalidExpiry)?;
    step.write(Write::Expire {
        key,
        deadline: make(ms),
        when,
    });
    Ok(Shape::Plain)
}

fn expire_when(words: &mut Arguments<'_>) -> Parsed<ExpireWhen> {
    let (mut none, mut some, mut later, mut earlier) = (false, false, false, false);
    while words.left() > 0 {
        if words.take("NX") {
            none = true;
        } else if words.take("XX") {
            some = true;
        } else if words.take("GT") {
            later = true;
        } else if words.take("LT") {
            earlier = true;
        } else {
            let option = String::from_utf8_lossy(words.word()?);
            return Err(Refusal::Because(
                format!("Unsupported option {option}").into(),
            ));
        }
    }
    if none && (some || later || earlier) {
        return Err(Refusal::because(
            "NX and XX, GT or LT options at the same time are not compatible",
        ));
    }
    match (later, earlier) {
        (true, true) => Err(Refusal::because(
            "GT and LT options at the same time are not compatible",
        )),
        (true, false) if some => Ok(ExpireWhen::SomeLater),
        (true, false) => Ok(ExpireWhen::Later),
        (false, true) if some => Ok(ExpireWhen::SomeEarlier),
        (false, true) => Ok(ExpireWhen::Earlier),
        (false, false) if some => Ok(ExpireWhen::Some),
        (false, false) if none => Ok(ExpireWhen::None),
        (false, false) => Ok(ExpireWhen::Always),
    }
}

pub(super) fn ttl(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expiry(words, step, Time::SecondsLeft)
}

pub(super) fn pttl(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expiry(words, step, Time::MillisecondsLeft)
}

pub(super) fn expiretime(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expiry(words, step, Time::Second)
}

pub(super) fn pexpiretime(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    expiry(words, step, Time::Millisecond)
}

fn expiry(mut words: Arguments<'_>, step: &mut Step<'_>, time: Time) -> Parsed<Shape> {
    step.read(Read::Expiry {
        key: words.bytes()?,
    });
    Ok(Shape::Time(time))
}

pub(super) fn persist(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::Persist {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn rename(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    rename_to(words, step, false)
}

pub(super) fn renamenx(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    rename_to(words, step, true)
}

fn rename_to(mut words: Arguments<'_>, step: &mut Step<'_>, only_new: bool) -> Parsed<Shape> {
    step.write(Write::Rename {
        from: words.bytes()?,
        to: words.bytes()?,
        only_new,
    });
    Ok(Shape::Plain)
}

pub(super) fn randomkey(_: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::RandomKey { at: random()? });
    Ok(Shape::Plain)
}

pub(super) fn dbsize(_: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::CountKeys);
    Ok(Shape::Plain)
}

pub(super) fn flush(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    // Either way the keys are gone at once, and what they held little by little.
    let _ = words.take("ASYNC") || words.take("SYNC");
    words.end()?;
    step.write(Write::Flush);
    Ok(Shape::Plain)
}

pub(super) fn keys(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Keys {
        pattern: words.pattern()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn scan(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let cursor = cursor(&mut words)?;
    let options = ScanOptions::read(words, true)?;
    let kind = match options.kind {
        None => None,
        Some(name) => match kind_named(name) {
            Some(kind) => Some(kind),
            // Nothing is of a kind that there is not.
            None => return Ok(Shape::EmptyPage),
        },
    };
    step.read(Read::Scan {
        cursor,
        count: options.count,
        pattern: options.pattern,
        kind,
    });
    Ok(Shape::Plain)
}

fn kind_named(name: &[u8]) -> Option<Kind> {
    let all = [
        Kind::String,
        Kind::List,
        Kind::Hash,
        Kind::Set,
        Kind::Journal,
    ];
    all.into_iter()
        .find(|kind| super::arguments::is(name, kind.name()))
}

/// A place in a scan.
pub(super) fn cursor(words: &mut Arguments<'_>) -> Parsed<u64> {
    let text = std::str::from_utf8(words.word()?).ok();
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(Refusal::because("invalid cursor"))
}

/// What a scan looks for, and in which steps.
pub(super) struct ScanOptions<'a> {
    pub pattern: Option<Bytes>,
    pub count: u32,
    kind: Option<&'a [u8]>,
}

/// Redis's own default.
const SCAN_COUNT: u32 = 10;

impl<'a> ScanOptions<'a> {
    /// The rest of the words; only keys are of several kinds.
    pub fn read(mut words: Arguments<'a>, of_keys: bool) -> Parsed<Self> {
        let mut options = ScanOptions {
            pattern: None,
            count: SCAN_COUNT,
            kind: None,
        };
        while words.left() > 0 {
            if words.take("MATCH") {
                options.pattern = Some(words.pattern()?);
            } else if words.take("COUNT") {
                let count = words.integer()?;
                if count < 1 {
                    return Err(Refusal::Syntax);
                }
                options.count = u32::try_from(count).map_or(SCAN_MAX, |count| count.min(SCAN_MAX));
            } else if of_keys && words.take("TYPE") {
                options.kind = Some(words.word()?);
            } else {
                return Err(Refusal::Syntax);
            }
        }
        Ok(options)
    }
}
