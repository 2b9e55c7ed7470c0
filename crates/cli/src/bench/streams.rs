//! Event streams by the thousand, followed by one thread: what a screen would be shown, and when.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::interrupt;

/// What has not arrived this long after the last was sent is missed.
const GRACE: Duration = Duration::from_secs(10);

/// How often the loop looks whether it is over when nothing arrives.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// What those who send tell those who follow.
#[derive(Default)]
pub struct Progress {
    /// How many were sent and acknowledged.
    pub acknowledged: AtomicU64,
    /// Whether there are no more.
    pub over: AtomicBool,
}

/// Streams, and what is known of the reader of each.
pub struct Streams<R> {
    poll: Poll,
    streams: Vec<(TcpStream, R)>,
}

impl<R> Streams<R> {
    /// Connects all of them, each with what `connect` gives for its number.
    pub fn open(
        count: usize,
        mut connect: impl FnMut(usize) -> anyhow::Result<(TcpStream, R)>,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::new();
        for number in 0..count {
            interrupt::check()?;
            let (mut stream, reader) = connect(number)?;
            let registry = poll.registry();
            registry.register(&mut stream, Token(number), Interest::READABLE)?;
            streams.push((stream, reader));
        }
        Ok(Streams { poll, streams })
    }

    /// The readers.
    pub fn readers(&self) -> impl Iterator<Item = &R> {
        self.streams.iter().map(|(_, reader)| reader)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.streams.len() as u64
    }

    /// Hands what arrives to `receive`, which answers how many deliveries that was, until all is
    /// sent and each thing sent was delivered to `to` readers, or [`GRACE`] has passed.
    pub fn follow(
        &mut self,
        progress: &Progress,
        to: u64,
        mut receive: impl FnMut(&mut R, &[u8], Instant) -> u64,
    ) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(self.streams.len().max(1));
        let mut buffer = vec![0; READ_BYTES];
        let (mut deliveries, mut over) = (0, None);
        loop {
            interrupt::check()?;
            match self.poll.poll(&mut events, Some(GLANCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                let (stream, reader) = &mut self.streams[event.token().0];
                read(stream, &mut buffer, |bytes, now| {
                    deliveries += receive(reader, bytes, now);
                })?;
            }
            if progress.over.load(Ordering::Acquire) {
                let since = *over.get_or_insert_with(Instant::now);
                let sent = progress.acknowledged.load(Ordering::Acquire);
                if deliveries >= sent * to || since.elapsed() > GRACE {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads what there is.
fn read(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    mut receive: impl FnMut(&[u8], Instant),
) -> anyhow::Result<()> {
    loop {
        match stream.read(buffer) {
            Ok(0) => bail!("the node cut a reader off"),
            Ok(read) => {
                receive(&buffer[..read], Instant::now());
                if read < buffer.len() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("a reader's connection failed"),
        }
    }
}

/// Asks for events, such as those of `area=1`, and returns once the answer has begun: then the
/// node has noted the reader.
pub fn subscribe(address: SocketAddr, token: &str, of: &str) -> anyhow::Result<TcpStream> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = format!(
        "GET /v1/events?{of} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .context("a reader was not answered")?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("a reader was refused: {}", String::from_utf8_lossy(&head));
    }
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn readers_are_followed_until_each_has_everything() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let node = thread::spawn(move || {
            let mut streams = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                assert!(request.starts_with(b"GET /v1/events?area=7 HTTP/1.1\r\n"));
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nxx").unwrap();
                streams.push(stream);
            }
            streams
        });
        let connect = |number| Ok((subscribe(address, "token", "area=7")?, (number, 0)));
        let mut streams = Streams::open(2, connect).unwrap();
        let _open = node.join().unwrap();
        let progress = Progress::default();
        progress.acknowledged.store(2, Ordering::Release);
        progress.over.store(true, Ordering::Release);
        let count = |reader: &mut (usize, u64), bytes: &[u8], _: Instant| {
            assert!(bytes.iter().all(|byte| *byte == b'x'));
            reader.1 += bytes.len() as u64;
            bytes.len() as u64
        };
        streams.follow(&progress, 2, count).unwrap();
        assert_eq!(streams.readers().collect::<Vec<_>>(), [&(0, 2), &(1, 2)]);
    }
}
