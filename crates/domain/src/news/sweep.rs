//! Sweeps away the rows of removed areas, a few with each accepted command, so that no command
//! takes longer because an area was large.

use crate::context::Context;
use crate::sql::{Fault, Sql};

/// How many rows of one kind an accepted command sweeps: some tenths of a millisecond of work.
const SWEPT_PER_COMMAND: i64 = 64;

/// Sweeps a little of the removed area with the lowest id, if there is one.
pub(crate) fn sweep(context: &mut Context<'_>) -> Result<(), Fault> {
    if context.counters.removed_areas == 0 {
        return Ok(());
    }
    let rows = context.sql.query(
        "SELECT id FROM areas WHERE removed = 1 ORDER BY id LIMIT 1",
        &[],
    )?;
    let area = rows
        .first()
        .ok_or(Fault::Corrupt("removed areas were miscounted"))?
        .int(0)?;
    if sweep_posts(context, area)? || sweep_rows(context, area)? {
        return Ok(());
    }
    context
        .sql
        .execute("DELETE FROM areas WHERE id = ?1", &[area.into()])?;
    context.counters.removed_areas -= 1;
    Ok(())
}

/// Sweeps posts, oldest first; false if there were none.
fn sweep_posts(context: &mut Context<'_>, area: i64) -> Result<bool, Fault> {
    let rows = context.sql.query(
        "SELECT id, document, state FROM posts WHERE area = ?1 ORDER BY id LIMIT ?2",
        &[area.into(), SWEPT_PER_COMMAND.into()],
    )?;
    for row in &rows {
        if !row.bool(2)? {
            context.sql.forget_document(row.int(1)?)?;
        }
    }
    let Some(last) = rows.last() else {
        return Ok(false);
    };
    let through = [area.into(), last.int(0)?.into()];
    context
        .sql
        .execute("DELETE FROM posts WHERE area = ?1 AND id <= ?2", &through)?;
    context.sql.execute(
        "DELETE FROM tombstones WHERE area = ?1 AND post <= ?2",
        &through,
    )?;
    Ok(true)
}

/// Sweeps read marks, then subscriptions; false if there were none.
fn sweep_rows(context: &mut Context<'_>, area: i64) -> Result<bool, Fault> {
    let ranges = context.sql.query(
        "SELECT account, low FROM read_ranges WHERE area = ?1 ORDER BY account, low LIMIT ?2",
        &[area.into(), SWEPT_PER_COMMAND.into()],
    )?;
    if let Some(last) = ranges.last() {
        context.sql.execute(
            "DELETE FROM read_ranges WHERE area = ?1 AND (account, low) <= (?2, ?3)",
            &[area.into(), last.int(0)?.into(), last.int(1)?.into()],
        )?;
        return Ok(true);
    }
    let subscriptions = context.sql.query(
        "SELECT account FROM subscriptions WHERE area = ?1 ORDER BY account LIMIT ?2",
        &[area.into(), SWEPT_PER_COMMAND.into()],
    )?;
    let Some(last) = subscriptions.last() else {
        return Ok(false);
    };
    context.sql.execute(
        "DELETE FROM subscriptions WHERE area = ?1 AND account <= ?2",
        &[area.into(), last.int(0)?.into()],
    )?;
    Ok(true)
}
