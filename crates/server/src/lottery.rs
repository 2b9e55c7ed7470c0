//! The lottery's front door: agencies send bets over TCP, close, and ask for their winners.
//!
//! ```text
//!   connection ─▶ packets: a frame at a time ─▶ Request ─▶ counter ─▶ engine: write · read
//!        ▲                                                   │
//!        └───────────────────── Answer ◀─────────────────────┘
//!   events ─▶ counter: which lottery is the current one, and that it was drawn
//! ```
//!
//! The protocol is that of [`api::lottery_packets`]. A connection is kept as long as the agency
//! likes; one for each packet is as good. A body that is no request, and bets that are refused, get
//! `StoreResponse:1`; a broken frame, and whatever has no true answer, closes the connection.

mod connection;
mod counter;
mod echo;
mod packets;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::door::{Allowed, Door};
use connection::Connection;
use counter::Counter;
pub use echo::echo;

/// Connections that wait to be accepted. A lottery's agencies may all connect in the same moment,
/// once for each packet; the kernel's own bound (`somaxconn`) is 4,096 nowadays.
pub const LOTTERY_BACKLOG: u32 = 4_096;

/// Settings of the lottery's front door.
#[derive(Clone, Debug)]
pub struct LotteryConfig {
    /// The lottery that is served; without one it is the current one, which was opened last.
    pub lottery: Option<i64>,
    /// Who may connect.
    pub allowed: Allowed,
    /// Bounds.
    pub limits: LotteryLimits,
}

/// Bounds of the lottery's front door.
#[derive(Clone, Debug)]
pub struct LotteryLimits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a connection stays that sends nothing.
    pub idle: Duration,
    /// From the first byte of a packet to its last.
    pub packet: Duration,
    /// An agency that takes nothing of its answer for this long is cut.
    pub write_stall: Duration,
    /// How long a write is tried again while there is no leader or too much to do.
    pub patience: Duration,
    /// How long packets may be at work after the node was told to stop.
    pub shutdown_grace: Duration,
}

impl Default for LotteryConfig {
    fn default() -> Self {
        LotteryConfig {
            lottery: None,
            allowed: Allowed::loopback(),
            limits: LotteryLimits::default(),
        }
    }
}

impl Default for LotteryLimits {
    fn default() -> Self {
        LotteryLimits {
            // Some 16 KiB each with a packet and its answer: 64 MiB at the worst.
            connections: 4_096,
            // An agency that waits for the draw asks every few seconds.
            idle: Duration::from_secs(60),
            // 8 KiB over a slow mobile line take two seconds.
            packet: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            // Several elections; less than any client waits for its answer.
            patience: Duration::from_secs(10),
            // A write under way is answered well before.
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// Serves agencies until `shutdown`, then lets packets that are at work finish.
///
/// # Errors
///
/// If the listener has no address, or the system no randomness.
pub async fn serve_lottery(
    listener: TcpListener,
    engine: Engine,
    config: LotteryConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let grace = config.limits.shutdown_grace;
    let stopping = CancellationToken::new();
    let tasks = TaskTracker::new();
    let seats = config.limits.connections;
    // Who watches first and asks then misses nothing in between.
    let watch = engine.watch();
    let mut door = [0; 16];
    getrandom::fill(&mut door).map_err(io::Error::other)?;
    let counter = Arc::new(Counter::new(engine, config, door));
    tasks.spawn(counter.clone().follow(watch, stopping.clone()));
    tracing::info!(%address, "serving agencies");

    let door = Door {
        listener: &listener,
        seats: Arc::new(Semaphore::new(seats)),
        allowed: counter.allowed().clone(),
    };
    door.accept(&shutdown, |stream, peer, seat| {
        let connection = Connection::new(stream, peer, counter.clone());
        let stopping = stopping.clone();
        tasks.spawn(async move {
            connection.run(&stopping).await;
            drop(seat);
        });
    })
    .await;
    drop(listener);

    stopping.cancel();
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!(%address, ?grace, "agencies were served to the end with packets unfinished");
    }
    tracing::info!(%address, "action: shutdown | result: success");
    Ok(())
}
