//! Hashes.

use domain::store::{Read, Write};

use super::Step;
use super::arguments::{Arguments, Parsed};
use super::keys::{ScanOptions, cursor};
use super::shape::Shape;

pub(super) fn hset(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::HashPut {
        key: words.bytes()?,
        pairs: words.pairs()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hmset(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    hset(words, step)?;
    Ok(Shape::Ok)
}

pub(super) fn hsetnx(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::HashPutNew {
        key: words.bytes()?,
        field: words.bytes()?,
        value: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hget(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::HashGet {
        key: words.bytes()?,
        field: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hexists(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    hget(words, step)?;
    Ok(Shape::OneIfThere)
}

pub(super) fn hstrlen(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    hget(words, step)?;
    Ok(Shape::Length)
}

pub(super) fn hmget(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::HashGetMany {
        key: words.bytes()?,
        fields: words.rest(),
    });
    Ok(Shape::Plain)
}

pub(super) fn hgetall(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::HashAll {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hkeys(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    hgetall(words, step)?;
    Ok(Shape::Fields)
}

pub(super) fn hvals(words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    hgetall(words, step)?;
    Ok(Shape::FieldValues)
}

pub(super) fn hdel(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::HashDelete {
        key: words.bytes()?,
        fields: words.rest(),
    });
    Ok(Shape::Plain)
}

pub(super) fn hlen(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.read(Read::HashLength {
        key: words.bytes()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hincrby(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    step.write(Write::HashAdd {
        key: words.bytes()?,
        field: words.bytes()?,
        by: words.integer()?,
    });
    Ok(Shape::Plain)
}

pub(super) fn hscan(mut words: Arguments<'_>, step: &mut Step<'_>) -> Parsed<Shape> {
    let key = words.bytes()?;
    let cursor = cursor(&mut words)?;
    let ScanOptions { pattern, count, .. } = ScanOptions::read(words, false)?;
    step.read(Read::HashScan {
        key,
        cursor,
        count,
        pattern,
    });
    Ok(Shape::Plain)
}
