//! Tasks that belong to a node, and die with it.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Polling, Poll, Waker};
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use openraft_rt_sim::{SimJoinError, SimJoinHandle, SimRuntime as Inner};

use crate::context::{Context, NodeId, Shared, enter, lock};
use crate::disk::SimDisk;
use crate::net::Network;

/// The tasks of one life of a node: from its start to its crash.
pub(crate) struct Group {
    node: NodeId,
    /// What ends with the group; the scenario's own group has none.
    machine: Option<Machine>,
    alive: AtomicBool,
    paused: AtomicBool,
    /// Tasks to be polled once it is no longer paused.
    sleepers: Mutex<Vec<Waker>>,
    /// Those who wait for its end.
    mourners: Mutex<Vec<Waker>>,
    tasks: Mutex<BTreeMap<u64, Arc<dyn Kill>>>,
    next: AtomicU64,
}

/// What a node runs on.
pub(crate) struct Machine {
    /// Losing its power ends the group.
    pub(crate) disk: SimDisk,
    /// The group's end breaks the node's connections.
    pub(crate) network: Network,
}

/// A task whose future can be dropped by somebody else.
trait Kill: Send + Sync {
    fn kill(&self);
}

impl Group {
    pub(crate) fn new(node: NodeId, machine: Option<Machine>) -> Arc<Self> {
        Arc::new(Group {
            node,
            machine,
            alive: AtomicBool::new(true),
            paused: AtomicBool::new(false),
            sleepers: Mutex::new(Vec::new()),
            mourners: Mutex::new(Vec::new()),
            tasks: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
        })
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// How long its next blocking work waits before it reaches the disk.
    pub(crate) fn queue_duration(&self) -> Duration {
        self.machine
            .as_ref()
            .map_or(Duration::ZERO, |machine| machine.disk.queue_duration())
    }

    /// True while this is the group of a node that runs.
    pub(crate) fn is_up(&self) -> bool {
        self.machine.is_some() && self.is_alive()
    }

    /// Lets no task of the group be polled until it is resumed.
    pub(crate) fn pause(&self) {
        self.paused.store(true, Ordering::Relaxed);
    }

    /// Lets its tasks go on.
    pub(crate) fn resume(&self) {
        self.paused.store(false, Ordering::Relaxed);
        let sleepers = std::mem::take(&mut *lock(&self.sleepers));
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// Notes a task that cannot be polled now; false if it can.
    fn puts_off(&self, waker: &Waker) -> bool {
        let paused = self.paused.load(Ordering::Relaxed) && self.is_alive();
        if paused {
            lock(&self.sleepers).push(waker.clone());
        }
        paused
    }

    /// Resolves once the group is dead.
    pub(crate) fn poll_end(&self, cx: &mut Polling<'_>) -> Poll<()> {
        if self.is_up() {
            lock(&self.mourners).push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// True once the disk of this life has lost its power, on its own (see
    /// [`SimDisk::crash_at`]) or by the world's will.
    fn lost_power(&self) -> bool {
        self.machine
            .as_ref()
            .is_some_and(|machine| !machine.disk.is_on())
    }

    /// Drops the future of every task, in the order they were spawned, and lets none start. Its
    /// connections break before, so that no destructor says goodbye. A task that is being polled
    /// right now loses its future when the poll returns.
    pub(crate) fn kill(self: &Arc<Self>, shared: &Arc<Shared>) {
        self.alive.store(false, Ordering::Relaxed);
        if let Some(machine) = &self.machine {
            machine.network.node_crashed(self.node);
        }
        let _entered = enter(Context {
            shared: shared.clone(),
            group: self.clone(),
        });
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks.into_values() {
            task.kill();
        }
        let mourners = std::mem::take(&mut *lock(&self.mourners));
        mourners.into_iter().for_each(Waker::wake);
        self.resume();
    }
}

/// A spawned future in a place where its group can drop it.
struct Slot<F> {
    future: Mutex<Option<Pin<Box<F>>>>,
    waker: Mutex<Option<Waker>>,
}

impl<F: Future + Send> Kill for Slot<F> {
    fn kill(&self) {
        let future = lock(&self.future).take();
        drop(future);
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What the executor polls in a spawned future's stead; answers `None` once it was killed.
struct NodeTask<F> {
    context: Context,
    number: u64,
    slot: Arc<Slot<F>>,
}

/// Resolves to the task's output, or to [`SimJoinError::Cancelled`] if its node crashed. Dropping
/// it leaves the task running.
pub struct JoinHandle<T> {
    state: Handle<T>,
}

enum Handle<T> {
    Spawned(SimJoinHandle<Option<T>>),
    Refused,
}

/// Spawns a task into the context's group; one that is dead takes none.
#[track_caller]
pub(crate) fn spawn_in<F>(context: Context, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let group = context.group.clone();
    if !group.is_alive() {
        return JoinHandle {
            state: Handle::Refused,
        };
    }
    let number = group.next.fetch_add(1, Ordering::Relaxed);
    context.shared.record("spawn", group.node, &[number]);
    let slot = Arc::new(Slot {
        future: Mutex::new(Some(Box::pin(future))),
        waker: Mutex::new(None),
    });
    lock(&group.tasks).insert(number, slot.clone());
    let task = NodeTask {
        context,
        number,
        slot,
    };
    JoinHandle {
        state: Handle::Spawned(Inner::spawn(task)),
    }
}

impl<F: Future> NodeTask<F> {
    /// Forgets the task, so that it is dropped here and not by the group.
    fn leave(&self) {
        lock(&self.context.group.tasks).remove(&self.number);
    }

    /// Polls the future and reports a panic to the world before letting it go on.
    fn poll_inner(&self, future: &mut Pin<Box<F>>, cx: &mut Polling<'_>) -> Poll<F::Output> {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(payload) => {
                let node = self.context.group.node;
                self.context
                    .shared
                    .record_panic(node, &panic_message(payload.as_ref()));
                self.leave();
                resume_unwind(payload)
            }
        }
    }
}

impl<F: Future> Future for NodeTask<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let group = this.context.group.clone();
        if group.puts_off(cx.waker()) {
            return Poll::Pending;
        }
        let taken = lock(&this.slot.future).take();
        let Some(mut future) = taken else {
            return Poll::Ready(None);
        };
        let _entered = enter(this.context.clone());
        this.context
            .shared
            .record("poll", group.node, &[this.number]);
        let polled = this.poll_inner(&mut future, cx);
        if group.is_alive() && group.lost_power() {
            group.kill(&this.context.shared);
        }
        if !group.is_alive() {
            drop((future, polled));
            return Poll::Ready(None);
        }
        match polled {
            Poll::Ready(output) => {
                this.leave();
                drop(future);
                Poll::Ready(Some(output))
            }
            Poll::Pending => {
                *lock(&this.slot.future) = Some(future);
                *lock(&this.slot.waker) = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, SimJoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let Handle::Spawned(handle) = &mut self.get_mut().state else {
            return Poll::Ready(Err(SimJoinError::Cancelled));
        };
        Pin::new(handle)
            .poll(cx)
            .map(|joined| joined?.ok_or(SimJoinError::Cancelled))
    }
}

/// The text of a panic, if it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
