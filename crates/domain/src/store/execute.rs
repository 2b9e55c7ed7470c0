//! Applies a command's operations.

use super::access::{Budget, Done, Halt, Source};
use super::groups::Scanning;
use super::operation::{Condition, Operation, Read, Write};
use super::record::Kind;
use super::reply::{Answer, Executed, StoreReply};
use super::table::{Spent, Table};
use super::work::{Place, Work};
use super::{
    ANSWERS_MAX_BYTES, CONDITIONS_MAX, ENTRY_ANSWERS_MAX_BYTES, ENTRY_ROWS_MAX, OPERATION_ROWS_MAX,
    OPERATIONS_MAX, STORED_ANSWERS_MAX_BYTES, groups, journals, keys, lists, strings,
};
use crate::command::Reply;
use crate::context::{Caller, Context, Step, Stop, invalid};
use crate::sql::Fault;

/// Applies operations, unless a condition does not hold.
pub(crate) fn execute(
    context: &mut Context<'_>,
    conditions: &[Condition],
    operations: &[Operation],
) -> Step<Reply> {
    check_counts(conditions, operations)?;
    let memory = context.memory.clone();
    let mut table = memory.change();
    let executed = with_work(context, &mut table, |work| {
        run(work, conditions, operations)
    });
    match executed {
        Ok(executed) => Ok(Reply::Store(executed)),
        // The condition of a key that is too long can be answered no better.
        Err(Halt::Error(error)) => Err(invalid("key", &error.to_string())),
        Err(halt) => {
            table.clear();
            Err(Stop::Broken(broken(halt)))
        }
    }
}

fn check_counts(conditions: &[Condition], operations: &[Operation]) -> Step<()> {
    if operations.len() > OPERATIONS_MAX {
        return Err(invalid(
            "operations",
            "a command has at most 4096 operations",
        ));
    }
    if conditions.len() > CONDITIONS_MAX {
        return Err(invalid(
            "conditions",
            "a command has at most 1024 conditions",
        ));
    }
    Ok(())
}

/// Does something with the rows as a part of a command.
pub(super) fn with_work<T>(
    context: &mut Context<'_>,
    table: &mut Table,
    work: impl FnOnce(&mut Work<'_, '_>) -> Done<T>,
) -> Done<T> {
    let index = context.place.position.index;
    let spent = match table.spent {
        spent if spent.index == index => spent,
        _ => Spent {
            index,
            ..Spent::default()
        },
    };
    let bytes = match context.place.keeps_reply {
        true => STORED_ANSWERS_MAX_BYTES,
        false => ANSWERS_MAX_BYTES,
    };
    let budget = Budget {
        rows: OPERATION_ROWS_MAX,
        bytes,
        shared_rows: ENTRY_ROWS_MAX.saturating_sub(spent.rows),
        shared_bytes: ENTRY_ANSWERS_MAX_BYTES.saturating_sub(spent.bytes),
        elsewhere: false,
        decided: false,
    };
    let mut at_work = Work {
        table,
        sql: &mut context.sql,
        counters: &mut context.counters.store,
        budget,
        stamp: Place {
            now_ms: context.now_ms,
            version: super::version_at(context.place.position)?,
            term: context.place.term,
            author: match &context.caller {
                Caller::Member(member) => Some(member.name.clone()),
                Caller::Anonymous | Caller::System => None,
            },
            entropy: context.place.entropy,
            operation: 0,
        },
        watched: context.memory.is_watched(),
        written: 0,
    };
    let done = work(&mut at_work);
    let (budget, written) = (at_work.budget, at_work.written);
    context.written += written;
    table.spent = Spent {
        index,
        rows: ENTRY_ROWS_MAX.saturating_sub(budget.shared_rows),
        bytes: ENTRY_ANSWERS_MAX_BYTES.saturating_sub(budget.shared_bytes),
    };
    table.now_ms = context.now_ms;
    table.counters = context.counters.store;
    done
}

