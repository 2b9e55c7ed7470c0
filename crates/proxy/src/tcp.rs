//! Connections that are led to a node as they are: Redis, gRPC, the lottery's agencies.
//!
//! Nothing of them is understood here, so nothing can be sent again. A connection that reaches no
//! node is told so in its protocol's own words, where it has any; one whose node dies is closed,
//! and the client's next one goes to a node that lives.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::types::Doors;
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Door, Port};
use crate::count::Counts;
use crate::members::Members;
use crate::node::Picked;
use crate::pick::Purpose;
use crate::serve::{accept, tune};

/// Bytes on their way in one direction of a connection.
const BUFFER_BYTES: usize = 16 * 1024;

/// After the system refused a connection.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Between two rounds through the nodes.
const ROUND_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What a port needs for each of its connections.
struct Leader {
    door: Door,
    members: Members,
    /// Clients come from other machines, and may not be led to a door that trusts its own.
    guards: bool,
    warned: AtomicBool,
}

/// Why a connection was led nowhere.
enum Nowhere {
    /// No node could be reached.
    NoNode,
    /// The nodes serve their own machine alone.
    NotForOthers,
}

impl Door {
    /// To whom its connections are led.
    fn purpose(self) -> Purpose {
        match self {
            Door::Redis | Door::Lottery => Purpose::Change,
            Door::RedisReads => Purpose::Read,
            Door::Grpc => Purpose::Both,
        }
    }

    fn of(self, doors: &Doors) -> Option<&String> {
        match self {
            Door::Redis | Door::RedisReads => doors.redis.as_ref(),
            Door::Grpc => doors.grpc.as_ref(),
            Door::Lottery => doors.lottery.as_ref(),
        }
    }

    /// What a client is told that was led nowhere: nothing, where the protocol has no words for it.
    fn refusal(self, nowhere: &Nowhere) -> &'static [u8] {
        match (self, nowhere) {
            (Door::Grpc | Door::Lottery, _) => b"",
            (Door::Redis | Door::RedisReads, Nowhere::NoNode) => {
                b"-ERR no node of the cluster can be reached, try again\r\n"
            }
            (Door::Redis | Door::RedisReads, Nowhere::NotForOthers) => {
                b"-NOAUTH the nodes serve Redis clients of their own machine alone\r\n"
            }
        }
    }
}

/// Serves a port until `stop`.
pub async fn serve(port: Port, members: Members, counts: Counts, stop: CancellationToken) {
    let Port {
        door,
        listener,
        admits,
        trusts,
    } = port;
    let elsewhere = |address: SocketAddr| !address.ip().is_loopback();
    let leader = Arc::new(Leader {
        door,
        guards: !trusts && listener.local_addr().is_ok_and(elsewhere),
        warned: AtomicBool::new(false),
        members,
    });
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, ?door, "leading connections to the nodes");
    }
    let seats = Arc::new(Semaphore::new(leader.members.limits().port_connections));
    let tasks = TaskTracker::new();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = accept(&listener, &seats) => next,
        };
        match next {
            Ok((_, peer, _)) if !admits(peer.ip()) => {
                tracing::warn!(%peer, ?door, "refused: its network is not among the allowed");
            }
            Ok((stream, peer, seat)) => {
                let (leader, stop, open) = (leader.clone(), stop.clone(), counts.open(Some(door)));
                tasks.spawn(async move {
                    let ended = stop.run_until_cancelled(leader.lead(stream)).await;
                    if let Some(Err(error)) = ended {
                        tracing::debug!(%peer, ?door, %error, "a connection broke");
                    }
                    drop((open, seat));
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

impl Leader {
    /// Carries bytes both ways, until either side ends or the node dies.
    async fn lead(&self, mut client: TcpStream) -> io::Result<()> {
        let write_stall = self.members.limits().write_stall;
        tune(&client, write_stall);
        let (picked, mut node) = match self.connect().await {
            Ok(connected) => connected,
            Err(nowhere) => return client.write_all(self.door.refusal(&nowhere)).await,
        };
        tune(&node, write_stall);
        let _work = picked.node.work();
        let carrying =
            copy_bidirectional_with_sizes(&mut client, &mut node, BUFFER_BYTES, BUFFER_BYTES);
        tokio::select! {
            carried = carrying => carried.map(|_| ()),
            () = picked.node.life.cancelled() => Ok(()),
        }
    }

    /// Connects to the best node that accepts, trying for a while.
    async fn connect(&self) -> Result<(Picked, TcpStream), Nowhere> {
        let deadline = Instant::now() + self.members.limits().retry_for;
        let mut tried: Vec<Arc<str>> = Vec::new();
        loop {
            let has_door = |doors: &Doors| self.door.of(doors).is_some();
            let picked = self
                .members
                .pick_with(self.door.purpose(), &tried, has_door);
            let Some(picked) = picked else {
                if Instant::now() >= deadline {
                    return Err(Nowhere::NoNode);
                }
                tried.clear();
                sleep(ROUND_PAUSE).await;
                continue;
            };
            match self.reach(&picked).await? {
                Some(stream) => return Ok((picked, stream)),
                None => tried.push(Arc::clone(&picked.node.base)),
            }
        }
    }

    /// Connects to a node's door; `None` if it does not accept.
    async fn reach(&self, picked: &Picked) -> Result<Option<TcpStream>, Nowhere> {
        let Some(address) = self.door.of(&picked.doors) else {
            return Ok(None);
        };
        let connecting = async {
            let addresses: Vec<SocketAddr> = lookup_host(address).await?.collect();
            let trusting = addresses.iter().any(|address| address.ip().is_loopback());
            match self.guards && trusting {
                true => Ok(Err(Nowhere::NotForOthers)),
                false => TcpStream::connect(&*addresses).await.map(Ok),
            }
        };
        let limit = self.members.limits().connect_timeout;
        let connected: Option<io::Result<_>> = timeout(limit, connecting).await.ok();
        match connected {
            Some(Ok(Ok(stream))) => Ok(Some(stream)),
            Some(Ok(Err(nowhere))) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    let door = self.door;
                    tracing::warn!(
                        %address, ?door,
                        "clients of other machines are not led there: it serves its own machine \
                         alone and so may ask nobody for a password"
                    );
                }
                Err(nowhere)
            }
            Some(Err(error)) => {
                tracing::debug!(%address, %error, "a node's door cannot be reached");
                Ok(None)
            }
            None => Ok(None),
        }
    }
}
