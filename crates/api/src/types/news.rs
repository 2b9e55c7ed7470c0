//! Areas, posts and what happens to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Hex32, Tally};

/// An area as the member who asks sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Area {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// One paragraph, may be empty.
    pub description: String,
    /// How many posts are there, without deleted and hidden ones.
    pub posts: i64,
    /// When its newest post was published.
    #[schema(format = DateTime)]
    pub last_post_at: Option<String>,
    /// Whether the member is subscribed.
    pub subscribed: bool,
    /// Posts the member has not read.
    pub unread: i64,
}

/// Every area, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Areas {
    /// The areas.
    pub areas: Vec<Area>,
}

/// The areas the member is subscribed to, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subscriptions {
    /// The areas.
    pub subscriptions: Vec<Area>,
    /// Unread posts in all of them.
    pub unread: i64,
}

/// A new area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArea {
    /// Its name, unlike every other area's.
    #[schema(example = "Obras")]
    pub name: String,
    /// One paragraph; empty if absent.
    #[serde(default)]
    pub description: String,
}

/// An area was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AreaMade {
    /// Its id.
    pub id: i64,
    /// Its name, normalised.
    pub name: String,
}

/// A new name or description; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaEdit {
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A new post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    /// One line of at most 200 characters.
    #[schema(example = "Corte de agua el jueves")]
    pub title: String,
    /// Markdown, at most 65,536 bytes.
    #[schema(example = "De **9 a 12**, por la obra de la calle Mayor.")]
    pub text: String,
}

/// A post was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PostMade {
    /// Its id within the area, from 1.
    pub id: i64,
    /// The area's id.
    pub area: i64,
    /// When it was published.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Whether a post still says what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PostState {
    /// As published.
    Published,
    /// Deleted by its author; title and text are empty.
    Deleted,
    /// Hidden by an administrator; title and text are empty, `reason` says why.
    Hidden,
}

/// A post as the member who asks sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Post {
    /// Its id within the area, from 1.
    pub id: i64,
    /// The area's id.
    pub area: i64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub text: String,
    /// The author's name.
    pub author: String,
    /// When it was published.
    #[schema(format = DateTime)]
    pub at: String,
    /// Whether the member has read it.
    pub read: bool,
    /// Whether it was deleted or hidden.
    pub state: PostState,
    /// Why it was hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A page of posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Posts {
    /// The posts, oldest first unless `before` or `order=newest` was asked.
    pub posts: Vec<Post>,
    /// Goes into `?after=` (or `?before=`, newest first) for the next page; `null` on the last.
    pub next: Option<i64>,
}

/// A search's page, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// The posts.
    pub posts: Vec<FoundPost>,
    /// Goes into `?before=` for the next page; `null` on the last one.
    pub next: Option<i64>,
}

/// A post that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundPost {
    /// The name of its area.
    pub area_name: String,
    /// The post.
    #[serde(flatten)]
    pub post: Post,
}

/// Why a post is hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hide {
    /// Shown in the post's place.
    pub reason: String,
}

/// Marks posts of an area read, or unread: exactly one of `post`, `up_to` and `all` is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// This post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<i64>,
    /// This post and all before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
    /// `true`: every post there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// `false` marks unread; absent means `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<bool>,
}

/// What is left to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unread {
    /// Unread posts of the area.
    pub unread: i64,
}

/// The private feed's addresses. They hold the secret: who knows them can read the news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feed {
    /// Atom of all the areas the member is subscribed to.
    pub url: String,
    /// Atom of one area: `{area}` stands for its id.
    pub area_url: String,
}

/// Something that happened: the `data:` of an SSE message, whose `id:` is [`Event::id`] and whose
/// `event:` is [`Event::kind`]. A last message `event: gone` says that the history after the
/// client's cursor is no longer kept; its data is `{"oldest": id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// `index-number`; ids only grow. Empty, and without an `id:`, for `poll.tally`: that tells how
    /// something stands, not what happened, and only the newest counts.
    #[schema(example = "1042-3")]
    pub id: String,
    /// `post.published`, `post.removed`, `area.added`, `area.edited`, `area.removed`,
    /// `member.joined`, `lottery.opened`, `lottery.agency-closed`, `lottery.drawn`,
    /// `poll.created`, `poll.closed`, `poll.tally`, `file.put`, `file.renamed` or `file.removed`.
    #[schema(example = "post.published")]
    pub kind: String,
    /// When it happened.
    #[schema(format = DateTime)]
    pub at: String,
    /// The area's id, of `area.*` and `post.*`, and of `file.put` if the file is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<i64>,
    /// The post's id within the area, of `post.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<i64>,
    /// The post's title, of `post.published`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The author's name, of `post.published` and `poll.created`; who put it, of `file.put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The area's name (`area.*`), the member's (`member.joined`), the lottery's
    /// (`lottery.opened`) or the file's (`file.*`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether an administrator hid the post, of `post.removed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// The lottery's id, of `lottery.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery: Option<i64>,
    /// How many agencies the lottery has, of `lottery.opened`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agencies: Option<u32>,
    /// The agency that closed, of `lottery.agency-closed`, and of `lottery.drawn` if that closing
    /// drew the lottery (it has no event of its own then).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<u32>,
    /// Agencies that have not closed yet, of `lottery.agency-closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_agencies: Option<u32>,
    /// The number, of `lottery.drawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// Bets on the number over all agencies, of `lottery.drawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winners: Option<i64>,
    /// The poll's id, of `poll.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<i64>,
    /// What is asked, of `poll.created` and `poll.closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The file's id, of `file.*`. Private files have no events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<i64>,
    /// How long the file is, of `file.put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// BLAKE3 of the file, of `file.put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Hex32>,
    /// The name that the file had, of `file.renamed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How the poll stands, of `poll.tally`. It comes only to who asks for the poll (`?poll=`) or
    /// for this kind, and at most some twenty times a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}
