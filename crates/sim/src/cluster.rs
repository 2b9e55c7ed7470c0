//! A cluster of the production code in a world: starting, crashing and comparing its nodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::store::{Executed, Operation, Read, StoreReply, Write};
use domain::{Action, Actor, Proposal, RequestId};
use engine::{
    Consistency, JoinToken, Node, Options, Position, ReadError, Role, StartError, Tuning,
};

use crate::context::{NodeId, lock};
use crate::disk::Crash;
use crate::net::Network;
use crate::world::{Sim, SimEnv};

/// A node of the production code in a simulated world.
pub type SimNode = Node<SimEnv>;

/// Where every node keeps its data, on its own disk.
pub const DATA: &str = "/data";

/// A cluster that does not get there in this time never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often the harness looks whether something has come about.
const GLANCE: Duration = Duration::from_millis(50);

/// Segments and thresholds so small that a short run begins segments, takes snapshots and purges.
pub fn small() -> Tuning {
    Tuning {
        segment_bytes: 64 * 1024,
        compact_bytes: 48 * 1024,
        keep_bytes: 8 * 1024,
        ..Tuning::default()
    }
}

/// The nodes that run in a world. All clones are the same cluster.
#[derive(Clone)]
pub struct Cluster {
    /// The world it lives in.
    pub sim: Sim,
    tuning: Tuning,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    running: BTreeMap<NodeId, SimNode>,
    token: Option<JoinToken>,
}

impl Cluster {
    /// A cluster of which no node runs yet.
    pub fn new(sim: Sim, tuning: Tuning) -> Self {
        Cluster {
            sim,
            tuning,
            shared: Arc::default(),
        }
    }

    /// Starts all nodes of the world as one cluster and waits until all of them vote.
    pub async fn form(sim: Sim, tuning: Tuning) -> Self {
        let cluster = Cluster::new(sim, tuning);
        for node in cluster.sim.nodes() {
            cluster.start(node);
            cluster.until_running(node).await;
        }
        cluster.until_voters(cluster.sim.nodes().len()).await;
        cluster
    }

    /// Starts a node; the first one that ever runs makes the cluster, the others join it.
    ///
    /// # Panics
    /// In the node's own task, if it does not start.
    pub fn start(&self, node: NodeId) {
        self.start_or(node, move |error| panic!("{node} did not start: {error}"));
    }

    /// The token that an operator takes from a node that runs, or took before.
    fn token(&self) -> Option<JoinToken> {
        let mut running = self.sim.nodes().into_iter();
        let running = running.find_map(|node| self.running(node));
        let mut shared = self.shared();
        let newest = running.and_then(|running| running.join_token().parse().ok());
        shared.token = newest.or(shared.token.take());
        shared.token.clone()
    }

    /// Starts a node, and says so if it does not start.
    pub fn start_or(&self, node: NodeId, refused: impl FnOnce(StartError) + Send + 'static) {
        let join = self.token();
        let options = Options {
            name: node.to_string(),
            data: PathBuf::from(DATA),
            peer: Network::address(node),
            http: format!("http://{node}.invalid"),
            join,
            tuning: self.tuning.clone(),
        };
        let shared = self.shared.clone();
        drop(self.sim.start(node, move |env| async move {
            let running = match Node::start(env, options).await {
                Ok(running) => running,
                Err(error) => return refused(error),
            };
            let mut shared = lock(&shared);
            if let Ok(token) = running.join_token().parse() {
                shared.token.get_or_insert(token);
            }
            shared.running.insert(node, running);
        }));
    }

    /// Crashes a node, now or in the middle of one of its next writes.
    pub async fn crash_somehow(&self, node: NodeId) {
        self.sim.crash_somehow(node, Duration::from_secs(2)).await;
        self.forget(node);
    }

    /// Crashes a node.
    pub fn crash(&self, node: NodeId, crash: Crash) {
        self.sim.crash(node, crash);
        self.forget(node);
    }

