//! Storms: whole clusters under clients and faults, from one seed, with every step looked at.
//!
//! ```text
//!   clients ── write · read · retry · give up ──▶ nodes ◀── crashes · partitions · disks · clocks
//!      │                                            │                   members · snapshots
//!      ▼                                            ▼
//!   history: linearizable, sessions never     watch: one leader a term, committed entries stay,
//!   go back, acknowledged is there once       equal states at equal indexes, synced by a majority
//! ```
//!
//! A storm is a few rounds of faults that pile up and are made good together; then the cluster must
//! settle, and all is counted. Everything follows from the seed: the same storm twice is the same
//! to the last poll of a task, which [`Report::trace`] tells.

mod book;
mod bug;
mod clients;
mod faults;
mod fleet;
mod history;
mod linear;
mod logs;
mod watch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Consistency;
use openraft_rt::AsyncRuntime;

pub use book::Violation;
pub use bug::Bug;

use crate::cluster::{self, Cluster, small};
use crate::context::{NodeId, lock};
use crate::runtime::SimRuntime;
use crate::task::panic_message;
use crate::world::{Sim, World};
use book::Book;
use clients::Clients;
use fleet::Fleet;
use history::{History, held};
use watch::Watch;

/// Nodes of a world that are no members at first, and may join.
const SPARES: u32 = 2;

/// Rounds of faults.
const ROUNDS: u32 = 5;

/// Faults of a round, at most: more would leave no cluster to look at.
const FAULTS_MAX: u64 = 3;

/// Longest time between two faults, and until all is made good.
const LULL_MAX: Duration = Duration::from_millis(1_500);

/// Clients, at least, and one less than can come on top.
const CLIENTS: (u64, u64) = (3, 3);

/// How often is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(50);

/// Replicas that are not at the same index in this time after the last write never will be.
const EQUAL_MAX: Duration = Duration::from_secs(60);

/// A storm to be.
#[derive(Clone, Debug)]
pub struct Storm {
    /// What everything follows from.
    pub seed: u64,
    /// Members at the beginning, at least 3.
    pub nodes: u32,
    /// A bug to be found.
    pub bug: Option<Bug>,
    /// Print the story as it happens.
    pub aloud: bool,
}

/// What came of a storm.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Members at the beginning.
    pub nodes: u32,
    /// The first thing that must not be, if there was one.
    pub violation: Option<Violation>,
    /// What clients asked.
    pub operations: u64,
    /// Terms that had a leader.
    pub elections: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Snapshots that a node began to receive.
    pub snapshots: u64,
    /// Acknowledged writes that were looked for on the disks of a majority, as they were synced.
    pub looked_for: u64,
    /// Virtual time.
    pub simulated: Duration,
    /// How often each fault befell the cluster.
    pub faults: BTreeMap<&'static str, u64>,
    /// The hash over all that happened and the number of events: the same storm has the same.
    pub trace: (u64, u64),
}

impl Storm {
    /// A storm over a cluster of so many nodes.
    pub fn new(seed: u64, nodes: u32) -> Self {
        Storm {
            seed,
            nodes,
            bug: None,
            aloud: false,
        }
    }

    /// Lets the storm pass. One passes at a time in a process: see [`World::run`].
    pub fn run(&self) -> Report {
        let book = Book::new(self.aloud);
        let watch = Watch::new(book.clone());
        let mut world = World::new(self.seed, self.nodes + SPARES);
        let (written, seen) = (book.clone(), watch.clone());
        let passed = catch_unwind(AssertUnwindSafe(|| {
            world.run(|sim| async move {
                let storming = Storming::new(sim, self, written, seen);
                storming.pass().await;
            });
        }));
        if let Err(panic) = passed {
            book.violate(format!("a panic: {}", panic_message(panic.as_ref())));
        }
        let counts = book.counts();
        Report {
            seed: self.seed,
            nodes: self.nodes,
            violation: book.violation(),
            operations: counts.operations,
            elections: watch.elections(),
            crashes: counts.crashes,
            snapshots: counts.snapshots,
            looked_for: watch.looked_for(),
            simulated: counts.simulated,
            faults: counts.faults,
            trace: world.trace_hash(),
        }
    }
}

/// A storm under way. All clones are the same one.
#[derive(Clone)]
struct Storming {
    cluster: Cluster,
    nodes: u32,
    bug: Option<Bug>,
    book: Book,
    history: History,
    watch: Watch,
    fleet: Arc<Mutex<Fleet>>,
}

