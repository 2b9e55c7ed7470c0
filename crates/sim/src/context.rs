//! Who is running: the world of this thread, and the node whose task is being polled.
//!
//! openraft's runtime trait is made of functions without a receiver, so the world is found through
//! a thread-local that is set around every poll and every destructor of a node's futures.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft_rt::Instant;
use openraft_rt_sim::SimInstant;

use crate::dice::Dice;
use crate::task::Group;

/// Prints every traced event with its virtual time, to find where two runs part.
const TRACE_ENV: &str = "CONSORCIO_SIM_TRACE";

/// Where the wall clocks start: 2024-01-01 in milliseconds since 1970.
const WALL_CLOCK_START_MS: i64 = 1_704_067_200_000;

/// A node of a world, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// Where the scenario itself runs: no node, never killed.
    pub(crate) const OUTSIDE: NodeId = NodeId(0);
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// What the tasks of a world share.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    trace: Mutex<Trace>,
    members: Mutex<BTreeMap<NodeId, Member>>,
    panics: Mutex<Vec<String>>,
}

/// What the world keeps for a node over its restarts.
struct Member {
    group: Arc<Group>,
    draws: u64,
    clock_offset_ms: i64,
    delays: Dice,
}

struct Trace {
    hash: DefaultHasher,
    events: u64,
    print: bool,
}

impl Shared {
    pub(crate) fn new(seed: u64, nodes: u32) -> Arc<Self> {
        let member = |number| {
            let delays = Dice::new(seed, 0x1000 + u64::from(number));
            let group = Group::new(NodeId(number), None);
            let member = Member {
                group,
                draws: 0,
                clock_offset_ms: 0,
                delays,
            };
            (NodeId(number), member)
        };
        let print = std::env::var_os(TRACE_ENV).is_some();
        Arc::new(Shared {
            seed,
            trace: Mutex::new(Trace {
                hash: DefaultHasher::new(),
                events: 0,
                print,
            }),
            members: Mutex::new((0..=nodes).map(member).collect()),
            panics: Mutex::new(Vec::new()),
        })
    }

    /// Adds an event to the trace.
    pub(crate) fn record(&self, kind: &'static str, node: NodeId, numbers: &[u64]) {
        let now = elapsed_ns();
        let mut trace = lock(&self.trace);
        (kind, node, now, numbers).hash(&mut trace.hash);
        trace.events += 1;
        if trace.print {
            eprintln!("{:>12}ns {node} {kind} {numbers:?}", now);
        }
    }

    /// The hash over all events so far, and how many there were.
    pub(crate) fn trace_hash(&self) -> (u64, u64) {
        let trace = lock(&self.trace);
        (trace.hash.finish(), trace.events)
    }

    pub(crate) fn group(&self, node: NodeId) -> Arc<Group> {
        lock(&self.members)[&node].group.clone()
    }

    pub(crate) fn set_group(&self, group: Arc<Group>) {
        let mut members = lock(&self.members);
        if let Some(member) = members.get_mut(&group.node()) {
            member.group = group;
        }
    }

    /// A seed for one random generator of a node.
    pub(crate) fn draw(&self, node: NodeId) -> u64 {
        let mut members = lock(&self.members);
        let Some(member) = members.get_mut(&node) else {
            return 0;
        };
        member.draws += 1;
        Dice::new(self.seed ^ (u64::from(node.0) << 40), member.draws).next()
    }

    pub(crate) fn delay(
        &self,
        node: NodeId,
        range: &std::ops::Range<std::time::Duration>,
    ) -> std::time::Duration {
        let mut members = lock(&self.members);
        members
            .get_mut(&node)
            .map_or(range.start, |member| member.delays.within(range))
    }

    pub(crate) fn set_clock_offset_ms(&self, node: NodeId, offset_ms: i64) {
        if let Some(member) = lock(&self.members).get_mut(&node) {
            member.clock_offset_ms = offset_ms;
        }
    }

    pub(crate) fn wall_clock_ms(&self, node: NodeId) -> i64 {
        let offset_ms = lock(&self.members)
            .get(&node)
            .map_or(0, |member| member.clock_offset_ms);
        let elapsed_ms = i64::try_from(elapsed_ns() / 1_000_000).unwrap_or(i64::MAX);
        WALL_CLOCK_START_MS + elapsed_ms + offset_ms
    }

    pub(crate) fn record_panic(&self, node: NodeId, message: &str) {
        lock(&self.panics).push(format!("{node}: {message}"));
    }

    pub(crate) fn panics(&self) -> Vec<String> {
        lock(&self.panics).clone()
    }

    pub(crate) fn take_panics(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.panics))
    }
}

/// Nanoseconds of virtual time since the world began; 0 while nothing runs.
fn elapsed_ns() -> u64 {
    let elapsed = SimInstant::try_now().map_or(0, |now| now.elapsed_since_start().as_nanos());
    u64::try_from(elapsed).unwrap_or(u64::MAX)
}

/// Panics outside of a world, which is what reading the clock there deserves.
pub(crate) fn now() -> SimInstant {
    SimInstant::now()
}

/// Locks; a panic elsewhere does not matter, since nothing here is left half done.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The world of this thread and the group being polled.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) group: Arc<Group>,
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Puts the previous context back when it is dropped.
pub(crate) struct Entered {
    previous: Option<Context>,
}

/// Makes `context` the current one until the guard is dropped.
pub(crate) fn enter(context: Context) -> Entered {
    let previous = CURRENT.with(|current| current.borrow_mut().replace(context));
    Entered { previous }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let previous = self.previous.take();
        // The old context is dropped after the borrow ends: it may own what looks here again.
        let _old = CURRENT.with(|current| std::mem::replace(&mut *current.borrow_mut(), previous));
    }
}

/// The current context, if a world runs on this thread.
pub(crate) fn try_current() -> Option<Context> {
    CURRENT
        .try_with(|current| current.borrow().clone())
        .ok()
        .flatten()
}

/// The current context.
#[track_caller]
pub(crate) fn current() -> Context {
    try_current().expect("this must be called inside World::run")
}