    /// Stops a node as an operator does.
    pub async fn stop(&self, node: NodeId) {
        if let Some(running) = self.running(node) {
            let stopping = self.sim.on(node, async move { running.stop().await });
            // A crash on the way is an end as well.
            drop(stopping.await);
        }
        self.crash(node, Crash::KillOnly);
    }

    /// Starts every node that is down.
    pub fn start_all(&self) {
        for node in self.sim.nodes() {
            if !self.sim.is_up(node) {
                self.forget(node);
                self.start(node);
            }
        }
    }

    fn forget(&self, node: NodeId) {
        let forgotten = self.shared().running.remove(&node);
        drop(forgotten);
    }

    /// The node, if it has started and not crashed.
    pub fn running(&self, node: NodeId) -> Option<SimNode> {
        let running = self.shared().running.get(&node).cloned();
        running.filter(|_| self.sim.is_up(node))
    }

    /// Waits until a node runs.
    pub async fn until_running(&self, node: NodeId) -> SimNode {
        self.until("the node runs", || self.running(node)).await
    }

    /// Waits until all nodes that run know so many voters.
    pub async fn until_voters(&self, count: usize) {
        let knows = |node: &SimNode| {
            let status = node.status();
            let voters = status
                .nodes
                .iter()
                .filter(|node| node.role != Role::Learner);
            node.is_ready() && voters.count() == count
        };
        let running = || {
            self.sim
                .nodes()
                .into_iter()
                .filter_map(|node| self.running(node))
        };
        let all = || running().count() == count && running().all(|node| knows(&node));
        self.until("all nodes vote", || all().then_some(())).await;
    }

    /// The node that leads, as it says itself.
    pub async fn leader(&self) -> NodeId {
        let leads = |node: &NodeId| {
            let running = self.running(*node)?;
            let status = running.status();
            (running.is_ready() && status.leader.as_deref() == Some(&*status.node)).then_some(())
        };
        let find = || {
            self.sim
                .nodes()
                .into_iter()
                .find(|node| leads(node).is_some())
        };
        self.until("some node leads", find).await
    }

    /// Waits until all nodes have applied the same entries, and compares their state hashes.
    pub async fn until_equal(&self) {
        let nodes = self.sim.nodes();
        let standing = |node: &NodeId| {
            let status = self.running(*node).filter(SimNode::is_ready)?.status();
            Some((status.applied, status.committed, status.state_hash.clone()))
        };
        let settled = || {
            let standings: Option<Vec<_>> = nodes.iter().map(standing).collect();
            standings.filter(|all| all.iter().all(|one| one.0 == all[0].0 && one.0 == one.1))
        };
        let standings = self.until("all nodes are at the same index", settled).await;
        let equal = standings.iter().all(|one| one.2 == standings[0].2);
        assert!(
            equal,
            "the same entries gave different states: {standings:?}"
        );
    }

    /// Asks again and again until there is an answer.
    pub async fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let looks = PATIENCE.as_millis() / GLANCE.as_millis();
        for _ in 0..looks {
            if let Some(found) = found() {
                return found;
            }
            self.sim.sleep(GLANCE).await;
        }
        panic!("in {PATIENCE:?} it did not come about that {what}");
    }

    /// Reads a key on a node, as a task of it.
    pub async fn get(&self, node: NodeId, consistency: Consistency, key: &str) -> Reading {
        self.read(node, consistency, key).await.0
    }

    /// The same, with the place the answer was made from.
    pub async fn read(
        &self,
        node: NodeId,
        consistency: Consistency,
        key: &str,
    ) -> (Reading, Option<Position>) {
        let Some(running) = self.running(node) else {
            return (Reading::Died, None);
        };
        let reads = reads(key);
        let reading = self
            .sim
            .on(node, async move { running.store(consistency, reads).await });
        match reading.await {
            Ok(Ok(served)) => (Reading::Found(entry(&served.value)), Some(served.position)),
            Ok(Err(error)) => (Reading::Refused(error), None),
            Err(_) => (Reading::Died, None),
        }
    }

    /// Sizes in bytes of those files of a node whose names end so.
    pub fn file_sizes(&self, node: NodeId, ending: &str) -> Vec<u64> {
        let files = self.sim.disk(node).files_under(Path::new(DATA));
        let ends = |path: &Path| path.to_string_lossy().ends_with(ending);
        files
            .into_iter()
            .filter(|(path, _)| ends(path))
            .map(|(_, bytes)| bytes)
            .collect()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// How often it was written.
    pub version: i64,
}

