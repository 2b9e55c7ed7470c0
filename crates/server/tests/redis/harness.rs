//! A node with a Redis front door, and a client that hides nothing.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use engine::production::Production;
use engine::{Engine, JoinToken, Options, Role, Tuning};
use server::{Config, Front, PasswordCost, RedisConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The password of `admin`.
pub const PASSWORD: &str = "la llave del local";

/// A node.
pub struct Node {
    pub address: SocketAddr,
    pub engine: Engine,
    shutdown: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
    data: TempDir,
}

/// A configuration with little patience: what must end ends soon.
pub fn hasty() -> RedisConfig {
    let mut config = RedisConfig::default();
    config.limits.request = Duration::from_millis(300);
    config.limits.write_stall = Duration::from_millis(300);
    config
}

/// A configuration as for an address that other machines reach.
pub fn guarded() -> RedisConfig {
    RedisConfig {
        password_required: true,
        ..RedisConfig::default()
    }
}

impl Node {
    pub async fn start() -> Self {
        Node::with(RedisConfig::default()).await
    }

    pub async fn with(config: RedisConfig) -> Self {
        Node::member("n1", None, config).await
    }

    /// Three nodes of one cluster.
    pub async fn three() -> [Self; 3] {
        let first = Node::start().await;
        let second = Node::member("n2", Some(&first), RedisConfig::default()).await;
        let third = Node::member("n3", Some(&first), RedisConfig::default()).await;
        let nodes = [first, second, third];
        let well = || nodes.iter().all(Node::sees_three_voters);
        let settled = async {
            while !well() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.unwrap();
        nodes
    }

    fn sees_three_voters(&self) -> bool {
        let status = self.engine.status();
        let voters = status
            .nodes
            .iter()
            .filter(|node| node.role != Role::Learner);
        voters.filter(|node| node.healthy).count() == 3
    }

    async fn member(name: &str, join: Option<&Node>, redis: RedisConfig) -> Self {
        let data = TempDir::new().unwrap();
        let peers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            name: name.to_owned(),
            data: data.path().join(name),
            peer: peers.local_addr().unwrap().to_string(),
            http: "http://127.0.0.1:1".to_owned(),
            join: join.map(|node| node.engine.join_token().parse::<JoinToken>().unwrap()),
            tuning: Tuning::default(),
        };
        let engine = Engine::start(Production::new(peers), options)
            .await
            .unwrap();
        let config = Config {
            password_cost: PasswordCost::cheapest(),
            ..Config::default()
        };
        if join.is_none() {
            server::bootstrap(&engine, &config, Some(PASSWORD))
                .await
                .unwrap();
        }
        let shutdown = CancellationToken::new();
        let front = Front::open(engine.clone(), config).unwrap();
        let stop = shutdown.clone();
        let served = async move {
            let served = front.serve_redis(listener, redis, &stop).await;
            front.close().await;
            served
        };
        Node {
            address,
            engine,
            shutdown,
            served: tokio::spawn(served),
            data,
        }
    }

    /// Stops the door, then the node.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
        self.engine.stop().await;
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Changes this node's state behind its back.
    pub fn tamper(&self, sql: &str) {
        let name = &self.engine.status().node;
        let state = self.data.path().join(&**name).join("state.db");
        let other = rusqlite::Connection::open(state).unwrap();
        other.busy_timeout(PATIENCE).unwrap();
        other.execute(sql, []).unwrap();
    }

    /// The newest index of the log that this node has applied.
    pub fn applied(&self) -> u64 {
        self.engine.status().applied
    }
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    received: Vec<u8>,
}

/// A reply.
#[derive(Clone, PartialEq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "+{text}"),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Reply::Null => write!(f, "null"),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::Map(pairs) => f.debug_map().entries(pairs.iter().cloned()).finish(),
            Reply::Set(items) => f.debug_set().entries(items).finish(),
            Reply::Push(items) => write!(f, "push{items:?}"),
        }
    }
}

