//! The queue before the batcher: what waits, counted in commands and bytes, and what is taken
//! together.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Instant as _};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::answer::WriteError;
use crate::env::Env;
use crate::peers::wire::Proposed;

/// Groups that may wait. With a thousand clients each waits for a few entries at most; past it
/// they are told to come back rather than made to wait longer than a person would.
pub const QUEUE_MAX: usize = 8 * 1024;

/// Bytes that may wait: thirty of the largest entries, which is what a slow disk syncs in a second
/// or two, and a small part of a machine's memory. Groups alone bound neither: one may hold a whole
/// entry.
const QUEUE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Commands of one entry.
const BATCH_MAX_COMMANDS: usize = 4096;

/// Bytes of one entry: with its frame it must pass between nodes in one message.
const BATCH_MAX_BYTES: usize = 2 * 1024 * 1024;

/// What a client is told to wait when too much is waiting, in milliseconds.
pub const RETRY_AFTER_MS: u64 = 500;

/// How long the batcher waits for a fuller entry, in the coarse steps of the runtime's timer. Only
/// callers that stop asking make it wait that long, and only once.
const LINGER_MAX: Duration = Duration::from_millis(1);

/// Callers that were just answered ask again within this, or not soon: after a longer silence
/// nothing is known of who is about to ask.
const MEMORY: Duration = Duration::from_millis(1);

type Now<E> = <<E as Env>::Runtime as AsyncRuntime>::Instant;

/// The batcher waits for no number of commands.
const NOTHING: usize = usize::MAX;

/// A queue and its end.
pub fn queue() -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let count = Arc::new(Count {
        commands: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        wanted: AtomicUsize::new(NOTHING),
        enough: Notify::new(),
    });
    let queue = Queue {
        sender,
        count: Arc::clone(&count),
    };
    let waiting = Waiting {
        receiver,
        count,
        carry: None,
        last: 0,
    };
    (queue, waiting)
}

/// Where callers put their groups.
pub struct Queue {
    sender: mpsc::Sender<Group>,
    count: Arc<Count>,
}

/// The batcher's end of a queue.
pub struct Waiting {
    receiver: mpsc::Receiver<Group>,
    count: Arc<Count>,
    /// Did not fit into the last entry.
    carry: Option<Group>,
    /// Commands of the last entry.
    last: usize,
}

/// What is in a queue.
struct Count {
    commands: AtomicUsize,
    bytes: AtomicUsize,
    /// The batcher waits for so many.
    wanted: AtomicUsize,
    /// Rung when they are there.
    enough: Notify,
}

/// Commands that were asked for together, and whom to tell.
pub struct Group {
    /// Encoded proposals.
    pub proposals: Vec<Bytes>,
    /// True if proposing them a second time does no harm: each has a request id.
    pub repeatable: bool,
    /// True if another node sent them here because it thinks that this one leads.
    pub forwarded: bool,
    /// Whether it has been proposed; shared with the caller, who may give up.
    pub claim: Claim,
    /// Whom to tell.
    pub reply: oneshot::Sender<Result<Proposed, WriteError>>,
}

/// Settles the race between a caller that gives up and the batcher that proposes.
#[derive(Clone, Default)]
pub struct Claim(Arc<AtomicU8>);

/// Nothing was proposed.
const WAITING: u8 = 0;
/// It is proposed now, or was and nobody knows how that ended.
const PROPOSED: u8 = 1;
/// The caller has given up.
const ABANDONED: u8 = 2;

impl Claim {
    /// The caller gives up; true if nothing was proposed and nothing will be.
    pub fn abandon(&self) -> bool {
        self.0.swap(ABANDONED, Ordering::AcqRel) == WAITING
    }

