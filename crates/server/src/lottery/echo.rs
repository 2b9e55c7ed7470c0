//! The echo protocol of RFC 862: what comes is sent back, so that `nc` shows whether a node can be
//! reached.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::door::{Allowed, Door};

/// Connections at once: people who try whether it works, not load.
const CONNECTIONS: usize = 64;

/// A connection over which nothing goes for this long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// What is read before it is sent back.
const CHUNK_BYTES: usize = 1024;

/// Echoes until `shutdown`.
pub async fn echo(listener: TcpListener, allowed: Allowed, shutdown: CancellationToken) {
    let door = Door {
        listener: &listener,
        seats: Arc::new(Semaphore::new(CONNECTIONS)),
        allowed,
    };
    door.accept(&shutdown, |stream, _, seat| {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            // Broken connections are the other side's business.
            let _ = shutdown.run_until_cancelled(send_back(stream)).await;
            drop(seat);
        });
    })
    .await;
}

async fn send_back(mut stream: TcpStream) -> io::Result<()> {
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let count = timeout(IDLE, stream.read(&mut chunk)).await??;
        if count == 0 {
            return Ok(());
        }
        timeout(IDLE, stream.write_all(&chunk[..count])).await??;
    }
}
