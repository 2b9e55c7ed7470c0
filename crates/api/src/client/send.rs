//! The way of a call through the nodes: repeat until there is an answer or the deadline.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use super::call::Call;
use super::endpoints::{Base, Pick};
use super::transport::{Answer, Exchange, request_to};
use super::{Client, Error};
use crate::types::{Problem, headers};

/// The longest that a node is left alone because it said so: beyond, the caller's deadline is the
/// better judge.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What an answer means for the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Done, and this is the answer.
    Done,
    /// The answer is no.
    Refused,
    /// Nothing was done; another try may succeed, on this node not before so long.
    Later(Option<Duration>),
    /// It may have been done; another try with the same id tells.
    Unknown(Option<Duration>),
}

/// What is known when the deadline passes.
#[derive(Default)]
pub(super) struct History {
    /// A try was sent whose answer is lost.
    pub(super) sent: bool,
    /// Nodes of another cluster that were asked.
    pub(super) strangers: usize,
    /// The last answer that was no answer yet.
    problem: Option<Problem>,
    /// What happened at the last try.
    reason: String,
}

impl Client {
    /// Makes the call and reads its JSON.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let (base, answer) = self.send(call).await?;
        read_json(&base, &answer.body)
    }

    /// Makes a call that answers nothing but its success.
    pub(super) async fn done(&self, call: Call) -> Result<(), Error> {
        self.send(call).await.map(|_| ())
    }

    /// Makes the call: on one node after the other until there is an answer or the deadline.
    pub(super) async fn send(&self, call: Call) -> Result<(Base, Answer), Error> {
        let deadline = Instant::now() + self.deadline;
        let preferred = self.nodes_for(call.area.as_deref(), deadline).await;
        let id = self.id_for(&call);
        let mut history = History::default();
        while let Some(base) = self.next_node(&preferred, deadline).await {
            let request = self.request(&call, &base, id.as_deref())?;
            let exchange = self
                .shared
                .transport
                .exchange(request, self.limit(deadline))
                .await;
            if let Some(result) = self.weigh(&base, exchange, &mut history) {
                self.learn_in_background();
                return result.map(|answer| (base, answer));
            }
            if call.once && history.sent {
                break;
            }
            if history.strangers >= self.endpoints_now().bases().len() {
                break;
            }
        }
        Err(self.give_up(&call, id, history))
    }

    /// The node to ask now, waiting while all of them rest; `None` when the deadline comes first.
    pub(super) async fn next_node(&self, preferred: &[Base], deadline: Instant) -> Option<Base> {
        loop {
            let now = Instant::now();
            if now >= deadline {
                return None;
            }
            let pick = self.endpoints_now().pick(preferred, now);
            match pick {
                Pick::Ask(base) => return Some(base),
                Pick::Rest(until) => sleep_until(until.min(deadline)).await,
            }
        }
    }

    fn limit(&self, deadline: Instant) -> Duration {
        self.shared
            .attempt_timeout
            .min(deadline.saturating_duration_since(Instant::now()))
    }

    /// Takes note of what came of a try: the call's result, or `None` to try again.
    pub(super) fn weigh(
        &self,
        base: &Base,
        exchange: Exchange,
        history: &mut History,
    ) -> Option<Result<Answer, Error>> {
        let now = Instant::now();
        let after = match exchange {
            Exchange::Answered(answer) => match judge(&answer) {
                Verdict::Done | Verdict::Refused => {
                    self.endpoints_now().worked(base, now);
                    return Some(self.conclude(base, answer));
                }
                Verdict::Later(after) => history.not_yet(&answer, after),
                Verdict::Unknown(after) => {
                    history.sent = true;
                    history.not_yet(&answer, after)
                }
            },
            Exchange::NotSent(reason) => history.failed(reason, false),
            Exchange::Lost(reason) => history.failed(reason, true),
        };
        self.endpoints_now().failed(base, after, now);
        None
    }

    /// The result of a call that was answered.
    fn conclude(&self, base: &Base, answer: Answer) -> Result<Answer, Error> {
        self.saw(number(&answer.headers, headers::INDEX).unwrap_or(0));
        if answer.status.is_success() {
            return Ok(answer);
        }
        match serde_json::from_slice(&answer.body) {
            Ok(problem) => Err(Error::Refused(Box::new(problem))),
            Err(_) => Err(Error::Unintelligible {
                endpoint: base.to_string(),
                reason: format!("status {} without a problem document", answer.status),
            }),
        }
    }

    pub(super) fn give_up(&self, call: &Call, id: Option<String>, history: History) -> Error {
        if history.sent && !call.reads() {
            return Error::OutcomeUnknown {
                request_id: id,
                reason: history.reason,
            };
        }
        match history.problem {
            Some(problem) => Error::Unavailable(Box::new(problem)),
            None => self.unreachable(history.reason),
        }
    }

    /// No node could be reached.
    pub(super) fn unreachable(&self, reason: String) -> Error {
        let reason = if reason.is_empty() {
            "the deadline passed".to_owned()
        } else {
            reason
        };
        Error::Unreachable {
            endpoints: self.endpoints().join(", "),
            reason,
        }
    }

    /// The request id of a call that needs one: the caller's, or a new one.
    pub(super) fn id_for(&self, call: &Call) -> Option<String> {
        let given = || self.request_id.as_deref().map(str::to_owned);
        call.needs_id
            .then(|| given().unwrap_or_else(new_request_id))
    }

    /// The HTTP request of `call` for the node at `base`.
    pub(super) fn request(
        &self,
        call: &Call,
        base: &Base,
        id: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = request_to(base, &call.path).method(call.method.clone());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(id) = id {
            request = request.header(headers::IDEMPOTENCY_KEY, id);
        }
        if let Some(consistency) = self.consistency {
            request = request.header(headers::CONSISTENCY, consistency.as_str());
        }
        if let Some(cluster) = self.cluster_id() {
            request = request.header(headers::CLUSTER, cluster);
        }
        if self.index() > 0 {
            request = request.header(headers::INDEX, self.index());
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, body.content_type);
        }
        let body = call
            .body
            .as_ref()
            .map(|body| body.bytes.clone())
            .unwrap_or_default();
        request
            .body(Full::new(body))
            .map_err(|error| Error::Invalid {
                field: "the request",
                reason: error.to_string(),
            })
    }
}

