//! What can be asked about the news. `viewer` is always the account id of the member who asks.

use crate::event::{Event, EventId};
use crate::query::Query;
use crate::sql::{Fault, Sql};

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
    /// Log time of its newest post, in milliseconds since 1970.
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
    /// Log time, milliseconds since 1970.
    pub at_ms: i64,
    /// Whether the viewer has read it.
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
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// How a front door names an area: by id, or by its (normalised, case-folded) name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AreaRef {
    /// By id.
    Id(i64),
    /// By name, in any case.
    Name(String),
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
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
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
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
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
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// Posts that contain every word of `text` (the last one may be a prefix), newest first.
#[derive(Clone, Debug)]
pub struct Search {
    /// Who asks.
    pub viewer: i64,
    /// What is looked for, as typed.
    pub text: String,
    /// Continue below this cursor (`i64::MAX` to start).
    pub before: i64,
    /// At most this many, 1 to 100.
    pub limit: u32,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The posts with the name of their area.
    pub posts: Vec<(String, Post)>,
    /// Cursor of the next page, if there is more.
    pub next: Option<i64>,
}

impl Query for Search {
    type Answer = Found;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// Events after `after`, oldest first.
#[derive(Clone, Debug)]
pub struct ListEvents {
    /// Continue after this event.
    pub after: EventId,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
}

/// A stretch of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    /// Everything after the cursor, up to the limit.
    Some(Vec<Event>),
    /// Events after the cursor have been dropped: history starts after `oldest`.
    Gone {
        /// The id that every kept event comes after.
        oldest: EventId,
    },
}

impl Query for ListEvents {
    type Answer = Events;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
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
    /// Posts ever published.
    pub posts: i64,
}

impl Query for CountAll {
    type Answer = Counts;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}