fn run(
    work: &mut Work<'_, '_>,
    conditions: &[Condition],
    operations: &[Operation],
) -> Done<Executed> {
    work.budget.rows += conditions.len();
    for (number, condition) in (0..).zip(conditions) {
        let version = keys::version(work, &condition.key)?;
        if version != condition.version {
            return Ok(Executed::Moved {
                condition: number,
                version,
            });
        }
    }
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        results.push(one(work, operation)?);
    }
    Ok(Executed::Done {
        version: work.stamp.version,
        results,
    })
}

/// Runs an operation, and holds it to "decide first, then write".
fn one(work: &mut Work<'_, '_>, operation: &Operation) -> Done<Answer> {
    let before = work.written;
    work.stamp.operation += 1;
    work.budget.rows = OPERATION_ROWS_MAX;
    work.budget.decided = false;
    let done = match operation {
        Operation::Read(operation) => read(work, operation),
        Operation::Write(operation) => write(work, operation),
    };
    match done {
        Ok(reply) => {
            work.budget.decided = true;
            work.budget.take_bytes(0)?;
            Ok(Ok(reply))
        }
        Err(Halt::Error(_)) if work.written != before => {
            Err(Fault::Corrupt("an operation failed after it had written").into())
        }
        Err(Halt::Error(error)) => Ok(Err(error)),
        Err(halt) => Err(halt),
    }
}

pub(super) fn broken(halt: Halt) -> Fault {
    match halt {
        Halt::Broken(fault) => fault,
        Halt::Error(_) | Halt::Elsewhere => {
            Fault::Corrupt("an operation stopped where it must not")
        }
    }
}

/// Answers a read.
pub(super) fn read(source: &mut dyn Source, operation: &Read) -> Done<StoreReply> {
    match operation {
        Read::Get { key } => strings::get(source, key),
        Read::GetMany { keys } => strings::get_many(source, keys),
        Read::Length { key } => strings::length(source, key),
        Read::Part { key, start, end } => strings::part(source, key, *start, *end),
        Read::Exists { keys } => keys::exists(source, keys),
        Read::Kind { key } => keys::kind(source, key),
        Read::Expiry { key } => keys::expiry(source, key),
        Read::Version { key } => keys::version(source, key).map(StoreReply::Integer),
        Read::CountKeys => Ok(keys::count(source)),
        Read::Scan {
            cursor,
            count,
            pattern,
            kind,
        } => keys::scan(source, *cursor, *count, pattern.as_deref(), *kind),
        Read::Keys { pattern } => keys::matching(source, pattern),
        Read::RandomKey { at } => keys::random(source, *at),
        Read::ListLength { key } => lists::length(source, key),
        Read::ListRange { key, start, stop } => lists::range(source, key, *start, *stop),
        Read::ListIndex { key, index } => lists::index(source, key, *index),
        _ => read_more(source, operation),
    }
}

fn read_more(source: &mut dyn Source, operation: &Read) -> Done<StoreReply> {
    match operation {
        Read::HashGet { key, field } => groups::get(source, key, field),
        Read::HashGetMany { key, fields } => groups::get_many(source, key, fields),
        Read::HashAll { key } => groups::pairs(source, key),
        Read::HashLength { key } => groups::length(source, key, Kind::Hash),
        Read::HashScan {
            key,
            cursor,
            count,
            pattern,
        } => scan(source, key, Kind::Hash, *cursor, *count, pattern.as_deref()),
        Read::SetMembers { key } => groups::members(source, key),
        Read::SetHas { key, members } => groups::has(source, key, members),
        Read::SetLength { key } => groups::length(source, key, Kind::Set),
        Read::SetScan {
            key,
            cursor,
            count,
            pattern,
        } => scan(source, key, Kind::Set, *cursor, *count, pattern.as_deref()),
        Read::SetRandom { key, at, count } => groups::random(source, key, *at, *count),
        _ => read_journal(source, operation),
    }
}

fn scan(
    source: &mut dyn Source,
    key: &[u8],
    kind: Kind,
    cursor: u64,
    count: u32,
    pattern: Option<&[u8]>,
) -> Done<StoreReply> {
    let scanning = Scanning {
        cursor,
        count,
        pattern,
    };
    groups::scan(source, key, kind, &scanning)
}

