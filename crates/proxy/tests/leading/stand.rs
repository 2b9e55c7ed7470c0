//! Three fake nodes, a proxy before them, and a client that hides nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxy::{Config, Door, Limits, Listeners, Port};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake::{Cluster, Fake};

/// What takes longer than this on a busy machine does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy before three nodes, of which `n1` leads.
pub struct Stand {
    pub nodes: Vec<Fake>,
    /// A node of another cluster, which the proxy is told of before the others.
    pub stranger: Option<Fake>,
    pub cluster: Arc<Cluster>,
    pub http: SocketAddr,
    pub ports: Vec<SocketAddr>,
    pub stop: CancellationToken,
    pub served: JoinHandle<std::io::Result<()>>,
}

/// How a test wants it.
pub struct Wish {
    pub limits: Limits,
    pub trust_forwarded_for: bool,
    pub doors: Vec<Value>,
    pub ports: Vec<Door>,
    pub admits: fn(IpAddr) -> bool,
    /// The ports can be reached from other machines.
    pub for_others: bool,
    /// The proxy is told of a node of another cluster, too.
    pub with_stranger: bool,
    /// Also nodes that serve their own machine alone are for everybody.
    pub trusts: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Wish {
            limits: Limits {
                probe_every: Duration::from_millis(50),
                probe_timeout: Duration::from_millis(150),
                silence_max: Duration::from_millis(500),
                ..Limits::default()
            },
            trust_forwarded_for: false,
            doors: vec![json!({}), json!({}), json!({})],
            ports: Vec::new(),
            admits: |_| true,
            for_others: false,
            with_stranger: false,
            trusts: false,
        }
    }
}

impl Stand {
    pub async fn start(wish: Wish) -> Self {
        let cluster = Arc::new(Cluster {
            id: "ours",
            ..Cluster::default()
        });
        *cluster.leader.lock().unwrap() = Some("n1".to_owned());
        let mut nodes = Vec::new();
        for (place, doors) in wish.doors.into_iter().enumerate() {
            nodes.push(Fake::start(&format!("n{}", place + 1), &cluster, doors).await);
        }
        // The others are learnt from it.
        let mut named = vec![nodes[2].address];
        let stranger = match wish.with_stranger {
            true => Some(stranger().await),
            false => None,
        };
        if let Some(stranger) = &stranger {
            named = vec![stranger.address, nodes[2].address, nodes[1].address];
        }
        let named = named
            .iter()
            .map(|address| proxy::node(&address.to_string()));
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut ports = Vec::new();
        let host = match wish.for_others {
            true => "0.0.0.0:0",
            false => "127.0.0.1:0",
        };
        for door in wish.ports {
            ports.push(Port {
                door,
                listener: TcpListener::bind(host).await.unwrap(),
                admits: Arc::new(wish.admits),
                trusts: wish.trusts,
            });
        }
        let config = Config {
            nodes: named.map(Result::unwrap).collect(),
            trust_forwarded_for: wish.trust_forwarded_for,
            limits: wish.limits,
        };
        let stop = CancellationToken::new();
        let stand = Stand {
            http: http.local_addr().unwrap(),
            ports: ports
                .iter()
                .map(|port| port.listener.local_addr().unwrap())
                .collect(),
            served: tokio::spawn(proxy::serve(
                config,
                Listeners { http, ports },
                stop.clone(),
            )),
            nodes,
            stranger,
            cluster,
            stop,
        };
        stand.knows(3).await;
        stand
    }

    /// Waits until the proxy says that so many nodes can serve.
    pub async fn knows(&self, count: usize) {
        until("the proxy knows its nodes", async || {
            let metrics = self.send("GET /metrics HTTP/1.1", "").await;
            let ready = metrics.lines().filter(|line| {
                line.starts_with("consorcio_proxy_node_ready") && line.ends_with(" 1")
            });
            ready.count() == count
        })
        .await;
    }

    /// Sends a request (its first line and more headers, then its body) and reads the whole answer.
    pub async fn send(&self, head: &str, body: &str) -> String {
        let mut stream = self.open(head, body).await;
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(PATIENCE, reading)
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Sends a request.
    pub async fn open(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let length = match body.len() {
            0 => String::new(),
            length => format!("content-length: {length}\r\n"),
        };
        let lines: Vec<&str> = head.lines().map(str::trim).collect();
        let head = lines.join("\r\n");
        let request = format!("{head}\r\nhost: sur.lan\r\nconnection: close\r\n{length}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// How often each node was asked so far.
    pub fn asked(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.taken().len()).collect()
    }
}

/// A node that lost its disk and founded a cluster of its own.
async fn stranger() -> Fake {
    let cluster = Arc::new(Cluster {
        id: "theirs",
        ..Cluster::default()
    });
    *cluster.leader.lock().unwrap() = Some("n9".to_owned());
    Fake::start("n9", &cluster, json!({})).await
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1);
    word.and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("{answer:?}"))
}

/// The body of an answer that has a length.
pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head and a body").1
}

/// Reads from a stream until what came contains `text`.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut chunk = [0; 1024];
        loop {
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "it ended: {:?}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&chunk[..count]);
            if String::from_utf8_lossy(&all).contains(text) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect(text);
    String::from_utf8(all).unwrap()
}

/// Waits until the other side has closed.
pub async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    // A reset closes as well as an end does.
    drop(
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("it closes"),
    );
}
