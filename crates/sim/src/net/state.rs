//! The state behind a network: links between nodes, and the connections over them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::task::{Context as Polling, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use openraft_rt_sim::SimInstant;

use super::{BACKLOG, DELAY, LOSSES_MAX, NANOSECONDS_PER_BYTE, RETRANSMISSION, WINDOW_BYTES};
use crate::context::{NodeId, now};
use crate::dice::Dice;

pub(super) struct State {
    links: BTreeMap<(NodeId, NodeId), Link>,
    connections: BTreeMap<u64, Connection>,
    listeners: BTreeMap<NodeId, Listener>,
    /// Connects that wait for a link to be healed.
    link_wakers: Vec<Waker>,
    next_connection: u64,
    pub(super) repeating_percent: u64,
    dice: Dice,
}

/// The way from one node to another.
struct Link {
    cut: bool,
    delay: Range<Duration>,
    loss_percent: u64,
}

impl Default for Link {
    fn default() -> Self {
        Link {
            cut: false,
            delay: DELAY,
            loss_percent: 0,
        }
    }
}

#[derive(Default)]
struct Listener {
    queue: VecDeque<Incoming>,
    waker: Option<Waker>,
}

/// A connection that waits to be accepted.
pub(super) struct Incoming {
    pub(super) connection: u64,
}

struct Connection {
    /// The node that connected, and the one that accepted.
    ends: [NodeId; 2],
    /// From the first end to the second, and back.
    pipes: [Pipe; 2],
    broken: bool,
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    frames: VecDeque<(SimInstant, Bytes)>,
    bytes: usize,
    /// Nothing is delivered before.
    stalled_until: Option<SimInstant>,
    sender_dropped: bool,
    receiver_dropped: bool,
    receiver_waker: Option<Waker>,
    sender_waker: Option<Waker>,
}

/// Which half of a pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Sender,
    Receiver,
}

/// What a receiver finds.
pub(super) enum Next {
    Frame(Bytes),
    /// A frame is on its way until then.
    At(SimInstant),
    Closed,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.receiver_waker.take(), self.sender_waker.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

impl Connection {
    /// The link that a pipe runs over.
    fn link(&self, pipe: usize) -> (NodeId, NodeId) {
        (self.ends[pipe], self.ends[1 - pipe])
    }

    /// True once a side has dropped both of its halves: the one that reads from `pipe`.
    fn reader_is_gone(&self, pipe: usize) -> bool {
        self.pipes[pipe].receiver_dropped && self.pipes[1 - pipe].sender_dropped
    }

    fn is_dropped(&self) -> bool {
        self.pipes
            .iter()
            .all(|pipe| pipe.sender_dropped && pipe.receiver_dropped)
    }

    fn wake(&mut self) {
        self.pipes.iter_mut().for_each(Pipe::wake);
    }
}

impl State {
    pub(super) fn new(dice: Dice) -> Self {
        State {
            links: BTreeMap::new(),
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            link_wakers: Vec::new(),
            next_connection: 0,
            repeating_percent: 0,
            dice,
        }
    }

    fn is_cut(&self, link: (NodeId, NodeId)) -> bool {
        self.links.get(&link).is_some_and(|link| link.cut)
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.links.entry((from, to)).or_default().cut = true;
    }

    pub(super) fn heal(&mut self, from: NodeId, to: NodeId) {
        self.links.entry((from, to)).or_default().cut = false;
        self.wake_all();
    }

    pub(super) fn heal_all(&mut self) {
        self.links.values_mut().for_each(|link| link.cut = false);
        self.wake_all();
    }

    fn wake_all(&mut self) {
        self.link_wakers.drain(..).for_each(Waker::wake);
        self.connections.values_mut().for_each(Connection::wake);
    }

    pub(super) fn set_delay(&mut self, from: NodeId, to: NodeId, range: Range<Duration>) {
        self.links.entry((from, to)).or_default().delay = range;
    }

    fn delay(&mut self, from: NodeId, to: NodeId) -> Duration {
        let range = self
            .links
            .get(&(from, to))
            .map_or(DELAY, |link| link.delay.clone());
        self.dice.within(&range)
    }

    pub(super) fn set_loss(&mut self, from: NodeId, to: NodeId, percent: u64) {
        self.links.entry((from, to)).or_default().loss_percent = percent;
    }

    pub(super) fn stall(&mut self, from: NodeId, to: NodeId, duration: Duration) {
        let until = now() + duration;
        for connection in self.connections.values_mut() {
            for number in 0..2 {
                if connection.link(number) == (from, to) {
                    connection.pipes[number].stalled_until = Some(until);
                }
            }
        }
    }

    /// What retransmissions add to a frame's way.
    fn lost_time(&mut self, from: NodeId, to: NodeId) -> Duration {
        let percent = self
            .links
            .get(&(from, to))
            .map_or(0, |link| link.loss_percent);
        let mut lost = Duration::ZERO;
        for attempt in 0..LOSSES_MAX {
            if percent == 0 || self.dice.below(100) >= percent {
                break;
            }
            lost += RETRANSMISSION * 2_u32.pow(attempt);
        }
        lost
    }

    pub(super) fn round_trip(&mut self, a: NodeId, b: NodeId) -> Duration {
        self.delay(a, b) + self.delay(b, a)
    }

