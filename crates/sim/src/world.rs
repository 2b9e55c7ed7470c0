//! A world: nodes, their disks and the network between them, and the scenario that torments them.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use engine::env::Env;
use openraft_rt::AsyncRuntime;

use crate::context::{Context, NodeId, Shared, enter, lock};
use crate::dice::Dice;
use crate::disk::{Crash, SimDisk};
use crate::net::{Network, SimTransport};
use crate::runtime::SimRuntime;
use crate::task::{Group, JoinHandle, Machine, spawn_in};
use crate::vfs;

/// A crash that comes soon happens within this many changes of the disk: some of them fall into
/// the middle of an append, some into a checkpoint.
const SOON_CHANGES: u64 = 40;

/// The environment of one node.
#[derive(Clone)]
pub struct SimEnv {
    node: NodeId,
    disk: SimDisk,
    transport: SimTransport,
}

impl SimEnv {
    /// Which node this is.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

impl Env for SimEnv {
    type Runtime = SimRuntime;
    type Disk = SimDisk;
    type Transport = SimTransport;

    fn disk(&self) -> &SimDisk {
        &self.disk
    }

    fn transport(&self) -> &SimTransport {
        &self.transport
    }
}

/// Everything that happens between one seed and its outcome.
pub struct World {
    runtime: SimRuntime,
    sim: Sim,
}

/// The scenario's hands on its world. All clones are the same world.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    network: Network,
    disks: Vec<SimDisk>,
    dice: Mutex<Dice>,
}

impl World {
    /// A world of `nodes` nodes, named n1, n2 …, none of them started.
    pub fn new(seed: u64, nodes: u32) -> Self {
        let disk = |number: u32| SimDisk::new(Dice::new(seed, 0x2000 + u64::from(number)));
        let inner = Inner {
            shared: Shared::new(seed, nodes),
            network: Network::new(Dice::new(seed, 2)),
            disks: (1..=nodes).map(disk).collect(),
            dice: Mutex::new(Dice::new(seed, 1)),
        };
        World {
            runtime: SimRuntime::with_seed(seed),
            sim: Sim {
                inner: Arc::new(inner),
            },
        }
    }

    /// Runs a scenario to its end, then kills every node.
    ///
    /// One world runs at a time in a process: SQLite has one random generator, and two worlds that
    /// draw from it would not repeat.
    ///
    /// # Panics
    /// If the scenario panics, or any task of a node does. The seed is printed.
    pub fn run<S, F>(&mut self, scenario: S) -> F::Output
    where
        S: FnOnce(Sim) -> F,
        F: Future,
    {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let sim = self.sim.clone();
        let _log = crate::log::print();
        vfs::seed_randomness(sim.sqlite_seed());
        let outcome = self.runtime.block_on(sim.clone().run_to_end(scenario));
        vfs::seed_randomness(0);
        let output = outcome.unwrap_or_else(|panic| {
            eprintln!("the scenario failed with seed {}", sim.seed());
            resume_unwind(panic)
        });
        let panics = sim.inner.shared.take_panics();
        assert!(
            panics.is_empty(),
            "tasks panicked with seed {}: {panics:#?}",
            sim.seed()
        );
        output
    }

    /// The hash over all that happened, and how many events there were: two runs from one seed
    /// must agree.
    pub fn trace_hash(&self) -> (u64, u64) {
        self.sim.inner.shared.trace_hash()
    }
}

impl Sim {
    /// The world's seed.
    pub fn seed(&self) -> u64 {
        self.inner.shared.seed
    }

    /// Its nodes.
    pub fn nodes(&self) -> Vec<NodeId> {
        (1..=self.inner.disks.len() as u32).map(NodeId).collect()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// A node's disk, also while the node is down.
    pub fn disk(&self, node: NodeId) -> &SimDisk {
        &self.inner.disks[node.0 as usize - 1]
    }

    /// A node's environment.
    pub fn env(&self, node: NodeId) -> SimEnv {
        let transport = SimTransport::new(self.inner.network.clone(), node);
        SimEnv {
            node,
            disk: self.disk(node).clone(),
            transport,
        }
    }

    /// Decides with the scenario's dice.
    pub fn roll<T>(&self, decide: impl FnOnce(&mut Dice) -> T) -> T {
        decide(&mut lock(&self.inner.dice))
    }

    /// Waits in virtual time.
    pub async fn sleep(&self, duration: Duration) {
        SimRuntime::sleep(duration).await;
    }

    /// Starts a node, with power and an open port. The handle resolves when `main` ends, to an
    /// error if the node crashes before.
    ///
    /// # Panics
    /// If the node is up.
    pub fn start<M, F>(&self, node: NodeId, main: M) -> JoinHandle<F::Output>
    where
        M: FnOnce(SimEnv) -> F,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        assert!(!self.is_up(node), "{node} is up already");
        let disk = self.disk(node).clone();
        disk.power_on();
        self.inner.network.node_started(node);
        self.inner.shared.record("start", node, &[]);
        let network = self.inner.network.clone();
        let transport = SimTransport::new(network.clone(), node);
        let machine = Machine {
            disk: disk.clone(),
            network,
        };
        self.inner.shared.set_group(Group::new(node, Some(machine)));
        self.on(
            node,
            main(SimEnv {
                node,
                disk,
                transport,
            }),
        )
    }

