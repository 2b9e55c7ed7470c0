//! Those who watch a poll: event streams, and when each told how many probes were counted.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Progress;
use crate::bench::consorcio::Consorcio;
use crate::bench::interrupt;
use crate::bench::system::System as _;

/// What has not arrived this long after the last ballot is missed.
const GRACE: Duration = Duration::from_secs(10);

/// How often the loop looks whether it is over when nothing arrives.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// All who watch.
pub struct Watchers {
    poll: Poll,
    watchers: Vec<Watcher>,
    /// Probes of earlier measurements.
    before: u64,
    /// When each probe arrived at each watcher that got it.
    arrived: Vec<Vec<Instant>>,
    deliveries: u64,
}

struct Watcher {
    stream: TcpStream,
    /// The start of a message whose end has not come yet.
    rest: Vec<u8>,
    /// Probes it knows of.
    seen: u64,
}

impl Watchers {
    /// Connects all of them, evenly to the nodes, and waits until each stream has begun.
    pub fn open(cluster: &Consorcio, of: i64, count: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let addresses = cluster.addresses();
        let mut watchers = Vec::new();
        for number in 0..count {
            interrupt::check()?;
            let address = addresses[number % addresses.len()];
            let mut stream = subscribe(address, cluster.token(), of)?;
            let registry = poll.registry();
            registry.register(&mut stream, Token(number), Interest::READABLE)?;
            watchers.push(Watcher {
                stream,
                rest: Vec::new(),
                seen: 0,
            });
        }
        Ok(Watchers {
            poll,
            watchers,
            before: 0,
            arrived: Vec::new(),
            deliveries: 0,
        })
    }

    /// Forgets what arrived before.
    pub fn begin(&mut self) {
        let newest = self.watchers.iter().map(|watcher| watcher.seen).max();
        self.before = newest.unwrap_or(0);
        self.arrived = Vec::new();
        self.deliveries = 0;
    }

    /// When each probe arrived, in the order of the probes.
    pub fn arrivals(&self) -> &[Vec<Instant>] {
        &self.arrived
    }

    /// Notes what arrives until the last probe was cast and is everywhere, or [`GRACE`] has passed.
    pub fn follow(&mut self, progress: &Progress) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(self.watchers.len().max(1));
        let mut buffer = vec![0; READ_BYTES];
        let mut over = None;
        loop {
            interrupt::check()?;
            match self.poll.poll(&mut events, Some(GLANCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                self.receive(event.token().0, &mut buffer)?;
            }
            if progress.over.load(Ordering::Acquire) {
                let since = *over.get_or_insert_with(Instant::now);
                let probes = progress.acknowledged.load(Ordering::Acquire);
                let all = self.deliveries >= probes * self.watchers.len() as u64;
                if all || since.elapsed() > GRACE {
                    return Ok(());
                }
            }
        }
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
        let watcher = &mut self.watchers[number];
        loop {
            match watcher.stream.read(buffer) {
                Ok(0) => bail!("the node cut a watcher off"),
                Ok(read) => {
                    let now = Instant::now();
                    if let Some(seen) = watcher.take(&buffer[..read]) {
                        for probe in watcher.seen.max(self.before)..seen {
                            let place = (probe - self.before) as usize;
                            if self.arrived.len() <= place {
                                self.arrived.resize_with(place + 1, Vec::new);
                            }
                            self.arrived[place].push(now);
                            self.deliveries += 1;
                        }
                        watcher.seen = watcher.seen.max(seen);
                    }
                    if read < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a watcher's connection failed"),
            }
        }
    }
}

impl Watcher {
    /// The probes that the newest whole message knows of.
    fn take(&mut self, bytes: &[u8]) -> Option<u64> {
        self.rest.extend_from_slice(bytes);
        let end = self.rest.windows(2).rposition(|two| two == b"\n\n")?;
        let whole = self.rest.drain(..end + 2).collect::<Vec<u8>>();
        let text = String::from_utf8_lossy(&whole);
        text.rsplit("\n\n").find_map(probes)
    }
}

/// The ballots of the last option in a tally.
fn probes(message: &str) -> Option<u64> {
    const BALLOTS: &str = "{\"ballots\":";
    if !message.contains("event: poll.tally") {
        return None;
    }
    let after = &message[message.rfind(BALLOTS)? + BALLOTS.len()..];
    after[..after.find(',')?].parse().ok()
}

/// Follows a poll, and returns once the answer has begun: then the node has noted the watcher.
fn subscribe(address: SocketAddr, token: &str, poll: i64) -> anyhow::Result<TcpStream> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = format!(
        "GET /v1/events?poll={poll} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .context("a watcher was not answered")?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("a watcher was refused: {}", String::from_utf8_lossy(&head));
    }
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_of_the_newest_whole_message_are_found() {
        let tally = |probes: u64| {
            format!(
                "event: poll.tally\ndata: {{\"tally\":{{\"options\":[\
                 {{\"ballots\":9,\"weight\":9}},{{\"ballots\":{probes},\"weight\":1}}]}}}}\n\n"
            )
        };
        assert_eq!(probes(&tally(12)), Some(12));
        assert_eq!(probes(": alive"), None);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").ok();
        let address = listener.as_ref().and_then(|one| one.local_addr().ok());
        let stream = address.and_then(|address| std::net::TcpStream::connect(address).ok());
        let Some(stream) = stream else { return };
        let mut watcher = Watcher {
            stream: TcpStream::from_std(stream),
            rest: Vec::new(),
            seen: 0,
        };
        let text = format!(": alive\n\n{}{}", tally(3), tally(4));
        assert_eq!(watcher.take(&text.as_bytes()[..text.len() - 1]), Some(3));
        assert_eq!(watcher.take(b"\n"), Some(4));
    }
}
