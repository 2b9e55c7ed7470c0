//! Bytes from and to a client that may be slow, silent, gone or broken.

use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::redis::RedisLimits;
use crate::redis::resp::{Parser, Requests};

/// Bytes that are read at once from a client that sends little.
const CHUNK_MIN_BYTES: usize = 4 * 1024;

/// The same for one that sends much: a pipeline of a hundred small requests and more.
const CHUNK_MAX_BYTES: usize = 64 * 1024;

/// Bytes that a client may send ahead while it waits for something.
const AHEAD_MAX_BYTES: usize = 64 * 1024;

/// How often is looked whether a client is still there that has sent so much ahead.
const AHEAD_POLL: Duration = Duration::from_millis(500);

/// Replies of more bytes need room that all connections share while they wait for a slow client;
/// what is smaller, each connection may have.
const REPLY_LARGE_BYTES: usize = 512 * 1024;

/// What comes in from a client, and goes out to it.
pub(super) struct Stream {
    stream: Arc<TcpStream>,
    buffer: BytesMut,
    parser: Parser,
    /// How much is read at once.
    chunk: usize,
    /// When the request that has come in part must be there.
    due: Option<Instant>,
    /// When a client must have said who it is, which it has not; nothing that it sends or asks
    /// puts that off.
    known_by: Option<Instant>,
    /// Room for a large request, which all connections share.
    large: Arc<Semaphore>,
    room: Option<OwnedSemaphorePermit>,
    /// KiB of replies that may wait for slow clients, which all connections share.
    waiting: Arc<Semaphore>,
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
    #[error("too many large replies wait for slow clients")]
    Crowded,
    #[error("messages that it listens for were left out")]
    Overflowed,
    #[error("this node tells nothing any more")]
    Silent,
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
            Cut::Left | Cut::Stopping | Cut::Silent | Cut::Broken | Cut::Failed(_) => false,
            Cut::TooSlow(_) | Cut::Unknown(_) | Cut::Http => true,
            Cut::Stalled | Cut::Crowded | Cut::Overflowed => true,
        }
    }
}

impl Stream {
    pub fn new(stream: TcpStream, large: Arc<Semaphore>, waiting: Arc<Semaphore>) -> Self {
        Stream {
            stream: Arc::new(stream),
            buffer: BytesMut::new(),
            parser: Parser::default(),
            chunk: CHUNK_MIN_BYTES,
            due: None,
            known_by: None,
            large,
            room: None,
            waiting,
        }
    }

    /// The client has yet to say who it is, which bounds what it may send, and for how long.
    pub fn set_unknown(&mut self, limits: &RedisLimits) {
        self.parser.unknown = true;
        self.known_by
            .get_or_insert_with(|| Instant::now() + limits.request);
    }

    /// The client has said who it is.
    pub fn set_known(&mut self) {
        self.parser.unknown = false;
        self.known_by = None;
    }

