//! Posts: listing, publishing, removing, marking and finding them.

use api::types::{Found, FoundPost, Hide, Mark, NewPost, Post, PostMade, Posts, Unread};
use axum::extract::State;
use domain::accounts::Member;
use domain::command::Which;
use domain::news::queries::{GetPost, ListPosts, Page};
use domain::news::search::Search;
use domain::{Action, Reply};
use engine::Served;

use crate::app::{App, Caller, odd_reply};
use crate::http::extract::Input;
use crate::http::{Answer, AreaPath, Pairs, PostPath};
use crate::problem::Trouble;
use crate::render::{self, rfc3339};

/// Posts in a page that asks for no number.
const PAGE_DEFAULT: i64 = 50;

/// Posts in the longest page.
const PAGE_MAX: i64 = 200;

/// Finds in a page that asks for no number.
const FOUND_DEFAULT: i64 = 20;

/// Finds in the longest page.
const FOUND_MAX: i64 = 100;

/// List the posts of an area
///
/// Oldest first after a cursor; newest first with `order=newest` or before a cursor.
#[utoipa::path(get, path = "/v1/areas/{area}/posts", tag = "news",
    params(
        ("area" = String, Path, description = "Id or name"),
        ("unread" = Option<bool>, Query, description = "`true` leaves out what one has read"),
        ("after" = Option<i64>, Query, description = "Oldest first, ids above this"),
        ("before" = Option<i64>, Query, description = "Newest first, ids below this"),
        ("order" = Option<String>, Query, description = "`oldest` (if absent) or `newest`"),
        ("limit" = Option<i64>, Query, description = "1 to 200; 50 if absent")),
    responses((status = 200, body = Posts)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
    query: Pairs,
) -> Result<Answer<Posts>, Trouble> {
    caller.token()?;
    let query = query.only(&["unread", "after", "before", "order", "limit"])?;
    let unread_only = query.flag("unread")?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_DEFAULT) as u32;
    let page = page(&query)?;
    let which = area.clone();
    let question = move |me: &Member| {
        let (viewer, area) = (me.account, area.clone());
        ListPosts {
            viewer,
            area,
            unread_only,
            page,
            limit,
        }
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(&caller, question).await?;
    let found = found.ok_or_else(|| Trouble::no_area(&which))?;
    app.agent.count(found.area.id);
    let posts = found.posts.into_iter().map(render::post).collect();
    Ok(Answer::ok(
        position,
        Posts {
            posts,
            next: found.next,
        },
    ))
}

fn page(query: &Pairs) -> Result<Page, Trouble> {
    let after = query.number("after", 0..=i64::MAX)?;
    let before = query.number("before", 0..=i64::MAX)?;
    match (query.text("order")?, after, before) {
        (None | Some("oldest"), after, None) => Ok(Page::After(after.unwrap_or(0))),
        (None | Some("newest"), None, before) => Ok(Page::Before(before.unwrap_or(i64::MAX))),
        (Some("oldest" | "newest") | None, _, _) => Err(Trouble::field(
            "order",
            "`after` goes with oldest, `before` with newest",
        )),
        (Some(_), _, _) => Err(Trouble::field("order", "it must be oldest or newest")),
    }
}

/// Publish a post
#[utoipa::path(post, path = "/v1/areas/{area}/posts", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    request_body = NewPost,
    responses((status = 201, body = PostMade)))]
pub(super) async fn publish(
    State(app): State<App>,
    AreaPath(area): AreaPath,
    Input {
        caller,
        body: NewPost { title, text },
    }: Input<NewPost>,
) -> Result<Answer<PostMade>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    let written = app
        .write(&caller, Action::Publish { area, title, text })
        .await?;
    let Reply::Post { id, at_ms } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = PostMade {
        id,
        area,
        at: rfc3339(at_ms),
    };
    let answer = Answer::created(written.position, made).at(format!("/v1/areas/{area}/posts/{id}"));
    Ok(answer.replayed(written.replayed))
}

