//! How operations reach the rows: through a [`Source`], which is a command at work, a reader of
//! what is in memory, or a query against the database. What answers a question is the same code for
//! all.

use std::borrow::Cow;
use std::iter::Peekable;

use super::record::{Body, Head, Kind, Record};
use super::reply::StoreError;
use super::rows::{self, Range};
use super::table::{Change, Known, Table};
use super::{Counters, KEY_MAX_BYTES};
use crate::sql::{Fault, Sql};

/// Why an operation stopped early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The answer is no.
    Error(StoreError),
    /// It cannot be answered from here, only by the database.
    Elsewhere,
    /// The node must stop.
    Broken(Fault),
}

/// What an operation, or a step of one, comes to.
pub(crate) type Done<T> = Result<T, Halt>;

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Halt::Error(error)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Broken(fault)
    }
}

/// A row: its name and its value.
pub(crate) type Pair = (Box<[u8]>, Box<[u8]>);

/// Where rows come from.
pub(crate) trait Source {
    /// The time that decides what has expired, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// The store's counters.
    fn counters(&self) -> Counters;

    /// What the operation may still use up.
    fn budget(&mut self) -> &mut Budget;

    /// A row's value.
    fn row(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>>;

    /// The first rows of a range, or the last ones in reverse order.
    fn rows(&mut self, range: &Range, limit: usize, reverse: bool) -> Done<Vec<Pair>>;
}

/// What an operation may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Rows that this operation may read and write.
    pub rows: usize,
    /// Bytes that the command or query may still answer.
    pub bytes: usize,
    /// Rows of the log entry.
    pub shared_rows: usize,
    /// Bytes that all commands of the log entry may still answer.
    pub shared_bytes: usize,
    /// Past the bounds somebody else can do it.
    pub elsewhere: bool,
    /// The operation has begun to write, and so must come to its end.
    pub decided: bool,
}

impl Budget {
    /// A query's, with bounds of its own.
    pub fn of_query(rows: usize, bytes: usize, elsewhere: bool) -> Self {
        Budget {
            rows,
            bytes,
            shared_rows: usize::MAX,
            shared_bytes: usize::MAX,
            elsewhere,
            decided: false,
        }
    }

    /// Takes rows, or says that it is too much.
    pub fn take_rows(&mut self, count: usize) -> Done<()> {
        let own = self.without(self.rows, count);
        let shared = self.without(self.shared_rows, count);
        (self.rows, self.shared_rows) = self.left(own, shared)?;
        Ok(())
    }

    /// Takes bytes of the answer, or says that it is too much.
    pub fn take_bytes(&mut self, count: usize) -> Done<()> {
        let count = count + ANSWER_OVERHEAD_BYTES;
        let own = self.without(self.bytes, count);
        let shared = self.without(self.shared_bytes, count);
        (self.bytes, self.shared_bytes) = self.left(own, shared)?;
        Ok(())
    }

    fn without(&self, left: usize, count: usize) -> Option<usize> {
        match self.decided {
            true => Some(left.saturating_sub(count)),
            false => left.checked_sub(count),
        }
    }

    fn left(&self, own: Option<usize>, shared: Option<usize>) -> Done<(usize, usize)> {
        match (own, shared) {
            (Some(own), Some(shared)) => Ok((own, shared)),
            _ if self.elsewhere => Err(Halt::Elsewhere),
            (None, _) => Err(StoreError::TooLarge.into()),
            (_, None) => Err(StoreError::Busy.into()),
        }
    }
}

/// What an item of an answer takes beyond its bytes.
const ANSWER_OVERHEAD_BYTES: usize = 16;

/// A reader of what is in memory, with or without a database for the rest.
pub(crate) struct Looker<'a> {
    /// The rows in memory, which nobody changes meanwhile; `None` if everything is committed.
    pub table: Option<&'a Table>,
    /// The database, as of the last commit or later.
    pub sql: Option<&'a mut dyn Sql>,
    pub now_ms: i64,
    pub counters: Counters,
    pub budget: Budget,
    /// Rows that came from the database.
    pub fetched: Vec<Pair>,
}

impl Source for Looker<'_> {
    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn row(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>> {
        self.budget.take_rows(1)?;
        if let Some(table) = self.table {
            match table.get(name) {
                Known::Row(value) => return Ok(Some(Cow::Borrowed(value))),
                Known::Missing => return Ok(None),
                Known::Unknown => {}
            }
        }
        let sql = self.sql.as_mut().ok_or(Halt::Elsewhere)?;
        let value = fetch(*sql, name)?;
        if let Some(value) = &value
            && self.table.is_some()
        {
            self.fetched.push((name.into(), value.as_slice().into()));
        }
        Ok(value.map(Cow::Owned))
    }

    fn rows(&mut self, range: &Range, limit: usize, reverse: bool) -> Done<Vec<Pair>> {
        let sql = self.sql.as_mut().ok_or(Halt::Elsewhere)?;
        let limit = limit.min(self.budget.rows.saturating_add(1));
        let found = merged(self.table, *sql, range, limit, reverse)?;
        self.budget.take_rows(found.len())?;
        Ok(found)
    }
}

/// A row's value in the database.
pub(crate) fn fetch(sql: &mut dyn Sql, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let rows = sql.query("SELECT value FROM store WHERE name = ?1", &[name.into()])?;
    rows.first()
        .map(|row| Ok(row.blob(0)?.to_vec()))
        .transpose()
}