    /// How much time is left for saying who it is, if it has not.
    pub fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        self.known_by
            .map(|known_by| known_by.saturating_duration_since(now))
    }

    /// Ends a client that has not said who it is in its time.
    pub fn check_known(&self, limits: &RedisLimits) -> Result<(), Cut> {
        match self.time_left() {
            Some(Duration::ZERO) => Err(Cut::Unknown(limits.request)),
            _ => Ok(()),
        }
    }

    /// Waits for more, and reads all that has come. Cancelled, it loses nothing.
    pub async fn fill(&mut self, limits: &RedisLimits) -> Result<(), Cut> {
        // Whoever never stops sending finds no other end of its time.
        self.check_known(limits)?;
        let whole_by = match self.buffer.is_empty() {
            true => None,
            false => Some(
                *self
                    .due
                    .get_or_insert_with(|| Instant::now() + limits.request),
            ),
        };
        let due = match (whole_by, self.known_by) {
            (Some(whole_by), Some(known_by)) => whole_by.min(known_by),
            (Some(due), None) | (None, Some(due)) => due,
            (None, None) => return self.read().await,
        };
        match timeout_at(due, self.read()).await {
            Ok(read) => read,
            Err(_) if self.known_by == Some(due) => Err(Cut::Unknown(limits.request)),
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
        if self.read_some().await? == 0 {
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

    /// Reads into the room that the buffer has, once there is something; 0 is the end.
    async fn read_some(&mut self) -> io::Result<usize> {
        // Whoever never stops sending leaves the others their turns.
        tokio::task::coop::consume_budget().await;
        loop {
            match self.stream.try_read_buf(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                read => return read,
            }
        }
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
                // It is not read on, and its end is looked for behind what it has sent.
                match self.stream.ready(Interest::READABLE).await {
                    Ok(ready) if ready.is_read_closed() => return Cut::Left,
                    Ok(_) => sleep(AHEAD_POLL).await,
                    Err(error) => return error.into(),
                }
                continue;
            }
            self.buffer.reserve(CHUNK_MIN_BYTES);
            match self.read_some().await {
                Ok(0) => return Cut::Left,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    /// Whether the client has gone, as far as this machine knows at this moment.
    pub fn has_gone(&self) -> bool {
        has_gone(&self.stream)
    }

    /// Tells the same to whoever does something for the client.
    pub fn presence(&self) -> Presence {
        Presence(Arc::downgrade(&self.stream))
    }

    /// Sends all of these bytes; what is left of them was not sent.
    pub async fn send(&mut self, bytes: &mut &[u8], stall: Duration) -> Result<(), Cut> {
        let mut room = None;
        while !bytes.is_empty() {
            // Most of the time the socket has room, and no timer is needed.
            let sent = match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if room.is_none() && bytes.len() > REPLY_LARGE_BYTES {
                        room = Some(self.room_to_wait(bytes.len())?);
                    }
                    match timeout(stall, self.stream.writable()).await {
                        Ok(writable) => writable?,
                        Err(_) => return Err(Cut::Stalled),
                    }
                    continue;
                }
                sent => sent?,
            };
            if sent == 0 {
                return Err(Cut::Left);
            }
            *bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Room for so many bytes that wait for this client, beside those that wait for others.
    fn room_to_wait(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Cut> {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.waiting).try_acquire_many_owned(kib);
        room.map_err(|_| Cut::Crowded)
    }
}

/// Whether a client is there, for those who do not hold its connection open.
pub(in crate::redis) struct Presence(Weak<TcpStream>);

impl Presence {
    /// Whether the client has gone, as far as this machine knows at this moment.
    pub fn has_gone(&self) -> bool {
        self.0.upgrade().is_none_or(|stream| has_gone(&stream))
    }
}

/// Asked of the socket itself: what is told of it may come later.
fn has_gone(stream: &TcpStream) -> bool {
    let mut next = [MaybeUninit::uninit()];
    match socket2::SockRef::from(stream).peek(&mut next) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let room = || Arc::new(Semaphore::new(1));
        let stream = Stream::new(accepted.unwrap().0, room(), room());
        (client.unwrap(), stream)
    }

    /// Nothing is awaited in between: it is asked of the socket, not of what was heard of it.
    #[tokio::test]
    async fn who_has_gone_is_known_at_once() {
        let (mut client, stream) = pair().await;
        assert!(!stream.has_gone());
        client.write_all(b"PING\r\n").await.unwrap();
        assert!(!stream.has_gone());
        let (client, stream) = pair().await;
        let presence = stream.presence();
        assert!(!presence.has_gone());
        drop(client);
        assert!(stream.has_gone() && presence.has_gone());
        let (client, stream) = pair().await;
        let presence = stream.presence();
        drop(stream);
        assert!(presence.has_gone());
        drop(client);
        let (client, stream) = pair().await;
        let socket = socket2::SockRef::from(&client);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert!(stream.has_gone());
    }

    #[tokio::test]
    async fn what_could_not_be_sent_is_left() {
        let (client, mut stream) = pair().await;
        drop(client);
        let stall = Duration::from_millis(50);
        // The first bytes are answered with a reset.
        let _ = stream.send(&mut &b"+OK\r\n"[..], stall).await;
        tokio::time::sleep(stall).await;
        let mut left = &b"+OK\r\n"[..];
        assert!(stream.send(&mut left, stall).await.is_err());
        assert_eq!(left.len(), 5);
        let (_client, mut stream) = pair().await;
        let much = vec![0; 32 * 1024 * 1024];
        let mut left = &much[..];
        let cut = stream.send(&mut left, stall).await;
        assert!(matches!(cut, Err(Cut::Crowded)), "{cut:?}");
        assert!(left.len() < much.len());
    }

    #[tokio::test]
    async fn the_end_of_a_client_that_sent_much_ahead_is_seen_too() {
        let (mut client, mut stream) = pair().await;
        // As much as the system takes for a socket: behind more than that no end is seen.
        let much = vec![b'x'; AHEAD_MAX_BYTES * 3 / 2];
        let speak = async {
            client.write_all(&much).await.unwrap();
            drop(client);
        };
        let end = async {
            let ended = timeout(Duration::from_secs(20), stream.ended());
            ended.await.unwrap()
        };
        let ((), cut) = tokio::join!(speak, end);
        assert!(matches!(cut, Cut::Left | Cut::Failed(_)), "{cut:?}");
        assert!(stream.buffer.len() < 2 * AHEAD_MAX_BYTES);
    }
}
