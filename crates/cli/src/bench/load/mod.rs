//! The load generator: many connections, one thread, one request under way on each, or as many as
//! the depth of its pipeline says.
//!
//! It shares the processor with what it measures, so a request costs it little: bytes are written
//! into a buffer that is reused, sent with one system call, received with another, and an answer
//! is parsed as far as one must to know that it is whole and what it says. Every system is driven
//! by this same loop; only [`Client`] differs.

pub mod grpc;
pub mod http;
pub mod redis;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::interrupt;
use super::report::quantile;

/// The longest an answer may take before the measurement is given up: a lost answer must not
/// hang it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the loop looks at the clock when nothing arrives.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes read at once; answers are far smaller.
const READ_BYTES: usize = 16 * 1024;

/// Refusals in a row after which there is no point in going on.
const REFUSALS_MAX: u64 = 100_000;

/// One connection's side of a protocol.
pub trait Client {
    /// Appends what is sent once, before the first request.
    fn greet(&mut self, _out: &mut Vec<u8>) {}

    /// Appends request number `number`.
    fn ask(&mut self, number: u64, out: &mut Vec<u8>);

    /// Takes what has arrived. Answers how many bytes it is done with, and the answer if it is
    /// whole; may append what the protocol wants sent at once.
    fn hear(&mut self, input: &[u8], out: &mut Vec<u8>) -> anyhow::Result<(usize, Option<Answer>)>;
}

/// What a system said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged.
    Done,
    /// Not done, in the system's words.
    Refused(String),
}

/// What a client does with the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Operation {
    /// Writes: `SET key value`
    Set,
    /// Reads: `GET key`
    Get,
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// As much as can be answered in this time, after another time that is not counted.
    Elapsed {
        /// Not counted.
        warm_up: Duration,
        /// Counted.
        measured: Duration,
    },
    /// So many acknowledged requests; what is refused is asked again.
    Done(u64),
}

/// What the load met.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Acknowledged requests.
    pub done: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// The first refusal, in the system's words.
    pub refusal: Option<String>,
    /// The time in which that happened.
    pub elapsed: Duration,
    /// How long each acknowledged request took, in milliseconds.
    pub latencies_ms: Vec<f64>,
}

impl Measured {
    /// Acknowledged requests a second.
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in milliseconds that the part `q` of the requests stayed below.
    pub fn latency_ms(&self, q: f64) -> f64 {
        quantile(&self.latencies_ms, q)
    }
}

/// Connects every client, the first to the first address and so on around, and lets each of them
/// ask, wait for its answer, and ask again.
pub fn drive<C: Client>(
    addresses: &[SocketAddr],
    clients: Vec<C>,
    until: Until,
) -> anyhow::Result<Measured> {
    drive_deep(addresses, clients, 1, until)
}

/// The same with `depth` requests under way on each connection, whose answers come in order.
pub fn drive_deep<C: Client>(
    addresses: &[SocketAddr],
    clients: Vec<C>,
    depth: usize,
    until: Until,
) -> anyhow::Result<Measured> {
    let mut poll = Poll::new()?;
    let mut connections = Vec::new();
    for (number, client) in clients.into_iter().enumerate() {
        let connection = Connection::open(addresses[number % addresses.len()], client)?;
        connections.push(connection);
        let stream = &mut connections[number].stream;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(stream, Token(number), interest)?;
    }
    let mut run = Run::new(until);
    for connection in &mut connections {
        (0..depth).for_each(|_| run.ask_next(connection));
        connection.send()?;
    }
    let mut events = Events::with_capacity(connections.len().max(1));
    while !run.is_over() {
        interrupt::check()?;
        match poll.poll(&mut events, Some(GLANCE)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            run.serve(&mut connections[event.token().0])?;
        }
        run.give_up_on_silence()?;
    }
    Ok(run.finish())
}

/// One client's connection.
struct Connection<C> {
    stream: TcpStream,
    client: C,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The requests under way, and when each was sent.
    asked: VecDeque<(u64, Instant)>,
}

impl<C: Client> Connection<C> {
    fn open(address: SocketAddr, mut client: C) -> anyhow::Result<Self> {
        let stream = std::net::TcpStream::connect(address)
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut output = Vec::with_capacity(1024);
        client.greet(&mut output);
        let stream = TcpStream::from_std(stream);
        Ok(Connection {
            stream,
            client,
            input: Vec::new(),
            output,
            asked: VecDeque::new(),
        })
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> anyhow::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a node closed a connection"),
            }
        }
        Ok(())
    }

    /// Receives all that is there: a read that does not fill its buffer has emptied the socket.
    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("a node closed a connection"),
                Ok(read) => {
                    self.input.extend_from_slice(&buffer[..read]);
                    if read < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a node closed a connection"),
            }
        }
    }
}

