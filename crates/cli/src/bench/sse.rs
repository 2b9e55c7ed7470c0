//! The live feed: thousands of readers on one node, and how long a post takes to reach each of
//! them after it was acknowledged to its author.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::consorcio::Consorcio;
use super::interrupt;
use super::posts;
use super::process::Scratch;
use super::report::{Cell, Report, quantile};
use super::system::{NODES, System as _};

/// `consorcio bench sse`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Readers, all on the node that leads
    #[arg(long, default_value_t = 2000)]
    readers: usize,
    /// Posts a second
    #[arg(long, default_value_t = 20)]
    posts: u32,
    /// Seconds of posting
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

/// What is not delivered this long after the last post is missed.
const GRACE: Duration = Duration::from_secs(10);

/// How often the loop looks whether it is over when nothing arrives.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let area = posts::make_areas(&cluster, 1)?[0];
    let node = cluster.leader()?;
    let mut readers = Readers::open(&cluster, node, area, args.readers)?;
    let progress = Progress::default();
    let acknowledged = thread::scope(|scope| {
        let author = scope.spawn(|| publish(&cluster, node, area, args, &progress));
        readers.follow(&progress)?;
        author
            .join()
            .map_err(|_| anyhow::anyhow!("the author failed"))?
    })?;
    Ok(report(args, scratch, &acknowledged, &readers.arrived))
}

/// What the author tells the readers.
#[derive(Default)]
struct Progress {
    acknowledged: AtomicU64,
    over: AtomicBool,
}

/// Posts at a steady pace; answers when each post was acknowledged, by its id.
fn publish(
    cluster: &Consorcio,
    node: usize,
    area: i64,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Instant>> {
    let outcome = publish_all(cluster, node, area, args, progress);
    progress.over.store(true, Ordering::Release);
    outcome
}

fn publish_all(
    cluster: &Consorcio,
    node: usize,
    area: i64,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Instant>> {
    let mut http = cluster.http(node)?;
    let path = format!("/v1/areas/{area}/posts");
    let mut acknowledged = BTreeMap::new();
    let started = Instant::now();
    for number in 0..args.posts * args.seconds {
        let due = started + Duration::from_secs(1) * number / args.posts;
        interrupt::sleep(due.saturating_duration_since(Instant::now()))?;
        let made = http.json("POST", &path, &posts::post(u64::from(number)))?;
        let id = made["id"].as_i64().context("a post has an id")?;
        acknowledged.insert(id, Instant::now());
        progress.acknowledged.fetch_add(1, Ordering::Release);
    }
    Ok(acknowledged)
}

/// The readers' connections, and what has come over them.
struct Readers {
    poll: Poll,
    readers: Vec<Reader>,
    /// When each post arrived at each reader that got it.
    arrived: BTreeMap<i64, Vec<Instant>>,
    deliveries: u64,
}

struct Reader {
    stream: TcpStream,
    /// The start of an event whose end has not come yet.
    rest: Vec<u8>,
}

impl Readers {
    /// Connects all of them, and waits until each has been told that the stream begins.
    fn open(cluster: &Consorcio, node: usize, area: i64, count: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut readers = Vec::new();
        for number in 0..count {
            interrupt::check()?;
            let stream = subscribe(cluster.address(node), cluster.token(), area)?;
            let mut reader = Reader {
                stream,
                rest: Vec::new(),
            };
            let registry = poll.registry();
            registry.register(&mut reader.stream, Token(number), Interest::READABLE)?;
            readers.push(reader);
        }
        Ok(Readers {
            poll,
            readers,
            arrived: BTreeMap::new(),
            deliveries: 0,
        })
    }

    /// Notes what arrives until the author is done and every reader has every post, or [`GRACE`]
    /// has passed.
    fn follow(&mut self, progress: &Progress) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(self.readers.len());
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
                let posts = progress.acknowledged.load(Ordering::Acquire);
                let all = self.deliveries >= posts * self.readers.len() as u64;
                if all || since.elapsed() > GRACE {
                    return Ok(());
                }
            }
        }
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
        let reader = &mut self.readers[number];
        loop {
            match reader.stream.read(buffer) {
                Ok(0) => bail!("the node cut a reader off"),
                Ok(read) => {
                    let now = Instant::now();
                    for post in reader.take(&buffer[..read]) {
                        self.arrived.entry(post).or_default().push(now);
                        self.deliveries += 1;
                    }
                    if read < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a reader's connection failed"),
            }
        }
    }
}

impl Reader {
    /// The ids of the posts whose events are whole.
    fn take(&mut self, bytes: &[u8]) -> Vec<i64> {
        self.rest.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.rest).into_owned();
        let Some(end) = text.rfind("\n\n") else {
            return Vec::new();
        };
        let posts = text[..end].split("\n\n").filter_map(post_id).collect();
        self.rest = text.as_bytes()[end..].to_vec();
        posts
    }
}

/// The id in the data of an event of a post.
fn post_id(event: &str) -> Option<i64> {
    let after = &event[event.find(r#""post":"#)? + r#""post":"#.len()..];
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    after[..digits].parse().ok()
}

/// Asks for the events of an area, and returns once the answer has begun: then the node has noted
/// the reader.
fn subscribe(address: SocketAddr, token: &str, area: i64) -> anyhow::Result<TcpStream> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = format!(
        "GET /v1/events?area={area} HTTP/1.1\r\nHost: localhost\r\n\
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

fn report(
    args: &Args,
    scratch: &Scratch,
    acknowledged: &BTreeMap<i64, Instant>,
    arrived: &BTreeMap<i64, Vec<Instant>>,
) -> Report {
    let mut late_ms = Vec::new();
    for (post, sent) in acknowledged {
        let arrivals = arrived.get(post).map(Vec::as_slice).unwrap_or_default();
        // An event may overtake the acknowledgement: that is not late at all.
        let late = arrivals
            .iter()
            .map(|at| at.saturating_duration_since(*sent));
        late_ms.extend(late.map(|late| late.as_secs_f64() * 1000.0));
    }
    let due = acknowledged.len() * args.readers;
    Report {
        title: "Live feed: from a post's acknowledgement to its arrival at a reader".to_owned(),
        setting: vec![
            format!(
                "{NODES} nodes and all readers on one machine, data in {}",
                scratch.describe()
            ),
            format!("{} posts a second for {} s", args.posts, args.seconds),
        ],
        columns: vec![
            "readers",
            "deliveries",
            "missed",
            "p50 ms",
            "p99 ms",
            "max ms",
        ],
        rows: vec![vec![
            Cell::Number(args.readers as f64, 0),
            Cell::Number(late_ms.len() as f64, 0),
            Cell::Number(due.saturating_sub(late_ms.len()) as f64, 0),
            Cell::Number(quantile(&late_ms, 0.5), 1),
            Cell::Number(quantile(&late_ms, 0.99), 1),
            Cell::Number(quantile(&late_ms, 1.0), 1),
        ]],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn posts_are_found_in_whole_events_only() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut reader = Reader {
            stream: TcpStream::from_std(stream),
            rest: Vec::new(),
        };
        let event =
            "event: post.published\nid: 9-0\ndata: {\"area\":1,\"post\":12,\"at\":\"\"}\n\n";
        let text = format!(": hello\n\n{event}");
        for cut in 1..text.len() {
            let mut posts = reader.take(&text.as_bytes()[..cut]);
            posts.extend(reader.take(&text.as_bytes()[cut..]));
            assert_eq!(posts, [12], "cut at {cut}");
        }
        assert_eq!(post_id("data: {\"kind\":\"area.added\"}"), None);
    }
}
