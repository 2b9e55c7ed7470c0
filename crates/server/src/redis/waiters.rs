//! Clients that wait for something to come into a list, in the order in which they came.
//!
//! ```text
//!   BLPOP ─▶ Waiters ◀─ dirty: keys that were touched ◀─ Follower ◀─ engine
//!               │
//!               └─▶ pump: how long are the lists? ─▶ one command with a pop for as many clients
//!                         as there are items, the first who came first ─▶ to each its own
//! ```
//!
//! A waiting client is a row in a table: it holds no thread and no task of its own. Taking an item
//! is a write: it is acknowledged like any other, and only then sent to the client. On its way it
//! is a [`Parcel`]: if the client turns out to have gone before a byte of it was sent, it is put
//! back at the end that it came from. What stays is the gap that Redis has too: an item that was
//! sent, or begun to be sent, into a connection which breaks before the client has read it.
//!
//! A node that stops takes nothing more, and waits until what it has taken is sent or put back.

mod parcel;
mod pump;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::store::Write;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

pub(super) use parcel::Parcel;
use parcel::Returned;
pub(super) use pump::run;

use super::connection::Presence;
use super::store::Line;

/// How often a client tries to leave for which an item is being taken.
const LEAVE_POLL: Duration = Duration::from_millis(20);

/// Clients that wait on this node, and the keys that may bring what they wait for.
#[derive(Default)]
pub(super) struct Waiters {
    queue: Mutex<Queue>,
    /// Rung when a key is dirty, and when a parcel is off the way.
    dirty: Notify,
}

#[derive(Default)]
struct Queue {
    /// Who came last.
    last: u64,
    /// How many wait for an item of their own, also those for whom one is just being taken: they
    /// may get none and wait on.
    tickets: usize,
    /// Those of them for whom none is being taken, by when they came.
    waiting: BTreeMap<u64, Waiter>,
    by_key: HashMap<Bytes, BTreeSet<u64>>,
    /// Keys that may have something, with somebody waiting.
    dirty: HashSet<Bytes>,
    /// Those who only want to know that a key was touched.
    readers: HashMap<Bytes, HashMap<u64, Arc<Notify>>>,
    /// Parcels on their way: one for each waiting client at most.
    on_the_way: usize,
    /// What was in parcels whose clients have gone.
    returned: Vec<Returned>,
    /// The node stops: nobody waits any longer.
    closed: bool,
}

/// Somebody who waits for an item of their own.
struct Waiter {
    write: Write,
    keys: Vec<Bytes>,
    answer: oneshot::Sender<Popped>,
    client: Presence,
}

/// What a waiting client gets, or why it will get nothing.
pub(super) type Popped = Result<Parcel, Line>;

/// A place in the queue.
pub(super) struct Ticket {
    waiters: Arc<Waiters>,
    number: u64,
    answer: oneshot::Receiver<Popped>,
}

/// Somebody who is told when keys are touched.
pub(super) struct Reader {
    waiters: Arc<Waiters>,
    number: u64,
    keys: Vec<Bytes>,
    touched: Arc<Notify>,
}

impl Waiters {
    /// True if nobody waits.
    pub fn is_empty(&self) -> bool {
        let queue = self.queue();
        queue.tickets == 0 && queue.readers.is_empty()
    }

    /// Takes a place at the end of the queue. Nothing is looked for before [`Waiters::look`].
    pub fn queue_up(self: &Arc<Self>, write: Write, keys: Vec<Bytes>, client: Presence) -> Ticket {
        let (sender, answer) = oneshot::channel();
        let mut queue = self.queue();
        queue.last += 1;
        queue.tickets += 1;
        let number = queue.last;
        let waiter = Waiter {
            write,
            keys,
            answer: sender,
            client,
        };
        queue.insert(number, waiter);
        drop(queue);
        Ticket {
            waiters: Arc::clone(self),
            number,
            answer,
        }
    }

