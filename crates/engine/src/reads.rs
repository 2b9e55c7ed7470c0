//! Reading: which state an answer may come from, and following what happens.

use std::sync::Arc;
use std::time::Duration;

use domain::store::{Answer, Ask, Looked, Read, Touched};
use domain::{Event, Query};
use openraft::raft::ReadPolicy;
use openraft_rt::{AsyncRuntime, Select2};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::answer::{Consistency, Position, ReadError, ReadRounds, Served};
use crate::env::{Env, Runtime as _};
use crate::node::{Leader, Node, POLL};
use crate::peers::wire::{ReadPoint, Request, Response};

/// How long a read waits for the state it must see.
const READ_DEADLINE: Duration = Duration::from_secs(3);

/// How often a read that waits looks whether the disk is full.
const FULL_POLL: Duration = Duration::from_millis(100);

/// How long one question for an index may take: whoever comes meanwhile waits for it, and a reader
/// has time for another.
const ROUND_TIMEOUT: Duration = Duration::from_secs(1);

impl<E: Env> Node<E> {
    /// Runs a query against one consistent view of the state.
    pub async fn read<Q: Query>(
        &self,
        consistency: Consistency,
        query: Q,
    ) -> Result<Served<Q::Answer>, ReadError> {
        self.may_read()?;
        match consistency {
            Consistency::Stale => {}
            Consistency::Session(_) | Consistency::Linearizable => {
                let point = self.read_point(consistency).await?;
                self.wait_visible(point.index).await?;
            }
        }
        let (value, seen) = self.inner.state.readers().read(query).await?;
        let index = seen.map_or(0, |seen| seen.index);
        Ok(self.served(consistency, value, index))
    }

    /// Reads of the replicated store, all answered from one state: the one that this node has
    /// applied, so that a read right after a write has nothing to wait for.
    pub async fn store(
        &self,
        consistency: Consistency,
        reads: Vec<Read>,
    ) -> Result<Served<Vec<Answer>>, ReadError> {
        self.may_read()?;
        let ReadPoint { index, now_ms } = self.read_point(consistency).await?;
        self.wait_applied(index).await?;
        let memory = self.inner.state.memory();
        if let Some(Looked { answers, index }) = memory.look_up(&reads, now_ms, index) {
            return Ok(self.served(consistency, answers, index));
        }
        let ask = Ask { reads, now_ms };
        let readers = self.inner.state.readers();
        let looked = readers.look(memory.clone(), ask.clone(), index).await?;
        if let Some(Looked { answers, index }) = looked {
            return Ok(self.served(consistency, answers, index));
        }
        // It takes longer than commands should wait: a committed state keeps still by itself.
        self.wait_visible(index).await?;
        let (answers, seen) = readers.read(ask).await?;
        let index = seen.map_or(0, |seen| seen.index);
        Ok(self.served(consistency, answers, index))
    }

    /// The same at once and without a thread, if all that is asked for is in memory and this node
    /// has applied the entry at `index`; otherwise ask [`Node::store`].
    pub fn store_now(&self, index: u64, reads: &[Read]) -> Option<Looked> {
        self.may_read().ok()?;
        let now_ms = E::Runtime::wall_clock_ms();
        self.inner.state.memory().look_up(reads, now_ms, index)
    }

    /// True if keys whose time is over may still be there, until the next command.
    pub fn has_expired_keys(&self) -> bool {
        let now_ms = E::Runtime::wall_clock_ms();
        self.inner.state.memory().has_expired(now_ms)
    }

    /// Whether this node answers readers at all.
    pub fn may_read(&self) -> Result<(), ReadError> {
        match () {
            () if self.is_stopping() => Err(ReadError::Stopping),
            () if self.is_outvoted() => Err(ReadError::Outvoted),
            () if self.is_removed() => Err(ReadError::Removed),
            () if self.has_failed() => Err(ReadError::CannotGoOn),
            () => Ok(()),
        }
    }

