//! What an Atom feed shows: the newest posts of an area, or of all that a member follows.

use domain::accounts::{Member, WhoseFeed};
use domain::news::queries::{AreaRef, Body, ListAreas, ListPosts, Page, Post};
use domain::{Fault, Query, Sql};
use engine::{Consistency, Served};

use super::{App, Caller};
use crate::problem::Trouble;
use crate::token::Token;

/// Entries of a feed: what a reader that looks once a day needs.
const ENTRIES_MAX: usize = 50;

/// A post in a feed.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub area: i64,
    pub area_name: String,
    pub post: i64,
    pub author: String,
    pub at_ms: i64,
    pub title: String,
    pub text: String,
}

/// Which posts.
#[derive(Clone, Debug)]
pub(crate) enum FeedOf {
    /// Those of the areas that the member is subscribed to.
    Subscriptions,
    /// Those of one area.
    Area(AreaRef),
}

/// A feed's entries, newest first; `None` if there is no such area.
type Entries = Option<Vec<Entry>>;

impl App {
    /// The feed for a session.
    pub async fn feed(&self, caller: &Caller, of: FeedOf) -> Result<Served<Vec<Entry>>, Trouble> {
        let which = of.clone();
        let question = move |me: &Member| Newest {
            viewer: me.account,
            of: which.clone(),
        };
        let Served {
            value: (_, entries),
            position,
        } = self.ask(caller, question).await?;
        let value = entries.ok_or_else(|| match &of {
            FeedOf::Area(area) => Trouble::no_area(area),
            FeedOf::Subscriptions => Trouble::not_found("feed"),
        })?;
        Ok(Served { value, position })
    }

    /// The feed for the token in its address, which is all that a feed reader has.
    pub async fn private_feed(
        &self,
        token: &str,
        of: FeedOf,
    ) -> Result<Served<Vec<Entry>>, Trouble> {
        let unknown = || Trouble::not_found("feed");
        let token = Token::parse(token).ok_or_else(unknown)?;
        let query = Private {
            owner: WhoseFeed {
                token_hash: token.hash,
            },
            of,
        };
        // The newest state knows whether the token has been replaced.
        let otherwise = Consistency::Session(token.index);
        let Served { value, position } = self.read_newest(otherwise, query).await?;
        Ok(Served {
            value: value.ok_or_else(unknown)?,
            position,
        })
    }
}

#[derive(Clone)]
struct Private {
    owner: WhoseFeed,
    of: FeedOf,
}

impl Query for Private {
    type Answer = Entries;

    fn run(&self, sql: &mut dyn Sql) -> Result<Entries, Fault> {
        match self.owner.run(sql)? {
            Some(member) => Newest {
                viewer: member.account,
                of: self.of.clone(),
            }
            .run(sql),
            None => Ok(None),
        }
    }
}

struct Newest {
    viewer: i64,
    of: FeedOf,
}

impl Query for Newest {
    type Answer = Entries;

    fn run(&self, sql: &mut dyn Sql) -> Result<Entries, Fault> {
        match &self.of {
            FeedOf::Area(area) => self.newest_of(area.clone(), sql),
            FeedOf::Subscriptions => self.newest_of_all(sql).map(Some),
        }
    }
}

impl Newest {
    /// Looks at the areas from the one with the newest post on, and stops where nothing newer can
    /// come, so that few texts are held at once.
    fn newest_of_all(&self, sql: &mut dyn Sql) -> Result<Vec<Entry>, Fault> {
        let list = ListAreas {
            viewer: self.viewer,
            subscribed_only: true,
        };
        let mut areas = list.run(sql)?;
        areas.sort_by_key(|area| std::cmp::Reverse(area.last_post_at_ms));
        let mut entries: Vec<Entry> = Vec::new();
        for area in areas {
            let full = entries.len() == ENTRIES_MAX;
            if full && entries.last().map(|entry| entry.at_ms) >= area.last_post_at_ms {
                break;
            }
            entries.extend(
                self.newest_of(AreaRef::Id(area.id), sql)?
                    .into_iter()
                    .flatten(),
            );
            entries.sort_by_key(|entry| std::cmp::Reverse((entry.at_ms, entry.area, entry.post)));
            entries.truncate(ENTRIES_MAX);
        }
        Ok(entries)
    }

    fn newest_of(&self, area: AreaRef, sql: &mut dyn Sql) -> Result<Entries, Fault> {
        let page = Page::Before(i64::MAX);
        let limit = ENTRIES_MAX as u32;
        let list = ListPosts {
            viewer: self.viewer,
            area,
            unread_only: false,
            page,
            limit,
        };
        let Some(found) = list.run(sql)? else {
            return Ok(None);
        };
        let name = found.area.name;
        Ok(Some(
            found
                .posts
                .into_iter()
                .filter_map(|post| entry(&name, post))
                .collect(),
        ))
    }
}

/// A post as an entry; tombstones are not news.
fn entry(area_name: &str, post: Post) -> Option<Entry> {
    let Body::Text { title, text } = post.body else {
        return None;
    };
    Some(Entry {
        area: post.area,
        area_name: area_name.to_owned(),
        post: post.id,
        author: post.author,
        at_ms: post.at_ms,
        title,
        text,
    })
}