/// A string reply.
pub fn bulk(text: impl AsRef<[u8]>) -> Reply {
    Reply::Bulk(text.as_ref().to_vec())
}

/// String replies.
pub fn bulks(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(bulk).collect())
}

pub fn simple(text: &str) -> Reply {
    Reply::Simple(text.to_owned())
}

pub fn ok() -> Reply {
    simple("OK")
}

/// A request's bytes. Words are split at spaces; quotes are for requests of other bytes.
pub fn encode(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The same for words with spaces between them.
pub fn line(words: &str) -> Vec<u8> {
    encode(&words.split(' ').collect::<Vec<_>>())
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Client {
            stream,
            received: Vec::new(),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends words with spaces between them, and waits for the reply.
    pub async fn ask(&mut self, words: &str) -> Reply {
        self.send(&line(words)).await;
        self.reply().await
    }

    /// The same for words of any bytes.
    pub async fn ask_words(&mut self, words: &[impl AsRef<[u8]>]) -> Reply {
        self.send(&encode(words)).await;
        self.reply().await
    }

    /// The text of the error that this is answered with.
    pub async fn fail(&mut self, words: &str) -> String {
        match self.ask(words).await {
            Reply::Error(text) => text,
            other => panic!("{words}: {other:?}"),
        }
    }

    pub async fn reply(&mut self) -> Reply {
        let reading = tokio::time::timeout(PATIENCE, self.reply_or_end());
        let reply = reading.await.expect("a reply");
        reply.unwrap_or_else(|| panic!("closed after {} bytes of it", self.received.len()))
    }

    /// A reply, however long it takes; `None` if the connection ends before all of it has come.
    /// Cancelled, it loses nothing.
    pub async fn reply_or_end(&mut self) -> Option<Reply> {
        loop {
            if let Some((reply, length)) = read(&self.received) {
                self.received.drain(..length);
                return Some(reply);
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// Everything that comes until the node closes the connection.
    pub async fn rest(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.received);
        // A reset is an end, too.
        let reading = self.stream.read_to_end(&mut bytes);
        let _ = tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("an end");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether nothing comes for a moment.
    pub async fn is_silent(&mut self) -> bool {
        if !self.received.is_empty() {
            return false;
        }
        let reading = self.stream.read_buf(&mut self.received);
        let moment = Duration::from_millis(100);
        tokio::time::timeout(moment, reading).await.is_err()
    }
}

/// The reply at the start of some bytes, with its length, if all of it is there.
fn read(bytes: &[u8]) -> Option<(Reply, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let text = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let mut at = end + 2;
    let reply = match bytes[0] {
        b'+' => Reply::Simple(text),
        b'-' => Reply::Error(text),
        b':' => Reply::Integer(text.parse().unwrap()),
        b'_' => Reply::Null,
        b'$' | b'=' => match text.parse::<i64>().unwrap() {
            -1 => Reply::Null,
            length => {
                let until = at + length as usize;
                let found = bytes.get(at..until)?.to_vec();
                bytes.get(until..until + 2)?;
                at = until + 2;
                Reply::Bulk(found)
            }
        },
        kind @ (b'*' | b'~' | b'>' | b'%') => {
            let count = text.parse::<i64>().unwrap();
            if count < 0 {
                return Some((Reply::Null, at));
            }
            let each = if kind == b'%' { 2 } else { 1 };
            let mut items = Vec::new();
            for _ in 0..count * each {
                let (item, length) = read(&bytes[at..])?;
                items.push(item);
                at += length;
            }
            match kind {
                b'*' => Reply::Array(items),
                b'~' => Reply::Set(items),
                b'>' => Reply::Push(items),
                _ => {
                    let pairs = items.chunks(2);
                    Reply::Map(pairs.map(|two| (two[0].clone(), two[1].clone())).collect())
                }
            }
        }
        other => panic!("{:?} is no reply", char::from(other)),
    };
    Some((reply, at))
}
