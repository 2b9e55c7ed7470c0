//! News: areas, subscriptions, posts, what a member has read, and search.

pub(crate) mod areas;
pub(crate) mod marks;
mod pages;
pub(crate) mod posts;
pub mod queries;
pub mod search;
pub(crate) mod sweep;

use crate::command::{Rejection, Thing};
use crate::context::{Step, invalid};
use crate::names::{is_blank, unprintable};
use crate::sql::{Fault, Sql};

/// A title has at most this many characters: two lines on a phone.
pub const TITLE_MAX_CHARS: usize = 200;

/// A text has at most this many bytes of Markdown: thirty pages; longer belongs in a file.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

/// An area's description has at most this many characters: a paragraph.
pub const DESCRIPTION_MAX_CHARS: usize = 1_000;

/// The reason for hiding a post has at most this many characters.
pub const REASON_MAX_CHARS: usize = 500;

/// There are at most this many areas: a list of them is answered whole.
pub const AREAS_MAX: i64 = 1_000;

/// What is read of an area by one member is kept as at most this many ranges, so that counting
/// what is unread stays fast whatever a member marks. Marking everything up to a post makes one
/// range of all before it.
pub const READ_RANGES_MAX: i64 = 2_000;

/// An area that is there, as the handlers need it.
pub(crate) struct LiveArea {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Id of its newest post, 0 if there never was one.
    pub newest_post: i64,
}

/// The area with this id, unless it was removed.
pub(crate) fn live_area(sql: &mut dyn Sql, area: i64) -> Result<Option<LiveArea>, Fault> {
    let rows = sql.query(
        "SELECT name, newest_post FROM areas WHERE id = ?1 AND removed = 0",
        &[area.into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(LiveArea {
        id: area,
        name: row.text(0)?.to_owned(),
        newest_post: row.int(1)?,
    }))
}

/// The area with this id, or the rejection that there is none.
pub(crate) fn need_area(sql: &mut dyn Sql, area: i64) -> Step<LiveArea> {
    Ok(live_area(sql, area)?.ok_or(Rejection::NotFound(Thing::Area))?)
}

/// Refuses a text that is blank, too long, or more than a line.
pub(crate) fn check_line(field: &str, text: &str, max_chars: usize) -> Step<()> {
    if is_blank(text) {
        return Err(invalid(field, "it must not be blank"));
    }
    check_at_most_a_line(field, text, max_chars)
}

/// Refuses a text that is too long, or more than a line. It may be empty.
fn check_at_most_a_line(field: &str, text: &str, max_chars: usize) -> Step<()> {
    if text.chars().count() > max_chars {
        return Err(invalid(
            field,
            &format!("it has more than {max_chars} characters"),
        ));
    }
    if text.contains(unprintable) {
        return Err(invalid(
            field,
            "it must be one line without control characters",
        ));
    }
    Ok(())
}
