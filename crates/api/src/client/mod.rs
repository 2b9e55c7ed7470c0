//! The client library: one cluster behind one value.
//!
//! ```text
//!   call ─▶ pick a node ─▶ exchange ─▶ judge ─▶ answer, or another node until the deadline
//!           endpoints.rs   transport.rs  send.rs
//! ```
//!
//! A [`Client`] knows several nodes, learns the others from the cluster, and asks the node that an
//! area is assigned to. Whatever a single node does (dies, is busy, has no leader, loses an
//! answer), it repeats the call on another with the same request id until the deadline, so a change
//! is made exactly once or the error says that the outcome is unknown. It carries the newest log
//! index that it has seen, so it never reads an older state, on any node. It also carries the id of
//! the cluster, so that a node that lost its data and founded a cluster of its own is left alone.

mod accounts;
mod backoff;
mod call;
mod cluster;
mod drills;
mod endpoints;
mod error;
mod events;
mod files;
mod journals;
mod keys;
mod lotteries;
mod members;
mod news;
mod polls;
mod send;
mod sse;
#[cfg(test)]
mod tests;
mod transport;

pub use call::ESCAPED;
pub use cluster::Consistency;
pub use error::Error;
pub use events::{EventFilter, EventStream};
pub use files::{Content, FileName, FileReader, FilesQuery, IfThere, PutFile};
pub use keys::KeyEntry;
pub use news::{Order, PostsQuery};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use endpoints::{Base, Endpoints};
use members::Members;
use transport::Transport;

/// A call gives up after this long, if the caller says nothing else: longer than an election and a
/// node's restart, short enough for a person who waits.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// A node that was sent a request and says nothing for this long is left for another: a paused node
/// accepts connections and never answers.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client of one cluster. Cloning it is cheap; clones share connections, what they know of the
/// nodes, and the newest index seen, but each may have its own session, deadline and request id.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    token: Option<Arc<str>>,
    request_id: Option<Arc<str>>,
    consistency: Option<Consistency>,
    deadline: Duration,
}

struct Shared {
    transport: Transport,
    endpoints: Mutex<Endpoints>,
    members: Members,
    index: AtomicU64,
    /// The cluster's id, once it is known: no other cluster is taken for it.
    cluster: OnceLock<String>,
    attempt_timeout: Duration,
}

/// Makes a [`Client`].
#[derive(Clone, Debug)]
pub struct Builder {
    endpoints: Vec<String>,
    index: u64,
    cluster: Option<String>,
    deadline: Duration,
    attempt_timeout: Duration,
    learn: bool,
}

impl Builder {
    /// Adds a node: `http://host:port`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoints.push(url.into());
        self
    }

    /// The newest index that an earlier client of the same user saw, to go on from there.
    pub fn index(self, index: u64) -> Self {
        Builder { index, ..self }
    }

    /// The id of the cluster that is meant, as an earlier client learnt it: nodes of another one
    /// are not taken for it. Without, the first one that is met is the one that is meant.
    pub fn cluster(self, id: Option<String>) -> Self {
        Builder {
            cluster: id,
            ..self
        }
    }

    /// How long a call may take in all, instead of [`DEADLINE`].
    pub fn deadline(self, deadline: Duration) -> Self {
        Builder { deadline, ..self }
    }

    /// How long one node may take, instead of [`ATTEMPT_TIMEOUT`].
    pub fn attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Builder {
            attempt_timeout,
            ..self
        }
    }

    /// Whether to learn the other nodes from the cluster and to ask where an area is assigned
    /// (it does). Without, only the endpoints that were given are asked.
    pub fn learn(self, learn: bool) -> Self {
        Builder { learn, ..self }
    }

    /// The client. Nothing is sent before the first call.
    pub fn build(self) -> Result<Client, Error> {
        let given: Vec<Base> = self
            .endpoints
            .iter()
            .map(|url| parse_base(url))
            .collect::<Result<_, _>>()?;
        if given.is_empty() {
            let reason = "is missing: name at least one node".to_owned();
            return Err(Error::Invalid {
                field: "the endpoint",
                reason,
            });
        }
        let shared = Shared {
            transport: Transport::new(),
            endpoints: Mutex::new(Endpoints::new(given)),
            members: Members::new(self.learn),
            index: AtomicU64::new(self.index),
            cluster: self.cluster.map(OnceLock::from).unwrap_or_default(),
            attempt_timeout: self.attempt_timeout,
        };
        Ok(Client {
            shared: Arc::new(shared),
            token: None,
            request_id: None,
            consistency: None,
            deadline: self.deadline,
        })
    }
}

impl Client {
    /// Starts making a client.
    pub fn builder() -> Builder {
        Builder {
            endpoints: Vec::new(),
            index: 0,
            cluster: None,
            deadline: DEADLINE,
            attempt_timeout: ATTEMPT_TIMEOUT,
            learn: true,
        }
    }

    /// The same client with a session: the token that [`Client::log_in`] answered.
    pub fn with_token(&self, token: impl Into<Arc<str>>) -> Self {
        Client {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// The same client without a session.
    pub fn without_token(&self) -> Self {
        Client {
            token: None,
            ..self.clone()
        }
    }

    /// The same client whose next change carries this request id instead of a generated one
    /// (1 to 128 visible ASCII characters). Use it for one change and its repetitions.
    pub fn with_request_id(&self, id: impl Into<Arc<str>>) -> Self {
        Client {
            request_id: Some(id.into()),
            ..self.clone()
        }
    }

    /// The same client whose readings are this fresh; a session's freshness is the default.
    pub fn with_consistency(&self, consistency: Consistency) -> Self {
        Client {
            consistency: Some(consistency),
            ..self.clone()
        }
    }

    /// The same client whose calls give up after `deadline`.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Client {
            deadline,
            ..self.clone()
        }
    }

    /// The session's token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The newest log index that this client has seen.
    pub fn index(&self) -> u64 {
        self.shared.index.load(Ordering::Relaxed)
    }

    /// The cluster's id, if it is known yet.
    pub fn cluster_id(&self) -> Option<&str> {
        self.shared.cluster.get().map(String::as_str)
    }

    /// The base URLs of the nodes it knows, those that were given first.
    pub fn endpoints(&self) -> Vec<String> {
        self.endpoints_now()
            .bases()
            .iter()
            .map(|base| base.to_string())
            .collect()
    }

    fn saw(&self, index: u64) {
        self.shared.index.fetch_max(index, Ordering::Relaxed);
    }

    /// Held for a few instructions, never across an `await`.
    fn endpoints_now(&self) -> MutexGuard<'_, Endpoints> {
        self.shared
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.endpoints())
            .finish_non_exhaustive()
    }
}

/// Checks a base URL and gives it its one form, `http://host:port`.
fn parse_base(url: &str) -> Result<Base, Error> {
    let invalid = |reason: &str| Error::Invalid {
        field: "the endpoint",
        reason: format!("{url:?} {reason}"),
    };
    let uri: http::Uri = url
        .parse()
        .map_err(|_| invalid("is not a URL like http://host:8080"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(invalid("is https, which this client does not speak")),
        _ => return Err(invalid("does not start with http://")),
    }
    let Some(authority) = uri.authority() else {
        return Err(invalid("has no host"));
    };
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(invalid("has more than a host and a port"));
    }
    Ok(format!("http://{authority}").into())
}
