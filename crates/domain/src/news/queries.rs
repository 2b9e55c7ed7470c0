//! What can be asked about the news. `viewer` is always the account id of the member who asks.

use crate::names::key_of;
use crate::news::marks::unread_posts;
use crate::news::pages;
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

pub use crate::news::search::{Found, Search};
pub use crate::outbox::{Events, ListEvents};

/// An area as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// One paragraph, may be empty.
    pub description: String,
    /// Posts that are there (tombstones not counted).
    pub posts: i64,
    /// When its newest post was published, in milliseconds since 1970.
    pub last_post_at_ms: Option<i64>,
    /// Whether the viewer is subscribed.
    pub subscribed: bool,
    /// Posts the viewer has not read.
    pub unread: i64,
}

/// A post as the viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The area it is in.
    pub area: i64,
    /// Its id within the area, from 1.
    pub id: i64,
    /// The author's name.
    pub author: String,
    /// Account id of the author.
    pub author_id: i64,
    /// When it was published, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether the viewer has read it. A tombstone has nothing to read and counts as read.
    pub read: bool,
    /// What it says, or why it no longer does.
    pub body: Body,
}

/// The content of a post, or its tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The post as published.
    Text {
        /// One line.
        title: String,
        /// Markdown.
        text: String,
    },
    /// Deleted by its author.
    Deleted,
    /// Hidden by an administrator.
    Hidden {
        /// The reason given.
        reason: String,
    },
}

/// Every area, ordered by name.
#[derive(Clone, Debug)]
pub struct ListAreas {
    /// Who asks.
    pub viewer: i64,
    /// Only the areas the viewer is subscribed to.
    pub subscribed_only: bool,
}

impl Query for ListAreas {
    type Answer = Vec<Area>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let statement = if self.subscribed_only {
            SELECT_SUBSCRIBED
        } else {
            SELECT_AREAS
        };
        sql.query(statement, &[self.viewer.into()])?
            .iter()
            .map(area_of)
            .collect()
    }
}

/// How a front door names an area: by id, or by its name as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AreaRef {
    /// By id.
    Id(i64),
    /// By name, in any case.
    Name(String),
}

impl AreaRef {
    /// Reads what a user typed: digits are an id, all else is a name.
    pub fn parse(text: &str) -> Self {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(id) if digits => AreaRef::Id(id),
            _ => AreaRef::Name(text.to_owned()),
        }
    }
}

/// One area, or `None`.
#[derive(Clone, Debug)]
pub struct GetArea {
    /// Who asks.
    pub viewer: i64,
    /// Which.
    pub area: AreaRef,
}

impl Query for GetArea {
    type Answer = Option<Area>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        find_area(sql, self.viewer, &self.area)
    }
}

/// In which order, and from where, posts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Oldest first, posts with an id above this.
    After(i64),
    /// Newest first, posts with an id below this; `i64::MAX` starts at the newest.
    Before(i64),
}

/// A page of posts of an area, or `None` if there is no such area.
#[derive(Clone, Debug)]
pub struct ListPosts {
    /// Who asks.
    pub viewer: i64,
    /// Which area.
    pub area: AreaRef,
    /// Leave out what the viewer has read, and tombstones.
    pub unread_only: bool,
    /// Where the page starts and its direction.
    pub page: Page,
    /// At most this many, 1 to 200.
    pub limit: u32,
}

/// A page of posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posts {
    /// The area they are in.
    pub area: Area,
    /// The posts, tombstones included unless `unread_only`.
    pub posts: Vec<Post>,
    /// Where the next page starts (same direction), if there is more.
    pub next: Option<i64>,
}

impl Query for ListPosts {
    type Answer = Option<Posts>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(area) = find_area(sql, self.viewer, &self.area)? else {
            return Ok(None);
        };
        pages::list(sql, self, area).map(Some)
    }
}

/// One post, or `None`.
#[derive(Clone, Debug)]
pub struct GetPost {
    /// Who asks.
    pub viewer: i64,
    /// Which area.
    pub area: AreaRef,
    /// Which post.
    pub post: i64,
}

impl Query for GetPost {
    type Answer = Option<Post>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let Some(area) = find_id(sql, &self.area)? else {
            return Ok(None);
        };
        pages::one(sql, self.viewer, area, self.post)
    }
}

/// Counts for `/metrics` and the control page.
#[derive(Clone, Debug)]
pub struct CountAll;

/// How much there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Accounts.
    pub accounts: i64,
    /// Areas.
    pub areas: i64,
    /// Posts ever published, as of the last commit.
    pub posts: i64,
}

impl Query for CountAll {
    type Answer = Counts;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT (SELECT COUNT(*) FROM accounts), (SELECT COUNT(*) FROM areas WHERE removed = 0),
                COALESCE((SELECT documents FROM machine WHERE id = 1), 0)",
            &[],
        )?;
        let row = rows
            .first()
            .ok_or(Fault::Corrupt("an aggregate has no row"))?;
        Ok(Counts {
            accounts: row.int(0)?,
            areas: row.int(1)?,
            posts: row.int(2)?,
        })
    }
}

macro_rules! area_columns {
    () => {
        concat!(
            "a.id, a.name, a.description, a.live_posts, a.last_post_at_ms,
             CASE WHEN s.account IS NULL THEN 0 ELSE 1 END, ",
            unread_posts!()
        )
    };
}

macro_rules! select_areas {
    ($join:literal, $tail:literal) => {
        concat!(
            "SELECT ",
            area_columns!(),
            " FROM areas a ",
            $join,
            " JOIN subscriptions s ON s.area = a.id AND s.account = ?1 WHERE a.removed = 0 ",
            $tail
        )
    };
}

const SELECT_AREAS: &str = select_areas!("LEFT", "ORDER BY a.name_key");
const SELECT_SUBSCRIBED: &str = select_areas!("", "ORDER BY a.name_key");
const SELECT_AREA_BY_ID: &str = select_areas!("LEFT", "AND a.id = ?2");
const SELECT_AREA_BY_NAME: &str = select_areas!("LEFT", "AND a.name_key = ?2");

fn find_area(sql: &mut dyn Sql, viewer: i64, area: &AreaRef) -> Result<Option<Area>, Fault> {
    let rows = match area {
        AreaRef::Id(id) => sql.query(SELECT_AREA_BY_ID, &[viewer.into(), (*id).into()])?,
        AreaRef::Name(name) => sql.query(
            SELECT_AREA_BY_NAME,
            &[viewer.into(), (&key_of(name)).into()],
        )?,
    };
    rows.first().map(area_of).transpose()
}

fn find_id(sql: &mut dyn Sql, area: &AreaRef) -> Result<Option<i64>, Fault> {
    let rows = match area {
        AreaRef::Id(id) => sql.query(
            "SELECT id FROM areas WHERE id = ?1 AND removed = 0",
            &[(*id).into()],
        )?,
        AreaRef::Name(name) => sql.query(
            "SELECT id FROM areas WHERE name_key = ?1",
            &[(&key_of(name)).into()],
        )?,
    };
    rows.first().map(|row| row.int(0)).transpose()
}

fn area_of(row: &Row) -> Result<Area, Fault> {
    Ok(Area {
        id: row.int(0)?,
        name: row.text(1)?.to_owned(),
        description: row.text(2)?.to_owned(),
        posts: row.int(3)?,
        last_post_at_ms: row.int_opt(4)?,
        subscribed: row.bool(5)?,
        unread: row.int(6)?,
    })
}