    /// Wants to be told when one of these keys is touched.
    pub fn follow(self: &Arc<Self>, keys: Vec<Bytes>) -> Reader {
        let touched = Arc::new(Notify::new());
        let mut queue = self.queue();
        queue.last += 1;
        let number = queue.last;
        for key in &keys {
            let readers = queue.readers.entry(key.clone()).or_default();
            readers.insert(number, Arc::clone(&touched));
        }
        drop(queue);
        Reader {
            waiters: Arc::clone(self),
            number,
            keys,
            touched,
        }
    }

    /// Looks whether these keys have something for those who wait for them.
    pub fn look<'k>(&self, keys: impl IntoIterator<Item = &'k Bytes>) {
        let mut queue = self.queue();
        for key in keys {
            queue.touch(key);
        }
        let dirty = !queue.dirty.is_empty();
        drop(queue);
        if dirty {
            self.dirty.notify_one();
        }
    }

    /// Looks at everything that somebody waits for: it is not known what was touched.
    pub fn look_at_all(&self) {
        let mut queue = self.queue();
        let keys: Vec<Bytes> = queue.by_key.keys().cloned().collect();
        queue.dirty.extend(keys);
        let readers = queue.readers.values().flat_map(HashMap::values);
        readers.for_each(|touched| touched.notify_one());
        drop(queue);
        self.dirty.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Nobody is there for an answer any more.
    fn has_gone(&self) -> bool {
        self.answer.is_closed() || self.client.has_gone()
    }
}

impl Queue {
    fn insert(&mut self, number: u64, waiter: Waiter) {
        if self.closed {
            // Whoever waits for the answer is told that there will be none.
            return;
        }
        for key in &waiter.keys {
            self.by_key.entry(key.clone()).or_default().insert(number);
        }
        self.waiting.insert(number, waiter);
    }

    fn remove(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiting.remove(&number)?;
        for key in &waiter.keys {
            if let Some(numbers) = self.by_key.get_mut(key) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_key.remove(key);
                    self.dirty.remove(key);
                }
            }
        }
        Some(waiter)
    }

    /// Takes whoever waits longest for a key out of the queue.
    fn remove_first(&mut self, key: &Bytes) -> Option<(u64, Waiter)> {
        let number = *self.by_key.get(key)?.first()?;
        Some((number, self.remove(number)?))
    }

    fn touch(&mut self, key: &Bytes) {
        if self.by_key.contains_key(key) {
            self.dirty.insert(key.clone());
        }
        if let Some(readers) = self.readers.get(key) {
            readers.values().for_each(|touched| touched.notify_one());
        }
    }

    fn forget(&mut self, number: u64, keys: &[Bytes]) {
        for key in keys {
            if let Some(readers) = self.readers.get_mut(key) {
                readers.remove(&number);
                if readers.is_empty() {
                    self.readers.remove(key);
                }
            }
        }
    }
}

impl Ticket {
    /// The item, once there is one.
    pub async fn answered(&mut self) -> Popped {
        let answer = (&mut self.answer).await;
        answer.unwrap_or_else(|_| Err("CLUSTERDOWN the node is stopping".into()))
    }

    /// Leaves the queue; unless an item is being taken for the client already: then that.
    pub async fn last_answer(&mut self) -> Option<Popped> {
        while !self.leave() {
            // Who gets nothing in the end is back in the queue.
            if let Ok(answer) = timeout(LEAVE_POLL, self.answered()).await {
                return Some(answer);
            }
        }
        None
    }

    /// False if an item is being taken already.
    fn leave(&self) -> bool {
        self.waiters.queue().remove(self.number).is_some()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
        self.waiters.queue().tickets -= 1;
    }
}

impl Reader {
    /// Waits until one of the keys was touched since the last time.
    pub async fn touched(&self) {
        self.touched.notified().await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.waiters.queue().forget(self.number, &self.keys);
    }
}
