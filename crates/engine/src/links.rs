//! Links that are cut or slow on purpose: what a drill does to a node's connections with its peers.
//!
//! ```text
//!   send ──▶ Through ──▶ transport      while the link is cut, frames wait on either side of it
//!   receive ◀── Through ◀── transport   and go on when it is whole again
//! ```
//!
//! So it is on a network that loses every packet: TCP keeps what was said and says it again. What
//! takes too long for those who wait is for their timeouts to find.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft_rt::{Instant as _, Select2};
use tokio::sync::Notify;

use crate::env::{FrameReceiver, FrameSender, Runtime};
use crate::types::NodeId;

/// What is wrong with a link, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing comes through.
    Cut,
    /// Every frame takes so much longer, one after the other.
    Slow(Duration),
}

/// The links of one node, and what is wrong with them. Clones are the same links.
#[derive(Clone, Default)]
pub(crate) struct Links(Arc<Inner>);

#[derive(Default)]
struct Inner {
    harmed: AtomicBool,
    harm: Mutex<Option<Harmed>>,
    healed: Notify,
}

struct Harmed {
    harm: Harm,
    /// With whom; `None` is everybody.
    peers: Option<BTreeSet<NodeId>>,
}

impl Links {
    /// Harms the links with these peers, or with all, instead of what was harmed before.
    pub fn harm(&self, harm: Harm, peers: Option<BTreeSet<NodeId>>) {
        *self.harmed() = Some(Harmed { harm, peers });
        self.0.harmed.store(true, Ordering::Release);
        self.0.healed.notify_waiters();
    }

    /// Makes every link whole again.
    pub fn heal(&self) {
        *self.harmed() = None;
        self.0.harmed.store(false, Ordering::Release);
        self.0.healed.notify_waiters();
    }

    /// Lets a frame that came at `since` through as the link with `peer` does; a peer that has not
    /// said who it is yet counts as harmed if all are.
    pub async fn pass<R: Runtime>(&self, peer: Option<NodeId>, since: R::Instant) {
        while self.0.harmed.load(Ordering::Acquire) {
            let healed = self.0.healed.notified();
            match self.harm_of(peer) {
                None => return,
                Some(Harm::Slow(delay)) => {
                    let slept = R::sleep_until(since + delay);
                    if let Select2::First(()) = R::select2(slept, healed).await {
                        return;
                    }
                }
                Some(Harm::Cut) => healed.await,
            }
        }
    }

    fn harm_of(&self, peer: Option<NodeId>) -> Option<Harm> {
        let harmed = self.harmed();
        let Harmed { harm, peers } = harmed.as_ref()?;
        let meant = match (peers, peer) {
            (None, _) => true,
            (Some(peers), Some(peer)) => peers.contains(&peer),
            (Some(_), None) => false,
        };
        meant.then_some(*harm)
    }

    fn harmed(&self) -> MutexGuard<'_, Option<Harmed>> {
        self.0.harm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half of a connection, on the link that it goes through.
pub struct Through<H, R: Runtime> {
    half: H,
    peer: Option<NodeId>,
    links: Links,
    /// What was received and is not through yet, and when it came: whoever gives up waiting for it
    /// must find it when it asks again.
    held: Option<(io::Result<Option<Bytes>>, R::Instant)>,
}

impl<H, R: Runtime> Through<H, R> {
    pub(crate) fn new(half: H, peer: Option<NodeId>, links: &Links) -> Self {
        Through {
            half,
            peer,
            links: links.clone(),
            held: None,
        }
    }
}

impl<H: FrameSender, R: Runtime> FrameSender for Through<H, R> {
    async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        self.links.pass::<R>(self.peer, R::Instant::now()).await;
        self.half.send(frame).await
    }
}

impl<H: FrameReceiver, R: Runtime> FrameReceiver for Through<H, R> {
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        let came = match &self.held {
            Some((_, came)) => *came,
            None => {
                let received = self.half.receive().await;
                let came = R::Instant::now();
                self.held = Some((received, came));
                came
            }
        };
        self.links.pass::<R>(self.peer, came).await;
        self.held.take().map_or(Ok(None), |(received, _)| received)
    }
}
