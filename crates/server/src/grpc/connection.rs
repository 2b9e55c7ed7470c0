//! Connections: accepting them, bounding them, and letting them go.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Pace;
use super::guard::{From, Guard};
use super::methods::Methods;
use super::preface::Prefaced;
use super::strangers::{Stranger, Strangers};
use super::{GrpcConfig, health, services};
use crate::app::App;
use crate::door::{Allowed, Door};
use crate::serve::StallGuard;

/// Metadata of a call is at most this long: a token and a trace fit many times.
const HEAD_MAX_BYTES: u32 = 16 * 1024;

/// What a client may send on one call before it is read: a message of most kinds.
const CALL_WINDOW_BYTES: u32 = 128 * 1024;

/// What a client may send on one connection before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What waits in HTTP/2 for the client to read it, on one call: the rest waits in the answer.
const SEND_BUFFER_BYTES: usize = 16 * 1024;

/// Calls that a client begins and takes back before they are looked at (CVE-2023-44487).
const RESETS_MAX: usize = 64;

/// How often a connection is looked at whether its answers are read.
const LOOKS_PER_STALL: u32 = 4;

/// Serves gRPC until `shutdown`, then lets calls finish and ends streams.
pub(crate) async fn serve(
    app: App,
    tasks: &TaskTracker,
    listener: TcpListener,
    config: GrpcConfig,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let grace = app.config.limits.shutdown_grace;
    let methods = Arc::new(Methods::new()?);
    let (reporter, health) = health::service();
    let told = health::follow(app.clone(), reporter, methods.services());
    tasks.spawn(told);
    let routes = services::routes(&app, health)?;
    tracing::info!(%address, require_session = config.require_session, "serving gRPC");
    let entrance = Door {
        listener: &listener,
        seats: Arc::new(Semaphore::new(config.limits.connections)),
        allowed: Allowed::any(),
    };
    let limits = &config.limits;
    let hall = Hall {
        strangers: Strangers::new(limits.strangers, limits.strangers_per_address),
        guard: Guard {
            app: app.clone(),
            config: Arc::new(config),
            methods,
            routes,
        },
        connections: GracefulShutdown::new(),
        tasks: TaskTracker::new(),
    };
    let welcome = |stream, peer, seat| hall.welcome(stream, peer, seat);
    entrance.accept(shutdown, welcome).await;
    drop(listener);

    app.stopping.cancel();
    let Hall {
        connections, tasks, ..
    } = hall;
    tasks.close();
    let finished = async {
        connections.shutdown().await;
        tasks.wait().await;
    };
    match tokio::time::timeout(grace, finished).await {
        Ok(()) => tracing::info!(%address, "gRPC has stopped"),
        Err(_) => tracing::warn!(%address, ?grace, "gRPC has stopped with calls unfinished"),
    }
    Ok(())
}

/// What belongs to all connections.
struct Hall {
    guard: Guard,
    strangers: Arc<Strangers>,
    connections: GracefulShutdown,
    tasks: TaskTracker,
}

impl Hall {
    fn welcome(&self, stream: TcpStream, peer: SocketAddr, seat: OwnedSemaphorePermit) {
        let stranger = match self.guard.config.require_session {
            true => match self.strangers.admit(peer.ip()) {
                Some(stranger) => Some(Arc::new(stranger)),
                None => {
                    self.guard.app.metrics.grpc.turned_away.inc();
                    tracing::debug!(%peer, "closed: too many strangers are here");
                    return;
                }
            },
            false => None,
        };
        let connection = Connection {
            guard: self.guard.clone(),
            watcher: self.connections.watcher(),
            tasks: self.tasks.clone(),
            peer,
            stranger,
        };
        self.tasks.spawn(async move {
            connection.run(stream).await;
            drop(seat);
        });
    }
}

/// One connection.
struct Connection {
    guard: Guard,
    watcher: Watcher,
    tasks: TaskTracker,
    peer: SocketAddr,
    /// Its seat while nobody is signed in on it, where a session is required.
    stranger: Option<Arc<Stranger>>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // An answer is one small write that must not wait for the next.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let app = self.guard.app.clone();
        let limits = self.guard.config.limits.clone();
        let stream = StallGuard::new(stream, limits.write_stall);
        app.metrics.grpc.connections.inc();
        tokio::select! {
            read = Prefaced::read(stream, limits.handshake) => match read {
                Ok(stream) => self.speak(stream).await,
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "a connection does not speak gRPC");
                }
            },
            () = app.stopping.cancelled() => {}
        }
        app.metrics.grpc.connections.dec();
    }

    async fn speak(self, stream: Prefaced<StallGuard<TcpStream>>) {
        let Connection {
            guard,
            watcher,
            tasks,
            peer,
            stranger,
        } = self;
        let limits = guard.config.limits.clone();
        let (pace, app) = (Arc::new(Pace::default()), guard.app.clone());
        let from = From {
            peer: peer.ip(),
            pace: pace.clone(),
            stranger,
        };
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = guard.clone().answer(from.clone(), request);
            async { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        let connection = http2::Builder::new(Tasks(tasks))
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.calls_per_connection)
            .max_header_list_size(HEAD_MAX_BYTES)
            .initial_stream_window_size(CALL_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(RESETS_MAX)
            .keep_alive_interval(limits.keepalive)
            .keep_alive_timeout(limits.keepalive_timeout)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            // Broken connections are the other side's business.
            ended = watcher.watch(connection) => if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection broke");
            },
            () = stalled(&pace, limits.write_stall) => {
                app.metrics.grpc.stalled.inc();
                tracing::warn!(%peer, "a connection is closed: its answers are not read");
            }
        }
    }
}

/// Waits until an answer has not been read for too long.
async fn stalled(pace: &Pace, patience: Duration) {
    let every = patience / LOOKS_PER_STALL;
    while !pace.has_stalled(patience) {
        tokio::time::sleep(every).await;
    }
}

/// Runs a connection's calls where its end can be waited for.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
