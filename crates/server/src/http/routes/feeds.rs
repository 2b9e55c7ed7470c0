//! Atom, for feed readers.

use api::types::Feed;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use engine::Served;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::app::{App, Caller, Entry, FeedOf};
use crate::atom::{self, Channel};
use crate::http::extract::area_ref;
use crate::http::{Answer, AreaPath, Positioned};
use crate::problem::Trouble;

/// Make the address of one's private feed
///
/// It holds a secret, so that a feed reader needs no password. A new one ends the one before.
#[utoipa::path(post, path = "/v1/feed", tag = "feeds", responses((status = 201, body = Feed)))]
pub(super) async fn make(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Answer<Feed>, Trouble> {
    let (token, position) = app.new_feed_token(&caller).await?;
    let base = app.public_url(&headers);
    let feed = Feed {
        url: format!("{base}/feeds/{token}/all.atom"),
        area_url: format!("{base}/feeds/{token}/areas/{{area}}.atom"),
    };
    Ok(Answer::created(position, feed))
}

/// The newest posts of an area, as Atom
#[utoipa::path(get, path = "/v1/areas/{area}/atom", tag = "feeds",
    params(("area" = String, Path, description = "Id or name")),
    responses(
        (status = 200, body = String, content_type = "application/atom+xml"),
        (status = 304, description = "As in `If-None-Match`")))]
pub(super) async fn area(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let entries = app.feed(&caller, FeedOf::Area(area)).await?;
    Ok(rendered(&app, &headers, entries, true))
}

/// The newest posts of all the areas one is subscribed to, as Atom
#[utoipa::path(get, path = "/feeds/{token}/all.atom", tag = "feeds", security(()),
    params(("token" = String, Path, description = "From the feed's address")),
    responses(
        (status = 200, body = String, content_type = "application/atom+xml"),
        (status = 304, description = "As in `If-None-Match`")))]
pub(super) async fn private_all(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let entries = app.private_feed(&token, FeedOf::Subscriptions).await?;
    Ok(rendered(&app, &headers, entries, false))
}

/// The newest posts of one area, as Atom
#[utoipa::path(get, path = "/feeds/{token}/areas/{file}", tag = "feeds", security(()),
    params(
        ("token" = String, Path, description = "From the feed's address"),
        ("file" = String, Path, description = "`{area}.atom`: an id or a name")),
    responses(
        (status = 200, body = String, content_type = "application/atom+xml"),
        (status = 304, description = "As in `If-None-Match`")))]
pub(super) async fn private_area(
    State(app): State<App>,
    Path((token, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let area = file
        .strip_suffix(".atom")
        .ok_or_else(|| Trouble::not_found("feed"))?;
    let area = area_ref(area)?;
    let entries = app.private_feed(&token, FeedOf::Area(area)).await?;
    Ok(rendered(&app, &headers, entries, true))
}

/// The feed, or 304 if the client has it already.
fn rendered(
    app: &App,
    headers: &HeaderMap,
    Served {
        value: entries,
        position,
    }: Served<Vec<Entry>>,
    one_area: bool,
) -> Response {
    let area = entries
        .first()
        .filter(|_| one_area)
        .map(|entry| entry.area_name.clone());
    let status = app.engine.status();
    let channel = Channel {
        cluster: &status.cluster,
        base: &app.public_url(headers),
        area,
    };
    let tag = atom::tag(&channel, &entries);
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| names(value, &tag));
    let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
    let private = HeaderValue::from_static("private, no-cache");
    let head = [(ETAG, tag), (CACHE_CONTROL, private)];
    if known {
        return Positioned(position, (StatusCode::NOT_MODIFIED, head)).into_response();
    }
    let kind = [(CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
    let xml = atom::render(&channel, &entries);
    Positioned(position, (head, kind, xml)).into_response()
}

/// Whether an `If-None-Match` names this tag, weak or not.
fn names(value: &HeaderValue, tag: &str) -> bool {
    let text = value.to_str().unwrap_or_default();
    let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
    text.split(',')
        .map(str::trim)
        .any(|one| one == "*" || opaque(one) == opaque(tag))
}
