//! How operations reach the rows: through a [`Source`], which is a command at work, a reader of
//! what is in memory, or a query against the database. What answers a question is the same code for
//! all.

use std::borrow::Cow;

use super::merge::{Wanted, merged};
use super::record::{Body, Head, Kind, Record};
use super::reply::StoreError;
use super::rows::{self, Range};
use super::table::{Known, Table};
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

    /// At least the first [`FRONT_BYTES`] of a row's value: a record but for a long string.
    fn front(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>>;

    /// The first rows of a range, or the last ones in reverse order.
    fn rows(&mut self, range: &Range, limit: usize, reverse: bool) -> Done<Vec<Pair>>;

    /// All rows of a range, of each no more than [`FRONT_BYTES`] of its value.
    fn fronts(&mut self, range: &Range) -> Done<Vec<Pair>>;
}

/// The beginning of a row's value that is read where a long string does not matter. Every record
/// of another kind is shorter. It stands in SQL as well: databases do not agree on the type that a
/// parameter would have there.
pub(crate) const FRONT_BYTES: usize = 256;

/// A row counts as one more for each so many bytes of its value, wherever it is read from:
/// replicas must agree on what is too much.
const ROW_BYTES: usize = 4096;

pub(crate) fn cost(value: &[u8]) -> usize {
    1 + beyond_one(value)
}

/// What a row costs beyond the one that it counts as in any case.
pub(crate) fn beyond_one(value: &[u8]) -> usize {
    value.len() / ROW_BYTES
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

    /// Takes rows, or says that it is too much. They have been read even so, and count: otherwise
    /// an entry full of operations that are refused would take for ever.
    pub fn take_rows(&mut self, count: usize) -> Done<()> {
        let own = self.without(self.rows, count);
        let shared = self.without(self.shared_rows, count);
        let left = self.left(own, shared);
        self.rows = self.rows.saturating_sub(count);
        self.shared_rows = self.shared_rows.saturating_sub(count);
        left.map(drop)
    }

    /// What may still be read of ranges before it is too much, in rows.
    pub fn allowance(&self) -> usize {
        match self.decided {
            true => usize::MAX - 1,
            false => self.rows.min(self.shared_rows),
        }
    }

    /// Takes what a range took; one past the allowance stands for all that is more.
    pub fn take_range(&mut self, found: &[Pair], allowance: usize) -> Done<()> {
        let all: usize = found.iter().map(|(_, value)| cost(value)).sum();
        self.take_rows(all.clamp(1, allowance + 1))
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
        if let Some(value) = &value {
            self.budget.take_rows(beyond_one(value))?;
            self.fetched(name, value);
        }
        Ok(value.map(Cow::Owned))
    }

    fn front(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>> {
        self.budget.take_rows(1)?;
        if let Some(table) = self.table {
            match table.get(name) {
                Known::Row(value) => return Ok(Some(Cow::Borrowed(value))),
                Known::Missing => return Ok(None),
                Known::Unknown => {}
            }
        }
        let sql = self.sql.as_mut().ok_or(Halt::Elsewhere)?;
        let front = fetch_front(*sql, name)?;
        if let Some(front) = front.as_ref().filter(|front| front.whole) {
            self.fetched(name, &front.bytes);
        }
        Ok(front.map(|front| Cow::Owned(front.bytes)))
    }

    fn rows(&mut self, range: &Range, limit: usize, reverse: bool) -> Done<Vec<Pair>> {
        let mut wanted = Wanted::of(limit);
        wanted.reverse = reverse;
        self.range(range, wanted)
    }

    fn fronts(&mut self, range: &Range) -> Done<Vec<Pair>> {
        let mut wanted = Wanted::of(usize::MAX);
        wanted.fronts = true;
        self.range(range, wanted)
    }
}

impl Looker<'_> {
    fn range(&mut self, range: &Range, mut wanted: Wanted) -> Done<Vec<Pair>> {
        let sql = self.sql.as_mut().ok_or(Halt::Elsewhere)?;
        wanted.allowance = self.budget.allowance();
        let found = merged(self.table, *sql, range, wanted)?;
        self.budget.take_range(&found, wanted.allowance)?;
        Ok(found)
    }

    /// Remembers a row that came from the database, for whoever keeps them.
    fn fetched(&mut self, name: &[u8], value: &[u8]) {
        if self.table.is_some() {
            self.fetched.push((name.into(), value.into()));
        }
    }
}

/// A row's value in the database.
pub(crate) fn fetch(sql: &mut dyn Sql, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let rows = sql.query("SELECT value FROM store WHERE name = ?1", &[name.into()])?;
    rows.first()
        .map(|row| Ok(row.blob(0)?.to_vec()))
        .transpose()
}

/// The beginning of a row's value.
pub(crate) struct Front {
    pub bytes: Vec<u8>,
    /// It is all of it.
    pub whole: bool,
}

const FRONT: &str = "SELECT substr(value, 1, 256), length(value) FROM store WHERE name = ?1";

/// The beginning of a row's value in the database.
pub(crate) fn fetch_front(sql: &mut dyn Sql, name: &[u8]) -> Result<Option<Front>, Fault> {
    let rows = sql.query(FRONT, &[name.into()])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Front {
        bytes: row.blob(0)?.to_vec(),
        whole: row.int(1)? <= FRONT_BYTES as i64,
    }))
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
    let Some(stored) = source.front(&name)? else {
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
