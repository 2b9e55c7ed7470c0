//! A network between the nodes of a world: connections that keep their order, links that delay,
//! stall and come back.
//!
//! It behaves as TCP does. What is sent over a link that is cut waits until the link is healed; a
//! connection breaks when it is reset, or when the node at its other end crashes. A sender runs
//! ahead of its receiver by [`WINDOW_BYTES`] and then waits.
//!
//! Packets are lost, doubled and overtake each other below TCP, and a connection hides it. What is
//! left of it for those above, and so for a node, is this:
//!
//! - **Loss**: a frame comes a retransmission later, and all behind it too ([`Network::set_loss`]).
//!   Of much loss the connection breaks: the receiver has had a part of what was under way, and the
//!   sender does not know which ([`Network::reset`]).
//! - **Duplication**: none within a connection. A sender asks again over another one, after a break
//!   that lost the answer alone.
//! - **Reordering**: none within a connection. One that stands still ([`Network::stall`],
//!   [`Network::cut`]) delivers after another that was made later.

mod state;

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use engine::env::{FRAME_MAX_BYTES, FrameReceiver, FrameSender, Transport};
use openraft_rt::AsyncRuntime;

use crate::context::{self, NodeId, lock};
use crate::dice::Dice;
use crate::runtime::SimRuntime;
use state::{End, Incoming, Next, State};

/// How far a sender may run ahead of its receiver: about what the kernel's buffers take.
const WINDOW_BYTES: usize = 1024 * 1024;

/// How many connections may wait to be accepted; more are refused.
const BACKLOG: usize = 128;

/// How long a connection is tried over a link that is cut.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// One way from node to node, unless [`Network::set_delay`] says otherwise.
pub(crate) const DELAY: Range<Duration> = Duration::from_micros(50)..Duration::from_millis(2);

/// When a lost frame is sent again, and twice as late each time it is lost again.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// How often a frame can be lost: a connection that loses more breaks.
const LOSSES_MAX: u32 = 4;

/// What a frame takes besides, for each byte: about a gigabit a second.
const NANOSECONDS_PER_BYTE: u64 = 8;

/// The port in every node's address.
const PORT: u16 = 7070;

/// The network of a world, and the faults one can ask of it.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

impl Network {
    pub(crate) fn new(dice: Dice) -> Self {
        Network {
            state: Arc::new(Mutex::new(State::new(dice))),
        }
    }

    /// Where a node listens, as `host:port`.
    pub fn address(node: NodeId) -> String {
        format!("{node}:{PORT}")
    }

    /// The node that an address names.
    fn node_at(address: &str) -> Option<NodeId> {
        let (host, port) = address.rsplit_once(':')?;
        let number = host.strip_prefix('n')?.parse().ok()?;
        (port.parse() == Ok(PORT)).then_some(NodeId(number))
    }

