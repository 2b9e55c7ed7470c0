//! Sweeps away what nobody can see any more, a little with each accepted command: keys whose time
//! has passed, what flushes and removals left, and old tombstones. No command takes long because a
//! list was long, and what commands leave behind cannot outgrow what they sweep.

use super::access::{Done, Pair, Source};
use super::execute::{broken, with_work};
use super::record::{Ends, Head, Record};
use super::rows::{self, Garbage, Range};
use super::work::Work;
use crate::context::Context;
use crate::sql::Fault;

/// Things that an accepted command sweeps at least, and twice as many as it wrote rows.
const SWEPT_PER_COMMAND: usize = 64;

/// Removed keys that are remembered for those who watch: minutes of a busy store, some 10 MB.
pub(super) const TOMBSTONES_KEPT: i64 = 100_000;

/// Old tombstones are dropped when there are so many, which makes dropping them cheap.
const TOMBSTONES_SURPLUS: i64 = 256;

/// Sweeps a little, if there is anything to sweep.
pub(crate) fn sweep(context: &mut Context<'_>) -> Result<(), Fault> {
    let counters = context.counters.store;
    let memory = context.memory.clone();
    if counters.garbage == 0 && counters.keys == 0 {
        return Ok(());
    }
    let mut table = memory.change();
    let surplus = counters.tombstones - TOMBSTONES_KEPT;
    let due = table.next_expiry_ms <= context.now_ms;
    if counters.garbage == 0 && surplus < TOMBSTONES_SURPLUS && !due {
        return Ok(());
    }
    let count = SWEPT_PER_COMMAND.max(2 * context.written);
    // What this node looks at in vain, because it knows no better, is not the entry's: replicas
    // would not agree on what is left to it.
    let spent = table.spent;
    let swept = with_work(context, &mut table, |work| {
        // What is swept is bounded here, and is nobody's fault.
        work.budget.decided = true;
        if due {
            expired(work, count)?;
        }
        if counters.garbage > 0 {
            garbage(work, count)?;
        }
        if surplus >= TOMBSTONES_SURPLUS {
            tombstones(work, surplus)?;
        }
        Ok(())
    });
    table.spent = spent;
    swept.map_err(|halt| {
        table.clear();
        broken(halt)
    })
}

/// Looks at keys whose time to be looked at has come.
fn expired(work: &mut Work<'_, '_>, count: usize) -> Done<()> {
    let (first, end) = rows::expiries(work.stamp.now_ms);
    let from = first.max(work.table.swept.expiries.clone());
    let due = work.rows(&(from, end), count, false)?;
    if let Some((last, _)) = due.last() {
        work.table.swept.expiries = last.to_vec();
    }
    for (name, _) in &due {
        let (at_ms, epoch, key) = rows::expiry_of(name)?;
        // A flushed key's row goes with the key.
        if epoch != work.counters.epoch {
            work.delete(name);
            continue;
        }
        let old = work.old(key)?;
        let old = old.ok_or(Fault::Corrupt("a key that is to expire is missing"))?;
        match old.head.ends {
            Some(ends) if ends.looked_at_ms != at_ms => return Err(OTHER_TIME.into()),
            Some(ends) if ends.at_ms <= work.stamp.now_ms => work.remove(key, old)?,
            Some(ends) => look_later(work, key, ends)?,
            None => return Err(OTHER_TIME.into()),
        }
    }
    if due.len() < count {
        let (first, end) = rows::all_expiries();
        let from = first.max(work.table.swept.expiries.clone());
        let next = work.rows(&(from, end), 1, false)?;
        work.table.next_expiry_ms = match next.first() {
            Some((name, _)) => rows::expiry_of(name)?.0,
            None => i64::MAX,
        };
    }
    Ok(())
}

const OTHER_TIME: Fault = Fault::Corrupt("a key is to expire at another time");

