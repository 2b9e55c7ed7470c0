//! Publishing posts and taking them back.

use crate::command::{Rejection, Reply, Right, Thing};
use crate::context::{Context, Step, invalid, told};
use crate::event::Topic;
use crate::names::is_blank;
use crate::news::search::document_words;
use crate::news::{
    LiveArea, REASON_MAX_CHARS, TEXT_MAX_BYTES, TITLE_MAX_CHARS, check_line, marks, need_area,
};
use crate::sql::{Fault, Sql};

/// The post is there.
pub(crate) const STATE_LIVE: i64 = 0;

/// Its author deleted it.
pub(crate) const STATE_DELETED: i64 = 1;

/// An administrator hid it; its body is the reason.
pub(crate) const STATE_HIDDEN: i64 = 2;

pub(crate) fn publish(
    context: &mut Context<'_>,
    area: i64,
    title: &str,
    text: &str,
) -> Step<Reply> {
    let member = context.member()?.clone();
    check_line("title", title, TITLE_MAX_CHARS)?;
    check_text(text)?;
    let area = need_area(&mut context.sql, area)?;
    let at_ms = member
        .said_at_ms
        .map_or(context.now_ms, |said| said.min(context.now_ms));
    let id = insert(context, &area, member.account, at_ms, title, text)?;
    marks::read_own(context, area.id, member.account, id)?;
    let topic = Topic::PostPublished {
        area: area.id,
        post: id,
        title: title.to_owned(),
        author: member.name,
    };
    told(context, topic, Reply::Post { id, at_ms })
}

fn insert(
    context: &mut Context<'_>,
    area: &LiveArea,
    author: i64,
    at_ms: i64,
    title: &str,
    text: &str,
) -> Result<i64, Fault> {
    let id = area.newest_post + 1;
    let document = context.counters.documents + 1;
    context.counters.documents = document;
    context.sql.execute(
        "INSERT INTO posts (document, area, id, author, at_ms, state, title, body)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
        &[
            document.into(),
            area.id.into(),
            id.into(),
            author.into(),
            at_ms.into(),
            title.into(),
            text.into(),
        ],
    )?;
    context.sql.execute(
        "UPDATE areas SET newest_post = ?2, live_posts = live_posts + 1, last_post_at_ms = ?3
         WHERE id = ?1",
        &[area.id.into(), id.into(), at_ms.into()],
    )?;
    context
        .sql
        .index_document(document, &document_words(title, text))?;
    Ok(id)
}

/// A text of more than nothing, without control characters: they could drive a reader's terminal.
fn check_text(text: &str) -> Step<()> {
    if is_blank(text) {
        return Err(invalid("text", "it must not be blank"));
    }
    if text.len() > TEXT_MAX_BYTES {
        return Err(invalid("text", "it has more than 65536 bytes"));
    }
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(invalid("text", "it has control characters"));
    }
    Ok(())
}

/// Deletes the caller's own post.
pub(crate) fn delete(context: &mut Context<'_>, area: i64, post: i64) -> Step<Reply> {
    let account = context.account()?;
    need_area(&mut context.sql, area)?;
    let found = live_post(context, area, post)?;
    if found.author != account {
        return Err(Rejection::Forbidden(Right::Author).into());
    }
    bury(context, area, post, found.document, STATE_DELETED, "")?;
    told(
        context,
        Topic::PostRemoved {
            area,
            post,
            hidden: false,
        },
        Reply::Done,
    )
}

/// Hides a post; the reason takes its place.
pub(crate) fn hide(context: &mut Context<'_>, area: i64, post: i64, reason: &str) -> Step<Reply> {
    context.administrator()?;
    check_line("reason", reason, REASON_MAX_CHARS)?;
    need_area(&mut context.sql, area)?;
    let found = live_post(context, area, post)?;
    bury(context, area, post, found.document, STATE_HIDDEN, reason)?;
    told(
        context,
        Topic::PostRemoved {
            area,
            post,
            hidden: true,
        },
        Reply::Done,
    )
}

struct LivePost {
    document: i64,
    author: i64,
}

/// The post, or the rejection that there is none (any more).
fn live_post(context: &mut Context<'_>, area: i64, post: i64) -> Step<LivePost> {
    let rows = context.sql.query(
        "SELECT document, author FROM posts WHERE area = ?1 AND id = ?2 AND state = 0",
        &[area.into(), post.into()],
    )?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Post))?;
    Ok(LivePost {
        document: row.int(0)?,
        author: row.int(1)?,
    })
}

/// Leaves a tombstone. What the post said is gone from the tables and from the search.
fn bury(
    context: &mut Context<'_>,
    area: i64,
    post: i64,
    document: i64,
    state: i64,
    reason: &str,
) -> Result<(), Fault> {
    context.sql.execute(
        "UPDATE posts SET state = ?2, title = '', body = ?3 WHERE document = ?1",
        &[document.into(), state.into(), reason.into()],
    )?;
    context.sql.execute(
        "INSERT INTO tombstones (area, post) VALUES (?1, ?2)",
        &[area.into(), post.into()],
    )?;
    context.sql.execute(
        "UPDATE areas SET live_posts = live_posts - 1 WHERE id = ?1",
        &[area.into()],
    )?;
    context.sql.forget_document(document)
}