fn read_journal(source: &mut dyn Source, operation: &Read) -> Done<StoreReply> {
    match operation {
        Read::JournalLength { key } => journals::length(source, key),
        Read::JournalRange {
            key,
            from,
            to,
            reverse,
            limit,
        } => {
            let wanted = journals::Wanted {
                from: *from,
                to: *to,
                reverse: *reverse,
                limit: *limit,
            };
            journals::range(source, key, &wanted)
        }
        Read::JournalFrom { key, index, limit } => {
            journals::from_index(source, key, *index, *limit)
        }
        Read::JournalInfo { key } => journals::info(source, key),
        _ => Err(NOBODYS),
    }
}

fn write(work: &mut Work<'_, '_>, operation: &Write) -> Done<StoreReply> {
    match operation {
        Write::Set {
            key,
            value,
            when,
            expiry,
            get,
        } => {
            let setting = strings::Setting {
                when: *when,
                expiry: *expiry,
                get: *get,
            };
            strings::set(work, key, value, &setting)
        }
        Write::SetMany { pairs, only_new } => strings::set_many(work, pairs, *only_new),
        Write::Append { key, value } => strings::append(work, key, value),
        Write::Patch { key, offset, value } => strings::patch(work, key, *offset, value),
        Write::Add { key, by } => strings::add(work, key, *by),
        Write::GetDelete { key } => strings::get_delete(work, key),
        Write::GetExpire { key, expiry } => strings::get_expire(work, key, *expiry),
        Write::Delete { keys } => keys::delete(work, keys),
        Write::Expire {
            key,
            deadline,
            when,
        } => keys::expire(work, key, *deadline, *when),
        Write::Persist { key } => keys::persist(work, key),
        Write::Rename { from, to, only_new } => keys::rename(work, from, to, *only_new),
        Write::Flush => Ok(keys::flush(work)),
        Write::Publish { channel, message } => {
            if work.watched {
                work.table.touched.message(channel, message);
            }
            Ok(StoreReply::Done)
        }
        _ => write_list(work, operation),
    }
}

fn write_list(work: &mut Work<'_, '_>, operation: &Write) -> Done<StoreReply> {
    match operation {
        Write::ListPush {
            key,
            end,
            values,
            only_existing,
        } => lists::push(work, key, *end, values, *only_existing),
        Write::ListPop { key, end, count } => lists::pop(work, key, *end, *count),
        Write::ListPopFirst { keys, end, count } => lists::pop_first(work, keys, *end, *count),
        Write::ListSet { key, index, value } => lists::set(work, key, *index, value),
        Write::ListRemove { key, count, value } => lists::remove(work, key, *count, value),
        Write::ListTrim { key, start, stop } => lists::trim(work, key, *start, *stop),
        Write::ListMove {
            from,
            to,
            take,
            put,
        } => lists::move_item(work, from, to, *take, *put),
        _ => write_group(work, operation),
    }
}

fn write_group(work: &mut Work<'_, '_>, operation: &Write) -> Done<StoreReply> {
    match operation {
        Write::HashPut { key, pairs } => groups::hash_set(work, key, pairs),
        Write::HashPutNew { key, field, value } => groups::hash_set_new(work, key, field, value),
        Write::HashDelete { key, fields } => groups::remove(work, key, Kind::Hash, fields),
        Write::HashAdd { key, field, by } => groups::hash_add(work, key, field, *by),
        Write::SetAdd { key, members } => groups::set_add(work, key, members),
        Write::SetRemove { key, members } => groups::remove(work, key, Kind::Set, members),
        Write::SetPop { key, count } => groups::set_pop(work, key, *count),
        Write::SetMove { from, to, member } => groups::set_move(work, from, to, member),
        Write::JournalAppend {
            key,
            id,
            fields,
            create,
            trim,
        } => {
            let new = journals::New {
                id: *id,
                fields,
                create: *create,
                trim: *trim,
            };
            journals::append(work, key, &new)
        }
        Write::JournalTrim { key, trim } => journals::trim(work, key, *trim),
        Write::JournalDelete { key, ids } => journals::delete(work, key, ids),
        _ => Err(NOBODYS),
    }
}

/// The match before this one has left out an operation.
const NOBODYS: Halt = Halt::Broken(Fault::Corrupt("an operation that nobody carries out"));