impl History {
    /// The node answered that it cannot serve now.
    fn not_yet(&mut self, answer: &Answer, after: Option<Duration>) -> Option<Duration> {
        self.strangers += usize::from(answer.status == StatusCode::MISDIRECTED_REQUEST);
        self.problem = serde_json::from_slice(&answer.body)
            .ok()
            .or(self.problem.take());
        self.reason = match &self.problem {
            Some(problem) => problem.detail.clone(),
            None => format!("a node answered with status {}", answer.status),
        };
        after
    }

    /// There was no answer.
    fn failed(&mut self, reason: String, sent: bool) -> Option<Duration> {
        self.reason = reason;
        self.sent |= sent;
        None
    }
}

/// What an answer means. 503 promises that nothing was done, unless its problem says otherwise; a
/// gateway's 502 and 504 promise nothing.
pub(super) fn judge(answer: &Answer) -> Verdict {
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE if says_unknown(answer) => Verdict::Unknown(wait(answer)),
        StatusCode::SERVICE_UNAVAILABLE => Verdict::Later(wait(answer)),
        // A node of another cluster; this one's may still answer.
        StatusCode::MISDIRECTED_REQUEST => Verdict::Later(Some(RETRY_AFTER_MAX)),
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Verdict::Unknown(wait(answer)),
        status if status.is_success() => Verdict::Done,
        _ => Verdict::Refused,
    }
}

fn says_unknown(answer: &Answer) -> bool {
    problem_of(answer).is_some_and(|problem| problem.kind.ends_with("/outcome-unknown"))
}

fn problem_of(answer: &Answer) -> Option<Problem> {
    serde_json::from_slice(&answer.body).ok()
}

/// How long the node asks to be left alone: to the millisecond in the problem, or in seconds in
/// the header.
fn wait(answer: &Answer) -> Option<Duration> {
    let exact = problem_of(answer).and_then(|problem| problem.retry_after_ms);
    let exact = exact.map(Duration::from_millis);
    let coarse = || number(&answer.headers, RETRY_AFTER.as_str()).map(Duration::from_secs);
    exact.or_else(coarse).map(|wait| wait.min(RETRY_AFTER_MAX))
}

/// The number in a header.
pub(super) fn number(map: &HeaderMap, name: &str) -> Option<u64> {
    map.get(name)?.to_str().ok()?.parse().ok()
}

/// Reads an answer's JSON.
pub(super) fn read_json<T: DeserializeOwned>(base: &Base, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Unintelligible {
        endpoint: base.to_string(),
        reason: error.to_string(),
    })
}

/// 128 random bits as 32 hexadecimal digits.
fn new_request_id() -> String {
    let mut bytes = [0; 16];
    // The system's random source is there on every system this runs on; were it not, the address
    // of a fresh allocation and the clock would still tell two calls of one client apart.
    if getrandom::fill(&mut bytes).is_err() {
        let nanos = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_nanos());
        bytes = nanos.to_be_bytes();
    }
    bytes
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
