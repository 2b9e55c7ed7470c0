//! Clients that wait for an element of a list (`BLPOP`), and how soon one wakes after a push was
//! acknowledged.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::consorcio::Consorcio;
use super::interrupt;
use super::load::redis::{Reply, command, reply};
use super::process::{Scratch, wait_until};
use super::report::{Cell, Report, quantile};
use super::streams::{Progress, Streams};
use super::system::{NODES, System as _};

/// `consorcio bench blocked`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Clients that wait, evenly on all nodes; each is woken once
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Pushes a second, all to the leader
    #[arg(long, default_value_t = 100)]
    pushes: u32,
}

/// The list that is waited for.
const LIST: &[u8] = b"cola";

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that waits.
#[derive(Default)]
struct Waiter {
    /// The start of an answer whose end has not come yet.
    rest: Vec<u8>,
}

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let leader = cluster.leader()?;
    let mut waiters = Streams::open(args.clients, |number| {
        let stream = block(cluster.redis_address(number % NODES))?;
        Ok((stream, Waiter::default()))
    })?;
    wait_until_blocked(&cluster, args.clients)?;
    let progress = Progress::default();
    let mut woken = BTreeMap::new();
    let pushed = thread::scope(|scope| {
        let pusher = scope.spawn(|| {
            let outcome = push_all(cluster.redis_address(leader), args, &progress);
            progress.over.store(true, Ordering::Release);
            outcome
        });
        waiters.follow(&progress, 1, |waiter, bytes, now| {
            let element = waiter.take(bytes);
            element.map_or(0, |element| {
                woken.entry(element).or_insert(now);
                1
            })
        })?;
        let died = |_| anyhow::anyhow!("the pusher failed");
        pusher.join().map_err(died)?
    })?;
    Ok(report(args, scratch, &pushed, &woken))
}

/// Connects and waits for an element.
fn block(address: SocketAddr) -> anyhow::Result<mio::net::TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    let mut out = Vec::new();
    command(&mut out, &[b"BLPOP", LIST, b"0"]);
    stream.write_all(&out)?;
    stream.set_nonblocking(true)?;
    Ok(mio::net::TcpStream::from_std(stream))
}

/// Waits until the nodes say that all clients wait.
fn wait_until_blocked(cluster: &Consorcio, clients: usize) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for node in 0..NODES {
        connections.push(Caller::connect(cluster.redis_address(node))?);
    }
    wait_until("all clients wait", PATIENCE, &[], || {
        let mut blocked = 0;
        for connection in &mut connections {
            let info = connection.call(&[b"INFO", b"clients"])?;
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix("blocked_clients:"))
                .context("the node does not say how many clients wait")?;
            blocked += line.trim().parse::<usize>()?;
        }
        Ok(blocked == clients)
    })?;
    Ok(())
}

/// Pushes one element for each client at a steady pace; answers when each was acknowledged.
fn push_all(address: SocketAddr, args: &Args, progress: &Progress) -> anyhow::Result<Vec<Instant>> {
    let mut connection = Caller::connect(address)?;
    let mut acknowledged = Vec::new();
    let started = Instant::now();
    for number in 0..args.clients {
        let due = started + Duration::from_secs(1) * u32::try_from(number)? / args.pushes.max(1);
        interrupt::sleep(due.saturating_duration_since(Instant::now()))?;
        connection.call(&[b"RPUSH", LIST, number.to_string().as_bytes()])?;
        acknowledged.push(Instant::now());
        progress.acknowledged.fetch_add(1, Ordering::Release);
    }
    Ok(acknowledged)
}

/// A connection with one command under way.
struct Caller {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Caller {
    fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Caller {
            stream,
            input: Vec::new(),
        })
    }

    /// The answer's text.
    fn call(&mut self, words: &[&[u8]]) -> anyhow::Result<String> {
        let mut out = Vec::new();
        command(&mut out, words);
        self.stream.write_all(&out)?;
        self.input.clear();
        loop {
            if let Some((_, reply)) = reply(&self.input)? {
                return match reply {
                    Reply::Line(line) if line.starts_with(b"-") => {
                        bail!("refused: {}", String::from_utf8_lossy(line))
                    }
                    Reply::Line(text) | Reply::Bulk(text) => {
                        Ok(String::from_utf8_lossy(text).into_owned())
                    }
                    Reply::Nil | Reply::Array => Ok(String::new()),
                };
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).context("no answer")?;
            if read == 0 {
                bail!("a node closed a connection");
            }
            self.input.extend_from_slice(&buffer[..read]);
        }
    }
}

impl Waiter {
    /// The element, once the answer is whole: `*2 $4 cola $1 7`.
    fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        self.rest.extend_from_slice(bytes);
        let (whole, _) = reply(&self.rest).ok()??;
        let lines: Vec<_> = self.rest[..whole].split(|byte| *byte == b'\n').collect();
        let element = lines.get(4)?.strip_suffix(b"\r")?;
        std::str::from_utf8(element).ok()?.parse().ok()
    }
}

fn report(
    args: &Args,
    scratch: &Scratch,
    pushed: &[Instant],
    woken: &BTreeMap<usize, Instant>,
) -> Report {
    // A client may wake before the push is acknowledged: that is not late at all.
    let late = |(number, at): (&usize, &Instant)| {
        let acknowledged = pushed.get(*number)?;
        Some(at.saturating_duration_since(*acknowledged).as_secs_f64() * 1000.0)
    };
    let late_ms: Vec<f64> = woken.iter().filter_map(late).collect();
    Report {
        title: "Clients that wait for an element: from a push's acknowledgement to the client"
            .to_owned(),
        setting: vec![
            format!(
                "{NODES} nodes and all clients on one machine, data in {}",
                scratch.describe()
            ),
            format!(
                "{} pushes a second to the leader, one for each client",
                args.pushes
            ),
        ],
        columns: vec!["clients", "woken", "p50 ms", "p99 ms", "max ms"],
        rows: vec![vec![
            Cell::Number(args.clients as f64, 0),
            Cell::Number(late_ms.len() as f64, 0),
            Cell::Number(quantile(&late_ms, 0.5), 2),
            Cell::Number(quantile(&late_ms, 0.99), 2),
            Cell::Number(quantile(&late_ms, 1.0), 2),
        ]],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_element_is_found_in_a_whole_answer_only() {
        let answer = b"*2\r\n$4\r\ncola\r\n$3\r\n417\r\n";
        for cut in 0..answer.len() {
            let mut waiter = Waiter::default();
            assert_eq!(waiter.take(&answer[..cut]), None, "cut at {cut}");
            assert_eq!(waiter.take(&answer[cut..]), Some(417), "cut at {cut}");
        }
    }
}
