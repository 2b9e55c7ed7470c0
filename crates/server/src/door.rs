//! Where TCP connections come in: so many at once, and only from where they may.

mod allowed;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub use allowed::{Allowed, NotAllowed};

/// After the system refused a connection (for example, no file descriptors are left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in: so many at once, and only from where they may.
pub(crate) struct Door<'a> {
    pub listener: &'a TcpListener,
    /// A connection takes one; further ones wait in the kernel's queue.
    pub seats: Arc<Semaphore>,
    pub allowed: Allowed,
}

impl Door<'_> {
    /// Hands connections to `welcome` until `shutdown`.
    pub async fn accept(
        &self,
        shutdown: &CancellationToken,
        mut welcome: impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit),
    ) {
        loop {
            let next = tokio::select! {
                () = shutdown.cancelled() => return,
                next = self.next() => next,
            };
            match next {
                Ok((_, peer, _)) if !self.allowed.contains(peer.ip()) => {
                    tracing::warn!(%peer, "refused: its network is not among the allowed");
                }
                Ok((stream, peer, seat)) => welcome(stream, peer, seat),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let seat = self.seats.clone().acquire_owned().await;
        let seat = seat.map_err(io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, peer, seat))
    }
}
