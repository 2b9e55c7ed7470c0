//! The live stream.

use api::types::Event;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::EventId;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::{App, Caller};
use crate::events::{Filter, KINDS, Reader};
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
#[utoipa::path(get, path = "/v1/events", tag = "news",
    params(
        ("area" = Option<Vec<String>>, Query, description = "Ids or names; may be repeated"),
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
    app.member(&caller).await?;
    let query = query.only(&["area", "kind", "after"])?;
    let after = cursor(&headers, &query)?;
    let filter = Filter {
        areas: areas(&app, &caller, &query).await?,
        kinds: kinds(&query)?,
    };
    let reader = Reader::open(&app, caller, filter, after).await?;
    let head = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Keeps nginx from collecting the stream before it passes it on.
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(reader.into_stream())).into_response())
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

fn kinds(query: &Pairs) -> Result<Vec<String>, Trouble> {
    let known = |kind: &str| match KINDS.contains(&kind) {
        true => Ok(kind.to_owned()),
        false => Err(Trouble::field(
            "kind",
            format!("it must be one of {}", KINDS.join(", ")),
        )),
    };
    query.all("kind").map(known).collect()
}