/// The state of one measurement.
struct Run {
    until: Until,
    started: Instant,
    /// When the newest answer came.
    heard: Instant,
    asked: u64,
    /// Refusals since the last acknowledgement.
    refused_in_a_row: u64,
    buffer: Vec<u8>,
    measured: Measured,
}

impl Run {
    fn new(until: Until) -> Self {
        let now = Instant::now();
        Run {
            until,
            started: now,
            heard: now,
            asked: 0,
            refused_in_a_row: 0,
            buffer: vec![0; READ_BYTES],
            measured: Measured::default(),
        }
    }

    fn is_over(&self) -> bool {
        match self.until {
            Until::Elapsed { warm_up, measured } => self.started.elapsed() >= warm_up + measured,
            Until::Done(count) => self.measured.done >= count,
        }
    }

    fn finish(mut self) -> Measured {
        let elapsed = self.started.elapsed();
        self.measured.elapsed = match self.until {
            Until::Elapsed { warm_up, .. } => elapsed.saturating_sub(warm_up),
            Until::Done(_) => elapsed,
        };
        self.measured
    }

    /// What happened on a connection: receive, note the answer, ask again.
    fn serve<C: Client>(&mut self, connection: &mut Connection<C>) -> anyhow::Result<()> {
        connection.receive(&mut self.buffer)?;
        let mut used = 0;
        loop {
            let rest = &connection.input[used..];
            let (bytes, answer) = connection.client.hear(rest, &mut connection.output)?;
            used += bytes;
            match answer {
                Some(answer) => self.note(connection, answer)?,
                None => break,
            }
        }
        connection.input.drain(..used);
        connection.send()
    }

    fn note<C: Client>(
        &mut self,
        connection: &mut Connection<C>,
        answer: Answer,
    ) -> anyhow::Result<()> {
        let (number, sent) = connection
            .asked
            .pop_front()
            .context("an answer to no request")?;
        self.heard = Instant::now();
        match answer {
            Answer::Done => {
                self.refused_in_a_row = 0;
                self.count(sent);
                self.ask_next(connection);
            }
            Answer::Refused(words) => {
                self.measured.refused += 1;
                self.refused_in_a_row += 1;
                let first = self.measured.refusal.get_or_insert(words);
                if self.refused_in_a_row > REFUSALS_MAX || self.measured.done == 0 {
                    bail!("a request was refused: {first}");
                }
                self.ask(connection, number);
            }
        }
        Ok(())
    }

    fn count(&mut self, sent: Instant) {
        let warm_up = match self.until {
            Until::Elapsed { warm_up, .. } => warm_up,
            Until::Done(_) => Duration::ZERO,
        };
        if self.heard - self.started >= warm_up {
            self.measured.done += 1;
            self.measured
                .latencies_ms
                .push((self.heard - sent).as_secs_f64() * 1000.0);
        }
    }

    fn ask_next<C: Client>(&mut self, connection: &mut Connection<C>) {
        let number = self.asked;
        if matches!(self.until, Until::Done(count) if number >= count) {
            return;
        }
        self.asked += 1;
        self.ask(connection, number);
    }

    fn ask<C: Client>(&self, connection: &mut Connection<C>, number: u64) {
        connection.client.ask(number, &mut connection.output);
        connection.asked.push_back((number, Instant::now()));
    }

    fn give_up_on_silence(&self) -> anyhow::Result<()> {
        if self.heard.elapsed() > PATIENCE {
            bail!("no answer for {PATIENCE:?}");
        }
        Ok(())
    }
}

/// Bytes of a value.
pub const VALUE_BYTES: usize = 64;

/// Different keys; after the last comes the first again.
pub const KEYS: u64 = 100_000;

/// The key of a request: always as long.
pub fn key(number: u64) -> [u8; 10] {
    key_of(number % KEYS)
}

/// The key with this number.
pub fn key_of(number: u64) -> [u8; 10] {
    let mut key = *b"k000000000";
    let mut rest = number;
    for digit in key.iter_mut().rev() {
        if rest == 0 {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// The value of a write: no two are equal, because a system may skip a write that changes nothing.
pub fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [0; VALUE_BYTES];
    // xorshift64: cheap, and different for every number.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in value.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (byte, bits) in chunk.iter_mut().zip(state.to_le_bytes()) {
            *byte = b'a' + bits % 16;
        }
    }
    value
}

#[cfg(test)]
mod tests;
