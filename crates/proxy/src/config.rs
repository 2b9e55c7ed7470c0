//! What a proxy can be told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

/// Settings of a proxy.
#[derive(Clone, Debug)]
pub struct Config {
    /// Some of the cluster's nodes, as [`node`] reads them; the others are learnt from them. Those
    /// that turn out to be of another cluster than most are left alone.
    pub nodes: Vec<Arc<str>>,
    /// Pass on what `X-Forwarded-For` says: only behind another proxy that sets it.
    pub trust_forwarded_for: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Where a proxy listens.
#[derive(Debug)]
pub struct Listeners {
    /// For HTTP.
    pub http: TcpListener,
    /// For the other protocols.
    pub ports: Vec<Port>,
}

/// Who may connect.
pub type Admits = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A port whose connections are led to a node as they are.
pub struct Port {
    /// What is spoken there.
    pub door: Door,
    /// Where to listen.
    pub listener: TcpListener,
    /// Who may connect.
    pub admits: Admits,
    /// Lead clients of other machines also to a node that serves its own machine alone at that
    /// door, and so asks them for no password.
    pub trusts: bool,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

/// What is spoken at a port, and with it to whom its connections are led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Redis clients, to the leader: their changes need no further hop.
    Redis,
    /// Redis clients that read, to the followers, evenly.
    RedisReads,
    /// gRPC clients, to all nodes, evenly: each has one connection for everything.
    Grpc,
    /// The lottery's agencies, to the leader.
    Lottery,
}

/// Bounds; past each there is a clear answer, never unbounded memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// HTTP connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Connections at once of each other port.
    pub port_connections: usize,
    /// HTTP requests at work at once (an answer that is under way is not at work).
    pub requests: usize,
    /// A longer body is passed on as it comes, and then nothing of it can be sent again.
    pub replay_bytes: usize,
    /// Bytes of all bodies that are kept to be sent, maybe again.
    pub buffer_bytes: usize,
    /// From the first byte of a request's head to its last, and how long an idle connection stays.
    pub head_timeout: Duration,
    /// From the end of the head until the body is here, or longer than [`Limits::replay_bytes`].
    pub body_timeout: Duration,
    /// How long a node may take from the request to the head of its answer.
    pub answer_timeout: Duration,
    /// How long another node is tried when one cannot serve.
    pub retry_for: Duration,
    /// A connection that takes nothing for this long is closed.
    pub write_stall: Duration,
    /// How often each node is asked how it is.
    pub probe_every: Duration,
    /// How long it may take to tell.
    pub probe_timeout: Duration,
    /// A node that was not heard for this long, and left several questions in a row without an
    /// answer, counts as dead, and what it has under way is lost.
    pub silence_max: Duration,
    /// How long a node may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long requests may go on after the proxy was told to stop.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // As a node: about 20 KiB each while idle.
            connections: 8_192,
            // Two buffers of 16 KiB each: 128 MiB at the worst.
            port_connections: 4_096,
            requests: 2_048,
            // Above what a node takes of any request that changes something at once.
            replay_bytes: 2 * 1024 * 1024,
            buffer_bytes: 128 * 1024 * 1024,
            // As a node.
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(20),
            // A node gives up after 30 s, and says so.
            answer_timeout: Duration::from_secs(35),
            // Several elections. The client library asks another address before, under the same id.
            retry_for: Duration::from_secs(3),
            write_stall: Duration::from_secs(30),
            // The third question in a row is given up when the silence has lasted for two seconds.
            probe_every: Duration::from_millis(400),
            probe_timeout: Duration::from_millis(800),
            // As the nodes judge each other.
            silence_max: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// A text that names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no node: write {}", "http://host:port or host:port")]
pub struct NotANode {
    text: String,
}

/// Reads `http://host:port` or `host:port`; answers `host:port`.
pub fn node(text: &str) -> Result<Arc<str>, NotANode> {
    let not = || NotANode {
        text: text.to_owned(),
    };
    let trimmed = text.trim().trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").unwrap_or(trimmed);
    let authority: http::uri::Authority = rest.parse().map_err(|_| not())?;
    if authority.host().is_empty() || rest.contains('@') {
        return Err(not());
    }
    match (authority.port_u16(), authority.as_str() == authority.host()) {
        (Some(_), _) => Ok(authority.as_str().into()),
        // What HTTP takes where a URL says nothing.
        (None, true) => Ok(format!("{authority}:80").into()),
        (None, false) => Err(not()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_url_or_an_address() {
        let cases = [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://sur.lan:8080/", Some("sur.lan:8080")),
            (" sur.lan:8080 ", Some("sur.lan:8080")),
            ("http://sur.lan", Some("sur.lan:80")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("https://sur.lan", None),
            ("http://sur.lan/v1", None),
            ("http://ana@sur.lan", None),
            ("", None),
            ("a b", None),
            ("sur.lan:99999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(node(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
