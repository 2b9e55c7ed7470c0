//! A node with a front door on a port of its own, and a client that hides nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use engine::production::Production;
use engine::{Engine, JoinToken, Options, Tuning};
use serde_json::Value;
use server::{Config, PasswordCost};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const ADMIN_PASSWORD: &str = "la llave del local";
pub const PASSWORD: &str = "una frase larga";

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node with its front door.
pub struct Site {
    pub address: SocketAddr,
    pub engine: Engine,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<std::io::Result<()>>,
    data: TempDir,
}

pub fn config() -> Config {
    Config {
        password_cost: PasswordCost::cheapest(),
        ..Config::default()
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> Self {
        let site = Self::node("n1", None, config.clone()).await;
        server::bootstrap(&site.engine, &config, Some(ADMIN_PASSWORD))
            .await
            .unwrap();
        site
    }

    pub async fn node(name: &str, join: Option<&Site>, config: Config) -> Self {
        let data = TempDir::new().unwrap();
        let peers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            name: name.to_owned(),
            data: data.path().join(name),
            peer: peers.local_addr().unwrap().to_string(),
            http: format!("http://{address}"),
            join: join.map(|site| site.engine.join_token().parse::<JoinToken>().unwrap()),
            tuning: Tuning::default(),
        };
        let engine = Engine::start(Production::new(peers), options)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let served = server::serve(listener, engine.clone(), config, shutdown.clone());
        let served = tokio::spawn(served);
        Site {
            address,
            engine,
            shutdown,
            served,
            data,
        }
    }

    /// Changes the node's state behind its back.
    pub fn tamper(&self, sql: &str) {
        let node = self.engine.status().node.to_string();
        let database = self.data.path().join(node).join("state.db");
        let other = rusqlite::Connection::open(database).unwrap();
        other.busy_timeout(PATIENCE).unwrap();
        other.execute_batch(sql).unwrap();
    }

    /// Stops the front door, then the node.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
        self.engine.stop().await;
    }

    pub async fn log_in(&self, name: &str, password: &str) -> String {
        let body = serde_json::json!({ "name": name, "password": password });
        let answer = self.post("/v1/sessions", None, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    pub async fn admin(&self) -> String {
        self.log_in("admin", ADMIN_PASSWORD).await
    }

    pub async fn member(&self, name: &str) -> String {
        let body = serde_json::json!({ "name": name, "password": PASSWORD });
        let answer = self.post("/v1/accounts", None, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.log_in(name, PASSWORD).await
    }

    /// An area of this name; answers its id.
    pub async fn area(&self, name: &str) -> i64 {
        let admin = self.admin().await;
        let body = serde_json::json!({ "name": name, "description": "" });
        let answer = self.post("/v1/areas", Some(&admin), &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_i64().unwrap()
    }

    /// Publishes; answers the post's id.
    pub async fn publish(&self, token: &str, area: i64, title: &str) -> i64 {
        let body = serde_json::json!({ "title": title, "text": format!("*{title}*") });
        let answer = self
            .post(&format!("/v1/areas/{area}/posts"), Some(token), &body)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_i64().unwrap()
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(Ask::new("GET", path).token(token)).await
    }

    pub async fn delete(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(Ask::new("DELETE", path).token(token)).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.send(Ask::new("POST", path).token(token).json(body))
            .await
    }

    pub async fn put(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.send(Ask::new("PUT", path).token(token).json(body))
            .await
    }

    pub async fn send(&self, ask: Ask) -> Answer {
        self.raw(&ask.bytes()).await
    }

    /// Sends bytes as they are and reads until the node closes.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        Answer::parse(&answer)
    }
}

/// A request.
pub struct Ask {
    head: String,
    body: Vec<u8>,
}

impl Ask {
    pub fn new(method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        Ask {
            head,
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// Under another name than `localhost`.
    pub fn host(mut self, host: &str) -> Self {
        let asked = format!("Host: {host}\r\n");
        self.head = self.head.replace("Host: localhost\r\n", &asked);
        self
    }

    pub fn token(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.header("Authorization", &format!("Bearer {token}")),
            None => self,
        }
    }

    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(body.to_string())
    }

    pub fn form(self, body: &str) -> Self {
        self.header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let mut bytes = format!("{}{length}\r\n", self.head).into_bytes();
        bytes.extend(self.body);
        bytes
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let mut answer = Answer {
            status,
            headers: lines.map(header).collect(),
            body: bytes[end + 4..].into(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        }
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that it is a whole problem of this status and type.
    #[track_caller]
    pub fn is_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty()),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{problem}"
        );
        assert!(self.header("consorcio-node").is_some(), "{self:?}");
        if status == 401 {
            assert!(
                self.header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer"),
                "{self:?}"
            );
        }
        problem
    }

    /// The index that the answer was made from.
    pub fn index(&self) -> u64 {
        self.header("consorcio-index").unwrap().parse().unwrap()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    body
}

/// An open event stream. It asks with HTTP/1.0, so that the body comes as it is, without chunks.
pub struct Stream {
    stream: TcpStream,
    buffer: String,
}

/// A message of a stream: its id, kind and data, or a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: Option<String>,
    pub kind: Option<String>,
    pub data: Option<String>,
    pub comment: Option<String>,
    pub retry: Option<String>,
}

impl Stream {
    pub async fn open(site: &Site, path: &str, token: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!(
            "GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Stream {
            stream,
            buffer: String::new(),
        };
        let head = stream.until("\r\n\r\n").await.expect("a head");
        assert!(
            head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
            "{head}"
        );
        let head = head.to_ascii_lowercase();
        for header in [
            "content-type: text/event-stream",
            "x-accel-buffering: no",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{head}");
        }
        stream
    }

    /// The next message; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Message> {
        let block = self.until("\n\n").await?;
        let mut message = Message::default();
        for line in block.trim_end().lines() {
            let (name, value) = line.split_once(':').unwrap();
            let value = Some(value.trim_start().to_owned());
            match name {
                "" => message.comment = value,
                "id" => message.id = value,
                "event" => message.kind = value,
                "data" => message.data = value,
                "retry" => message.retry = value,
                other => panic!("an unknown field {other} in {block}"),
            }
        }
        Some(message)
    }

    /// The next message with data.
    pub async fn event(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message.data.is_some() {
                return message;
            }
        }
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.find(end) {
                let rest = self.buffer.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            let mut bytes = [0; 4096];
            let read = self.stream.read(&mut bytes);
            let count = tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
            if count == 0 {
                return None;
            }
            self.buffer += std::str::from_utf8(&bytes[..count]).unwrap();
        }
    }
}

impl Message {
    pub fn json(&self) -> Value {
        serde_json::from_str(self.data.as_deref().unwrap()).unwrap()
    }
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "{what} did not come about in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