impl Storming {
    fn new(sim: Sim, storm: &Storm, book: Book, watch: Watch) -> Self {
        Storming {
            cluster: Cluster::new(sim, small()),
            nodes: storm.nodes,
            bug: storm.bug,
            history: History::new(book.clone()),
            watch,
            book,
            fleet: Arc::default(),
        }
    }

    fn sim(&self) -> &Sim {
        &self.cluster.sim
    }

    async fn pass(&self) {
        self.form().await;
        if let Some(bug) = self.bug {
            bug.world(self.sim());
        }
        let count = CLIENTS.0 + self.sim().roll(|dice| dice.below(CLIENTS.1));
        let clients = Clients::open(self, count);
        for _ in 0..ROUNDS {
            self.round().await;
        }
        if !self.book.is_violated() {
            clients.close().await;
            self.end().await;
        }
        let simulated = self.sim().elapsed();
        let disks = self.sim().nodes().into_iter();
        let snapshots = disks.map(|node| self.sim().disk(node).made("receive.snapshot"));
        let snapshots = snapshots.sum();
        self.book.count(|counts| {
            counts.simulated = simulated;
            counts.snapshots = snapshots;
        });
    }

    /// Starts the members, and waits until all of them vote.
    async fn form(&self) {
        let first = NodeId(1);
        lock(&self.fleet).wanted = (1..=self.nodes).map(NodeId).collect();
        drop(SimRuntime::spawn(self.clone().keep()));
        self.start(first);
        while self.cluster.running(first).is_none() && !self.book.is_violated() {
            SimRuntime::sleep(GLANCE).await;
        }
        self.start_all();
        self.settle().await;
    }

    /// Some faults, and then all is made good.
    async fn round(&self) {
        let faults = self.sim().roll(|dice| 1 + dice.below(FAULTS_MAX));
        for _ in 0..faults {
            self.lull().await;
            if self.book.is_violated() {
                return;
            }
            self.strike().await;
        }
        self.lull().await;
        self.watch.compare_logs(&self.cluster);
        self.make_good();
        self.history.check();
    }

    async fn lull(&self) {
        let lull = self
            .sim()
            .roll(|dice| dice.within(&(Duration::ZERO..LULL_MAX)));
        SimRuntime::sleep(lull).await;
    }

    /// Nothing is written any more: waits until nothing is left to be done, and counts.
    async fn end(&self) {
        while lock(&self.fleet).removing.is_some() && !self.book.is_violated() {
            SimRuntime::sleep(GLANCE).await;
        }
        self.make_good();
        self.settle().await;
        self.until_equal().await;
        for node in self.members() {
            if !self.book.is_violated() {
                self.count(node).await;
            }
        }
        self.watch.compare_logs(&self.cluster);
        self.history.check();
    }

    /// Waits until all members have applied all there is; the watch compares their states.
    async fn until_equal(&self) {
        let deadline = self.sim().elapsed() + EQUAL_MAX;
        let standing = |node: NodeId| {
            let status = self.cluster.running(node)?.status();
            Some((status.applied, status.committed))
        };
        loop {
            let standings: Vec<_> = self.members().into_iter().map(standing).collect();
            let equal = |one: &Option<(u64, u64)>| {
                *one == standings[0] && one.is_some_and(|(applied, committed)| applied == committed)
            };
            if standings.iter().all(equal) || self.book.is_violated() {
                return self.watch.look(&self.cluster);
            }
            if self.sim().elapsed() > deadline {
                let what = format!("the replicas do not come to the same index: {standings:?}");
                return self.book.violate(what);
            }
            SimRuntime::sleep(GLANCE).await;
        }
    }

    /// Reads all keys on a node.
    async fn count(&self, node: NodeId) {
        let keys = self.history.keys();
        let mut found = BTreeMap::new();
        for key in keys {
            let call = self.book.instant();
            let reads = cluster::reads(&key);
            let running = self.cluster.running(node);
            let reading = async move {
                let running = running?;
                Some(running.store(Consistency::Linearizable, reads).await)
            };
            let read = self.sim().on(node, reading).await;
            let Ok(Some(Ok(served))) = read else {
                return self
                    .book
                    .violate(format!("{node} does not answer: {read:?}"));
            };
            let held = held(cluster::entry(&served.value).as_ref());
            self.history
                .counted(&key, call, served.position.index, held);
            found.insert(key, held);
        }
        self.history.check_once(&node.to_string(), &found);
    }
}
