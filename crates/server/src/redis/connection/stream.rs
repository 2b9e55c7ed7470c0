//! Bytes from and to a client that may be slow, silent, gone or broken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::redis::RedisLimits;
use crate::redis::resp::{Parser, Requests};

/// Bytes that are read at once from a client that sends little.
const CHUNK_MIN_BYTES: usize = 4 * 1024;

/// The same for one that sends much: a pipeline of a hundred small requests and more.
const CHUNK_MAX_BYTES: usize = 64 * 1024;

/// Bytes that a client may send ahead while it waits for something.
const AHEAD_MAX_BYTES: usize = 64 * 1024;

/// What comes in from a client, and goes out to it.
pub(super) struct Stream {
    stream: TcpStream,
    buffer: BytesMut,
    parser: Parser,
    /// How much is read at once.
    chunk: usize,
    /// When the request that has come in part must be there.
    due: Option<Instant>,
    /// Room for a large request, which all connections share.
    large: Arc<Semaphore>,
    room: Option<OwnedSemaphorePermit>,
}

/// Why a connection ends. A client that closes between two requests has only left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("it has left")]
    Left,
    #[error("the node is stopping")]
    Stopping,
    #[error("it sent only part of a request in {0:?}")]
    TooSlow(Duration),
    #[error("it did not say who it is in {0:?}")]
    Unknown(Duration),
    #[error("it does not take its replies")]
    Stalled,
    #[error("it did not take the messages that it listens for")]
    Overflowed,
    #[error("it was told what is wrong with its bytes")]
    Broken,
    #[error("it speaks HTTP: perhaps a page in somebody's browser sends commands")]
    Http,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Cut {
    /// Whether it is worth a line in the log.
    pub fn is_worth_telling(&self) -> bool {
        match self {
            Cut::Left | Cut::Stopping | Cut::Broken | Cut::Failed(_) => false,
            Cut::TooSlow(_) | Cut::Unknown(_) | Cut::Stalled | Cut::Overflowed | Cut::Http => true,
        }
    }
}

impl Stream {
    pub fn new(stream: TcpStream, large: Arc<Semaphore>) -> Self {
        Stream {
            stream,
            buffer: BytesMut::new(),
            parser: Parser::default(),
            chunk: CHUNK_MIN_BYTES,
            due: None,
            large,
            room: None,
        }
    }

    /// Whether the client has yet to say who it is, which bounds what it may send.
    pub fn set_unknown(&mut self, unknown: bool) {
        self.parser.unknown = unknown;
    }

    /// Waits for more, and reads all that has come. Cancelled, it loses nothing.
    pub async fn fill(&mut self, limits: &RedisLimits) -> Result<(), Cut> {
        let due = match self.buffer.is_empty() {
            // Somebody who has said nothing has the same time for saying who it is.
            true if !self.parser.unknown => None,
            _ => Some(
                *self
                    .due
                    .get_or_insert_with(|| Instant::now() + limits.request),
            ),
        };
        let Some(due) = due else {
            return self.read().await;
        };
        match timeout_at(due, self.read()).await {
            Ok(read) => read,
            Err(_) if self.buffer.is_empty() => Err(Cut::Unknown(limits.request)),
            Err(_) => Err(Cut::TooSlow(limits.request)),
        }
    }

    async fn read(&mut self) -> Result<(), Cut> {
        let wanted = self.parser.wants(&self.buffer);
        if wanted > CHUNK_MAX_BYTES && self.room.is_none() {
            let room = Arc::clone(&self.large).acquire_owned().await;
            self.room = Some(room.map_err(io::Error::other)?);
        }
        self.buffer.reserve(self.chunk.max(wanted));
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(Cut::Left);
        }
        // As long as it fills what there is room for, there may be more.
        while self.buffer.len() == self.buffer.capacity() && self.buffer.len() < CHUNK_MAX_BYTES {
            self.chunk = (self.chunk * 2).min(CHUNK_MAX_BYTES);
            self.buffer.reserve(self.chunk);
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(1..) => {}
                // The end is found again by the next read.
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the requests that have come.
    pub fn take(&mut self, requests: &mut Requests) {
        self.parser.parse(&mut self.buffer, requests);
        if !requests.is_empty() || self.buffer.is_empty() {
            self.due = None;
        }
    }

    /// The requests that were taken are done with.
    pub fn release(&mut self) {
        if self.room.is_some() && self.parser.wants(&self.buffer) <= CHUNK_MAX_BYTES {
            self.room = None;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > CHUNK_MAX_BYTES {
            self.buffer = BytesMut::new();
        }
    }

    /// Comes to an end when the client does, while nothing is expected of it. What it sends in the
    /// meantime is kept, up to a bound.
    pub async fn ended(&mut self) -> Cut {
        loop {
            if self.buffer.len() >= AHEAD_MAX_BYTES {
                // It is not read on, so its end cannot be seen.
                return std::future::pending().await;
            }
            self.buffer.reserve(CHUNK_MIN_BYTES);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Cut::Left,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    /// Sends all of these bytes.
    pub async fn send(&mut self, mut bytes: &[u8], stall: Duration) -> Result<(), Cut> {
        while !bytes.is_empty() {
            // Most of the time the socket has room, and no timer is needed.
            let sent = match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match timeout(stall, self.stream.write(bytes)).await {
                        Ok(sent) => sent?,
                        Err(_) => return Err(Cut::Stalled),
                    }
                }
                sent => sent?,
            };
            if sent == 0 {
                return Err(Cut::Left);
            }
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}