    /// Runs a future as a task of a node: it dies with the node, and does not even start if the
    /// node is down.
    pub fn on<F>(&self, node: NodeId, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_in(self.context(node), future)
    }

    /// True from a node's start to its crash.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.inner.shared.group(node).is_up()
    }

    /// Crashes a node now; one that is down stays so. Its disk goes first, so that no destructor
    /// writes anything, then its connections, then its tasks.
    pub fn crash(&self, node: NodeId, crash: Crash) {
        self.inner.shared.record("crash", node, &[crash as u64]);
        self.disk(node).power_off(crash);
        self.inner.shared.group(node).kill(&self.inner.shared);
    }

    /// Crashes a node, now or soon in the middle of some change of its disk, as the dice say; the
    /// crash has happened when this returns. A node that does not touch its disk for `at_most`
    /// crashes then.
    pub async fn crash_somehow(&self, node: NodeId, at_most: Duration) {
        let crash = self.roll(Crash::any);
        if self.roll(|dice| dice.one_in(2)) {
            self.disk(node)
                .crash_at(self.roll(|dice| 1 + dice.below(SOON_CHANGES)), crash);
            let _ = SimRuntime::timeout(at_most, self.down(node)).await;
        }
        self.crash(node, crash);
    }

    /// Stands a node still, as SIGSTOP does: nothing of it runs until [`Sim::resume`], while time
    /// passes and what others send to it waits.
    pub fn pause(&self, node: NodeId) {
        self.inner.shared.record("pause", node, &[]);
        self.inner.shared.group(node).pause();
    }

    /// Lets a paused node go on.
    pub fn resume(&self, node: NodeId) {
        self.inner.shared.record("resume", node, &[]);
        self.inner.shared.group(node).resume();
    }

    /// How long the world has been running, in virtual time.
    pub fn elapsed(&self) -> Duration {
        crate::context::now().elapsed_since_start()
    }

    /// The panics of tasks so far.
    pub fn panics(&self) -> Vec<String> {
        self.inner.shared.panics()
    }

    /// Waits until a node is down.
    pub async fn down(&self, node: NodeId) {
        let group = self.inner.shared.group(node);
        poll_fn(|cx| group.poll_end(cx)).await;
    }

    /// Sets a node's wall clock ahead of the others', or back. Timers do not follow it.
    pub fn set_clock_offset_ms(&self, node: NodeId, offset_ms: i64) {
        self.inner.shared.set_clock_offset_ms(node, offset_ms);
    }

    fn context(&self, node: NodeId) -> Context {
        let group = self.inner.shared.group(node);
        Context {
            shared: self.inner.shared.clone(),
            group,
        }
    }

    /// SQLite's seed: not 0, which would be none.
    fn sqlite_seed(&self) -> i32 {
        (self.seed() as i32) | 1
    }

    /// Runs the scenario; then, however it ended, ends every node while the runtime still runs.
    async fn run_to_end<S, F>(self, scenario: S) -> std::thread::Result<F::Output>
    where
        S: FnOnce(Sim) -> F,
        F: Future,
    {
        let context = self.context(NodeId::OUTSIDE);
        let entered = enter(context.clone());
        let mut future = Box::pin(scenario(self.clone()));
        drop(entered);
        let outcome = poll_fn(|cx| {
            let _entered = enter(context.clone());
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
        .await;
        self.clear_away(future);
        outcome
    }

    /// Drops the scenario and ends every node.
    fn clear_away<F>(&self, scenario: F) {
        let outside = self.context(NodeId::OUTSIDE);
        let entered = enter(outside.clone());
        drop(scenario);
        drop(entered);
        for node in self.nodes() {
            self.crash(node, Crash::LoseUnsynced);
        }
        outside.group.kill(&outside.shared);
        self.inner
            .shared
            .set_group(Group::new(NodeId::OUTSIDE, None));
    }
}