    /// Nothing gets from `from` to `to` any more; the other direction is as it was.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.state().cut(from, to);
    }

    /// What waited on the way from `from` to `to` arrives, and more can follow.
    pub fn heal(&self, from: NodeId, to: NodeId) {
        self.state().heal(from, to);
    }

    /// Heals every link.
    pub fn heal_all(&self) {
        self.state().heal_all();
    }

    /// Cuts all links between the two groups, in both directions.
    pub fn partition(&self, some: &[NodeId], others: &[NodeId]) {
        let mut state = self.state();
        for (&a, &b) in some.iter().flat_map(|a| others.iter().map(move |b| (a, b))) {
            state.cut(a, b);
            state.cut(b, a);
        }
    }

    /// Breaks every connection between two nodes; new ones can be made. Of what was under way
    /// either side may still receive the first part.
    pub fn reset(&self, a: NodeId, b: NodeId) {
        self.state().reset(|ends| ends == [a, b] || ends == [b, a]);
    }

    /// How long frames take from `from` to `to` from now on.
    pub fn set_delay(&self, from: NodeId, to: NodeId, range: Range<Duration>) {
        self.state().set_delay(from, to, range);
    }

    /// The connections that there are from `from` to `to` carry nothing that way for so long; new
    /// ones are not affected, and so overtake them.
    pub fn stall(&self, from: NodeId, to: NodeId, duration: Duration) {
        self.state().stall(from, to, duration);
    }

    /// So many of a hundred frames from `from` to `to` are lost from now on and sent again.
    pub fn set_loss(&self, from: NodeId, to: NodeId, percent: u64) {
        self.state().set_loss(from, to, percent);
    }

    /// From now on so many of a hundred frames arrive twice, which no TCP does: a test that does
    /// not find this tests nothing.
    pub fn set_repeating(&self, percent: u64) {
        self.state().repeating_percent = percent;
    }

    /// The node listens: connections to it are no longer refused.
    pub(crate) fn node_started(&self, node: NodeId) {
        self.state().listen(node);
    }

    /// The node is gone: its connections break and new ones are refused.
    pub(crate) fn node_crashed(&self, node: NodeId) {
        let mut state = self.state();
        state.stop_listening(node);
        state.reset(|ends| ends.contains(&node));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A node's access to the network.
#[derive(Clone)]
pub struct SimTransport {
    network: Network,
    node: NodeId,
}

/// The sending half of a connection.
pub struct SimSender {
    half: Half,
}

/// The receiving half of a connection.
pub struct SimReceiver {
    half: Half,
}

/// One of the four halves of a connection.
struct Half {
    network: Network,
    connection: u64,
    /// The pipe it writes into or reads from: 0 leads away from the node that connected.
    pipe: usize,
    end: End,
}

impl SimTransport {
    pub(crate) fn new(network: Network, node: NodeId) -> Self {
        SimTransport { network, node }
    }

    /// The two halves of a connection, as its side 0 (the one that connected) or 1 has them.
    fn halves(&self, connection: u64, side: usize) -> (SimSender, SimReceiver) {
        let half = |pipe, end| Half {
            network: self.network.clone(),
            connection,
            pipe,
            end,
        };
        let sender = SimSender {
            half: half(side, End::Sender),
        };
        let receiver = SimReceiver {
            half: half(1 - side, End::Receiver),
        };
        (sender, receiver)
    }

    /// Waits until frames can pass both ways.
    async fn wait_for_link(&self, peer: NodeId) {
        poll_fn(|cx| self.network.state().poll_link(self.node, peer, cx)).await;
    }
}

impl Transport for SimTransport {
    type Sender = SimSender;
    type Receiver = SimReceiver;

    async fn connect(&self, address: &str) -> io::Result<(SimSender, SimReceiver)> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "there is no node at the address");
        let peer = Network::node_at(address).ok_or_else(unknown)?;
        let delays = self.network.state().round_trip(self.node, peer);
        SimRuntime::sleep(delays).await;
        SimRuntime::timeout(CONNECT_TIMEOUT, self.wait_for_link(peer))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?;
        let connection = self.network.state().connect(self.node, peer)?;
        trace("connect", &[u64::from(peer.0), connection]);
        Ok(self.halves(connection, 0))
    }

    async fn accept(&self) -> io::Result<(SimSender, SimReceiver)> {
        let Incoming { connection } =
            poll_fn(|cx| self.network.state().poll_accept(self.node, cx)).await?;
        trace("accept", &[connection]);
        Ok(self.halves(connection, 1))
    }
}

impl FrameSender for SimSender {
    async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        if frame.len() > FRAME_MAX_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let Half {
            network,
            connection,
            pipe,
            ..
        } = &self.half;
        trace("send", &[*connection, *pipe as u64, frame.len() as u64]);
        poll_fn(|cx| network.state().poll_send(*connection, *pipe, &frame, cx)).await
    }
}

impl FrameReceiver for SimReceiver {
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        let Half {
            network,
            connection,
            pipe,
            ..
        } = &self.half;
        loop {
            match poll_fn(|cx| network.state().poll_next(*connection, *pipe, cx)).await? {
                Next::Frame(frame) => {
                    trace("receive", &[*connection, *pipe as u64, frame.len() as u64]);
                    return Ok(Some(frame));
                }
                Next::Closed => return Ok(None),
                Next::At(instant) => SimRuntime::sleep_until(instant).await,
            }
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.network
            .state()
            .drop_half(self.connection, self.pipe, self.end);
    }
}

fn trace(kind: &'static str, numbers: &[u64]) {
    if let Some(context) = context::try_current() {
        context.shared.record(kind, context.group.node(), numbers);
    }
}