    /// The batcher takes it; false if the caller has given up.
    pub fn propose(&self) -> bool {
        let not_abandoned = |state| (state != ABANDONED).then_some(PROPOSED);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, not_abandoned)
            .is_ok()
    }

    /// It was certainly not accepted: the caller may give up again without doubt.
    pub fn withdraw(&self) {
        let _ = self
            .0
            .compare_exchange(PROPOSED, WAITING, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Queue {
    /// Puts a group into the queue, or says at once that it is full.
    pub fn send(&self, group: Group) -> Result<(), WriteError> {
        let (commands, bytes) = (group.proposals.len(), group.bytes());
        let waiting = self.count.bytes.fetch_add(bytes, Ordering::AcqRel);
        if waiting + bytes > QUEUE_MAX_BYTES {
            self.count.bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(busy());
        }
        // Counted first: the batcher may take it before this thread goes on.
        let counted = self.count.commands.fetch_add(commands, Ordering::SeqCst) + commands;
        if let Err(error) = self.sender.try_send(group) {
            self.count.took(commands, bytes);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => busy(),
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
            });
        }
        if counted >= self.count.wanted.load(Ordering::SeqCst) {
            self.count.enough.notify_one();
        }
        Ok(())
    }
}

fn busy() -> WriteError {
    WriteError::Busy {
        retry_after_ms: RETRY_AFTER_MS,
    }
}

impl Waiting {
    /// What the next entry holds; `None` once the queue is closed.
    pub async fn next<E: Env>(&mut self) -> Option<Vec<Group>> {
        // Those who were just answered are about to ask again; the others wait already.
        let asking = self.last + self.count.commands.load(Ordering::Acquire);
        // The last entry was full, so there is no lack of company to wait for.
        if let Some(first) = self.carry.take() {
            return Some(self.gather(first));
        }
        let answered = Now::<E>::now();
        let first = self.receive().await?;
        if Now::<E>::now() - answered <= MEMORY {
            // All but one at least: whoever is late or gone must not hold up the others.
            let wanted = asking.saturating_sub((asking / 8).max(1));
            let wanted = wanted.min(BATCH_MAX_COMMANDS);
            self.linger::<E>(wanted.saturating_sub(first.proposals.len()))
                .await;
        }
        Some(self.gather(first))
    }

    async fn receive(&mut self) -> Option<Group> {
        let group = self.receiver.recv().await?;
        self.count.took(group.proposals.len(), group.bytes());
        Some(group)
    }

    /// Lets most of those who ask, here and through nodes that forward, share one entry instead of
    /// splitting into parts that take turns, each with its own sync on every node.
    async fn linger<E: Env>(&self, wanted: usize) {
        if self.count.is(wanted) {
            return;
        }
        // In one order with the callers' counting, or both could miss the other.
        self.count.wanted.store(wanted, Ordering::SeqCst);
        let fuller = async {
            while !self.count.is(wanted) {
                self.count.enough.notified().await;
            }
        };
        // Late is as good as never: the entry goes with what is there.
        drop(E::Runtime::timeout(LINGER_MAX, Box::pin(fuller)).await);
        self.count.wanted.store(NOTHING, Ordering::Release);
    }

    fn gather(&mut self, first: Group) -> Vec<Group> {
        let mut commands = first.proposals.len();
        let mut bytes = first.bytes();
        let mut groups = vec![first];
        while let Ok(group) = self.receiver.try_recv() {
            let size = (group.proposals.len(), group.bytes());
            self.count.took(size.0, size.1);
            let grown = (commands + size.0, bytes + size.1);
            if grown.0 > BATCH_MAX_COMMANDS || grown.1 > BATCH_MAX_BYTES {
                self.carry = Some(group);
                break;
            }
            (commands, bytes) = grown;
            groups.push(group);
        }
        self.last = commands;
        groups
    }
}

impl Count {
    fn is(&self, commands: usize) -> bool {
        self.commands.load(Ordering::SeqCst) >= commands
    }

    /// So much is not in the queue any more.
    fn took(&self, commands: usize, bytes: usize) {
        self.commands.fetch_sub(commands, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Group {
    fn bytes(&self) -> usize {
        self.proposals.iter().map(Bytes::len).sum()
    }

    /// Tells its caller how it ended.
    pub fn tell(self, result: Result<Proposed, WriteError>) {
        // A caller that gave up has its answer already.
        drop(self.reply.send(result));
    }
}