/// Where it is counted how often a key was written.
fn times(key: &str) -> String {
    format!("times:{key}")
}

/// What reads a key's entry; see [`entry`].
pub(crate) fn reads(key: &str) -> Vec<Read> {
    let get = |key: String| Read::Get { key: key.into() };
    vec![get(key.to_owned()), get(times(key))]
}

/// The entry that the [`reads`] of a key have found.
pub(crate) fn entry(answers: &[domain::store::Answer]) -> Option<Entry> {
    let count = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    match answers {
        [Ok(StoreReply::Bytes(value)), Ok(StoreReply::Bytes(times))] => Some(Entry {
            value: value.to_vec(),
            // A count that is no number is no count that was ever written.
            version: count(times).unwrap_or(-1),
        }),
        [Ok(StoreReply::Nil), Ok(StoreReply::Nil)] => None,
        other => panic!("a key was read as {other:?}"),
    }
}

/// How often a key has been written, if that is what its last write was answered.
pub fn written(reply: &domain::Reply) -> Option<i64> {
    match reply {
        domain::Reply::Store(Executed::Done { results, .. }) => match results[..] {
            [Ok(StoreReply::Done), Ok(StoreReply::Integer(times))] => Some(times),
            _ => None,
        },
        _ => None,
    }
}

/// Removes a key and its count.
pub(crate) fn delete_action(key: &str) -> Action {
    Action::Store {
        conditions: Vec::new(),
        operations: vec![
            Operation::Read(Read::Get {
                key: times(key).into(),
            }),
            Operation::Write(Write::Delete {
                keys: vec![key.to_owned().into(), times(key).into()],
            }),
        ],
    }
}

/// How often a key had been written when it was removed, 0 if there was none; if that is what its
/// removal was answered.
pub(crate) fn deleted(reply: &domain::Reply) -> Option<i64> {
    match reply {
        domain::Reply::Store(Executed::Done { results, .. }) => match &results[..] {
            [Ok(StoreReply::Bytes(times)), Ok(StoreReply::Integer(2))] => {
                std::str::from_utf8(times).ok()?.parse().ok()
            }
            [Ok(StoreReply::Nil), Ok(StoreReply::Integer(0))] => Some(0),
            _ => None,
        },
        _ => None,
    }
}

/// What came of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// The entry of the key, if there is one.
    Found(Option<Entry>),
    /// It was refused.
    Refused(ReadError),
    /// The node is down.
    Died,
}

/// A command that stores a value and counts; `request` makes a retry safe.
pub fn put(key: &str, value: Vec<u8>, request: Option<&str>) -> Proposal {
    Proposal {
        actor: Actor::Anonymous,
        request: request.map(|key| RequestId {
            key: key.to_owned(),
            fingerprint: [7; 16],
        }),
        action: put_action(key, value),
    }
}

/// Stores a value and counts.
pub(crate) fn put_action(key: &str, value: Vec<u8>) -> Action {
    Action::Store {
        conditions: Vec::new(),
        operations: vec![
            Operation::Write(Write::set(key.to_owned(), value)),
            Operation::Write(Write::Add {
                key: times(key).into(),
                by: 1,
            }),
        ],
    }
}
