//! The Redis front door: the replicated store for every program that speaks to Redis.
//!
//! ```text
//!   connection ─▶ resp: requests ─▶ commands: operations ─▶ batch ─▶ engine: write · read
//!        ▲                                                    │
//!        └── resp: replies ◀── Shape ◀── answers ◀────────────┘
//!   engine: what was touched ─▶ hub ─▶ waiters (BLPOP), listeners (SUBSCRIBE)
//! ```
//!
//! The protocol is Redis's, in versions 2 and 3, and so are the words of its errors. What is not
//! there is an unknown command; what is there answers as Redis does. Any node takes any request: a
//! write is acknowledged when a majority has synced it, and a client sees its own writes.

mod commands;
mod connection;
mod here;
mod hub;
mod listeners;
mod metrics;
pub mod resp;
mod store;
mod waiters;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::commands::{Parsed, Refusal};
use self::connection::Connection;
use self::here::Client;
use self::hub::Hub;
pub(crate) use self::metrics::RedisMetrics;
use self::store::Store;
use crate::app::App;
use crate::door::{Allowed, Door};
use crate::serve::Front;

/// Connections that wait to be accepted: as many as a pool of a large application opens at once.
pub const REDIS_BACKLOG: u32 = 4_096;

/// Connections that are told at once that there are too many; further ones wait.
const REFUSED_AT_ONCE: usize = 64;

/// How long somebody has who is told that there are too many connections.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// A client that is gone without a word is noticed after this long: Redis's own default.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Settings of the Redis front door.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Who may connect.
    pub allowed: Allowed,
    /// Whether a client must say AUTH before anything else.
    pub password_required: bool,
    /// Bounds.
    pub limits: RedisLimits,
}

/// Bounds of the Redis front door.
#[derive(Clone, Debug)]
pub struct RedisLimits {
    /// Connections at once; further ones are told so, and closed.
    pub connections: usize,
    /// From the first byte of a request to its last, and for saying AUTH where that is required.
    pub request: Duration,
    /// Passwords that are checked at once; further ones wait.
    pub signing_in: usize,
    /// How long an AUTH may take, with its wait.
    pub sign_in_patience: Duration,
    /// A client that takes nothing of its replies for this long is cut.
    pub write_stall: Duration,
    /// Requests of more than 64 KiB that may come in at once, over all connections.
    pub large_requests: usize,
    /// KiB of large replies that may wait for slow clients, over all connections; a client whose
    /// reply would be more is cut.
    pub waiting_replies_kib: usize,
    /// How long requests may be at work after the node was told to stop.
    pub shutdown_grace: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        RedisConfig {
            allowed: Allowed::loopback(),
            password_required: false,
            limits: RedisLimits::default(),
        }
    }
}

