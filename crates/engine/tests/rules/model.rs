//! The naive reader: keeps every post and every mark one by one, and counts them.

use std::collections::{BTreeMap, BTreeSet};

use domain::accounts::{Standing, WhoIs};
use domain::command::Which;
use domain::news::queries::{AreaRef, Body, ListAreas, ListPosts, Page};
use domain::{Action, Actor, Outcome, Proposal, Query, Reply};

use crate::random::ACCOUNTS;
use crate::world::World;

/// What should be there.
#[derive(Default)]
pub struct Model {
    areas: BTreeMap<i64, Area>,
    sessions: BTreeMap<[u8; 32], i64>,
    posts_ever: usize,
}

#[derive(Default)]
struct Area {
    /// Whether each post is still there, from post 1.
    posts: Vec<bool>,
    /// Account and post.
    read: BTreeSet<(i64, i64)>,
    subscribers: BTreeSet<i64>,
}

impl Area {
    fn newest(&self) -> i64 {
        self.posts.len() as i64
    }

    fn unread(&self, account: i64) -> Vec<i64> {
        (1..=self.newest())
            .filter(|post| self.posts[*post as usize - 1] && !self.read.contains(&(account, *post)))
            .collect()
    }
}

impl Model {
    /// Posts over all areas, ever.
    pub fn posts_ever(&self) -> usize {
        self.posts_ever
    }

    /// Takes an outcome in.
    pub fn note(&mut self, proposal: &Proposal, outcome: &Outcome) {
        let (Ok(reply), false) = (&outcome.result, outcome.replayed) else {
            return;
        };
        let who = self.account(&proposal.actor);
        match (&proposal.action, reply) {
            (
                Action::LogIn {
                    account,
                    token_hash,
                    ..
                },
                _,
            ) => {
                self.sessions.insert(*token_hash, *account);
            }
            (Action::AddArea { .. }, Reply::Area { id }) => {
                self.areas.insert(*id, Area::default());
            }
            (Action::RemoveArea { area }, _) => {
                self.areas.remove(area);
            }
            (Action::Subscribe { area }, _) => {
                self.area(*area).subscribers.insert(who);
            }
            (Action::Unsubscribe { area }, _) => {
                self.area(*area).subscribers.remove(&who);
            }
            (Action::Publish { area, .. }, Reply::Post { id, .. }) => {
                self.posts_ever += 1;
                let area = self.area(*area);
                area.posts.push(true);
                assert_eq!(*id, area.newest());
                area.read.insert((who, *id));
            }
            (Action::DeletePost { area, post } | Action::HidePost { area, post, .. }, _) => {
                self.area(*area).posts[*post as usize - 1] = false;
            }
            (Action::Mark { area, which, read }, Reply::Unread { count }) => {
                let area = self.area(*area);
                mark(area, who, *which, *read);
                assert_eq!(*count, area.unread(who).len() as i64);
            }
            _ => {}
        }
    }

    /// Compares with what the rules answer.
    pub fn check(&self, world: &mut World, place: &str) {
        let sql = &mut world.sql();
        for viewer in ACCOUNTS {
            let listed = ListAreas {
                viewer,
                subscribed_only: false,
            }
            .run(sql)
            .unwrap();
            assert_eq!(listed.len(), self.areas.len(), "{place}");
            for area in &listed {
                let naive = &self.areas[&area.id];
                assert_eq!(
                    area.unread,
                    naive.unread(viewer).len() as i64,
                    "{place} {area:?}"
                );
                let there = naive.posts.iter().filter(|there| **there).count();
                assert_eq!(area.posts, there as i64, "{place} {area:?}");
                assert_eq!(
                    area.subscribed,
                    naive.subscribers.contains(&viewer),
                    "{place}"
                );
                check_pages(sql, viewer, area.id, naive, place);
            }
        }
        for token_hash in self.sessions.keys() {
            let standing = WhoIs {
                token_hash: *token_hash,
                now_ms: 0,
            }
            .run(sql)
            .unwrap();
            if let Standing::SignedIn(member) = standing {
                assert_eq!(member.account, self.sessions[token_hash], "{place}");
            }
        }
    }

    fn area(&mut self, id: i64) -> &mut Area {
        self.areas
            .get_mut(&id)
            .expect("the rules knew an area that the model does not")
    }

    fn account(&self, actor: &Actor) -> i64 {
        match actor {
            Actor::Session(token_hash) => self.sessions.get(token_hash).copied().unwrap_or(0),
            Actor::OnBehalf { account, .. } => *account,
            Actor::Anonymous | Actor::System | Actor::Door => 0,
        }
    }
}

fn mark(area: &mut Area, who: i64, which: Which, read: bool) {
    let posts = match which {
        Which::One(post) => post..=post,
        Which::UpTo(post) => 1..=post,
        Which::All => 1..=area.newest(),
    };
    for post in posts {
        if read {
            area.read.insert((who, post));
        } else {
            area.read.remove(&(who, post));
        }
    }
}

/// Reads everything and all that is unread, in both directions and small pages.
fn check_pages(
    sql: &mut engine::sql::Sqlite<'_>,
    viewer: i64,
    area: i64,
    naive: &Area,
    place: &str,
) {
    for unread_only in [false, true] {
        for newest_first in [false, true] {
            let mut expected = match unread_only {
                true => naive.unread(viewer),
                false => (1..=naive.newest()).collect(),
            };
            if newest_first {
                expected.reverse();
            }
            let read = read_all(sql, viewer, area, unread_only, newest_first);
            let ids: Vec<i64> = read.iter().map(|post| post.id).collect();
            assert_eq!(
                ids, expected,
                "{place} area {area} viewer {viewer} {unread_only}"
            );
            for post in &read {
                let there = naive.posts[post.id as usize - 1];
                let marked = naive.read.contains(&(viewer, post.id));
                assert_eq!(post.read, marked || !there, "{place} {post:?}");
                assert_eq!(
                    matches!(post.body, Body::Text { .. }),
                    there,
                    "{place} {post:?}"
                );
            }
        }
    }
}

fn read_all(
    sql: &mut engine::sql::Sqlite<'_>,
    viewer: i64,
    area: i64,
    unread_only: bool,
    newest_first: bool,
) -> Vec<domain::news::queries::Post> {
    let mut all = Vec::new();
    let mut next = Some(if newest_first { i64::MAX } else { 0 });
    while let Some(from) = next {
        let page = if newest_first {
            Page::Before(from)
        } else {
            Page::After(from)
        };
        let area = AreaRef::Id(area);
        let query = ListPosts {
            viewer,
            area,
            unread_only,
            page,
            limit: 7,
        };
        let posts = query.run(sql).unwrap().unwrap();
        all.extend(posts.posts);
        next = posts.next;
    }
    all
}
