//! From the rules' types to the API's.

pub(crate) mod cluster;
pub(crate) mod files;
pub(crate) mod journals;
pub(crate) mod lotteries;

use api::types;
use domain::accounts;
use domain::news::queries::{Area, Body, Post};
use jiff::Timestamp;

/// Milliseconds since 1970 as RFC 3339 in UTC, always with milliseconds.
pub(crate) fn rfc3339(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    format!("{time:.3}")
}

/// An area.
pub(crate) fn area(area: Area) -> types::Area {
    types::Area {
        id: area.id,
        name: area.name,
        description: area.description,
        posts: area.posts,
        last_post_at: area.last_post_at_ms.map(rfc3339),
        subscribed: area.subscribed,
        unread: area.unread,
    }
}

/// A post, or its tombstone.
pub(crate) fn post(post: Post) -> types::Post {
    let (state, title, text, reason) = match post.body {
        Body::Text { title, text } => (types::PostState::Published, title, text, None),
        Body::Deleted => (
            types::PostState::Deleted,
            String::new(),
            String::new(),
            None,
        ),
        Body::Hidden { reason } => (
            types::PostState::Hidden,
            String::new(),
            String::new(),
            Some(reason),
        ),
    };
    types::Post {
        id: post.id,
        area: post.area,
        title,
        text,
        author: post.author,
        at: rfc3339(post.at_ms),
        read: post.read,
        state,
        reason,
    }
}

/// An account in a list.
pub(crate) fn account(account: accounts::Account) -> types::Account {
    types::Account {
        id: account.id,
        name: account.name,
        administrator: account.administrator,
        created_at: Some(rfc3339(account.created_at_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(rfc3339(i64::MAX), rfc3339(i64::MAX - 1));
    }
}
