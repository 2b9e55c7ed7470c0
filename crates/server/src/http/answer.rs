//! Answers: a body, and headers that say which state it was made from.

use api::types::headers;
use axum::Json;
use axum::response::{IntoResponse, Response};
use engine::{Engine, Position};
use http::header::{CACHE_CONTROL, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::app::Written;

/// An answer from the API.
pub(crate) struct Answer<T> {
    status: StatusCode,
    position: Position,
    replayed: bool,
    location: Option<String>,
    body: Option<T>,
}

impl<T> Answer<T> {
    /// 200 with a body.
    pub fn ok(position: Position, body: T) -> Self {
        Answer {
            status: StatusCode::OK,
            position,
            replayed: false,
            location: None,
            body: Some(body),
        }
    }

    /// 201 with a body.
    pub fn created(position: Position, body: T) -> Self {
        Answer {
            status: StatusCode::CREATED,
            ..Answer::ok(position, body)
        }
    }

    /// 202 with a body.
    pub fn accepted(position: Position, body: T) -> Self {
        Answer {
            status: StatusCode::ACCEPTED,
            ..Answer::ok(position, body)
        }
    }

    /// Where what was made can be found.
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// Says whether an earlier request with the same id did it.
    pub fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

impl Answer<()> {
    /// 204: it is done.
    pub fn done(written: Written) -> Self {
        Answer {
            status: StatusCode::NO_CONTENT,
            position: written.position,
            replayed: written.replayed,
            location: None,
            body: None,
        }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        let headers = response.headers_mut();
        position_headers(headers, &self.position);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.replayed {
            let name = HeaderName::from_static(headers::REPLAYED);
            headers.insert(name, HeaderValue::from_static("true"));
        }
        if let Some(location) = self
            .location
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(LOCATION, location);
        }
        response
    }
}

/// Adds to a response which state it was made from.
pub(crate) struct Positioned<R>(pub Position, pub R);

impl<R: IntoResponse> IntoResponse for Positioned<R> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        position_headers(response.headers_mut(), &self.0);
        response
    }
}

/// Which state an answer was made from.
pub(crate) fn position_headers(headers: &mut HeaderMap, position: &Position) {
    let Position {
        index,
        term,
        node,
        age_ms,
    } = position;
    headers.insert(headers::INDEX, HeaderValue::from(*index));
    headers.insert(headers::TERM, HeaderValue::from(*term));
    headers.insert(headers::AGE_MS, HeaderValue::from(*age_ms));
    if let Ok(node) = HeaderValue::try_from(&**node) {
        headers.insert(headers::NODE, node);
    }
}

/// The headers of an answer that no state was asked for: where the node is now.
pub(crate) fn fallback_position(headers: &mut HeaderMap, engine: &Engine) {
    if headers.contains_key(headers::INDEX) {
        return;
    }
    let status = engine.status();
    let leads = status.leader.as_deref() == Some(&*status.node);
    let own = status
        .nodes
        .iter()
        .find(|node| Some(&node.name) == status.leader.as_ref());
    let age = if leads {
        Some(0)
    } else {
        own.and_then(|leader| leader.last_contact_ms)
    };
    let position = Position {
        index: status.applied,
        term: status.term,
        node: status.node.clone(),
        age_ms: age.unwrap_or_default(),
    };
    position_headers(headers, &position);
    if age.is_none() {
        headers.remove(headers::AGE_MS);
    }
}
