//! Nodes that tell what a test wants of a cluster, and do to requests what it wants done.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What a node does with a request.
pub enum Does {
    /// Answers with a status and a text.
    Answers(u16, &'static str, String),
    /// Takes the request, and closes the connection.
    Breaks,
    /// Answers with an event stream, fed from here.
    Streams(mpsc::UnboundedReceiver<Bytes>),
}

/// A request that a node has taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the nodes of a test share.
#[derive(Default)]
pub struct Cluster {
    /// Its id.
    pub id: &'static str,
    pub leader: Mutex<Option<String>>,
    pub members: Mutex<Vec<Value>>,
}

/// One node.
pub struct Fake {
    pub address: SocketAddr,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

struct Script {
    name: String,
    cluster: Arc<Cluster>,
    /// While true it tells nothing, and answers nobody.
    paused: AtomicBool,
    does: Mutex<VecDeque<Does>>,
    taken: Mutex<Vec<Taken>>,
}

impl Fake {
    /// Starts a node whose other doors are at these addresses.
    pub async fn start(name: &str, cluster: &Arc<Cluster>, doors: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        cluster.members.lock().unwrap().push(json!({
            "name": name, "id": name, "role": "follower", "http": format!("http://{address}"),
            "peer": "", "healthy": true, "last_contact_ms": 0, "round_trip_us": null,
            "applied": 1, "state_hash": "", "areas": [], "doors": doors,
        }));
        let script = Arc::new(Script {
            name: name.to_owned(),
            cluster: cluster.clone(),
            paused: AtomicBool::new(false),
            does: Mutex::default(),
            taken: Mutex::default(),
        });
        let task = tokio::spawn(serve(listener, script.clone()));
        Fake {
            address,
            script,
            task,
        }
    }

    /// What it does with the next requests; without, it answers 200 and its name.
    pub fn does(&self, what: Does) {
        self.script.does.lock().unwrap().push_back(what);
    }

    /// What it has taken so far, beside questions about the cluster.
    pub fn taken(&self) -> Vec<Taken> {
        self.script.taken.lock().unwrap().clone()
    }

    /// It stands still, as a process that is stopped does.
    pub fn pause(&self) {
        self.script.paused.store(true, Ordering::SeqCst);
    }

    /// It goes on.
    pub fn resume(&self) {
        self.script.paused.store(false, Ordering::SeqCst);
    }

    /// Nobody listens any more, and all its connections are closed.
    pub async fn kill(&mut self) {
        self.task.abort();
        drop((&mut self.task).await);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let script = script.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(script.clone(), request));
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn answer(
    script: Arc<Script>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    while script.paused.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if parts.uri.path() == "/v1/cluster" {
        return Ok(text(200, "application/json", script.tells().to_string()));
    }
    let body = body.collect().await?.to_bytes();
    script.taken.lock().unwrap().push(Taken {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        body,
    });
    let next = script.does.lock().unwrap().pop_front();
    match next {
        None => Ok(text(200, "text/plain", script.name.clone())),
        Some(Does::Answers(status, kind, body)) => Ok(text(status, kind, body)),
        Some(Does::Breaks) => Err("told to break".into()),
        Some(Does::Streams(mut events)) => {
            let (sender, receiver) = mpsc::channel::<Bytes>(1);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    if sender.send(event).await.is_err() {
                        return;
                    }
                }
            });
            let mut answer = Response::new(Body::new(Events(receiver)));
            let kind = http::HeaderValue::from_static("text/event-stream");
            answer.headers_mut().insert("content-type", kind);
            Ok(answer)
        }
    }
}

impl Script {
    fn tells(&self) -> Value {
        let leader = self.cluster.leader.lock().unwrap().clone();
        json!({
            "id": self.cluster.id, "node": self.name, "leader": leader, "term": 3, "committed": 1,
            "applied": 1, "state_hash": "", "ready": leader.is_some(),
            "nodes": *self.cluster.members.lock().unwrap(),
        })
    }
}

fn text(status: u16, kind: &'static str, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::new(Full::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    let kind = http::HeaderValue::from_static(kind);
    answer.headers_mut().insert("content-type", kind);
    answer
}

/// An answer that goes on as long as it is fed.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        let event = self.0.poll_recv(context);
        event.map(|event| event.map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }
}