    /// What a read must see.
    async fn read_point(&self, consistency: Consistency) -> Result<ReadPoint, ReadError> {
        let here = |index| ReadPoint {
            index,
            now_ms: E::Runtime::wall_clock_ms(),
        };
        match consistency {
            Consistency::Stale => Ok(here(0)),
            Consistency::Session(index) => Ok(here(index)),
            Consistency::Linearizable => {
                let agreed = E::Runtime::timeout(READ_DEADLINE, self.agreed_point());
                let lost = self.majority_is_lost();
                match E::Runtime::select2(Box::pin(agreed), Box::pin(lost)).await {
                    Select2::First(agreed) => agreed.map_err(|_| ReadError::NoLeader),
                    Select2::Second(()) => Err(ReadError::NoLeader),
                }
            }
        }
    }

    fn served<T>(&self, consistency: Consistency, value: T, index: u64) -> Served<T> {
        let age_ms = match consistency {
            Consistency::Linearizable => 0,
            Consistency::Session(_) | Consistency::Stale => self.age_ms(),
        };
        Served {
            value,
            position: Position {
                index,
                term: self.term(),
                node: Arc::clone(&self.inner.name),
                age_ms,
            },
        }
    }

    async fn wait_applied(&self, index: u64) -> Result<(), ReadError> {
        let state = &self.inner.state;
        if state.memory().index() >= index {
            return Ok(());
        }
        let in_time = self.unless_full(state.applied(index)).await?;
        in_time.ok_or_else(|| ReadError::Behind {
            at: state.memory().index(),
            wanted: index,
        })
    }

    async fn wait_visible(&self, index: u64) -> Result<(), ReadError> {
        let in_time = self.unless_full(self.inner.state.visible(index)).await?;
        in_time.ok_or_else(|| ReadError::Behind {
            at: self
                .inner
                .state
                .standing()
                .committed
                .map_or(0, |committed| committed.index),
            wanted: index,
        })
    }

    /// Waits for what a read must see; `None` if it does not come in time. While the disk is full
    /// it does not come at all.
    async fn unless_full(
        &self,
        seen: impl Future<Output = ()> + Send,
    ) -> Result<Option<()>, ReadError> {
        let in_time = E::Runtime::timeout(READ_DEADLINE, Box::pin(seen));
        match E::Runtime::select2(Box::pin(in_time), Box::pin(self.all_are_full())).await {
            Select2::First(in_time) => Ok(in_time.ok()),
            Select2::Second(()) => Err(ReadError::DiskFull),
        }
    }

    /// Waits until neither this node's disk has room nor the leader's. Where only this one's is
    /// full another can answer, and to be behind is to say so.
    async fn all_are_full(&self) {
        loop {
            let leads_full = match self.leader() {
                Leader::Me => true,
                Leader::Peer(id, _) => self.last_pulse(id).is_some_and(|pulse| !pulse.has_room),
                Leader::Nobody => false,
            };
            if leads_full && !self.inner.state.has_room() {
                return;
            }
            E::Runtime::sleep(FULL_POLL).await;
        }
    }

    /// A point that covers every write acknowledged before now; asks until there is a leader.
    /// Many who ask share a question: see [`crate::rounds`].
    pub(crate) async fn agreed_point(&self) -> ReadPoint {
        loop {
            let point = match self.leader() {
                Leader::Me => self.confirmed_point().await,
                Leader::Peer(..) => self.told_point().await,
                Leader::Nobody => None,
            };
            match point {
                Some(point) => return point,
                None => E::Runtime::sleep(POLL).await,
            }
        }
    }

    /// The leader's, confirmed by a majority; `None` if this node does not lead.
    pub(crate) async fn confirmed_point(&self) -> Option<ReadPoint> {
        let place = self.inner.confirmed.join();
        if place.drives {
            let (rounds, node) = (Arc::clone(&self.inner.confirmed), self.clone());
            let round = move || node.clone().confirm();
            self.spawn(async move { rounds.drive(round).await });
        }
        place.answer.await.ok().flatten()
    }

    /// The same from the leader, if this node knows one and it answers.
    async fn told_point(&self) -> Option<ReadPoint> {
        let place = self.inner.told.join();
        if place.drives {
            let (rounds, node) = (Arc::clone(&self.inner.told), self.clone());
            let round = move || node.clone().ask_leader();
            self.spawn(async move { rounds.drive(round).await });
        }
        place.answer.await.ok().flatten()
    }