/// Rows of the database with what is newer in memory.
pub(crate) fn merged(
    table: Option<&Table>,
    sql: &mut dyn Sql,
    range: &Range,
    limit: usize,
    reverse: bool,
) -> Result<Vec<Pair>, Fault> {
    let mut merged = Vec::new();
    let (mut from, mut to) = range.clone();
    while merged.len() < limit && from < to {
        let wanted = (limit - merged.len()).min(FETCH_MAX_ROWS);
        let stored = stretch(sql, &(from.clone(), to.clone()), wanted, reverse)?;
        // What is in memory is merged only as far as the database has been read.
        let end = match stored.last() {
            Some((last, _)) if stored.len() == wanted => Some(last.clone()),
            _ => None,
        };
        let part = match (&end, reverse) {
            (None, _) => (from.clone(), to.clone()),
            (Some(last), false) => (from.clone(), just_after(last)),
            (Some(last), true) => (last.to_vec(), to.clone()),
        };
        let newer = table.map(|table| newer(table, &part, reverse));
        merge(&mut merged, limit, stored, newer);
        match (end, reverse) {
            (None, _) => break,
            (Some(_), false) => from = part.1,
            (Some(_), true) => to = part.0,
        }
    }
    Ok(merged)
}

/// Rows that are read from the database at a time.
const FETCH_MAX_ROWS: usize = 1_000;

fn stretch(
    sql: &mut dyn Sql,
    (from, to): &Range,
    limit: usize,
    reverse: bool,
) -> Result<Vec<Pair>, Fault> {
    let statement = match reverse {
        false => {
            "SELECT name, value FROM store WHERE name >= ?1 AND name < ?2
             ORDER BY name LIMIT ?3"
        }
        true => {
            "SELECT name, value FROM store WHERE name >= ?1 AND name < ?2
             ORDER BY name DESC LIMIT ?3"
        }
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sql.query(statement, &[from.into(), to.into(), limit.into()])?;
    rows.iter()
        .map(|row| Ok((row.blob(0)?.into(), row.blob(1)?.into())))
        .collect()
}

/// The changed rows of a range, in the order wanted.
struct Newer<'t> {
    changes: Peekable<Box<dyn Iterator<Item = Change<'t>> + 't>>,
    reverse: bool,
}

fn newer<'t>(table: &'t Table, range: &Range, reverse: bool) -> Newer<'t> {
    let changes = table.changed_in(range);
    let changes: Box<dyn Iterator<Item = Change<'t>> + 't> = match reverse {
        false => changes,
        true => Box::new(changes.rev()),
    };
    Newer {
        changes: changes.peekable(),
        reverse,
    }
}

impl<'t> Newer<'t> {
    /// The next change that comes before a row.
    fn before(&mut self, name: &[u8]) -> Option<Change<'t>> {
        let reverse = self.reverse;
        let comes_first = |new: &[u8]| if reverse { new > name } else { new < name };
        self.changes.next_if(|(new, _)| comes_first(new))
    }

    /// The change of a row.
    fn of(&mut self, name: &[u8]) -> Option<Change<'t>> {
        self.changes.next_if(|(new, _)| *new == name)
    }
}

/// Adds stored rows with what is newer, until there are as many as wanted.
fn merge(merged: &mut Vec<Pair>, limit: usize, stored: Vec<Pair>, newer: Option<Newer<'_>>) {
    let Some(mut newer) = newer else {
        return merged.extend(stored);
    };
    let owned = |(name, value): Change<'_>| Some((name.into(), value?.into()));
    for row in stored {
        while merged.len() < limit
            && let Some(change) = newer.before(&row.0)
        {
            merged.extend(owned(change));
        }
        if merged.len() == limit {
            return;
        }
        match newer.of(&row.0) {
            Some(change) => merged.extend(owned(change)),
            None => merged.push(row),
        }
    }
    let left = limit - merged.len();
    merged.extend(newer.changes.filter_map(owned).take(left));
}

fn just_after(name: &[u8]) -> Vec<u8> {
    let mut after = name.to_vec();
    after.push(0);
    after
}

/// Refuses a key that is too long.
pub(crate) fn check_key(key: &[u8]) -> Done<()> {
    match key.len() <= KEY_MAX_BYTES {
        true => Ok(()),
        false => Err(StoreError::KeyTooLong.into()),
    }
}

/// The head of a key's record, if there is such a key.
pub(crate) fn head(source: &mut dyn Source, key: &[u8]) -> Done<Option<Head>> {
    check_key(key)?;
    let now_ms = source.now_ms();
    let name = rows::key(source.counters().epoch, key);
    let Some(stored) = source.row(&name)? else {
        return Ok(None);
    };
    let (head, _) = Head::of(&stored)?;
    Ok((!head.has_ended(now_ms)).then_some(head))
}

/// A key's record, if there is such a key.
pub(crate) fn record(source: &mut dyn Source, key: &[u8]) -> Done<Option<Record>> {
    check_key(key)?;
    let now_ms = source.now_ms();
    let name = rows::key(source.counters().epoch, key);
    let Some(stored) = source.row(&name)? else {
        return Ok(None);
    };
    let record = Record::of(&stored)?;
    Ok((!record.head.has_ended(now_ms)).then_some(record))
}

/// The record of a key that must hold a kind of thing, if it holds anything.
pub(crate) fn record_of(source: &mut dyn Source, key: &[u8], kind: Kind) -> Done<Option<Record>> {
    match record(source, key)? {
        Some(record) if record.head.kind != kind => Err(StoreError::WrongType.into()),
        found => Ok(found),
    }
}

/// What a key holds, which must be of a kind, with the head of its record.
pub(crate) fn body_of(
    source: &mut dyn Source,
    key: &[u8],
    kind: Kind,
) -> Done<Option<(Head, Body)>> {
    let found = record_of(source, key, kind)?;
    Ok(found.map(|record| (record.head, record.body)))
}

/// A record whose body contradicts its kind.
pub(crate) const ODD_BODY: Halt =
    Halt::Broken(Fault::Corrupt("a record's body is not of its kind"));
