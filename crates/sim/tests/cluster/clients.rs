//! Clients that write, remember what was acknowledged to them, and look whether it is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Proposal;
use engine::Consistency;
use openraft_rt::AsyncRuntime;
use sim::{Dice, NodeId, SimRuntime};

use crate::harness::{Cluster, Reading, put, written};

/// A key that all clients write, with request ids.
const SHARED_KEY: &str = "shared";

/// Pause before a refused write is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Longest pause of a client between two writes.
const PAUSE_MAX: Duration = Duration::from_millis(150);

/// The task of a client.
pub type ClientHandle = <SimRuntime as AsyncRuntime>::JoinHandle<()>;

/// What the clients know of their writes. All clones are the same book.
#[derive(Clone, Default)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
    stopping: Arc<AtomicBool>,
    /// Clients that have not finished.
    running: Arc<AtomicU64>,
}

#[derive(Default)]
struct Book {
    /// Each key that was written once, and whether that was acknowledged.
    keys: BTreeMap<String, bool>,
    /// Writes of the shared key that were acknowledged.
    shared: i64,
}

/// How a write ended.
enum Written {
    Acknowledged { index: u64 },
    Unknown,
}

impl Ledger {
    /// Lets `count` clients write until [`Ledger::stop`]; each then finishes what it has begun.
    pub fn open(
        &self,
        cluster: &Cluster,
        count: u64,
    ) -> Vec<<SimRuntime as AsyncRuntime>::JoinHandle<()>> {
        let client = |number| {
            let client = Client {
                cluster: cluster.clone(),
                ledger: self.clone(),
                dice: Dice::new(cluster.sim.seed(), 0x3000 + number),
                number,
            };
            self.running.fetch_add(1, Ordering::Relaxed);
            SimRuntime::spawn(client.run())
        };
        (0..count).map(client).collect()
    }

    /// Lets the clients finish what they have begun, which a cluster that works makes possible.
    pub async fn close(&self, cluster: &Cluster, clients: Vec<ClientHandle>) {
        self.stopping.store(true, Ordering::Relaxed);
        let done = || self.running.load(Ordering::Relaxed) == 0;
        cluster
            .until("all clients are served", || done().then_some(()))
            .await;
        for client in clients {
            client.await.expect("a client that does not panic");
        }
    }

    fn acknowledge(&self, key: &str) {
        let mut book = self.book.lock().unwrap();
        match key {
            SHARED_KEY => book.shared += 1,
            _ => drop(book.keys.insert(key.to_owned(), true)),
        }
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let book = self.book.lock().unwrap();
        book.keys
            .values()
            .filter(|acknowledged| **acknowledged)
            .count()
            + book.shared as usize
    }

    /// Every acknowledged write is there exactly once, on every node; no other more than once.
    pub async fn check(&self, cluster: &Cluster) {
        let (keys, shared) = {
            let book = self.book.lock().unwrap();
            (book.keys.clone(), book.shared)
        };
        for node in cluster.sim.nodes() {
            let versions = self.versions(cluster, node, keys.keys()).await;
            for ((key, acknowledged), version) in keys.iter().zip(versions) {
                assert!(
                    version <= 1,
                    "{node}: the write of {key} was applied {version} times"
                );
                assert!(
                    version == 1 || !acknowledged,
                    "{node}: the acknowledged {key} is lost"
                );
            }
            let version = read_version(cluster, node, SHARED_KEY).await;
            assert_eq!(
                version, shared,
                "{node}: writes of one key with request ids"
            );
        }
    }

    async fn versions(
        &self,
        cluster: &Cluster,
        node: NodeId,
        keys: impl Iterator<Item = &String>,
    ) -> Vec<i64> {
        let mut versions = Vec::new();
        for key in keys {
            versions.push(read_version(cluster, node, key).await);
        }
        versions
    }
}

async fn read_version(cluster: &Cluster, node: NodeId, key: &str) -> i64 {
    let applied = cluster
        .running(node)
        .map_or(0, |running| running.status().applied);
    match cluster.get(node, Consistency::Session(applied), key).await {
        Reading::Found(entry) => entry.map_or(0, |entry| entry.version),
        other => panic!("{node} does not answer: {other:?}"),
    }
}

struct Client {
    cluster: Cluster,
    ledger: Ledger,
    dice: Dice,
    number: u64,
}

impl Client {
    async fn run(mut self) {
        for turn in 0.. {
            if self.ledger.stopping.load(Ordering::Relaxed) {
                self.ledger.running.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let name = format!("c{}-{turn}", self.number);
            match self.dice.below(3) {
                0 => self.write_once(&name).await,
                1 => self.write_until_acknowledged(&name, &name).await,
                _ => self.write_until_acknowledged(SHARED_KEY, &name).await,
            }
            let pause = self.dice.within(&(Duration::ZERO..PAUSE_MAX));
            self.cluster.sim.sleep(pause).await;
        }
    }

    /// A write without a request id: nobody may try it twice.
    async fn write_once(&mut self, key: &str) {
        self.ledger
            .book
            .lock()
            .unwrap()
            .keys
            .insert(key.to_owned(), false);
        let value = self.value();
        if let Written::Acknowledged { index } = self.write(put(key, value, None)).await {
            self.ledger
                .book
                .lock()
                .unwrap()
                .keys
                .insert(key.to_owned(), true);
            self.must_see(key, index).await;
        }
    }

    /// A write with a request id, tried on any node until it is acknowledged.
    async fn write_until_acknowledged(&mut self, key: &str, request: &str) {
        let value = self.value();
        loop {
            let proposal = put(key, value.clone(), Some(request));
            if let Written::Acknowledged { index } = self.write(proposal).await {
                self.ledger.acknowledge(key);
                return self.must_see(key, index).await;
            }
            self.cluster.sim.sleep(RETRY).await;
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let size = if self.dice.one_in(10) { 10_000 } else { 200 };
        vec![self.dice.next() as u8; self.dice.below(size) as usize]
    }

    fn any_node(&mut self) -> NodeId {
        let nodes = self.cluster.sim.nodes();
        *self.dice.pick(&nodes)
    }

    async fn write(&mut self, proposal: Proposal) -> Written {
        let node = self.any_node();
        let Some(running) = self.cluster.running(node) else {
            return Written::Unknown;
        };
        let writing = self
            .cluster
            .sim
            .on(node, async move { running.write(proposal).await });
        let Ok(Ok(served)) = writing.await else {
            return Written::Unknown;
        };
        match served.value.result {
            Ok(reply) if written(&reply).is_some() => Written::Acknowledged {
                index: served.position.index,
            },
            other => panic!("a write was answered with {other:?}"),
        }
    }

    /// What was acknowledged is seen by a session and by a linearizable read, on any node that
    /// answers.
    async fn must_see(&mut self, key: &str, index: u64) {
        let consistency = match self.dice.below(4) {
            0 => Consistency::Session(index),
            1 => Consistency::Linearizable,
            _ => return,
        };
        let node = self.any_node();
        let reading = self.cluster.get(node, consistency, key).await;
        assert_ne!(
            reading,
            Reading::Found(None),
            "{node}, {consistency:?}: {key} is not seen"
        );
    }
}
