//! What holds for every call: it is bounded, has a deadline, is counted, and its answer names its
//! node.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method as HttpMethod, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::body::{Answering, Ends, Pace};
use super::metadata::{Asked, timeout};
use super::methods::{Method, Methods};
use super::strangers::Stranger;
use super::{GrpcConfig, status};
use crate::app::App;
use crate::http::fallback_position;
use crate::metrics::{GrpcCall, GrpcSeat};
use crate::problem::{Kind, Trouble};

/// When to try again on a node with too many calls at work.
const BUSY_MS: u64 = 500;

/// When to try again on a node with too many open streams.
const FULL_MS: u64 = 5_000;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Guard {
    pub app: App,
    pub config: Arc<GrpcConfig>,
    pub methods: Arc<Methods>,
    pub routes: Routes,
}

/// Where a call comes from.
#[derive(Clone)]
pub(super) struct From {
    pub peer: IpAddr,
    pub pace: Arc<Pace>,
    /// The connection's seat while nobody is signed in on it, where a session is required.
    pub stranger: Option<Arc<Stranger>>,
}

/// How long a call may take.
#[derive(Clone, Copy)]
struct Patience {
    /// The client's own time, if it said one.
    asked: Option<Duration>,
    /// Until the answer begins.
    head: Duration,
    /// The client's own time is the shorter one.
    is_clients: bool,
}

impl Guard {
    /// Answers a call.
    pub async fn answer(self, from: From, request: Request<Incoming>) -> Response<Answering> {
        if let Some(refusal) = not_grpc(&request) {
            return refusal;
        }
        let path = request.uri().path();
        let Some(method) = self.methods.find(path) else {
            // The path is the client's: it is no label.
            let call = GrpcCall::begin(&self.app, "none");
            let detail = format!("there is no method {path}");
            let trouble = Trouble::new(Kind::MethodNotAllowed, detail);
            return self.refuse(call, trouble);
        };
        let call = GrpcCall::begin(&self.app, &method.path);
        let started = Instant::now();
        let outcome = async {
            let seat = self.seat(method)?;
            let patience = self.patience(&request)?;
            let called = tokio::time::timeout(patience.head, self.call(&from, method, request));
            let response = called.await.map_err(|_| too_slow(method, patience))??;
            Ok((seat, patience, response))
        };
        match outcome.await {
            Err(trouble) => self.refuse(call, trouble),
            Ok((seat, patience, mut response)) => {
                status::explain(response.headers_mut());
                fallback_position(response.headers_mut(), &self.app.engine);
                call.answers();
                let ends = self.ends(method, call, response.headers(), started, patience);
                response.map(|body| Answering::new(body, seat, &from.pace, ends))
            }
        }
    }

    fn seat(&self, method: &Method) -> Result<GrpcSeat, Trouble> {
        let limits = &self.config.limits;
        let (max, what, ms) = match method.streams {
            true => (limits.streams, "streams are open", FULL_MS),
            false => (limits.requests, "calls are at work", BUSY_MS),
        };
        GrpcSeat::take(&self.app, method.streams, max).ok_or_else(|| {
            let detail = format!("too many {what} on this node");
            Trouble::new(Kind::Busy, detail).retry_after_ms(ms)
        })
    }

    fn patience<B>(&self, request: &Request<B>) -> Result<Patience, Trouble> {
        let ours = self.config.limits.request_timeout;
        let asked = timeout(request.headers())?;
        Ok(Patience {
            asked,
            head: asked.unwrap_or(ours).min(ours),
            is_clients: asked.is_some_and(|asked| asked < ours),
        })
    }

    async fn call(
        &self,
        from: &From,
        method: &Method,
        mut request: Request<Incoming>,
    ) -> Result<Response<tonic::body::Body>, Trouble> {
        let mut signed_in = false;
        if method.ours {
            let asked = Asked::new(&self.app, &method.path, request.headers(), from.peer)?;
            if self.config.require_session && !method.open {
                asked.caller().token()?;
                if !method.checks {
                    self.app.member(asked.caller()).await?;
                }
            }
            signed_in = !method.open && asked.caller().token.is_some();
            request.extensions_mut().insert(asked);
        }
        let answered = self.routes.clone().oneshot(request).await;
        let answer = answered.map_err(Trouble::internal)?;
        let failed = Status::from_header_map(answer.headers());
        // A session that does not count is an error of any method that needs one.
        if signed_in && failed.is_none_or(|status| status.code() == Code::Ok) {
            from.stranger
                .iter()
                .for_each(|stranger| stranger.is_known());
        }
        Ok(answer)
    }

    fn ends(
        &self,
        method: &Method,
        call: GrpcCall,
        head: &http::HeaderMap,
        started: Instant,
        patience: Patience,
    ) -> Ends {
        let failed = Status::from_header_map(head);
        if failed.is_some() || !method.streams {
            call.ended(failed.map_or(Code::Ok, |status| status.code()));
            return Ends::default();
        }
        let conversation = self.config.limits.conversation;
        let longest = is_conversation(method).then_some(conversation);
        let time = match (patience.asked, longest) {
            (Some(asked), Some(longest)) => Some(asked.min(longest)),
            (asked, longest) => asked.or(longest),
        };
        let deadline = time.map(|time| {
            let left = time.saturating_sub(started.elapsed());
            Box::pin(tokio::time::sleep(left))
        });
        let stopping = self.app.stopping.clone();
        Ends {
            deadline,
            // Ours say it themselves, after what is still to be told.
            stopping: (!method.ours).then(|| Box::pin(stopping.cancelled_owned())),
            call: Some(call),
        }
    }

    fn refuse(&self, call: GrpcCall, trouble: Trouble) -> Response<Answering> {
        let status = Status::from(trouble);
        call.answers();
        call.ended(status.code());
        let response: Response<()> = status.into_http();
        let mut response = response.map(|()| Answering::empty());
        fallback_position(response.headers_mut(), &self.app.engine);
        response
    }
}

/// Whether the client goes on asking in the same stream.
fn is_conversation(method: &Method) -> bool {
    method.path.ends_with("/ServerReflectionInfo")
}

fn too_slow(method: &Method, patience: Patience) -> Trouble {
    match (method.safe, patience.is_clients) {
        (true, true) => Trouble::new(Kind::Deadline, "the deadline has passed"),
        (true, false) => Trouble::new(Kind::Busy, "the call took too long").retry_after_ms(BUSY_MS),
        (false, _) => {
            let detail = "the deadline passed before it was known whether this happened; send it \
                          again with the same idempotency-key to learn it";
            Trouble::new(Kind::OutcomeUnknown, detail).retry_after_ms(BUSY_MS)
        }
    }
}

/// An answer for what speaks HTTP/2 but not gRPC, as the protocol demands it: not in its own form.
fn not_grpc<B>(request: &Request<B>) -> Option<Response<Answering>> {
    let refuse = |status: StatusCode| {
        let mut response = Response::new(Answering::empty());
        *response.status_mut() = status;
        response
    };
    if request.method() != HttpMethod::POST {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED);
        let headers = response.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
        return Some(response);
    }
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let rest = kind.strip_prefix("application/grpc");
    let is_grpc = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']));
    (!is_grpc).then(|| refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}
