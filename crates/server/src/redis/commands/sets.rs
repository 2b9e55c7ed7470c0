//! Sets.

use domain::store::{Read, Write};

use super::Step;
use super::arguments::{Arguments, Parsed, Refusal};
use super::keys::{ScanOptions, cursor};
use super::shape::Shape;
use crate::redis::random;

/// Members that a SRANDMEMBER with repetitions may draw: each is an operation of its own.
const DRAWN_MAX: u64 = 1_000;

pub(super) fn sadd(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::SetAdd {
        key: words.bytes()?,
        members: words.rest(),
    });
    Ok(Shape::Plain)
}

pub(super) fn srem(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::SetRemove {
        key: words.bytes()?,
        members: words.rest(),
    });
    Ok(Shape::Plain)
}

pub(super) fn smembers(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::SetMembers {
        key: words.bytes()?,
    });
    Ok(Shape::Set)
}

pub(super) fn sismember(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    smismember(words, step)?;
    Ok(Shape::Flag)
}

pub(super) fn smismember(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::SetHas {
        key: words.bytes()?,
        members: words.rest(),
    });
    Ok(Shape::Plain)
}

pub(super) fn scard(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::SetLength {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn spop(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let count = match words.left() {
        0 => None,
        // Whatever is wrong with it, Redis says so.
        _ => Some(words.count().map_err(|_| Refusal::NotPositive)?),
    };
    words.end()?;
    step.write(Write::SetPop { key, count });
    Ok(match count {
        Some(_) => Shape::Set,
        None => Shape::Plain,
    })
}

pub(super) fn srandmember(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    if words.left() == 0 {
        let at = random()?;
        step.read(Read::SetRandom { key, at, count: 1 });
        return Ok(Shape::First);
    }
    let count = words.integer()?;
    words.end()?;
    if let Ok(count) = u64::try_from(count) {
        let at = random()?;
        step.read(Read::SetRandom { key, at, count });
        return Ok(Shape::Plain);
    }
    if count == i64::MIN {
        return Err(Refusal::because(
            "value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ));
    }
    // A negative count draws that many times, each from all members.
    if count.unsigned_abs() > DRAWN_MAX {
        return Err(Refusal::because("value is out of range"));
    }
    for _ in 0..count.unsigned_abs() {
        let (key, at) = (key.clone(), random()?);
        step.read(Read::SetRandom { key, at, count: 1 });
    }
    Ok(Shape::Drawn)
}

pub(super) fn smove(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::SetMove {
        from: words.bytes()?,
        to: words.bytes()?,
        member: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn sscan(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let cursor = cursor(&mut words)?;
    let ScanOptions { pattern, count, .. } = ScanOptions::read(words, false)?;
    step.read(Read::SetScan {
        key,
        cursor,
        count,
        pattern,
    });
    Ok(Shape::Plain)
}