    async fn confirm(self) -> Option<ReadPoint> {
        let now_ms = self.stamp()?;
        let asking = self.inner.raft.get_read_log_id(ReadPolicy::ReadIndex);
        let answered = E::Runtime::timeout(ROUND_TIMEOUT, Box::pin(asking)).await;
        let (read, _) = answered.ok()?.ok()?;
        let index = read.log_id().index;
        Some(ReadPoint { index, now_ms })
    }

    async fn ask_leader(self) -> Option<ReadPoint> {
        let Leader::Peer(id, address) = self.leader() else {
            return None;
        };
        let caller = self.inner.peers.caller(id, &address);
        match caller.call(&Request::ReadPoint, ROUND_TIMEOUT).await {
            Ok(Response::ReadPoint(point)) => point,
            Ok(_) | Err(_) => None,
        }
    }

    /// How often this node has asked for linearizable reads since it started; however many share
    /// a question, it counts once.
    pub fn read_rounds(&self) -> ReadRounds {
        ReadRounds {
            confirmed: self.inner.confirmed.begun(),
            told: self.inner.told.begun(),
        }
    }

    /// Follows the events that are applied from now on, until the node stops, is outvoted or
    /// removed.
    pub fn watch(&self) -> Watch {
        let receiver = self.inner.state.watch();
        Watch {
            receiver,
            silenced: self.inner.silenced.clone(),
            events: Arc::new([]),
            next: 0,
        }
    }
}

impl<E: Env> Node<E> {
    /// Follows what commands touch in the store from now on, until the node stops, is outvoted or
    /// removed. Whoever waits for something follows first and looks at the state then.
    pub fn watch_keys(&self) -> KeyWatch {
        KeyWatch {
            receiver: self.inner.state.watch_keys(),
            silenced: self.inner.silenced.clone(),
        }
    }
}

/// What commands touch in the store as they are applied, from the moment [`Node::watch_keys`] was
/// called.
pub struct KeyWatch {
    receiver: broadcast::Receiver<Arc<Touched>>,
    silenced: CancellationToken,
}

impl KeyWatch {
    /// What was touched next; `None` when the node stops, was outvoted or removed. After
    /// [`Missed`], and when [`Touched::missed`] says so, look at the state: what was left out is
    /// not told again.
    pub async fn next(&mut self) -> Result<Option<Arc<Touched>>, Missed> {
        let received = self.silenced.run_until_cancelled(self.receiver.recv());
        match received.await.unwrap_or(Err(RecvError::Closed)) {
            Ok(touched) => Ok(Some(touched)),
            Err(RecvError::Closed) => Ok(None),
            Err(RecvError::Lagged(_)) => Err(Missed),
        }
    }
}

/// The events of a node as they are applied, from the moment [`Node::watch`] was called.
pub struct Watch {
    receiver: broadcast::Receiver<Arc<[Event]>>,
    silenced: CancellationToken,
    events: Arc<[Event]>,
    next: usize,
}

/// Something was left out, because the reader was too slow or the node took over a snapshot: read
/// events from the outbox, and look at the keys waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("something was left out: it was not read in time, or came with a snapshot")]
pub struct Missed;

impl Watch {
    /// The next event; `None` when the node stops, or was outvoted or removed: what it would tell
    /// is wrong or old.
    pub async fn next(&mut self) -> Result<Option<Event>, Missed> {
        loop {
            if self.silenced.is_cancelled() {
                return Ok(None);
            }
            if let Some(event) = self.events.get(self.next) {
                self.next += 1;
                return Ok(Some(event.clone()));
            }
            self.next = 0;
            let received = self.silenced.run_until_cancelled(self.receiver.recv());
            match received.await.unwrap_or(Err(RecvError::Closed)) {
                // A snapshot took the place of events: see `State::install_snapshot`.
                Ok(events) if events.is_empty() => {
                    self.events = events;
                    return Err(Missed);
                }
                Ok(events) => self.events = events,
                Err(RecvError::Closed) => return Ok(None),
                Err(RecvError::Lagged(_)) => {
                    self.events = Arc::new([]);
                    return Err(Missed);
                }
            }
        }
    }
}
