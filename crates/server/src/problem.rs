//! What can go wrong, as RFC 9457 problems: a fixed set of kinds, each with one title and status.

mod convert;
mod kinds;
mod missing;
mod page;

pub(crate) use convert::{bad_name, file_changed, forbidden_to_members, session_expired};
pub(crate) use kinds::Kind;
pub(crate) use missing::named;
pub(crate) use page::page;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use api::types::{FieldError, Problem};
use engine::Position;

use crate::http::position_headers;

/// Why a request was not done: a [`Kind`] and what there is to say this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub kind: Kind,
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub retry_after_ms: Option<u64>,
    /// The state that the rules refused it in, if they did.
    pub refused_at: Option<Position>,
}

impl Trouble {
    /// A problem with a sentence for the user.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Trouble {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_ms: None,
            refused_at: None,
        }
    }

    /// A field that is out of its bounds.
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let detail = format!("{field}: {reason}");
        let errors = vec![FieldError {
            field: field.to_owned(),
            reason,
        }];
        Trouble {
            errors,
            ..Trouble::new(Kind::Invalid, detail)
        }
    }

    /// Says when to try again.
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Says in which state it was refused.
    pub fn refused_at(mut self, position: Position) -> Self {
        self.refused_at = Some(position);
        self
    }

    /// No session came with the request.
    pub fn not_signed_in() -> Self {
        Trouble::new(
            Kind::NotSignedIn,
            "this needs a session: log in and send its token",
        )
    }

    /// What came as a session's token is none, or none any more.
    pub fn session_over() -> Self {
        Trouble::new(
            Kind::NotSignedIn,
            "the session that was sent is over, or never was: log in again",
        )
    }

    /// A bug or a broken disk; the details are in the log of the node, not in the answer.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(error = %what, "a request failed");
        Trouble::new(
            Kind::Internal,
            "the node failed to answer; its log says why",
        )
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn problem(&self) -> Problem {
        Problem {
            kind: self.kind.uri(),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            retry_after_ms: self.retry_after_ms,
        }
    }

    /// The headers that this problem brings, whatever its body looks like.
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Some(ms) = self.retry_after_ms {
            headers.push((RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1))));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            let challenge = match self.kind {
                Kind::SessionExpired => "Bearer realm=\"consorcio\", error=\"invalid_token\"",
                _ => "Bearer realm=\"consorcio\"",
            };
            headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        headers
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.headers());
        if let Some(position) = &self.refused_at {
            position_headers(headers, position);
        }
        // A page shows the same problem to a person: see `web`.
        response.extensions_mut().insert(self);
        response
    }
}