impl Default for RedisLimits {
    fn default() -> Self {
        RedisLimits {
            // Redis's own default. An idle one takes a few KiB.
            connections: 10_000,
            // A request of 2 MiB over a slow mobile line.
            request: Duration::from_secs(60),
            // Fewer than the wrong ones that one client may say in a row, or a pool of connections
            // would be taken for somebody who guesses.
            signing_in: 4,
            // Shorter than the usual time that libraries wait for a connection.
            sign_in_patience: Duration::from_secs(4),
            write_stall: Duration::from_secs(30),
            // At 2 MiB each, 256 MiB at the worst.
            large_requests: 128,
            // Thirty-two of the largest.
            waiting_replies_kib: 512 * 1024,
            // A write under way is answered well before.
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// What all connections of this door share.
pub(crate) struct Shared {
    app: App,
    store: Store,
    hub: Arc<Hub>,
    config: RedisConfig,
    /// Ids of clients, counted from 1.
    last_client: AtomicU64,
    /// A permit is room for one large request.
    large: Arc<Semaphore>,
    /// A permit is a KiB of a large reply that waits for its client.
    waiting_replies: Arc<Semaphore>,
    /// A permit is a password that is being checked.
    signing_in: Semaphore,
    metrics: RedisMetrics,
    started: Instant,
}

impl Front {
    /// Serves Redis clients until `shutdown`, then lets requests that are at work finish.
    ///
    /// # Errors
    ///
    /// If the listener has no address.
    pub async fn serve_redis(
        &self,
        listener: TcpListener,
        config: RedisConfig,
        shutdown: &CancellationToken,
    ) -> io::Result<()> {
        serve(self.app.clone(), listener, config, shutdown).await
    }
}

async fn serve(
    app: App,
    listener: TcpListener,
    config: RedisConfig,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let grace = config.limits.shutdown_grace;
    let stopping = CancellationToken::new();
    let tasks = TaskTracker::new();
    let shared = Arc::new(Shared::new(app, config));
    let (hub, store) = (Arc::clone(&shared.hub), shared.store.clone());
    let waiters = Arc::clone(&hub.waiters);
    tasks.spawn(hub::follow(hub, store.clone(), stopping.clone()));
    tasks.spawn(waiters::run(waiters, store, stopping.clone()));
    tracing::info!(%address, "serving Redis clients");

    let seats = Arc::new(Semaphore::new(shared.config.limits.connections));
    let door = Door {
        listener: &listener,
        seats: Arc::new(Semaphore::new(seats.available_permits() + REFUSED_AT_ONCE)),
        allowed: shared.config.allowed.clone(),
    };
    door.accept(shutdown, |stream, peer, admitted| {
        match Arc::clone(&seats).try_acquire_owned() {
            Ok(seat) => {
                let guest = Guest::new(stream, peer, &shared, stopping.clone());
                tasks.spawn(guest.serve((admitted, seat)));
            }
            Err(_) => {
                shared.metrics.refused.inc();
                tasks.spawn(turn_away(stream, admitted));
            }
        }
    })
    .await;
    drop(listener);

    stopping.cancel();
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!(%address, ?grace, "Redis clients had requests unfinished at the end");
    }
    tracing::info!(%address, "the Redis front door has stopped");
    Ok(())
}

/// A connection that has just been let in.
struct Guest {
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    stopping: CancellationToken,
}

impl Guest {
    fn new(
        stream: TcpStream,
        peer: SocketAddr,
        shared: &Arc<Shared>,
        stopping: CancellationToken,
    ) -> Self {
        Guest {
            stream,
            peer,
            shared: Arc::clone(shared),
            stopping,
        }
    }

    async fn serve(self, seats: (OwnedSemaphorePermit, OwnedSemaphorePermit)) {
        let Guest {
            stream,
            peer,
            shared,
            stopping,
        } = self;
        prepare(&stream);
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let id = shared.last_client.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Client::new(id, peer, local);
        shared.metrics.connections.inc();
        Connection::new(stream, client, Arc::clone(&shared), stopping)
            .run()
            .await;
        shared.metrics.connections.dec();
        drop(seats);
    }
}

/// Replies are whole when they are written, and a peer that is gone is noticed in the end.
fn prepare(stream: &TcpStream) {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let set = stream
        .set_nodelay(true)
        .and_then(|()| socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        tracing::debug!(%error, "a socket's options cannot be set");
    }
}

/// There are too many connections.
async fn turn_away(mut stream: TcpStream, admitted: OwnedSemaphorePermit) {
    let line = b"-ERR max number of clients reached\r\n";
    // Whoever does not take it needs not be told.
    let _ = tokio::time::timeout(REFUSAL_TIME, stream.write_all(line)).await;
    drop(admitted);
}

impl Shared {
    fn new(app: App, config: RedisConfig) -> Self {
        Shared {
            store: Store::new(app.engine.clone()),
            hub: Arc::new(Hub::new()),
            large: Arc::new(Semaphore::new(config.limits.large_requests)),
            waiting_replies: Arc::new(Semaphore::new(config.limits.waiting_replies_kib)),
            signing_in: Semaphore::new(config.limits.signing_in),
            metrics: app.metrics.redis.clone(),
            app,
            config,
            last_client: AtomicU64::new(0),
            started: Instant::now(),
        }
    }
}

/// A number that nobody can guess.
fn random() -> Parsed<u64> {
    getrandom::u64().map_err(|_| Refusal::because("the system gives no random numbers"))
}
