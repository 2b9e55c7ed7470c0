//! What an answer of the store looks like to a Redis client.

use bytes::Bytes;
use domain::store::{Answer, Entry, StoreError, StoreReply};

use crate::redis::resp::{Replies, Version};

/// How the answers to a request's operations are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As the answer is.
    Plain,
    /// `OK`, whatever it is.
    Ok,
    /// 1 if it was done, 0 if not.
    OneIfDone,
    /// 1 if there is something, 0 if not.
    OneIfThere,
    /// How long it is, 0 if it is missing.
    Length,
    /// The only flag of several.
    Flag,
    /// The only value of several, if there is one.
    First,
    /// The values of several operations that give one or none each.
    Drawn,
    /// Values of which each is there once.
    Set,
    /// The fields without their values.
    Fields,
    /// The values without their fields.
    FieldValues,
    /// No array where there is nothing.
    NullArray,
    /// The kind of a key, or `none`.
    KindOrNone,
    /// When a key ends.
    Time(Time),
    /// Where an item was taken, and the item.
    PoppedItem,
    /// Where items were taken, and the items.
    PoppedItems,
    /// For each of these journals, its entries; journals without are left out.
    Streams(Vec<Bytes>),
    /// This number, once it is done.
    Number(usize),
    /// A page of nothing; nothing was asked.
    EmptyPage,
    /// No array; nothing was asked.
    NoArray,
}

/// What is told of a key's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Until then (TTL).
    SecondsLeft,
    /// Until then (PTTL).
    MillisecondsLeft,
    /// Since 1970 (EXPIRETIME).
    Second,
    /// Since 1970 (PEXPIRETIME).
    Millisecond,
}

impl Shape {
    /// Writes the answers to the operations of a request, in their order.
    pub fn write(self, command: &str, answers: Vec<Answer>, replies: &mut Replies) {
        let mut good = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Ok(reply) => good.push(reply),
                Err(error) => return write_error(error, command, replies),
            }
        }
        match self {
            Shape::EmptyPage => page(0, &[], replies),
            Shape::NoArray => replies.null_array(),
            Shape::Streams(keys) => streams(&keys, &good, replies),
            Shape::Drawn => drawn(&good, replies),
            shape => match good.into_iter().next() {
                Some(reply) => shape.write_one(reply, replies),
                None => replies.error("ERR internal error: there is no answer"),
            },
        }
    }

    /// Writes the answer to the only operation of a request.
    pub fn write_answer(self, command: &str, answer: Answer, replies: &mut Replies) {
        match (self, answer) {
            (_, Err(error)) => write_error(error, command, replies),
            (Shape::Plain, Ok(reply)) => plain(reply, replies),
            (shape @ (Shape::Streams(_) | Shape::Drawn), answer) => {
                shape.write(command, vec![answer], replies);
            }
            (shape, Ok(reply)) => shape.write_one(reply, replies),
        }
    }

    fn write_one(self, reply: StoreReply, replies: &mut Replies) {
        match (self, reply) {
            (Shape::Ok, _) => replies.ok(),
            (Shape::Number(count), _) => replies.integer(length(count)),
            (Shape::OneIfDone | Shape::OneIfThere, StoreReply::Nil) => replies.integer(0),
            (Shape::OneIfDone | Shape::OneIfThere, _) => replies.integer(1),
            (Shape::Length, StoreReply::Bytes(bytes)) => replies.integer(length(bytes.len())),
            (Shape::Length, _) => replies.integer(0),
            (Shape::Flag, StoreReply::Flags(flags)) => {
                replies.integer(i64::from(flags.first() == Some(&true)));
            }
            (Shape::First, StoreReply::Values(values)) => {
                replies.bulk_or_null(values.first().and_then(Option::as_deref));
            }
            (Shape::Set, StoreReply::Values(members)) => {
                replies.set(members.len());
                items(&members, replies);
            }
            (Shape::Fields, StoreReply::Pairs(pairs)) => {
                replies.array(pairs.len());
                pairs.iter().for_each(|(field, _)| replies.bulk(field));
            }
            (Shape::FieldValues, StoreReply::Pairs(pairs)) => {
                replies.array(pairs.len());
                pairs.iter().for_each(|(_, value)| replies.bulk(value));
            }
            (Shape::NullArray | Shape::PoppedItem | Shape::PoppedItems, StoreReply::Nil) => {
                replies.null_array();
            }
            (Shape::KindOrNone, StoreReply::Nil) => replies.simple("none"),
            (Shape::Time(time), reply) => time.write(&reply, replies),
            (Shape::PoppedItem, StoreReply::Popped { key, items }) => {
                replies.array(2);
                replies.bulk(&key);
                replies.bulk_or_null(items.first().map(|item| &**item));
            }
            (_, reply) => plain(reply, replies),
        }
    }
}

