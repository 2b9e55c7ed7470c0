//! What a member has read: per area, a set of post ids kept as ranges.
//!
//! ```text
//!   posts     1  2  3  4  5  6  7  8  9 10
//!   read      ■  ■  ■  ■  ■  □  □  ■  □  □      ranges [1,5] [8,8]
//!   tombstone                   †
//!   unread = 10 posts − 6 in ranges − 1 tombstone outside of them = 3
//! ```
//!
//! Ranges neither touch nor overlap. Marking one post, all up to one, or all is the same operation
//! on another interval, and so is undoing it. A tombstone may lie in a range; it counts nowhere.

use crate::command::{Rejection, Reply, Thing, Which};
use crate::context::{Context, Step};
use crate::news::{READ_RANGES_MAX, need_area};
use crate::sql::{Fault, Sql};

pub(crate) fn mark(context: &mut Context<'_>, area: i64, which: Which, read: bool) -> Step<Reply> {
    let account = context.account()?;
    let newest = need_area(&mut context.sql, area)?.newest_post;
    let (low, high) = match which {
        Which::One(post) => (post, post),
        Which::UpTo(post) => (1, post),
        Which::All => (1, newest),
    };
    if low < 1 || high > newest || (high < low && which != Which::All) {
        return Err(Rejection::NotFound(Thing::Post).into());
    }
    let mut reader = Reader {
        context,
        area,
        account,
    };
    if high >= low {
        if read {
            reader.add(low, high)?
        } else {
            reader.remove(low, high)?
        }
    }
    Ok(Reply::Unread {
        count: reader.unread()?,
    })
}

/// Counts an author's own new post as read. At [`READ_RANGES_MAX`] it stays unread, because a full
/// set of marks is no reason to refuse a post.
pub(crate) fn read_own(
    context: &mut Context<'_>,
    area: i64,
    account: i64,
    post: i64,
) -> Result<(), Fault> {
    match (Reader {
        context,
        area,
        account,
    })
    .add(post, post)
    {
        Ok(()) | Err(crate::context::Stop::Rejected(_)) => Ok(()),
        Err(crate::context::Stop::Broken(fault)) => Err(fault),
    }
}

/// One member's ranges of one area.
struct Reader<'r, 'c> {
    context: &'r mut Context<'c>,
    area: i64,
    account: i64,
}

impl Reader<'_, '_> {
    /// Makes `low..=high` read: one range of it and of all that touch it.
    fn add(&mut self, low: i64, high: i64) -> Step<()> {
        let first = self
            .last_starting_by(low)?
            .filter(|range| range.1 >= low - 1);
        let last = self
            .last_starting_by(high + 1)?
            .filter(|range| range.1 >= low - 1);
        let end = last.map_or(high, |range| range.1.max(high));
        match first {
            Some((_, reaches)) if reaches >= end => return Ok(()),
            Some((start, _)) => {
                if last != first {
                    self.delete(start + 1, high + 1)?;
                }
                self.resize(start, end)?;
            }
            None if last.is_some() => {
                self.delete(low, high + 1)?;
                self.insert(low, end)?;
            }
            None => {
                self.need_room()?;
                self.insert(low, end)?;
            }
        }
        Ok(())
    }

    /// Makes `low..=high` unread: cuts it out of the ranges.
    fn remove(&mut self, low: i64, high: i64) -> Step<()> {
        let first = self
            .last_starting_by(low - 1)?
            .filter(|range| range.1 >= low);
        let last = self.last_starting_by(high)?.filter(|range| range.1 >= low);
        let Some(last) = last else { return Ok(()) };
        if first == Some(last) && last.1 > high {
            self.need_room()?;
        }
        self.delete(low, high)?;
        if let Some((start, _)) = first {
            self.resize(start, low - 1)?;
        }
        if last.1 > high {
            self.insert(high + 1, last.1)?;
        }
        Ok(())
    }

    /// The last range that starts at or before `post`.
    fn last_starting_by(&mut self, post: i64) -> Result<Option<(i64, i64)>, Fault> {
        let rows = self.context.sql.query(
            "SELECT low, high FROM read_ranges WHERE area = ?1 AND account = ?2 AND low <= ?3
             ORDER BY low DESC LIMIT 1",
            &[self.area.into(), self.account.into(), post.into()],
        )?;
        rows.first()
            .map(|row| Ok((row.int(0)?, row.int(1)?)))
            .transpose()
    }

    fn need_room(&mut self) -> Step<()> {
        let rows = self.context.sql.query(
            "SELECT COUNT(*) FROM read_ranges WHERE area = ?1 AND account = ?2",
            &[self.area.into(), self.account.into()],
        )?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if count >= READ_RANGES_MAX {
            let limit = READ_RANGES_MAX;
            return Err(Rejection::LimitReached {
                what: Thing::Mark,
                limit,
            }
            .into());
        }
        Ok(())
    }

    fn insert(&mut self, low: i64, high: i64) -> Result<(), Fault> {
        self.write(
            "INSERT INTO read_ranges (area, account, low, high) VALUES (?1, ?2, ?3, ?4)",
            low,
            high,
        )
    }

    fn resize(&mut self, low: i64, high: i64) -> Result<(), Fault> {
        self.write(
            "UPDATE read_ranges SET high = ?4 WHERE area = ?1 AND account = ?2 AND low = ?3",
            low,
            high,
        )
    }

    /// Deletes the ranges that start within `low..=high`.
    fn delete(&mut self, low: i64, high: i64) -> Result<(), Fault> {
        self.write(
            "DELETE FROM read_ranges
             WHERE area = ?1 AND account = ?2 AND low >= ?3 AND low <= ?4",
            low,
            high,
        )
    }

    fn write(&mut self, sql: &'static str, low: i64, high: i64) -> Result<(), Fault> {
        let params = [
            self.area.into(),
            self.account.into(),
            low.into(),
            high.into(),
        ];
        self.context.sql.execute(sql, &params).map(|_| ())
    }

    fn unread(&mut self) -> Result<i64, Fault> {
        let sql = concat!("SELECT ", unread_posts!(), " FROM areas a WHERE a.id = ?2");
        let params = [self.account.into(), self.area.into()];
        let rows = self.context.sql.query(sql, &params)?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }
}

/// Unread posts of the area `a` for account `?1`, as SQL: all, less those in ranges, less the
/// tombstones outside of ranges. No post is looked at. Tombstones below the end of the first range
/// are not counted at all: they are many, and all inside of it.
macro_rules! unread_posts {
    () => {
        "(a.newest_post
          - (SELECT COALESCE(CAST(SUM(r.high - r.low + 1) AS BIGINT), 0) FROM read_ranges r
             WHERE r.area = a.id AND r.account = ?1)
          - (SELECT COUNT(*) FROM tombstones t
             WHERE t.area = a.id AND t.post > COALESCE((SELECT r.high FROM read_ranges r
                 WHERE r.area = a.id AND r.account = ?1 AND r.low = 1), 0))
          + (SELECT COUNT(*) FROM read_ranges r JOIN tombstones t
                 ON t.area = r.area AND t.post >= r.low AND t.post <= r.high
             WHERE r.area = a.id AND r.account = ?1 AND r.low > 1))"
    };
}
pub(crate) use unread_posts;
