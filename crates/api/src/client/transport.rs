//! One HTTP exchange with one node.
//!
//! hyper's own client: the server already brings it into the build, the peers speak plain HTTP/1.1
//! on a local network, and nothing that a larger client adds (TLS, cookies, redirects, proxies) is
//! wanted here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout};

use super::endpoints::Base;
use super::files::FileBody;

/// A node of the local network accepts a connection in far less, or is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Idle connections are closed before the servers close them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A node that takes nothing of a file and says nothing for this long is left for another: longer
/// than it waits for the nodes that store it.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How often whoever sends a file is told how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The refusal of a stream is a short document; more is not read.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The largest answer that is read: a page of 200 posts of 64 KiB, twice over for JSON's escapes.
const ANSWER_MAX_BYTES: usize = 32 * 1024 * 1024;

/// What came of an exchange.
#[derive(Debug)]
pub(super) enum Exchange {
    /// There was an answer.
    Answered(Answer),
    /// No connection was made, so nothing was done.
    NotSent(String),
    /// The request may have arrived, but there is no whole answer.
    Lost(String),
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer whose body is still arriving.
pub(super) struct Streaming {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
}

/// Why there is no answer: true if the request may have been sent.
struct Failure {
    sent: bool,
    reason: String,
}

/// Connections to the nodes, kept open between calls.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: legacy::Client<HttpConnector, Full<Bytes>>,
    uploads: legacy::Client<HttpConnector, FileBody>,
}

impl Transport {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT);
        Transport {
            client: builder.build(connector.clone()),
            uploads: builder.build(connector),
        }
    }

    /// Sends `request` (its URI is `base` and a path) and reads the whole answer within `limit`.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Exchange {
        match timeout(limit, whole(&self.client, request)).await {
            Ok(come) => exchanged(come),
            Err(_) => Exchange::Lost(format!("no answer within {} ms", limit.as_millis())),
        }
    }

    /// Sends a file and reads the whole answer, however long it takes as long as something moves.
    /// Tells `progress` how much of it is on its way.
    pub(super) async fn upload(
        &self,
        request: Request<FileBody>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Exchange {
        let sent = request.body().sent();
        let mut whole = std::pin::pin!(whole(&self.uploads, request));
        let (mut seen, mut moved_at) = (0, Instant::now());
        loop {
            if let Ok(come) = timeout(PROGRESS_INTERVAL, &mut whole).await {
                return exchanged(come);
            }
            let now = sent.load(Ordering::Relaxed);
            progress(now);
            if now != seen {
                (seen, moved_at) = (now, Instant::now());
            }
            if moved_at.elapsed() > STALL_MAX {
                return Exchange::Lost("the node takes nothing and says nothing".to_owned());
            }
        }
    }

    /// Sends `request` and waits at most `limit` for the head of the answer.
    pub(super) async fn stream(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Streaming, String> {
        match timeout(limit, open(&self.client, request)).await {
            Ok(Ok(streaming)) => Ok(streaming),
            Ok(Err(failure)) => Err(failure.reason),
            Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
        }
    }
}

async fn whole<B: Sent>(
    client: &legacy::Client<HttpConnector, B>,
    request: Request<B>,
) -> Result<Answer, Failure>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let streaming = open(client, request).await?;
    let body = read_body(streaming.body).await?;
    Ok(Answer {
        status: streaming.status,
        headers: streaming.headers,
        body,
    })
}

async fn open<B: Sent>(
    client: &legacy::Client<HttpConnector, B>,
    request: Request<B>,
) -> Result<Streaming, Failure>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let response = client.request(request).await.map_err(|error| Failure {
        sent: !error.is_connect(),
        reason: root_cause(&error),
    })?;
    let (head, body) = response.into_parts();
    Ok(Streaming {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// A body that is sent.
trait Sent: Body<Data = Bytes> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Sent for B {}

fn exchanged(come: Result<Answer, Failure>) -> Exchange {
    match come {
        Ok(answer) => Exchange::Answered(answer),
        Err(Failure {
            sent: false,
            reason,
        }) => Exchange::NotSent(reason),
        Err(Failure { sent: true, reason }) => Exchange::Lost(reason),
    }
}

/// Reads all of a body, up to [`ANSWER_MAX_BYTES`].
async fn read_body(mut body: Incoming) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut body).await {
        whole.extend_from_slice(&chunk.map_err(lost)?);
        if whole.len() > ANSWER_MAX_BYTES {
            return Err(lost(format!(
                "the answer has more than {ANSWER_MAX_BYTES} bytes"
            )));
        }
    }
    Ok(whole.freeze())
}

fn lost(reason: String) -> Failure {
    Failure { sent: true, reason }
}

/// The next bytes of a body, or `None` at its end.
pub(super) async fn next_chunk(body: &mut Incoming) -> Option<Result<Bytes, String>> {
    loop {
        match body.frame().await? {
            // A frame without data carries trailers, which nobody sends here.
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                Err(_) => continue,
            },
            Err(error) => return Some(Err(root_cause(&error))),
        }
    }
}

/// The innermost cause, which says what happened ("Connection refused").
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The request for `path` at `base`, still without a body.
pub(super) fn request_to(base: &Base, path: &str) -> http::request::Builder {
    Request::builder().uri(format!("{base}{path}"))
}

/// The whole answer of a node that does not stream.
pub(super) async fn refusal(mut streaming: Streaming) -> Answer {
    let mut whole = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = next_chunk(&mut streaming.body).await {
            whole.extend_from_slice(&chunk);
        }
    };
    // Without its document a refusal is still one, told by its status.
    let _ = timeout(REFUSAL_TIMEOUT, reading).await;
    Answer {
        status: streaming.status,
        headers: streaming.headers,
        body: whole.into(),
    }
}