/// One post
#[utoipa::path(get, path = "/v1/areas/{area}/posts/{id}", tag = "news",
    params(
        ("area" = String, Path, description = "Id or name of the area"),
        ("id" = i64, Path, description = "Id of the post")),
    responses((status = 200, body = Post)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    PostPath(area, post): PostPath,
) -> Result<Answer<Post>, Trouble> {
    let question = move |me: &Member| GetPost {
        viewer: me.account,
        area: area.clone(),
        post,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(&caller, question).await?;
    let post = found.ok_or_else(|| Trouble::missing("post", post))?;
    app.agent.count(post.area);
    Ok(Answer::ok(position, render::post(post)))
}

/// Delete one's own post
///
/// A tombstone stays.
#[utoipa::path(delete, path = "/v1/areas/{area}/posts/{id}", tag = "news",
    params(
        ("area" = String, Path, description = "Id or name of the area"),
        ("id" = i64, Path, description = "Id of the post")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    PostPath(area, post): PostPath,
) -> Result<Answer<()>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    Ok(Answer::done(
        app.write(&caller, Action::DeletePost { area, post })
            .await?,
    ))
}

/// Hide a post
///
/// Administrators only. A tombstone with the reason stays.
#[utoipa::path(post, path = "/v1/areas/{area}/posts/{id}/hide", tag = "news",
    params(
        ("area" = String, Path, description = "Id or name of the area"),
        ("id" = i64, Path, description = "Id of the post")),
    request_body = Hide,
    responses((status = 204, description = "Hidden")))]
pub(super) async fn hide(
    State(app): State<App>,
    PostPath(area, post): PostPath,
    Input {
        caller,
        body: Hide { reason },
    }: Input<Hide>,
) -> Result<Answer<()>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    Ok(Answer::done(
        app.write(&caller, Action::HidePost { area, post, reason })
            .await?,
    ))
}

/// Mark posts read or unread
///
/// `{"post": 7}`, `{"up_to": 7}` or `{"all": true}`; with `"read": false` it is undone.
#[utoipa::path(post, path = "/v1/areas/{area}/read", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    request_body = Mark,
    responses((status = 200, body = Unread)))]
pub(super) async fn mark(
    State(app): State<App>,
    AreaPath(area): AreaPath,
    Input { caller, body }: Input<Mark>,
) -> Result<Answer<Unread>, Trouble> {
    let which = which(&body)?;
    let read = body.read.unwrap_or(true);
    let area = app.area_id(&caller, &area).await?;
    let written = app
        .write(&caller, Action::Mark { area, which, read })
        .await?;
    let Reply::Unread { count } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let answer = Answer::ok(written.position, Unread { unread: count });
    Ok(answer.replayed(written.replayed))
}

fn which(mark: &Mark) -> Result<Which, Trouble> {
    match (mark.post, mark.up_to, mark.all) {
        (Some(post), None, None) => Ok(Which::One(post)),
        (None, Some(post), None) => Ok(Which::UpTo(post)),
        (None, None, Some(true)) => Ok(Which::All),
        (None, None, Some(false)) => Err(Trouble::field("all", "it can only be true")),
        _ => Err(Trouble::field(
            "post",
            "exactly one of post, up_to and all must be given",
        )),
    }
}

/// Find posts
///
/// Those that contain every word, newest first; the last word may be the start of one.
#[utoipa::path(get, path = "/v1/search", tag = "news",
    params(
        ("q" = String, Query, description = "What to look for"),
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 100; 20 if absent")),
    responses((status = 200, body = Found)))]
pub(super) async fn search(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Found>, Trouble> {
    caller.token()?;
    let query = query.only(&["q", "before", "limit"])?;
    let nothing = || Trouble::field("q", "say what to look for");
    let text = query.text("q")?.ok_or_else(nothing)?.to_owned();
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let limit = query
        .number("limit", 1..=FOUND_MAX)?
        .unwrap_or(FOUND_DEFAULT) as u32;
    let question = move |me: &Member| Search {
        viewer: me.account,
        text: text.clone(),
        before,
        limit,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(&caller, question).await?;
    let shown = |(area_name, post)| FoundPost {
        area_name,
        post: render::post(post),
    };
    let posts = found.posts.into_iter().map(shown).collect();
    Ok(Answer::ok(
        position,
        Found {
            posts,
            next: found.next,
        },
    ))
}
