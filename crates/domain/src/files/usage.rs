//! How much there is: a row for each owner, and one for all, which also counts ids and changes.

use crate::command::{Rejection, Thing};
use crate::context::{Context, Step};
use crate::files::{BYTES_MAX, BYTES_PER_OWNER_MAX, FILES_MAX, FILES_PER_OWNER_MAX};
use crate::sql::{Fault, Sql};

/// The row of all owners together.
pub(crate) const ALL: i64 = 0;

/// Files, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many files.
    pub files: i64,
    /// Their bytes, each file counted once.
    pub size_bytes: i64,
}

impl Usage {
    /// One file more.
    pub(crate) fn of(size_bytes: i64) -> Self {
        Usage {
            files: 1,
            size_bytes,
        }
    }
}

/// What an owner has, or all.
pub(crate) fn of(sql: &mut dyn Sql, owner: i64) -> Result<Usage, Fault> {
    let rows = sql.query(
        "SELECT files, size_bytes FROM file_usage WHERE owner = ?1",
        &[owner.into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(Usage::default());
    };
    Ok(Usage {
        files: row.int(0)?,
        size_bytes: row.int(1)?,
    })
}

/// Whether there is room for `more` once `less` is gone, of this owner and at all.
pub(crate) fn need_room(
    context: &mut Context<'_>,
    owner: i64,
    more: Usage,
    less: Usage,
) -> Step<()> {
    let limits = [
        (owner, FILES_PER_OWNER_MAX, BYTES_PER_OWNER_MAX),
        (ALL, FILES_MAX, BYTES_MAX),
    ];
    for (owner, files, size_bytes) in limits {
        let used = of(&mut context.sql, owner)?;
        let limits = [
            (Thing::File, used.files + more.files - less.files, files),
            (
                Thing::FileByte,
                used.size_bytes + more.size_bytes - less.size_bytes,
                size_bytes,
            ),
        ];
        if let Some((what, _, limit)) = limits.into_iter().find(|(_, used, limit)| used > limit) {
            return Err(Rejection::LimitReached { what, limit }.into());
        }
    }
    Ok(())
}

/// Counts a change of this owner's files.
pub(crate) fn count(
    context: &mut Context<'_>,
    owner: i64,
    more: Usage,
    less: Usage,
) -> Result<(), Fault> {
    for owner in [owner, ALL] {
        context.sql.execute(
            "INSERT INTO file_usage (owner, files, size_bytes, newest, changes)
             VALUES (?1, ?2, ?3, 0, 1)
             ON CONFLICT (owner) DO UPDATE SET files = file_usage.files + excluded.files,
                size_bytes = file_usage.size_bytes + excluded.size_bytes,
                changes = file_usage.changes + 1",
            &[
                owner.into(),
                (more.files - less.files).into(),
                (more.size_bytes - less.size_bytes).into(),
            ],
        )?;
    }
    Ok(())
}

/// Takes the next id. Ids never come back.
pub(crate) fn next_id(context: &mut Context<'_>) -> Result<i64, Fault> {
    context.sql.execute(
        "INSERT INTO file_usage (owner, files, size_bytes, newest, changes)
         VALUES (?1, 0, 0, 1, 0)
         ON CONFLICT (owner) DO UPDATE SET newest = file_usage.newest + 1",
        &[ALL.into()],
    )?;
    let rows = context.sql.query(
        "SELECT newest FROM file_usage WHERE owner = ?1",
        &[ALL.into()],
    )?;
    let row = rows.first().ok_or(Fault::Corrupt("a count of files"))?;
    row.int(0)
}
