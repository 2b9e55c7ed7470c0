//! An HTTP request's way to a node, and the answer's way back.
//!
//! ```text
//!   request ─▶ body: kept if it is short ─▶ pick ─▶ attempt ─▶ judge ─▶ answer, as it comes
//!                                            ▲                   │
//!                                            └── another node ◀──┘ nothing was done, or it may be
//!                                                                  sent again
//! ```
//!
//! Sent again is what was never sent, what a node says it has not done, and what does no harm when
//! it is done twice: a reading, or a change with an `Idempotency-Key`. To look at `/hits/…` is a
//! change, whatever the method says: it counts a visit.

mod body;
mod headers;
mod own;
mod problem;

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::body::{Guarded, Sending, keep};
use self::problem::{Judged, Problem, judge};
use crate::client::{Body, is_refusal};
use crate::config::Config;
use crate::count::Counts;
use crate::members::Members;
use crate::node::Node;
use crate::pick::Purpose;

/// Between two rounds through the nodes: an election takes some of them.
const ROUND_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Leads requests to nodes; clones share everything.
#[derive(Clone)]
pub struct Forward(Arc<Inner>);

struct Inner {
    members: Members,
    counts: Counts,
    trust_forwarded_for: bool,
    at_work: Semaphore,
    /// KiB of bodies that may still be kept.
    room: Arc<Semaphore>,
    /// Cancelled when event streams are to end.
    stop: CancellationToken,
}

/// What came of an attempt.
enum Attempt {
    Answered(Response<Incoming>),
    /// No connection was made.
    NotSent,
    /// It may have arrived, and there will be no answer.
    Lost,
}

impl Forward {
    /// Leads requests to `members`, until `stop` ends the streams.
    pub fn new(config: &Config, members: Members, counts: Counts, stop: CancellationToken) -> Self {
        let limits = &config.limits;
        Forward(Arc::new(Inner {
            members,
            counts,
            trust_forwarded_for: config.trust_forwarded_for,
            at_work: Semaphore::new(limits.requests),
            room: Arc::new(Semaphore::new(limits.buffer_bytes / 1024)),
            stop,
        }))
    }

    /// The answer to a request that came from `peer`.
    pub async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        if let Some(answer) = own::answer(&request, &self.0.members, &self.0.counts) {
            return answer;
        }
        let Ok(_at_work) = self.0.at_work.try_acquire() else {
            return self.refuse(Problem::Busy("too many requests are at work on this proxy"));
        };
        let (mut parts, body) = request.into_parts();
        headers::to_node(&mut parts.headers, peer.ip(), self.0.trust_forwarded_for);
        let (limits, room) = (self.0.members.limits(), &self.0.room);
        match keep(body, &parts.headers, limits, room).await {
            Ok(body) => match self.forward(&parts, body).await {
                Ok(answer) => answer,
                Err(problem) => self.refuse(problem),
            },
            Err(problem) => self.refuse(problem),
        }
    }

    fn refuse(&self, problem: Problem) -> Response<Body> {
        self.0.counts.unanswered();
        problem.answer()
    }

    async fn forward(&self, parts: &Parts, mut body: Sending) -> Result<Response<Body>, Problem> {
        let changes = changes(parts);
        self.0.counts.request(changes);
        let purpose = if changes {
            Purpose::Change
        } else {
            Purpose::Read
        };
        let repeatable = !changes || is_keyed(parts);
        let deadline = Instant::now() + self.0.members.limits().retry_for;
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut outcome = Err(Problem::NoNode);
        loop {
            let Some(picked) = self.0.members.pick(purpose, &tried) else {
                if Instant::now() >= deadline {
                    return outcome;
                }
                tried.clear();
                sleep(ROUND_PAUSE).await;
                continue;
            };
            let Some(sending) = body.take() else {
                return outcome;
            };
            let node = picked.node;
            let (next, again) = match self.attempt(&node, parts, sending).await {
                Attempt::Answered(answer) => match judge(answer).await {
                    Judged::Answer(answer) => return Ok(self.pass_on(answer, &node)),
                    Judged::NothingDone(answer) => (Ok(answer), true),
                    Judged::Unknown(answer) => (Ok(answer), repeatable),
                },
                Attempt::NotSent => (Err(Problem::NoNode), true),
                Attempt::Lost => (Err(Problem::Lost), repeatable),
            };
            outcome = next;
            if !again || body.is_spent() {
                return outcome;
            }
            self.0.counts.retry();
            tried.push(Arc::clone(&node.base));
        }
    }

    async fn attempt(&self, node: &Arc<Node>, parts: &Parts, body: Body) -> Attempt {
        let Some(request) = request(node, parts, body) else {
            return Attempt::NotSent;
        };
        let members = &self.0.members;
        let _work = node.work();
        let asking = timeout(
            members.limits().answer_timeout,
            members.client().request(request),
        );
        let answered = tokio::select! {
            answered = asking => answered,
            () = node.life.cancelled() => return Attempt::Lost,
        };
        match answered {
            Ok(Ok(answer)) => Attempt::Answered(answer),
            Ok(Err(error)) if error.is_connect() => {
                if is_refusal(&error) {
                    members.refused(&node.base);
                }
                Attempt::NotSent
            }
            Ok(Err(error)) => {
                tracing::debug!(node = %node.base, %error, "an answer was lost");
                Attempt::Lost
            }
            Err(_) => Attempt::Lost,
        }
    }

    /// The answer for the client, whose body follows as it comes.
    fn pass_on(&self, answer: Response<Body>, node: &Arc<Node>) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        let endless = headers::is_event_stream(&parts.headers);
        headers::to_client(&mut parts.headers);
        let stop = endless.then(|| self.0.stop.clone());
        Response::from_parts(parts, Body::new(Guarded::new(body, node, stop)))
    }
}

/// The request for a node; `None` if it has no address that could be asked.
fn request(node: &Node, parts: &Parts, body: Body) -> Option<Request<Body>> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("http://{}{path}", node.base).parse().ok()?;
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = parts.headers.clone();
    Some(request)
}

/// Where looking counts: each visit makes the number larger.
const VISITS: &str = "/hits/";

/// True for what leaves a trace in the cluster.
fn changes(parts: &Parts) -> bool {
    !parts.method.is_safe() || parts.uri.path().starts_with(VISITS)
}

/// True for a change that the nodes make once, however often it is sent. A visit has no key: its
/// page does not look at one.
fn is_keyed(parts: &Parts) -> bool {
    let key = api::types::headers::IDEMPOTENCY_KEY;
    !parts.method.is_safe() && parts.headers.contains_key(key)
}

/// A body of bytes.
fn full(bytes: impl Into<bytes::Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// True for what only asks.
fn asks(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// A short answer of the proxy itself.
fn short(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    let kind = http::HeaderValue::from_static(kind);
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    answer
}
