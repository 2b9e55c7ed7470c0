//! Areas and subscriptions.

use crate::command::{Rejection, Reply, Thing};
use crate::context::{Context, Step, told};
use crate::event::Topic;
use crate::names::AreaName;
use crate::news::{AREAS_MAX, DESCRIPTION_MAX_CHARS, check_at_most_a_line, need_area};
use crate::sql::{Fault, Sql};

pub(crate) fn add(context: &mut Context<'_>, name: &AreaName, description: &str) -> Step<Reply> {
    context.administrator()?;
    check_at_most_a_line("description", description, DESCRIPTION_MAX_CHARS)?;
    if named(context, name)?.is_some() {
        return Err(Rejection::Taken(Thing::Area).into());
    }
    if count(context)? >= AREAS_MAX {
        return Err(Rejection::LimitReached {
            what: Thing::Area,
            limit: AREAS_MAX,
        }
        .into());
    }
    let id = context.counters.areas + 1;
    context.counters.areas = id;
    context.sql.execute(
        "INSERT INTO areas (id, name, name_key, description, newest_post, live_posts, removed)
         VALUES (?1, ?2, ?3, ?4, 0, 0, 0)",
        &[
            id.into(),
            name.as_str().into(),
            name.key().into(),
            description.into(),
        ],
    )?;
    told(
        context,
        Topic::AreaAdded {
            area: id,
            name: name.as_str().to_owned(),
        },
        Reply::Area { id },
    )
}

pub(crate) fn edit(
    context: &mut Context<'_>,
    area: i64,
    name: Option<&AreaName>,
    description: Option<&str>,
) -> Step<Reply> {
    context.administrator()?;
    let old = need_area(&mut context.sql, area)?;
    if let Some(description) = description {
        check_at_most_a_line("description", description, DESCRIPTION_MAX_CHARS)?;
    }
    if let Some(name) = name
        && named(context, name)?.is_some_and(|owner| owner != area)
    {
        return Err(Rejection::Taken(Thing::Area).into());
    }
    if name.is_none() && description.is_none() {
        return Ok(Reply::Done);
    }
    context.sql.execute(
        "UPDATE areas SET name = COALESCE(?2, name), name_key = COALESCE(?3, name_key),
            description = COALESCE(?4, description) WHERE id = ?1",
        &[
            area.into(),
            name.map(AreaName::as_str).into(),
            name.map(AreaName::key).into(),
            description.into(),
        ],
    )?;
    let name = name.map_or(old.name, |name| name.as_str().to_owned());
    told(context, Topic::AreaEdited { area, name }, Reply::Done)
}

/// Removes an area at once for everybody; its rows are swept away by later commands.
pub(crate) fn remove(context: &mut Context<'_>, area: i64) -> Step<Reply> {
    context.administrator()?;
    let name = need_area(&mut context.sql, area)?.name;
    context.sql.execute(
        "UPDATE areas SET removed = 1, name_key = NULL WHERE id = ?1",
        &[area.into()],
    )?;
    context.counters.removed_areas += 1;
    told(context, Topic::AreaRemoved { area, name }, Reply::Done)
}

pub(crate) fn subscribe(context: &mut Context<'_>, area: i64) -> Step<Reply> {
    let account = context.account()?;
    need_area(&mut context.sql, area)?;
    context.sql.execute(
        "INSERT INTO subscriptions (area, account) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        &[area.into(), account.into()],
    )?;
    Ok(Reply::Done)
}

pub(crate) fn unsubscribe(context: &mut Context<'_>, area: i64) -> Step<Reply> {
    let account = context.account()?;
    need_area(&mut context.sql, area)?;
    context.sql.execute(
        "DELETE FROM subscriptions WHERE area = ?1 AND account = ?2",
        &[area.into(), account.into()],
    )?;
    Ok(Reply::Done)
}

/// The area with this name, unless it was removed.
fn named(context: &mut Context<'_>, name: &AreaName) -> Result<Option<i64>, Fault> {
    let rows = context.sql.query(
        "SELECT id FROM areas WHERE name_key = ?1",
        &[name.key().into()],
    )?;
    rows.first().map(|row| row.int(0)).transpose()
}

fn count(context: &mut Context<'_>) -> Result<i64, Fault> {
    let rows = context
        .sql
        .query("SELECT COUNT(*) FROM areas WHERE removed = 0", &[])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}
