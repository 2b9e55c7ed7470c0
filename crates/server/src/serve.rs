//! What the front doors share, and HTTP's connections: accepting them, bounding them, and letting
//! them go.

mod stall;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::http::Request;
use axum::Router;
use engine::Engine;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::agent;
use crate::app::App;
use crate::config::Config;
use crate::door::{Allowed, Door};
use crate::events::Hub;
use crate::expiry;
use crate::grpc::{self, GrpcConfig};
use crate::http::{PeerAddress, router};
use crate::polls;
use crate::sessions;
pub(crate) use stall::StallGuard;

/// A request's head is at most this long: cookies and a token fit many times.
const HEAD_MAX_BYTES: usize = 32 * 1024;

/// A request has at most this many headers.
const HEADERS_MAX: usize = 100;

/// What the front doors of a node have in common: who is signed in, the events and their readers,
/// what is counted. Cloning it is cheap.
#[derive(Clone)]
pub struct Front {
    pub(crate) app: App,
    tasks: TaskTracker,
}

impl Front {
    /// Opens it before an engine.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used.
    pub fn open(engine: Engine, config: Config) -> io::Result<Self> {
        let heartbeat = config.limits.heartbeat;
        let (hub, follower) = Hub::new(&engine);
        let app = App::new(engine, config, hub).map_err(|t| io::Error::other(t.detail))?;
        let tasks = TaskTracker::new();
        tasks.spawn(follower.run(heartbeat, app.stopping.clone()));
        tasks.spawn(sessions::end_streams(app.clone(), app.stopping.clone()));
        tasks.spawn(agent::run(app.clone(), app.stopping.clone()));
        tasks.spawn(polls::follow_tallies(app.clone(), app.stopping.clone()));
        tasks.spawn(polls::settle_due(app.clone(), app.stopping.clone()));
        tasks.spawn(polls::feed(app.clone(), app.stopping.clone()));
        tasks.spawn(expiry::sweep(app.clone(), app.stopping.clone()));
        Ok(Front { app, tasks })
    }

    /// Serves HTTP until `shutdown`, then lets requests finish and ends event streams.
    ///
    /// # Errors
    ///
    /// If the listener has no address.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        shutdown: &CancellationToken,
    ) -> io::Result<()> {
        let (app, address) = (&self.app, listener.local_addr()?);
        let grace = app.config.limits.shutdown_grace;
        let (connections, tasks) = (GracefulShutdown::new(), TaskTracker::new());
        tracing::info!(%address, "serving HTTP");
        let router = router(app.clone());
        let door = Door {
            listener: &listener,
            seats: Arc::new(Semaphore::new(app.config.limits.connections)),
            allowed: Allowed::any(),
        };
        door.accept(shutdown, |stream, peer, seat| {
            let connection = Connection {
                seat,
                stream,
                peer,
                app: app.clone(),
            };
            connection.start(router.clone(), &connections, &tasks);
        })
        .await;
        drop(listener);

        // Streams end with a comment, idle connections close, requests at work are finished.
        app.stopping.cancel();
        tasks.close();
        let finished = async {
            connections.shutdown().await;
            tasks.wait().await;
        };
        match tokio::time::timeout(grace, finished).await {
            Ok(()) => tracing::info!(%address, "HTTP has stopped"),
            Err(_) => tracing::warn!(%address, ?grace, "HTTP has stopped with requests unfinished"),
        }
        Ok(())
    }

    /// Serves gRPC until `shutdown`, then lets calls finish and ends streams.
    ///
    /// # Errors
    ///
    /// If the listener has no address.
    pub async fn serve_grpc(
        &self,
        listener: TcpListener,
        config: GrpcConfig,
        shutdown: &CancellationToken,
    ) -> io::Result<()> {
        grpc::serve(self.app.clone(), &self.tasks, listener, config, shutdown).await
    }

    /// Ends what goes on behind the doors, once they are closed.
    pub async fn close(self) {
        self.app.stopping.cancel();
        self.tasks.close();
        let grace = self.app.config.limits.shutdown_grace;
        if tokio::time::timeout(grace, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                ?grace,
                "what goes on behind the front doors did not end in time"
            );
        }
    }
}

/// Serves HTTP alone until `shutdown`.
///
/// # Errors
///
/// As [`Front::open`] and [`Front::serve_http`].
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    config: Config,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let front = Front::open(engine, config)?;
    let served = front.serve_http(listener, &shutdown).await;
    front.close().await;
    served
}

struct Connection {
    seat: OwnedSemaphorePermit,
    stream: TcpStream,
    peer: SocketAddr,
    app: App,
}

impl Connection {
    fn start(self, router: Router, connections: &GracefulShutdown, tasks: &TaskTracker) {
        let Connection {
            seat,
            stream,
            peer,
            app,
        } = self;
        // An event is one small write that must not wait for the next.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let limits = &app.config.limits;
        let stream = TokioIo::new(StallGuard::new(stream, limits.write_stall));
        let service = router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            request
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_MAX_BYTES)
            .serve_connection(stream, TowerToHyperService::new(service));
        let connection = connections.watch(connection);
        app.metrics.connections.inc();
        tasks.spawn(async move {
            // Broken connections are the other side's business.
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection broke");
            }
            app.metrics.connections.dec();
            drop(seat);
        });
    }
}
