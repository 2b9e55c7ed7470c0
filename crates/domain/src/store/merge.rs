//! Ranges of rows: those of the database with what is newer in memory.

use std::iter::Peekable;

use super::access::{FRONT_BYTES, Pair, cost};
use super::rows::Range;
use super::table::{Change, Table};
use crate::sql::{Fault, Sql};

/// What is wanted of a range.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Rows at most.
    pub limit: usize,
    /// No more rows once they cost more than this.
    pub allowance: usize,
    /// The last ones, in reverse order.
    pub reverse: bool,
    /// Of each value no more than [`FRONT_BYTES`].
    pub fronts: bool,
}

impl Wanted {
    /// The first rows, so many at most, whatever they cost.
    pub fn of(limit: usize) -> Self {
        Wanted {
            limit,
            allowance: usize::MAX,
            reverse: false,
            fronts: false,
        }
    }
}

/// Rows of the database with what is newer in memory.
pub(crate) fn merged(
    table: Option<&Table>,
    sql: &mut dyn Sql,
    range: &Range,
    wanted: Wanted,
) -> Result<Vec<Pair>, Fault> {
    let Wanted { limit, reverse, .. } = wanted;
    let mut merged = Vec::new();
    let (mut from, mut to) = range.clone();
    let (mut counted, mut spent, mut count) = (0, 0, FETCH_FIRST_ROWS);
    while merged.len() < limit && spent <= wanted.allowance && from < to {
        let count_now = (limit - merged.len()).min(count);
        let stored = stretch(sql, &(from.clone(), to.clone()), count_now, wanted)?;
        count = next_count(&stored, count);
        // What is in memory is merged only as far as the database has been read.
        let end = match stored.last() {
            Some((last, _)) if stored.len() == count_now => Some(last.clone()),
            _ => None,
        };
        let part = match (&end, reverse) {
            (None, _) => (from.clone(), to.clone()),
            (Some(last), false) => (from.clone(), just_after(last)),
            (Some(last), true) => (last.to_vec(), to.clone()),
        };
        let newer = table.map(|table| newer(table, &part, reverse));
        merge(&mut merged, limit, stored, newer);
        if wanted.fronts {
            let new = merged[counted..].iter_mut();
            new.for_each(|(_, value)| *value = value[..value.len().min(FRONT_BYTES)].into());
        }
        spent += merged[counted..]
            .iter()
            .map(|(_, value)| cost(value))
            .sum::<usize>();
        counted = merged.len();
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

/// Rows that are read first, when nobody knows how long they are: 8 MiB of the longest.
const FETCH_FIRST_ROWS: usize = 16;

/// Bytes that a further read of rows like the last ones should bring.
const FETCH_BYTES: usize = 4 * 1024 * 1024;

/// How many rows to read next, as long as those that were just read.
fn next_count(stored: &[Pair], count: usize) -> usize {
    let bytes: usize = stored.iter().map(|(_, value)| value.len()).sum();
    let mean = bytes / stored.len().max(1) + 1;
    (FETCH_BYTES / mean).clamp(1, (4 * count).min(FETCH_MAX_ROWS))
}

fn stretch(
    sql: &mut dyn Sql,
    (from, to): &Range,
    limit: usize,
    wanted: Wanted,
) -> Result<Vec<Pair>, Fault> {
    let statement = match (wanted.reverse, wanted.fronts) {
        (false, false) => {
            "SELECT name, value FROM store WHERE name >= ?1 AND name < ?2
             ORDER BY name LIMIT ?3"
        }
        (true, false) => {
            "SELECT name, value FROM store WHERE name >= ?1 AND name < ?2
             ORDER BY name DESC LIMIT ?3"
        }
        (false, true) => {
            "SELECT name, substr(value, 1, 256) FROM store WHERE name >= ?1 AND name < ?2
             ORDER BY name LIMIT ?3"
        }
        (true, true) => return Err(Fault::Corrupt("fronts are read forward")),
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