    /// Breaks the connections whose ends are chosen. Of what is on its way the first frames still
    /// arrive, as many as the dice say.
    pub(super) fn reset(&mut self, chosen: impl Fn([NodeId; 2]) -> bool) {
        let dice = &mut self.dice;
        let whole = |c: &&mut Connection| !c.broken && chosen(c.ends);
        for connection in self.connections.values_mut().filter(whole) {
            connection.broken = true;
            for pipe in &mut connection.pipes {
                let count = pipe.frames.len() as u64;
                pipe.frames.truncate(dice.below(count + 1) as usize);
            }
            connection.wake();
        }
    }

    pub(super) fn listen(&mut self, node: NodeId) {
        self.listeners.entry(node).or_default();
    }

    pub(super) fn stop_listening(&mut self, node: NodeId) {
        let listener = self.listeners.remove(&node).unwrap_or_default();
        for incoming in listener.queue {
            // Nobody will ever have its second side.
            self.drop_half(incoming.connection, 1, End::Sender);
            self.drop_half(incoming.connection, 0, End::Receiver);
        }
    }

    pub(super) fn poll_link(&mut self, a: NodeId, b: NodeId, cx: &mut Polling<'_>) -> Poll<()> {
        if self.is_cut((a, b)) || self.is_cut((b, a)) {
            self.link_wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    pub(super) fn connect(&mut self, from: NodeId, to: NodeId) -> io::Result<u64> {
        let listener = self
            .listeners
            .get_mut(&to)
            .ok_or(io::ErrorKind::ConnectionRefused)?;
        if listener.queue.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        listener.queue.push_back(Incoming { connection });
        if let Some(waker) = listener.waker.take() {
            waker.wake();
        }
        let pipes = [Pipe::default(), Pipe::default()];
        self.connections.insert(
            connection,
            Connection {
                ends: [from, to],
                pipes,
                broken: false,
            },
        );
        Ok(connection)
    }

    pub(super) fn poll_accept(
        &mut self,
        node: NodeId,
        cx: &mut Polling<'_>,
    ) -> Poll<io::Result<Incoming>> {
        let Some(listener) = self.listeners.get_mut(&node) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        match listener.queue.pop_front() {
            Some(incoming) => Poll::Ready(Ok(incoming)),
            None => {
                listener.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_send(
        &mut self,
        connection: u64,
        pipe: usize,
        frame: &Bytes,
        cx: &mut Polling<'_>,
    ) -> Poll<io::Result<()>> {
        let found = self.connections.get_mut(&connection).filter(|c| !c.broken);
        let Some(found) = found.filter(|c| !c.reader_is_gone(pipe)) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let (from, to) = found.link(pipe);
        let window = &mut found.pipes[pipe];
        if !window.frames.is_empty() && window.bytes + frame.len() > WINDOW_BYTES {
            window.sender_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let on_the_wire = Duration::from_nanos(frame.len() as u64 * NANOSECONDS_PER_BYTE);
        let way = self.delay(from, to) + self.lost_time(from, to);
        let arrives = now() + way + on_the_wire;
        let twice = self.repeating_percent > 0 && self.dice.below(100) < self.repeating_percent;
        if let Some(found) = self.connections.get_mut(&connection) {
            let pipe = &mut found.pipes[pipe];
            let before = pipe.frames.back().map_or(arrives, |(instant, _)| *instant);
            for _ in 0..=u64::from(twice) {
                pipe.frames.push_back((arrives.max(before), frame.clone()));
                pipe.bytes += frame.len();
            }
            pipe.receiver_waker.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_next(
        &mut self,
        connection: u64,
        pipe: usize,
        cx: &mut Polling<'_>,
    ) -> Poll<io::Result<Next>> {
        let link = self
            .connections
            .get(&connection)
            .map(|found| found.link(pipe));
        let stalled = link.is_some_and(|link| self.is_cut(link));
        let found = self.connections.get_mut(&connection);
        let found = found.filter(|c| !c.broken || !c.pipes[pipe].frames.is_empty());
        let Some(found) = found else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let pipe = &mut found.pipes[pipe];
        match pipe.next_at() {
            _ if stalled => {}
            Some(at) if at > now() => return Poll::Ready(Ok(Next::At(at))),
            Some(_) => return Poll::Ready(Ok(pipe.take_frame())),
            None if pipe.sender_dropped => return Poll::Ready(Ok(Next::Closed)),
            None => {}
        }
        pipe.receiver_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn drop_half(&mut self, connection: u64, pipe: usize, end: End) {
        let Some(found) = self.connections.get_mut(&connection) else {
            return;
        };
        match end {
            End::Sender => found.pipes[pipe].sender_dropped = true,
            End::Receiver => found.pipes[pipe].receiver_dropped = true,
        }
        found.wake();
        if found.is_dropped() {
            self.connections.remove(&connection);
        }
    }
}

impl Pipe {
    /// When the first frame can be taken.
    fn next_at(&self) -> Option<SimInstant> {
        let (arrives, _) = self.frames.front()?;
        Some(self.stalled_until.map_or(*arrives, |at| at.max(*arrives)))
    }

    /// The first frame, which is there.
    fn take_frame(&mut self) -> Next {
        let Some((_, frame)) = self.frames.pop_front() else {
            return Next::Closed;
        };
        self.bytes -= frame.len();
        self.sender_waker.take().into_iter().for_each(Waker::wake);
        Next::Frame(frame)
    }
}
