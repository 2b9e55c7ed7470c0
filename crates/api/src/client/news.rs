//! Areas, subscriptions and posts. `area` is always an area's id or its name.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{
    Area, AreaEdit, AreaMade, Areas, Found, Hide, Mark, NewArea, NewPost, Post, PostMade, Posts,
    Subscriptions, Unread,
};

/// The order of a page of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// Which posts of an area to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostsQuery {
    /// Only those the member has not read.
    pub unread: bool,
    /// In which order.
    pub order: Order,
    /// Where the page starts: `next` of the page before, in the same order.
    pub from: Option<i64>,
    /// At most this many, 1 to 200; the server has a default.
    pub limit: Option<u32>,
}

impl PostsQuery {
    fn ask(self, call: Call) -> Call {
        let from = self.from.map(|id| id.to_string());
        let limit = self.limit.map(|limit| limit.to_string());
        let call = call
            .query("unread", self.unread.then_some("true"))
            .query("limit", limit.as_deref());
        match self.order {
            Order::Oldest => call.query("after", from.as_deref()),
            Order::Newest => call
                .query("order", Some("newest"))
                .query("before", from.as_deref()),
        }
    }
}

impl Client {
    /// Every area.
    pub async fn areas(&self) -> Result<Areas, Error> {
        self.fetch(Call::get(&["v1", "areas"])).await
    }

    /// One area.
    pub async fn area(&self, area: &str) -> Result<Area, Error> {
        self.fetch(Call::get(&["v1", "areas", area])).await
    }

    /// Adds an area (administrators only).
    pub async fn add_area(&self, area: &NewArea) -> Result<AreaMade, Error> {
        self.fetch(Call::change(Method::POST, &["v1", "areas"]).json(area)?)
            .await
    }

    /// Renames or describes an area (administrators only).
    pub async fn edit_area(&self, area: &str, edit: &AreaEdit) -> Result<(), Error> {
        self.done(Call::change(Method::PATCH, &["v1", "areas", area]).json(edit)?)
            .await
    }

    /// Removes an area with all its posts (administrators only).
    pub async fn remove_area(&self, area: &str) -> Result<(), Error> {
        self.done(Call::change(Method::DELETE, &["v1", "areas", area]))
            .await
    }

    /// Subscribes the member to an area, or ends the subscription.
    pub async fn subscribe(&self, area: &str, subscribed: bool) -> Result<(), Error> {
        let method = if subscribed {
            Method::PUT
        } else {
            Method::DELETE
        };
        self.done(Call::change(method, &["v1", "areas", area, "subscription"]))
            .await
    }

    /// The areas that the member is subscribed to, with what is unread.
    pub async fn subscriptions(&self) -> Result<Subscriptions, Error> {
        self.fetch(Call::get(&["v1", "subscriptions"])).await
    }

    /// A page of the posts of an area.
    pub async fn posts(&self, area: &str, query: PostsQuery) -> Result<Posts, Error> {
        let call = Call::get(&["v1", "areas", area, "posts"]).about(area);
        self.fetch(query.ask(call)).await
    }

    /// Publishes a post.
    pub async fn publish(&self, area: &str, post: &NewPost) -> Result<PostMade, Error> {
        let call = Call::change(Method::POST, &["v1", "areas", area, "posts"]).json(post)?;
        self.fetch(call.about(area)).await
    }

    /// One post.
    pub async fn post(&self, area: &str, id: i64) -> Result<Post, Error> {
        let call = Call::get(&["v1", "areas", area, "posts", &id.to_string()]);
        self.fetch(call.about(area)).await
    }

    /// Deletes a post of the member's own.
    pub async fn delete_post(&self, area: &str, id: i64) -> Result<(), Error> {
        let segments = ["v1", "areas", area, "posts", &id.to_string()];
        self.done(Call::change(Method::DELETE, &segments).about(area))
            .await
    }

    /// Hides a post, with a reason that is shown in its place (administrators only).
    pub async fn hide_post(&self, area: &str, id: i64, hide: &Hide) -> Result<(), Error> {
        let segments = ["v1", "areas", area, "posts", &id.to_string(), "hide"];
        self.done(
            Call::change(Method::POST, &segments)
                .json(hide)?
                .about(area),
        )
        .await
    }

    /// Marks posts of an area read or unread, and answers how many are unread now.
    pub async fn mark(&self, area: &str, mark: &Mark) -> Result<Unread, Error> {
        let call = Call::change(Method::POST, &["v1", "areas", area, "read"]).json(mark)?;
        self.fetch(call.about(area)).await
    }

    /// Posts with every word of `text`, newest first; `before` is `next` of the page before.
    pub async fn search(
        &self,
        text: &str,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> Result<Found, Error> {
        let before = before.map(|cursor| cursor.to_string());
        let limit = limit.map(|limit| limit.to_string());
        let call = Call::get(&["v1", "search"])
            .query("q", Some(text))
            .query("before", before.as_deref())
            .query("limit", limit.as_deref());
        self.fetch(call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posts_query_says_order_and_cursor() {
        let path = |query: PostsQuery| query.ask(Call::get(&["p"])).path;
        assert_eq!(path(PostsQuery::default()), "/p");
        let oldest = PostsQuery {
            unread: true,
            from: Some(4),
            limit: Some(9),
            ..PostsQuery::default()
        };
        assert_eq!(path(oldest), "/p?unread=true&limit=9&after=4");
        let newest = PostsQuery {
            order: Order::Newest,
            from: Some(4),
            ..PostsQuery::default()
        };
        assert_eq!(path(newest), "/p?order=newest&before=4");
    }
}
