//! The store.

use std::time::Duration;

use api::grpc::v1;
use api::grpc::v1::operation::Operation as Said;
use api::grpc::v1::operation_result::Result as Came;
use bytes::Bytes;
use domain::store::{
    Answer, Condition, Deadline, End, Entry, ExpireWhen, Expiry, Kind, NewId, Operation, Read,
    StoreReply, Trim, When, Write,
};

use super::time;
use crate::problem::Trouble;

/// What a condition asks for.
pub(in crate::grpc) fn condition(said: v1::Condition) -> Condition {
    Condition {
        key: said.key,
        version: said.version,
    }
}

/// How long a key lives.
pub(in crate::grpc) fn expiry(time: Option<prost_types::Duration>) -> Result<Expiry, Trouble> {
    let Some(time) = time else {
        return Ok(Expiry::None);
    };
    deadline(Some(time)).map(Expiry::Until)
}

fn deadline(time: Option<prost_types::Duration>) -> Result<Deadline, Trouble> {
    let time = time.and_then(|time| Duration::try_from(time).ok());
    let ms = time.and_then(|time| i64::try_from(time.as_millis()).ok());
    match ms {
        Some(ms @ 1..) => Ok(Deadline::In(ms)),
        _ => Err(Trouble::field(
            "time_to_live",
            "it must be a millisecond or more",
        )),
    }
}

/// What puts a string under a key.
pub(in crate::grpc) fn put(said: v1::PutRequest) -> Result<Operation, Trouble> {
    Ok(Operation::Write(Write::Set {
        expiry: expiry(said.time_to_live)?,
        key: said.key,
        value: said.value,
        when: When::Always,
        get: false,
    }))
}

/// What appends an entry.
pub(in crate::grpc) fn append(said: v1::AppendRequest) -> Operation {
    let keep = said.keep_newest;
    Operation::Write(Write::JournalAppend {
        key: said.journal,
        id: NewId::Auto,
        fields: said.fields.into_iter().map(pair_of).collect(),
        create: true,
        trim: (keep > 0).then_some(Trim::Newest(keep)),
    })
}

fn pair_of(pair: v1::Pair) -> (Bytes, Bytes) {
    (pair.name, pair.value)
}

fn end(end: v1::ListEnd) -> End {
    match end {
        v1::ListEnd::Unspecified | v1::ListEnd::Head => End::Head,
        v1::ListEnd::Tail => End::Tail,
    }
}

/// One step of a transaction.
pub(in crate::grpc) fn operation(said: v1::Operation) -> Result<Operation, Trouble> {
    let nothing = || Trouble::field("operations", "one of them says nothing");
    Ok(match said.operation.ok_or_else(nothing)? {
        Said::Put(said) if said.if_version.is_some() => {
            let reason = "the conditions of a transaction are those of all of it";
            return Err(Trouble::field("if_version", reason));
        }
        Said::Put(said) => put(said)?,
        Said::Append(said) => append(said),
        Said::Get(key) => Read::Get { key }.into(),
        Said::Version(key) => Read::Version { key }.into(),
        Said::HashAll(key) => Read::HashAll { key }.into(),
        Said::SetMembers(key) => Read::SetMembers { key }.into(),
        Said::Range(v1::Range { key, start, stop }) => Read::ListRange { key, start, stop }.into(),
        Said::HashGet(v1::Members { key, members }) => Read::HashGetMany {
            key,
            fields: members,
        }
        .into(),
        other => change(other)?.into(),
    })
}

fn change(said: Said) -> Result<Write, Trouble> {
    Ok(match said {
        Said::Delete(v1::Keys { keys }) => Write::Delete { keys },
        Said::Add(v1::Add { key, by }) => Write::Add { key, by },
        Said::Expire(said) => Write::Expire {
            deadline: deadline(said.time_to_live)?,
            key: said.key,
            when: ExpireWhen::Always,
        },
        Said::Push(said) => Write::ListPush {
            end: end(said.end()),
            key: said.key,
            values: said.values,
            only_existing: false,
        },
        Said::Pop(said) => Write::ListPop {
            end: end(said.end()),
            key: said.key,
            count: Some(said.count.max(1)),
        },
        Said::HashSet(v1::HashSet { key, pairs }) => Write::HashPut {
            key,
            pairs: pairs.into_iter().map(pair_of).collect(),
        },
        Said::HashDelete(v1::Members { key, members }) => Write::HashDelete {
            key,
            fields: members,
        },
        Said::SetAdd(v1::Members { key, members }) => Write::SetAdd { key, members },
        Said::SetRemove(v1::Members { key, members }) => Write::SetRemove { key, members },
        other => {
            let what = format_args!("an operation is no change: {other:?}");
            return Err(Trouble::internal(what));
        }
    })
}

/// What an operation came to.
pub(in crate::grpc) fn result(answer: Answer) -> v1::OperationResult {
    let number = |number: u64| Came::Number(i64::try_from(number).unwrap_or(i64::MAX));
    let values = |values: Vec<Option<Bytes>>| {
        let values = values.into_iter().map(|value| v1::MaybeValue { value });
        Came::Values(v1::Values {
            values: values.collect(),
        })
    };
    let came = match answer {
        Err(error) => Came::Error(error.to_string()),
        Ok(StoreReply::Done) => Came::Done(v1::Done {}),
        Ok(StoreReply::Nil) => Came::Nothing(v1::Nothing {}),
        Ok(StoreReply::Integer(integer)) => Came::Number(integer),
        Ok(StoreReply::Bytes(value)) => Came::Value(value),
        Ok(StoreReply::Values(found)) => values(found),
        Ok(StoreReply::Pairs(found)) => Came::Pairs(v1::Pairs {
            pairs: found.into_iter().map(pair).collect(),
        }),
        Ok(StoreReply::EntryId { index, .. }) => number(index),
        // No operation of a transaction answers these.
        Ok(other) => Came::Error(format!("{other:?}")),
    };
    v1::OperationResult { result: Some(came) }
}

fn pair((name, value): (Bytes, Bytes)) -> v1::Pair {
    v1::Pair { name, value }
}

/// What a key holds.
pub(in crate::grpc) fn kind(kind: Kind) -> v1::KeyKind {
    match kind {
        Kind::String => v1::KeyKind::String,
        Kind::List => v1::KeyKind::List,
        Kind::Hash => v1::KeyKind::Hash,
        Kind::Set => v1::KeyKind::Set,
        Kind::Journal => v1::KeyKind::Journal,
    }
}

/// What a key is to hold.
pub(in crate::grpc) fn kind_of(kind: v1::KeyKind) -> Option<Kind> {
    match kind {
        v1::KeyKind::Unspecified => None,
        v1::KeyKind::String => Some(Kind::String),
        v1::KeyKind::List => Some(Kind::List),
        v1::KeyKind::Hash => Some(Kind::Hash),
        v1::KeyKind::Set => Some(Kind::Set),
        v1::KeyKind::Journal => Some(Kind::Journal),
    }
}

/// An entry of a journal.
pub(in crate::grpc) fn entry(entry: Entry) -> v1::JournalEntry {
    v1::JournalEntry {
        index: entry.index,
        id: entry.id.to_string(),
        term: entry.term,
        at: time(entry.at_ms),
        author: entry.author.unwrap_or_default(),
        fields: entry.fields.into_iter().map(pair).collect(),
    }
}
