//! What a proxy says itself when no node can be asked, in the nodes' own words, and what it makes
//! of a node that says that it cannot serve.

use std::time::Duration;

use api::types;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{full, short};
use crate::client::{Body, BodyError};

/// When to try again: about as long as an election takes.
const RETRY_AFTER_MS: u64 = 1_000;

/// A problem is a few sentences; what is longer is not looked at.
const PROBLEM_MAX_BYTES: usize = 64 * 1024;

/// How long those sentences may take to follow their head.
const PROBLEM_TIMEOUT: Duration = Duration::from_secs(2);

/// What a node that says so has not done, and another may.
const NOTHING_DONE: [&str; 5] = ["no-leader", "stopping", "outvoted", "removed", "behind"];

/// Why a proxy answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No node could be reached; nothing was done.
    NoNode,
    /// The request was sent, and its answer is lost.
    Lost,
    /// A bound was reached; nothing was done.
    Busy(&'static str),
    /// The body did not arrive in time; nothing was done.
    Late,
    /// The body did not arrive whole; nothing was done.
    BrokenOff,
}

/// What a node's answer means.
pub enum Judged {
    /// It is the answer.
    Answer(Response<Body>),
    /// It did nothing, and another may.
    NothingDone(Response<Body>),
    /// It does not know whether it did it.
    Unknown(Response<Body>),
}

impl Problem {
    /// The answer to the client.
    pub fn answer(self) -> Response<Body> {
        let (status, kind, title, detail) = self.words();
        let again = matches!(self, Problem::NoNode | Problem::Lost | Problem::Busy(_));
        let problem = types::Problem {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after_ms: again.then_some(RETRY_AFTER_MS),
        };
        let text = serde_json::to_string(&problem).unwrap_or_default();
        let mut answer = short(status, "application/problem+json", text);
        if again {
            let seconds = HeaderValue::from(RETRY_AFTER_MS.div_ceil(1000));
            answer.headers_mut().insert(RETRY_AFTER, seconds);
        }
        answer
    }

    fn words(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Problem::NoNode => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-leader",
                "There is no leader",
                "no node of the cluster can be reached from this proxy",
            ),
            Problem::Lost => (
                StatusCode::BAD_GATEWAY,
                "outcome-unknown",
                "The outcome is unknown",
                "the node that was asked is gone, and its answer with it",
            ),
            Problem::Busy(detail) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail),
            Problem::Late => (
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "The request took too long to arrive",
                "the body did not arrive in time",
            ),
            Problem::BrokenOff => (
                StatusCode::BAD_REQUEST,
                "malformed-request",
                "The request cannot be read",
                "the body broke off",
            ),
        }
    }
}

/// Looks at an answer: only a 503 may mean that another node should be asked.
pub async fn judge(answer: Response<Incoming>) -> Judged {
    let (mut parts, body) = answer.into_parts();
    if parts.status != StatusCode::SERVICE_UNAVAILABLE {
        let body = body.map_err(BodyError::from);
        return Judged::Answer(Response::from_parts(parts, Body::new(body)));
    }
    let reading = Limited::new(body, PROBLEM_MAX_BYTES).collect();
    let bytes = match timeout(PROBLEM_TIMEOUT, reading).await {
        Ok(Ok(whole)) => whole.to_bytes(),
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let problem: Option<types::Problem> = serde_json::from_slice(&bytes).ok();
    let kind = problem.map(|problem| problem.kind).unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default();
    // It is told anew for what is here.
    parts.headers.remove(CONTENT_LENGTH);
    let answer = Response::from_parts(parts, full(bytes));
    match kind {
        "outcome-unknown" => Judged::Unknown(answer),
        kind if NOTHING_DONE.contains(&kind) => Judged::NothingDone(answer),
        // It is busy: asking another would only move the load.
        _ => Judged::Answer(answer),
    }
}
