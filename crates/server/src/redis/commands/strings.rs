//! Strings and counters.

use domain::store::{Deadline, Expiry, Read, When, Write};

use super::Step;
use super::arguments::{Arguments, Parsed, Refusal};
use super::shape::Shape;

pub(super) fn get(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Get {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn mget(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::GetMany { keys: words.rest() });
    Ok(Shape::Plain)
}

pub(super) fn strlen(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Length {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn getrange(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::Part {
        key: words.bytes()?,
        start: words.integer()?,
        end: words.integer()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn set(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let (key, value) = (words.bytes()?, words.bytes()?);
    let (mut when, mut expiry, mut get) = (None, None, false);
    while words.left() > 0 {
        if words.take("GET") {
            get = true;
        } else if words.take("NX") {
            once(&mut when, When::New)?;
        } else if words.take("XX") {
            once(&mut when, When::Existing)?;
        } else if words.take("KEEPTTL") {
            once(&mut expiry, Expiry::Keep)?;
        } else {
            let until = deadline(&mut words)?.ok_or(Refusal::Syntax)?;
            once(&mut expiry, Expiry::Until(until))?;
        }
    }
    step.write(Write::Set {
        key,
        value,
        when: when.unwrap_or_default(),
        expiry: expiry.unwrap_or_default(),
        get,
    });
    Ok(Shape::Plain)
}

/// An option that may be given once, with none of those that it excludes.
fn once<T: PartialEq>(option: &mut Option<T>, value: T) -> Parsed<()> {
    match option.replace(value) {
        None => Ok(()),
        // Redis takes the same word twice where it has no number behind it.
        Some(before) if option.as_ref() == Some(&before) => Ok(()),
        Some(_) => Err(Refusal::Syntax),
    }
}

/// `EX`, `PX`, `EXAT` or `PXAT` with its number; `None` if another word comes next.
fn deadline(words: &mut Arguments<'_>) -> Parsed<Option<Deadline>> {
    let absolute: fn(i64) -> Deadline = Deadline::At;
    let (make, unit) = if words.take("EX") {
        (Deadline::In as fn(i64) -> Deadline, SECOND_MS)
    } else if words.take("PX") {
        (Deadline::In as fn(i64) -> Deadline, 1)
    } else if words.take("EXAT") {
        (absolute, SECOND_MS)
    } else if words.take("PXAT") {
        (absolute, 1)
    } else {
        return Ok(None);
    };
    Ok(Some(make(positive_ms(words, unit)?)))
}

/// A second, in milliseconds.
pub(super) const SECOND_MS: i64 = 1_000;

/// A time to live that is not over when it begins.
fn positive_ms(words: &mut Arguments<'_>, unit: i64) -> Parsed<i64> {
    let value = words.integer()?;
    match value.checked_mul(unit) {
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(Refusal::InvalidExpiry),
    }
}

pub(super) fn setnx(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::Set {
        key: words.bytes()?,
        value: words.bytes()?,
        when: When::New,
        expiry: Expiry::None,
        get: false,
    });
    Ok(Shape::OneIfDone)
}

pub(super) fn setex(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    set_for(words, step, SECOND_MS)
}

pub(super) fn psetex(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    set_for(words, step, 1)
}

fn set_for(mut words: Arguments<'_>, step: &mut Step<'_>, unit: i64) -> Parsed<Shape> {
    let key = words.bytes()?;
    let ms = positive_ms(&mut words, unit)?;
    step.write(Write::Set {
        key,
        value: words.bytes()?,
        when: When::Always,
        expiry: Expiry::Until(Deadline::In(ms)),
        get: false,
    });
    Ok(Shape::Plain)
}

pub(super) fn getset(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::Set {
        key: words.bytes()?,
        value: words.bytes()?,
        when: When::Always,
        expiry: Expiry::None,
        get: true,
    });
    Ok(Shape::Plain)
}

pub(super) fn getdel(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::GetDelete {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn getex(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    if words.left() == 0 {
        step.read(Read::Get { key });
        return Ok(Shape::Plain);
    }
    let expiry = match words.take("PERSIST") {
        true => Expiry::None,
        false => Expiry::Until(deadline(&mut words)?.ok_or(Refusal::Syntax)?),
    };
    words.end()?;
    step.write(Write::GetExpire { key, expiry });
    Ok(Shape::Plain)
}

pub(super) fn mset(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    set_many(words, step, false)
}

pub(super) fn msetnx(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    set_many(words, step, true)
}

fn set_many(mut words: Arguments<'_>, step: &mut Step<'_>, only_new: bool) -> Parsed<Shape> {
    let pairs = words.pairs()?;
    step.write(Write::SetMany { pairs, only_new });
    Ok(Shape::Plain)
}

pub(super) fn append(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::Append {
        key: words.bytes()?,
        value: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn setrange(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let out_of_range = |_| Refusal::because("offset is out of range");
    let offset = u64::try_from(words.integer()?).map_err(out_of_range)?;
    step.write(Write::Patch {
        key,
        offset,
        value: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn incr(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    add(words, step, |_| Ok(1))
}

pub(super) fn decr(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    add(words, step, |_| Ok(-1))
}

pub(super) fn incrby(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    add(words, step, |words| words.integer())
}

pub(super) fn decrby(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    add(words, step, |words| {
        let by = words.integer()?;
        by.checked_neg()
            .ok_or(Refusal::because("decrement would overflow"))
    })
}

fn add(
    mut words: Arguments<'_>,
    step: &mut Step<'_>,
    by: impl FnOnce(&mut Arguments<'_>) -> Parsed<i64>,
) -> Parsed<Shape> {
    let key = words.bytes()?;
    let by = by(&mut words)?;
    step.write(Write::Add { key, by });
    Ok(Shape::Plain)
}
