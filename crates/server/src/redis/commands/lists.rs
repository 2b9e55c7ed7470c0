//! Lists. Those commands that wait until there is something say here what they do when there is.

use bytes::Bytes;
use domain::store::{End, Read, Write};

use super::Step;
use super::arguments::{Arguments, Parsed, Refusal};
use super::shape::Shape;
use super::waiting::{Blocking, Wanted};
use crate::redis::resp::parse_integer;

pub(super) fn lpush(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    push(words, step, End::Head, false)
}

pub(super) fn rpush(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    push(words, step, End::Tail, false)
}

pub(super) fn lpushx(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    push(words, step, End::Head, true)
}

pub(super) fn rpushx(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    push(words, step, End::Tail, true)
}

fn push(
    mut words: Arguments<'_>,
    step: &mut Step<'_>,
    end: End,
    only_existing: bool,
) -> Parsed<Shape> {
    step.write(Write::ListPush {
        key: words.bytes()?,
        end,
        values: words.rest(),
        only_existing,
    });
    Ok(Shape::Plain)
}

pub(super) fn lpop(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    pop(words, step, End::Head)
}

pub(super) fn rpop(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    pop(words, step, End::Tail)
}

fn pop(mut words: Arguments<'_>, step: &mut Step<'_>, end: End) -> Parsed<Shape> {
    let key = words.bytes()?;
    let count = match words.left() {
        0 => None,
        // Whatever is no number is not a positive one to Redis either.
        1 => Some(words.count().map_err(|_| Refusal::NotPositive)?),
        _ => return Err(Refusal::Arity),
    };
    step.write(Write::ListPop { key, end, count });
    Ok(match count {
        Some(_) => Shape::NullArray,
        None => Shape::Plain,
    })
}

pub(super) fn llen(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::ListLength {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn lrange(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::ListRange {
        key: words.bytes()?,
        start: words.integer()?,
        stop: words.integer()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn lindex(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::ListIndex {
        key: words.bytes()?,
        index: words.integer()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn lset(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::ListSet {
        key: words.bytes()?,
        index: words.integer()?,
        value: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn lrem(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::ListRemove {
        key: words.bytes()?,
        count: words.integer()?,
        value: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn ltrim(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::ListTrim {
        key: words.bytes()?,
        start: words.integer()?,
        stop: words.integer()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn lmove(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let moved = Move::read(&mut words)?;
    step.write(moved.write());
    Ok(Shape::Plain)
}

pub(super) fn rpoplpush(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let moved = Move::rotated(&mut words)?;
    step.write(moved.write());
    Ok(Shape::Plain)
}

pub(super) fn lmpop(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let several = Several::read(&mut words)?;
    step.write(several.write());
    Ok(Shape::PoppedItems)
}

/// From one list to another.
struct Move {
    from: Bytes,
    to: Bytes,
    take: End,
    put: End,
}

impl Move {
    fn read(words: &mut Arguments<'_>) -> Parsed<Self> {
        Ok(Move {
            from: words.bytes()?,
            to: words.bytes()?,
            take: end(words)?,
            put: end(words)?,
        })
    }

    fn rotated(words: &mut Arguments<'_>) -> Parsed<Self> {
        Ok(Move {
            from: words.bytes()?,
            to: words.bytes()?,
            take: End::Tail,
            put: End::Head,
        })
    }

    fn write(self) -> Write {
        Write::ListMove {
            from: self.from,
            to: self.to,
            take: self.take,
            put: self.put,
        }
    }
}

fn end(words: &mut Arguments<'_>) -> Parsed<End> {
    if words.take("LEFT") {
        Ok(End::Head)
    } else if words.take("RIGHT") {
        Ok(End::Tail)
    } else {
        Err(Refusal::Syntax)
    }
}

/// Up to so many items from the first of several lists.
struct Several {
    keys: Vec<Bytes>,
    end: End,
    count: u64,
}

impl Several {
    fn read(words: &mut Arguments<'_>) -> Parsed<Self> {
        let positive = |words: &mut Arguments<'_>, refusal: &'static str| {
            let value = words.word().ok().and_then(parse_integer);
            let value = value.and_then(|value| u64::try_from(value).ok());
            value
                .filter(|value| *value > 0)
                .ok_or(Refusal::because(refusal))
        };
        let keys = positive(words, "numkeys should be greater than 0")?;
        let keys = words.several(usize::try_from(keys).unwrap_or(usize::MAX))?;
        let end = end(words)?;
        let count = match words.take("COUNT") {
            true => positive(words, "count should be greater than 0")?,
            false => 1,
        };
        words.end()?;
        Ok(Several { keys, end, count })
    }

    fn write(self) -> Write {
        Write::ListPopFirst {
            keys: self.keys,
            end: self.end,
            count: self.count,
        }
    }
}

pub(super) fn blpop(words: Arguments<'_>) -> Parsed<Blocking> {
    pop_first(words, End::Head)
}

pub(super) fn brpop(words: Arguments<'_>) -> Parsed<Blocking> {
    pop_first(words, End::Tail)
}

fn pop_first(mut words: Arguments<'_>, end: End) -> Parsed<Blocking> {
    let keys = words.several(words.left().saturating_sub(1))?;
    let timeout = words.timeout()?;
    Ok(Blocking {
        timeout,
        wanted: Wanted::Pop(Write::ListPopFirst {
            keys,
            end,
            count: 1,
        }),
        shape: Shape::PoppedItem,
    })
}

pub(super) fn blmove(mut words: Arguments<'_>) -> Parsed<Blocking> {
    let moved = Move::read(&mut words)?;
    move_when(&mut words, moved)
}

pub(super) fn brpoplpush(mut words: Arguments<'_>) -> Parsed<Blocking> {
    let moved = Move::rotated(&mut words)?;
    move_when(&mut words, moved)
}

fn move_when(words: &mut Arguments<'_>, moved: Move) -> Parsed<Blocking> {
    Ok(Blocking {
        timeout: words.timeout()?,
        wanted: Wanted::Pop(moved.write()),
        shape: Shape::NullArray,
    })
}

pub(super) fn blmpop(mut words: Arguments<'_>) -> Parsed<Blocking> {
    let timeout = words.timeout()?;
    let several = Several::read(&mut words)?;
    Ok(Blocking {
        timeout,
        wanted: Wanted::Pop(several.write()),
        shape: Shape::PoppedItems,
    })
}