/// Redis's line for what the store has refused.
pub(crate) fn write_error(error: StoreError, command: &str, replies: &mut Replies) {
    match error {
        StoreError::WrongType => replies.error(format!("WRONGTYPE {error}")),
        StoreError::Busy => replies.error(format!("BUSY {error}")),
        StoreError::InvalidExpiry => replies.error(format!("ERR {error} in '{command}' command")),
        StoreError::NothingGiven => {
            replies.error(format!("ERR {error} for '{command}' command"));
        }
        StoreError::NotAnInteger
        | StoreError::HashNotAnInteger
        | StoreError::Overflow
        | StoreError::NoSuchKey
        | StoreError::OutOfRange
        | StoreError::KeyTooLong
        | StoreError::ValueTooLong
        | StoreError::EntryIdTooSmall
        | StoreError::EntryIdZero
        | StoreError::EntryIdsExhausted
        | StoreError::TooLarge => replies.error(format!("ERR {error}")),
    }
}

fn plain(reply: StoreReply, replies: &mut Replies) {
    match reply {
        StoreReply::Done => replies.ok(),
        StoreReply::Nil => replies.null(),
        StoreReply::Integer(value) => replies.integer(value),
        StoreReply::Bytes(bytes) => replies.bulk(&bytes),
        StoreReply::Values(values) => {
            replies.array(values.len());
            items(&values, replies);
        }
        StoreReply::Flags(flags) => {
            replies.array(flags.len());
            let ones = flags.iter().map(|flag| i64::from(*flag));
            ones.for_each(|one| replies.integer(one));
        }
        StoreReply::Pairs(pairs) => {
            replies.map(pairs.len());
            each(&pairs, replies);
        }
        StoreReply::Page { cursor, items } => page(cursor, &items, replies),
        StoreReply::PairsPage { cursor, items } => {
            replies.array(2);
            replies.bulk(cursor.to_string().as_bytes());
            replies.array(items.len() * 2);
            each(&items, replies);
        }
        StoreReply::Kind(kind) => replies.simple(kind.name()),
        StoreReply::Expiry { .. } => Time::MillisecondsLeft.write(&reply, replies),
        StoreReply::Popped { key, items } => {
            replies.array(2);
            replies.bulk(&key);
            replies.array(items.len());
            items.iter().for_each(|item| replies.bulk(item));
        }
        StoreReply::EntryId { id, .. } => replies.bulk(id.to_string().as_bytes()),
        StoreReply::Entries(entries) => write_entries(&entries, replies),
        StoreReply::Journal(journal) => replies.integer(length(journal.length as usize)),
    }
}

impl Time {
    fn write(self, reply: &StoreReply, replies: &mut Replies) {
        let StoreReply::Expiry { at_ms, now_ms } = *reply else {
            return replies.integer(NO_KEY);
        };
        let Some(at_ms) = at_ms else {
            return replies.integer(NO_END);
        };
        let left_ms = at_ms.saturating_sub(now_ms).max(0);
        replies.integer(match self {
            // Redis rounds to the nearest second.
            Time::SecondsLeft => left_ms.saturating_add(500) / 1_000,
            Time::MillisecondsLeft => left_ms,
            Time::Second => at_ms.saturating_add(500) / 1_000,
            Time::Millisecond => at_ms,
        });
    }
}

/// What Redis answers about the end of a key that there is not.
const NO_KEY: i64 = -2;

/// What Redis answers about the end of a key that has none.
const NO_END: i64 = -1;

fn page(cursor: u64, items: &[Bytes], replies: &mut Replies) {
    replies.array(2);
    replies.bulk(cursor.to_string().as_bytes());
    replies.array(items.len());
    items.iter().for_each(|item| replies.bulk(item));
}

fn items(values: &[Option<Bytes>], replies: &mut Replies) {
    let values = values.iter().map(Option::as_deref);
    values.for_each(|value| replies.bulk_or_null(value));
}

fn each(pairs: &[(Bytes, Bytes)], replies: &mut Replies) {
    for (name, value) in pairs {
        replies.bulk(name);
        replies.bulk(value);
    }
}

fn drawn(answers: &[StoreReply], replies: &mut Replies) {
    let values = answers.iter().filter_map(|answer| match answer {
        StoreReply::Values(values) => values.first()?.as_ref(),
        _ => None,
    });
    let values: Vec<&Bytes> = values.collect();
    replies.array(values.len());
    values.into_iter().for_each(|value| replies.bulk(value));
}

/// Journals with their entries, or nothing if none has any.
fn streams(keys: &[Bytes], answers: &[StoreReply], replies: &mut Replies) {
    let found = keys.iter().zip(answers);
    let found = found.filter_map(|(key, answer)| match answer {
        StoreReply::Entries(entries) if !entries.is_empty() => Some((key, entries)),
        _ => None,
    });
    let found: Vec<(&Bytes, &Vec<Entry>)> = found.collect();
    if found.is_empty() {
        return replies.null_array();
    }
    match replies.version {
        Version::Two => replies.array(found.len()),
        Version::Three => replies.map(found.len()),
    }
    for (key, entries) in found {
        if replies.version == Version::Two {
            replies.array(2);
        }
        replies.bulk(key);
        write_entries(entries, replies);
    }
}

fn write_entries(entries: &[Entry], replies: &mut Replies) {
    replies.array(entries.len());
    for entry in entries {
        replies.array(2);
        replies.bulk(entry.id.to_string().as_bytes());
        replies.array(entry.fields.len() * 2);
        each(&entry.fields, replies);
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
