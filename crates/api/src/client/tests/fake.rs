//! A server that does what a test says: answers, cuts the connection, or says nothing.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `POST /v1/areas`
    pub(super) line: String,
    head: String,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Answers with a status, further header lines and a body.
    Answer(u16, &'static str, String),
    /// Closes the connection without a word.
    Cut,
    /// Never answers.
    Hang,
    /// Sends the head of an event stream and this text, then closes.
    Stream(&'static str, String),
    /// Sends the head of an event stream and this text, and stays silent.
    StreamOn(&'static str, String),
}

/// A running server; it stops when it is dropped.
pub(super) struct Fake {
    pub(super) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Starts a server; `behave` gets each request and how many came before it.
    pub(super) async fn start(
        behave: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, Arc::new(behave), seen.clone()));
        Fake { base, seen, task }
    }

    /// The requests so far, without those for hints about members and routes.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The request lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

/// A base URL where nobody listens.
pub(super) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

type Behaviour = dyn Fn(&Seen, usize) -> Act + Send + Sync;

async fn serve(listener: TcpListener, behave: Arc<Behaviour>, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, behave.clone(), seen.clone()));
    }
}

async fn converse(mut stream: TcpStream, behave: Arc<Behaviour>, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let act = {
            let mut seen = seen.lock().unwrap();
            let act = behave(&request, seen.len());
            seen.push(request);
            act
        };
        match act {
            Act::Answer(status, head, body) => {
                let length = body.len();
                let text =
                    format!("HTTP/1.1 {status} X\r\n{head}content-length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Act::Cut => return,
            Act::Hang => std::future::pending().await,
            Act::Stream(head, body) => return send_stream(&mut stream, head, &body).await,
            Act::StreamOn(head, body) => {
                send_stream(&mut stream, head, &body).await;
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn send_stream(stream: &mut TcpStream, head: &str, body: &str) {
    let text = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{head}\r\n{body}");
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        read_more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let line = head
        .lines()
        .next()?
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let mut seen = Seen {
        line,
        head,
        body: String::new(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        read_more(stream, &mut bytes).await?;
    }
    seen.body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
    Some(seen)
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = stream
        .read(&mut buffer)
        .await
        .ok()
        .filter(|count| *count > 0)?;
    bytes.extend_from_slice(&buffer[..count]);
    Some(())
}
