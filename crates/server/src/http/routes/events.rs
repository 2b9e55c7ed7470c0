//! The live stream.

use api::types::Event;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::EventId;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::{App, Caller};
use crate::events::{Filter, Reader, check_kind};
use crate::http::Pairs;
use crate::http::extract::area_ref;
use crate::problem::Trouble;

/// Values of one filter: more than there is use for.
const FILTER_MAX: usize = 50;

/// Follow what happens
///
/// Server-sent events. `id:` is the event's id; a client that comes back with it in
/// `Last-Event-ID` (or `?after=`), on any node, gets everything after it exactly once, or one
/// message `event: gone` if that history is no longer kept. Comments are signs of life. A client
/// that reads too slowly is cut and resumes the same way.
///
/// With `poll` (or `kind=poll.tally`) messages `event: poll.tally` tell how open polls stand: first
/// as they are, then when they change, at most some twenty times a second. They have no `id:`,
/// because only the newest counts. A poll for anyone can be followed without a session.
#[utoipa::path(get, path = "/v1/events", tag = "news",
    params(
        ("area" = Option<Vec<String>>, Query, description = "Ids or names; may be repeated"),
        ("poll" = Option<Vec<i64>>, Query, description = "Ids of polls; may be repeated"),
        ("kind" = Option<Vec<String>>, Query, description = "Kinds of events; may be repeated"),
        ("after" = Option<String>, Query, description = "Resume after this event id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same; goes first")),
    responses((status = 200, body = Event, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, Trouble> {
    let query = query.only(&["area", "poll", "kind", "after"])?;
    let filter = Filter {
        areas: areas(&app, &caller, &query).await?,
        polls: polls(&query)?,
        kinds: kinds(&query)?,
    };
    app.may_follow(&caller, &filter).await?;
    let after = cursor(&headers, &query)?;
    let reader = Reader::open(&app, &caller, filter, after).await?;
    let head = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Keeps nginx from collecting the stream before it passes it on.
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(reader.into_sse())).into_response())
}

fn cursor(headers: &HeaderMap, query: &Pairs) -> Result<Option<EventId>, Trouble> {
    let name = "last-event-id";
    let bad = |field: &str| Trouble::field(field, "an event id looks like 1042-3");
    match headers.get(name).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("") => query.value("after", "an event id like 1042-3"),
        Some(text) => text.parse().map(Some).map_err(|_| bad(name)),
    }
}

async fn areas(app: &App, caller: &Caller, query: &Pairs) -> Result<Vec<i64>, Trouble> {
    let mut areas = Vec::new();
    for text in query.all("area").take(FILTER_MAX) {
        let area = area_ref(text)?;
        areas.push(app.area(caller, &area).await?.value.1.id);
    }
    Ok(areas)
}

fn polls(query: &Pairs) -> Result<Vec<i64>, Trouble> {
    let id = |text: &str| {
        let bad = |_| Trouble::field("poll", "it must be the id of a poll");
        text.parse().map_err(bad)
    };
    query.all("poll").take(FILTER_MAX).map(id).collect()
}

fn kinds(query: &Pairs) -> Result<Vec<String>, Trouble> {
    let known = |kind: &str| check_kind("kind", kind).map(|()| kind.to_owned());
    query.all("kind").map(known).collect()
}