/// The time to live was prolonged: the key is looked at again at its end. Nobody sees a change.
fn look_later(work: &mut Work<'_, '_>, key: &[u8], ends: Ends) -> Done<()> {
    let epoch = work.counters.epoch;
    let name = rows::key(epoch, key);
    let stored = work.row(&name)?.map(|stored| stored.into_owned());
    let stored = stored.unwrap_or_default();
    let (mut head, at) = Head::of(&stored)?;
    head.ends = Some(Ends {
        looked_at_ms: ends.at_ms,
        ..ends
    });
    let body = stored.get(at..).unwrap_or_default();
    work.put_head(&name, &head, body);
    work.delete(&rows::expiry(ends.looked_at_ms, epoch, key));
    work.put(&rows::expiry(ends.at_ms, epoch, key), &[], true);
    Ok(())
}

/// Sweeps the oldest things that were left.
fn garbage(work: &mut Work<'_, '_>, count: usize) -> Done<()> {
    let (first, end) = rows::all_garbage();
    let from = first.max(work.table.swept.garbage.clone());
    let mut left = count;
    for (name, stored) in work.rows(&(from, end), count, false)? {
        work.table.swept.garbage = name.to_vec();
        let swept = match Garbage::of(&stored)? {
            Garbage::Epoch(epoch) => flushed(work, epoch, left)?,
            Garbage::Elements { collection, below } => elements(work, collection, below, left)?,
        };
        if swept == left {
            break;
        }
        work.delete(&name);
        work.table.swept.within.clear();
        work.counters.garbage -= 1;
        // Something that was empty counts, too.
        left -= swept.max(1);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The first rows of what is being swept.
fn next_rows(work: &mut Work<'_, '_>, (first, end): Range, count: usize) -> Done<Vec<Pair>> {
    let from = first.max(work.table.swept.within.clone());
    let found = work.rows(&(from, end), count, false)?;
    if let Some((last, _)) = found.last() {
        work.table.swept.within = last.to_vec();
    }
    Ok(found)
}

/// Removes keys of an epoch that was flushed, with all their rows.
fn flushed(work: &mut Work<'_, '_>, epoch: u32, count: usize) -> Done<usize> {
    let births = next_rows(work, rows::births(epoch, 0), count)?;
    for (birth, key) in &births {
        let name = rows::key(epoch, key);
        let missing = Fault::Corrupt("a key that was flushed is missing");
        let stored = work.row(&name)?.ok_or(missing)?;
        let Record { head, body } = Record::of(&stored)?;
        work.delete(&name);
        work.delete(birth);
        if let Some(ends) = head.ends {
            expire_flushed(work, epoch, key, ends)?;
        }
        if let (Some(collection), true) = (body.collection(), body.is_filled()) {
            work.discard(Garbage::Elements {
                collection,
                below: u64::MAX,
            });
        }
    }
    Ok(births.len())
}

/// The row of expiry of a flushed key may have been swept by itself.
fn expire_flushed(work: &mut Work<'_, '_>, epoch: u32, key: &[u8], ends: Ends) -> Done<()> {
    let name = rows::expiry(ends.looked_at_ms, epoch, key);
    if work.row(&name)?.is_some() {
        work.delete(&name);
    }
    Ok(())
}

fn elements(work: &mut Work<'_, '_>, collection: u64, below: u64, count: usize) -> Done<usize> {
    let end = (below != u64::MAX).then_some(below);
    let found = next_rows(work, rows::elements(collection, 0, end), count)?;
    for (name, _) in &found {
        work.delete(name);
    }
    Ok(found.len())
}

/// Forgets the oldest removals, so many of them.
fn tombstones(work: &mut Work<'_, '_>, count: i64) -> Done<()> {
    let count = usize::try_from(count).unwrap_or(0);
    let oldest = work.rows(&rows::tombstones(work.counters.floor), count, false)?;
    for (name, _) in &oldest {
        work.counters.floor = work.counters.floor.max(rows::removal_of(name)?.0);
        work.delete(name);
    }
    work.counters.tombstones -= oldest.len() as i64;
    Ok(())
}
