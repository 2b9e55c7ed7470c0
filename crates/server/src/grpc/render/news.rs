//! News.

use api::grpc::v1;
use domain::news::queries::{Area, AreaRef, Body, Post};

use super::time;
use crate::problem::Trouble;

/// How a message names an area.
pub(in crate::grpc) fn area_ref(area: Option<v1::AreaRef>) -> Result<AreaRef, Trouble> {
    match area.and_then(|area| area.r#ref) {
        Some(v1::area_ref::Ref::Id(id)) => Ok(AreaRef::Id(id)),
        Some(v1::area_ref::Ref::Name(name)) => Ok(AreaRef::Name(name)),
        None => Err(Trouble::field("area", "say which, by its id or its name")),
    }
}

/// An area.
pub(in crate::grpc) fn area(area: Area) -> v1::Area {
    v1::Area {
        id: area.id,
        name: area.name,
        description: area.description,
        posts: area.posts,
        last_post_at: area.last_post_at_ms.and_then(time),
        subscribed: area.subscribed,
        unread: area.unread,
    }
}

/// A post, or its tombstone.
pub(in crate::grpc) fn post(post: Post) -> v1::Post {
    let mut shown = v1::Post {
        id: post.id,
        area: post.area,
        author: post.author,
        at: time(post.at_ms),
        read: post.read,
        ..v1::Post::default()
    };
    match post.body {
        Body::Text { title, text } => {
            shown.set_state(v1::PostState::Published);
            (shown.title, shown.text) = (title, text);
        }
        Body::Deleted => shown.set_state(v1::PostState::Deleted),
        Body::Hidden { reason } => {
            shown.set_state(v1::PostState::Hidden);
            shown.reason = reason;
        }
    }
    shown
}
