//! Follows the engine and hands every event to all readers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::outbox::{Events, ListEvents};
use domain::polls::queries::LiveTally;
use domain::{Event, EventId};
use engine::{Consistency, Engine, Missed, ReadError, Served};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::render::{Rendered, RenderedTally};

/// Events that a reader may be behind before it is cut. At 20 posts a second that is 50 seconds,
/// longer than a connection may stall; the ring holds about half a megabyte at most.
const RING_EVENTS: usize = 1024;

/// Events read from the outbox at a time.
pub(super) const PAGE_EVENTS: u32 = 500;

/// Between two attempts to read what was missed while the state cannot be read.
const RETRY: Duration = Duration::from_millis(200);

/// Why streams end most of the time.
const STOPPING: &str = "the node is stopping";

/// What readers get.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// Something happened.
    Event(Arc<Rendered>),
    /// How polls stood at this log index: all that changed in one round.
    Tallies(u64, Arc<[Arc<RenderedTally>]>),
    /// Time for a sign of life.
    Alive,
    /// Some history was lost to this node itself (it took over a snapshot): come back and see.
    Lost,
    /// The node stops, or must not be believed any more: so much is said.
    Stop(&'static str),
}

/// The meeting point of the engine's events and the readers.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    items: broadcast::Sender<Item>,
    /// Every event up to here went to `items` before a reader that reads this subscribed, or goes
    /// there after.
    last: Mutex<EventId>,
    readers: AtomicUsize,
    /// Readers that follow how polls stand.
    tally_readers: AtomicUsize,
}

impl Hub {
    /// A hub that starts at what the node has applied by now.
    pub fn new(engine: &Engine) -> (Self, Follower) {
        // Asked before the watch begins: events in between have a larger index and come through it.
        let start = EventId {
            index: engine.status().applied,
            number: u32::MAX,
        };
        let watch = engine.watch();
        let (items, _) = broadcast::channel(RING_EVENTS);
        let readers = AtomicUsize::new(0);
        let hub = Hub(Arc::new(Inner {
            items,
            last: Mutex::new(start),
            readers,
            tally_readers: AtomicUsize::new(0),
        }));
        (
            hub.clone(),
            Follower {
                hub,
                engine: engine.clone(),
                watch,
            },
        )
    }

    /// The last event that was handed out.
    pub fn last(&self) -> EventId {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many readers there are.
    pub fn readers(&self) -> usize {
        self.0.readers.load(Ordering::Relaxed)
    }

    /// A seat for one more reader, unless `max` are taken.
    pub(super) fn seat(&self, max: usize) -> Option<Seat> {
        let taken = self.0.readers.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(self.clone());
        (taken < max).then_some(seat)
    }

    /// How many readers follow how polls stand.
    pub fn tally_readers(&self) -> usize {
        self.0.tally_readers.load(Ordering::Relaxed)
    }

    /// Counts one more of them as long as what is answered lives.
    pub(super) fn follow_tallies(&self) -> TallySeat {
        self.0.tally_readers.fetch_add(1, Ordering::Relaxed);
        TallySeat(self.clone())
    }

    /// Hands out how polls stood at a log index.
    pub fn tell_tallies(&self, index: u64, tallies: Vec<LiveTally>) {
        let rendered = |live| Arc::new(RenderedTally::new(live));
        let rendered = tallies.into_iter().map(rendered).collect();
        self.tell(Item::Tallies(index, rendered));
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.0.items.subscribe()
    }

    fn hand_out(&self, event: &Event) {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if event.id <= *last {
            return;
        }
        *last = event.id;
        // Without readers there is nobody to tell, and that is no failure.
        let _ = self
            .0
            .items
            .send(Item::Event(Arc::new(Rendered::new(event.clone()))));
    }

    fn tell(&self, item: Item) {
        let _ = self.0.items.send(item);
    }
}

/// Counts one reader as long as it lives.
pub(super) struct Seat(Hub);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one reader of tallies as long as it lives.
pub(super) struct TallySeat(Hub);

impl Drop for TallySeat {
    fn drop(&mut self) {
        self.0.0.tally_readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The task behind a hub.
pub(crate) struct Follower {
    hub: Hub,
    engine: Engine,
    watch: engine::Watch,
}

impl Follower {
    /// Hands events out until the node stops, is outvoted, removed or cannot go on.
    pub async fn run(mut self, heartbeat: Duration, stopping: CancellationToken) {
        let engine = self.engine.clone();
        let mut failed = std::pin::pin!(engine.failed());
        let mut alive = tokio::time::interval(heartbeat);
        alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let why = loop {
            tokio::select! {
                () = stopping.cancelled() => break STOPPING,
                _ = &mut failed => break "this node cannot go on: ask another",
                next = self.watch.next() => match next {
                    Ok(Some(event)) => self.hub.hand_out(&event),
                    Ok(None) if self.engine.is_outvoted() => {
                        break "the state of this node differs from the others': ask another";
                    }
                    Ok(None) if self.engine.is_removed() => {
                        break "this node was removed from the cluster: ask another";
                    }
                    Ok(None) => break STOPPING,
                    Err(Missed) => self.catch_up(&stopping).await,
                },
                _ = alive.tick() => self.hub.tell(Item::Alive),
            }
        };
        self.hub.tell(Item::Stop(why));
    }

    /// Reads from the outbox what the watch had to drop.
    async fn catch_up(&self, stopping: &CancellationToken) {
        while !stopping.is_cancelled() {
            let after = self.hub.last();
            match self.page(after).await {
                Ok(Events::Some(events)) if events.is_empty() => return,
                Ok(Events::Some(events)) => events.iter().for_each(|e| self.hub.hand_out(e)),
                Ok(Events::Gone { oldest }) => self.skip_to(oldest),
                Err(
                    ReadError::Stopping
                    | ReadError::Outvoted
                    | ReadError::Removed
                    | ReadError::CannotGoOn,
                ) => return,
                Err(error) => {
                    tracing::warn!(%error, "events cannot be read; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn page(&self, after: EventId) -> Result<Events, ReadError> {
        let applied = Consistency::Session(self.engine.status().applied);
        let query = ListEvents {
            after,
            limit: PAGE_EVENTS,
        };
        let Served { value, .. } = self.engine.read(applied, query).await?;
        Ok(value)
    }

    fn skip_to(&self, oldest: EventId) {
        *self
            .hub
            .0
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = oldest;
        self.hub.tell(Item::Lost);
    }
}
