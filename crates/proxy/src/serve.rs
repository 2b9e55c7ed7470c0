//! Accepting connections, bounding them, and letting them go.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client;
use crate::config::{Config, Limits, Listeners};
use crate::count::Counts;
use crate::forward::Forward;
use crate::members::Members;
use crate::tcp;

/// A request's head is at most this long, as at a node.
const HEAD_MAX_BYTES: usize = 32 * 1024;

/// A request has at most this many headers, as at a node.
const HEADERS_MAX: usize = 100;

/// After the system refused a connection (for example, no file descriptors are left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection on which nothing came for this long is asked whether it lives …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// … and again so long after, until the system gives it up.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// Serves until `stop`, then lets requests finish, and ends streams and led connections.
///
/// # Errors
///
/// If the HTTP listener has no address.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listeners.http.local_addr()?;
    let (tasks, asking, counts) = (
        TaskTracker::new(),
        CancellationToken::new(),
        Counts::default(),
    );
    let client = client::new(&config.limits);
    let members = Members::start(&config, client, tasks.clone(), asking.clone());
    let forward = Forward::new(&config, members.clone(), counts.clone(), stop.clone());
    for port in listeners.ports {
        let leading = tcp::serve(port, members.clone(), counts.clone(), stop.clone());
        tasks.spawn(leading);
    }
    tracing::info!(%address, "leading HTTP to the nodes");
    let http = Http {
        listener: listeners.http,
        limits: config.limits.clone(),
        counts,
        forward,
    };
    http.serve(&stop).await;
    asking.cancel();
    tasks.close();
    // Led connections end at once; the rest only needs its turn.
    drop(timeout(config.limits.shutdown_grace, tasks.wait()).await);
    tracing::info!(%address, "stopped leading HTTP");
    Ok(())
}

struct Http {
    listener: TcpListener,
    limits: Limits,
    counts: Counts,
    forward: Forward,
}

impl Http {
    async fn serve(self, stop: &CancellationToken) {
        let (connections, tasks) = (GracefulShutdown::new(), TaskTracker::new());
        let seats = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => break,
                next = accept(&self.listener, &seats) => next,
            };
            match next {
                Ok((stream, peer, seat)) => self.start(stream, peer, seat, &connections, &tasks),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        tasks.close();
        let finished = async {
            connections.shutdown().await;
            tasks.wait().await;
        };
        if timeout(self.limits.shutdown_grace, finished).await.is_err() {
            tracing::warn!("requests are left unfinished");
        }
    }

    fn start(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: OwnedSemaphorePermit,
        connections: &GracefulShutdown,
        tasks: &TaskTracker,
    ) {
        tune(&stream, self.limits.write_stall);
        let (forward, open) = (self.forward.clone(), self.counts.open(None));
        let service = service_fn(move |request| {
            let forward = forward.clone();
            async move { Ok::<_, std::convert::Infallible>(forward.answer(request, peer).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_MAX_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tasks.spawn(async move {
            // Broken connections are the other side's business.
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection broke");
            }
            drop((open, seat));
        });
    }
}

/// The next connection, once there is a seat for it.
pub async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats).acquire_owned().await;
    let seat = seat.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, seat))
}

/// Small writes do not wait for the next; whoever takes nothing, or is gone without a word, is cut
/// by the system.
pub fn tune(stream: &TcpStream, write_stall: Duration) {
    let stall_ms = u32::try_from(write_stall.as_millis()).unwrap_or(u32::MAX);
    let tuned = stream.set_nodelay(true).and_then(|()| {
        sockopt::set_tcp_user_timeout(stream, stall_ms)?;
        sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(stream, KEEPALIVE_EVERY)?;
        sockopt::set_socket_keepalive(stream, true)?;
        Ok(())
    });
    if let Err(error) = tuned {
        tracing::debug!(%error, "a connection could not be tuned");
    }
}
