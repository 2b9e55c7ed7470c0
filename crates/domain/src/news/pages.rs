//! Pages of posts: all, or only those that the viewer has not read.

use crate::news::posts::{STATE_DELETED, STATE_HIDDEN, STATE_LIVE};
use crate::news::queries::{Area, Body, ListPosts, Page, Post, Posts};
use crate::sql::{Fault, Param, Row, Sql};

/// The longest page of posts.
pub const POSTS_PAGE_MAX: u32 = 200;

/// Post ids from the first to the second, both included.
type Range = (i64, i64);

/// A page of posts of `area`.
pub(super) fn list(sql: &mut dyn Sql, query: &ListPosts, area: Area) -> Result<Posts, Fault> {
    let limit = query.limit.clamp(1, POSTS_PAGE_MAX) as usize;
    let span = match query.page {
        Page::After(post) => (post.saturating_add(1), i64::MAX),
        Page::Before(post) => (1, post.saturating_sub(1)),
    };
    // One more than asked for tells whether there is a next page.
    let (rows, read) = if query.unread_only {
        let read = read_ranges(sql, query.viewer, area.id, span)?;
        (
            unread_rows(sql, query, area.id, &gaps(&read, span), limit + 1)?,
            read,
        )
    } else {
        let rows = rows_within(sql, query, area.id, span, limit + 1)?;
        let read = read_ranges(sql, query.viewer, area.id, span_of(&rows)?)?;
        (rows, read)
    };
    let mut posts = Vec::with_capacity(limit);
    for row in rows.iter().take(limit) {
        posts.push(post(row, area.id, &read)?);
    }
    let next = posts
        .last()
        .map(|post| post.id)
        .filter(|_| rows.len() > limit);
    Ok(Posts { area, posts, next })
}

/// One post of an area that is there.
pub(super) fn one(
    sql: &mut dyn Sql,
    viewer: i64,
    area: i64,
    id: i64,
) -> Result<Option<Post>, Fault> {
    let rows = sql.query(
        SELECT_ALL_UP,
        &[area.into(), id.into(), id.into(), 1_i64.into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let read = read_ranges(sql, viewer, area, (id, id))?;
    post(row, area, &read).map(Some)
}

macro_rules! select_posts {
    ($live:literal, $order:literal) => {
        concat!(
            "SELECT p.id, m.name, p.author, p.at_ms, p.state, p.title, p.body
             FROM posts p JOIN accounts m ON m.id = p.author
             WHERE p.area = ?1 AND p.id >= ?2 AND p.id <= ?3 ",
            $live,
            " ORDER BY p.id ",
            $order,
            " LIMIT ?4"
        )
    };
}

const SELECT_ALL_UP: &str = select_posts!("", "");
const SELECT_ALL_DOWN: &str = select_posts!("", "DESC");
const SELECT_LIVE_UP: &str = select_posts!("AND p.state = 0", "");
const SELECT_LIVE_DOWN: &str = select_posts!("AND p.state = 0", "DESC");

fn rows_within(
    sql: &mut dyn Sql,
    query: &ListPosts,
    area: i64,
    span: Range,
    limit: usize,
) -> Result<Vec<Row>, Fault> {
    let statement = match (query.page, query.unread_only) {
        (Page::After(_), false) => SELECT_ALL_UP,
        (Page::Before(_), false) => SELECT_ALL_DOWN,
        (Page::After(_), true) => SELECT_LIVE_UP,
        (Page::Before(_), true) => SELECT_LIVE_DOWN,
    };
    let limit = limit as i64;
    let params: [Param<'_>; 4] = [area.into(), span.0.into(), span.1.into(), limit.into()];
    sql.query(statement, &params)
}

/// Fills a page from the gaps between what was read, in the page's direction.
fn unread_rows(
    sql: &mut dyn Sql,
    query: &ListPosts,
    area: i64,
    gaps: &[Range],
    limit: usize,
) -> Result<Vec<Row>, Fault> {
    let mut ordered = gaps.to_vec();
    if matches!(query.page, Page::Before(_)) {
        ordered.reverse();
    }
    let mut rows = Vec::new();
    for gap in ordered {
        if rows.len() >= limit {
            break;
        }
        rows.extend(rows_within(sql, query, area, gap, limit - rows.len())?);
    }
    Ok(rows)
}

/// The viewer's read ranges that overlap `span`, in order.
fn read_ranges(
    sql: &mut dyn Sql,
    viewer: i64,
    area: i64,
    span: Range,
) -> Result<Vec<Range>, Fault> {
    let rows = sql.query(
        "SELECT low, high FROM read_ranges
         WHERE area = ?1 AND account = ?2 AND low <= ?4 AND high >= ?3 ORDER BY low",
        &[area.into(), viewer.into(), span.0.into(), span.1.into()],
    )?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// What of `span` lies outside of the ranges, in order.
fn gaps(ranges: &[Range], span: Range) -> Vec<Range> {
    let mut gaps = Vec::with_capacity(ranges.len() + 1);
    let mut start = span.0;
    for &(low, high) in ranges {
        if low > start {
            gaps.push((start, low - 1));
        }
        start = start.max(high + 1);
    }
    if start <= span.1 {
        gaps.push((start, span.1));
    }
    gaps
}

/// The lowest and the highest id of some rows, in whatever order.
fn span_of(rows: &[Row]) -> Result<Range, Fault> {
    let mut span = (i64::MAX, 0);
    for row in rows {
        let id = row.int(0)?;
        span = (span.0.min(id), span.1.max(id));
    }
    Ok(span)
}

fn post(row: &Row, area: i64, read: &[Range]) -> Result<Post, Fault> {
    let id = row.int(0)?;
    let after = read.partition_point(|range| range.0 <= id);
    let body = body(row)?;
    let in_range = after
        .checked_sub(1)
        .and_then(|at| read.get(at))
        .is_some_and(|r| r.1 >= id);
    Ok(Post {
        area,
        id,
        author: row.text(1)?.to_owned(),
        author_id: row.int(2)?,
        at_ms: row.int(3)?,
        read: in_range || !matches!(body, Body::Text { .. }),
        body,
    })
}

fn body(row: &Row) -> Result<Body, Fault> {
    match row.int(4)? {
        STATE_LIVE => Ok(Body::Text {
            title: row.text(5)?.to_owned(),
            text: row.text(6)?.to_owned(),
        }),
        STATE_DELETED => Ok(Body::Deleted),
        STATE_HIDDEN => Ok(Body::Hidden {
            reason: row.text(6)?.to_owned(),
        }),
        _ => Err(Fault::Corrupt("a post is in an unknown state")),
    }
}
