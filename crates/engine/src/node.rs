//! A running node: Raft, the log, the state and the peers, put together.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft::Raft;
use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::AsyncRuntime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::chunks::{self, Chunks};
use crate::elections::{self, History};
use crate::env::{Env, Runtime as _};
use crate::fault::{self, Failure};
use crate::fitness;
use crate::health::Health;
use crate::heard::Heard;
use crate::identity::{self, Identity, Stage};
use crate::log::{self, Log, LogOptions};
use crate::majority::MAJORITY_SILENCE_MAX;
use crate::options::{Options, raft_config};
use crate::peers::network::Network;
use crate::peers::wire::ReadPoint;
use crate::peers::{Peers, server};
use crate::rebuild::Leaving;
use crate::rounds::Rounds;
use crate::start::{self, StartError};
use crate::state::State;
use crate::types::{Member, NodeId, Types};
use crate::writes::{self, Queue, Waiting};
use crate::{compaction, health, members, notices};

/// How often is looked whether something awaited has come about.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// A follower that has not heard of its leader for this long does not call itself ready.
const LEADER_SILENCE_MAX: Duration = Duration::from_secs(3);

/// A node. Cloning it is cheap; all clones are the same node.
pub struct Node<E: Env> {
    pub(crate) inner: Arc<Inner<E>>,
}

pub(crate) type RaftOf<E> = Raft<Types<<E as Env>::Runtime>, State<E>>;

pub(crate) type InstantOf<E> = <<E as Env>::Runtime as AsyncRuntime>::Instant;

pub(crate) struct Inner<E: Env> {
    pub env: E,
    pub options: Options,
    pub identity: Arc<Identity>,
    pub name: Arc<str>,
    pub raft: RaftOf<E>,
    pub log: Log<E>,
    pub state: State<E>,
    pub peers: Peers<E>,
    pub chunks: Chunks<E>,
    /// Turns for chunks that are stored or fetched for others.
    pub transfers: Semaphore,
    pub queue: Queue,
    /// Confirmations by the majority, for a leader.
    pub confirmed: Arc<Rounds<Option<ReadPoint>>>,
    /// Questions to the leader.
    pub told: Arc<Rounds<Option<ReadPoint>>>,
    pub health: Mutex<BTreeMap<NodeId, Health<E>>>,
    pub elections: History,
    pub heard: Mutex<Heard<E>>,
    pub announced: Mutex<Bytes>,
    receiving: Arc<tokio::sync::Mutex<()>>,
    recovered: AtomicBool,
    /// True once members of another cluster have looked for one of theirs here.
    pub missed: AtomicBool,
    /// True once this node's state differs from a majority's.
    pub outvoted: AtomicBool,
    /// True once this node is no member any more.
    pub removed: AtomicBool,
    /// Cancelled once either is so: what it would tell its readers is wrong or old.
    pub silenced: CancellationToken,
    /// How far this node has come to beginning anew.
    pub leaving: Leaving,
    pub failure: Failure,
    pub stopping: CancellationToken,
}

impl<E: Env> Clone for Node<E> {
    fn clone(&self) -> Self {
        Node {
            inner: Arc::clone(&self.inner),
        }
    }
}

/// Who leads, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This node.
    Me,
    /// Another, with its peer address.
    Peer(NodeId, String),
    /// Unknown.
    Nobody,
}

impl<E: Env> Node<E> {
    /// Opens or makes the data directory, starts the node and, if it is to join a cluster, waits
    /// until it is a member.
    pub async fn start(env: E, options: Options) -> Result<Self, StartError> {
        let identity = Arc::new(start::identify(&env, &options).await?);
        let dir = log::dir(&options.data);
        let segment_bytes = options.tuning.segment_bytes;
        let log = Log::open(&env, LogOptions { dir, segment_bytes }).await?;
        let state = State::open(&env, &options.data, &log)
            .await
            .map_err(StartError::State)?;
        start::check_log::<E>(&log, &state).await?;
        let chunks = Chunks::open(&env, &options.data).await?;
        let elections = History::new(start::past_elections(&env, &options).await?);
        elections.note_start(E::Runtime::wall_clock_ms(), log.vote());
        let peers = Peers::new(env.clone(), Arc::clone(&identity));
        let network = Network {
            peers: peers.clone(),
            state: state.clone(),
        };
        let config = raft_config(&options.tuning, &identity)
            .map_err(|error| StartError::Raft(error.to_string()))?;
        let raft = Raft::new(identity.id, config, network, log.clone(), state.clone())
            .await
            .map_err(|error| StartError::Raft(error.to_string()))?;
        let (queue, waiting) = writes::queue();
        let node = Node {
            inner: Arc::new(Inner {
                env,
                name: options.name.as_str().into(),
                options,
                identity,
                raft,
                log,
                state,
                peers,
                chunks,
                transfers: Semaphore::new(chunks::TRANSFERS_MAX),
                queue,
                confirmed: Arc::default(),
                told: Arc::default(),
                health: Mutex::new(BTreeMap::new()),
                elections,
                heard: Mutex::default(),
                announced: Mutex::new(Bytes::new()),
                receiving: Arc::default(),
                recovered: AtomicBool::new(false),
                missed: AtomicBool::new(false),
                outvoted: AtomicBool::new(false),
                removed: AtomicBool::new(false),
                silenced: CancellationToken::new(),
                leaving: Leaving::default(),
                failure: Failure::default(),
                stopping: CancellationToken::new(),
            }),
        };
        node.begin(waiting);
        match node.become_member().await {
            Ok(()) => Ok(node),
            Err(error) => {
                node.stop().await;
                Err(error)
            }
        }
    }

    fn begin(&self, waiting: Waiting) {
        self.spawn(server::run(self.clone()));
        self.spawn(writes::run(self.clone(), waiting));
        self.spawn(health::run(self.clone()));
        self.spawn(fitness::run(self.clone()));
        self.spawn(elections::run(self.clone()));
        self.spawn(notices::run(self.clone()));
        self.spawn(members::run(self.clone()));
        self.spawn(compaction::run(self.clone()));
        self.spawn(chunks::repair(self.clone()));
        self.spawn(chunks::scrub(self.clone()));
        self.spawn(note_recovery(self.clone()));
        self.spawn(fault::run(self.clone()));
    }

    /// Runs a task until it ends or the node stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.inner.stopping.clone();
        let until_stopped = async move {
            E::Runtime::select2(Box::pin(stopping.cancelled()), Box::pin(task)).await;
        };
        drop(E::Runtime::spawn(until_stopped));
    }

    async fn become_member(&self) -> Result<(), StartError> {
        let inner = &self.inner;
        match inner.identity.stage {
            Stage::Founding => {
                let members = BTreeMap::from([(inner.identity.id, self.member())]);
                if !self.is_initialized().await? {
                    let made = inner.raft.initialize(members).await;
                    made.map_err(|error| StartError::Raft(error.to_string()))?;
                }
            }
            Stage::Joining => {
                let missing = || StartError::Join("the join token is missing".to_owned());
                members::join(self, inner.options.join.as_ref().ok_or_else(missing)?).await?;
            }
            Stage::Member if self.is_initialized().await? => return self.lead_if_alone().await,
            Stage::Member => return Err(StartError::LogLost),
        }
        let begun = E::Runtime::timeout(members::DEADLINE, Box::pin(self.log_begun()));
        begun
            .await
            .map_err(|_| StartError::Join("the leader sent no log in time".to_owned()))??;
        let member = Identity {
            stage: Stage::Member,
            ..(*inner.identity).clone()
        };
        let (disk, data) = (inner.env.disk().clone(), inner.options.data.clone());
        E::Runtime::spawn_blocking(move || member.save(&disk, &data)).await??;
        Ok(())
    }

    /// The only voter has nobody to wait for: it is elected at once.
    async fn lead_if_alone(&self) -> Result<(), StartError> {
        let raft = &self.inner.raft;
        if raft.voter_ids().eq([self.inner.identity.id]) {
            let asked = raft.trigger().elect(false).await;
            asked.map_err(|error| StartError::Raft(error.to_string()))?;
        }
        Ok(())
    }

    /// Waits for the first of the log to be durable. A member without it counts as one that lost
    /// its log, and neither `initialize` nor the leader's consent has waited for the disk.
    async fn log_begun(&self) -> Result<(), StartError> {
        while !self.is_initialized().await? {
            E::Runtime::sleep(POLL).await;
        }
        Ok(self.inner.log.barrier().await?)
    }

    async fn is_initialized(&self) -> Result<bool, StartError> {
        let initialized = self.inner.raft.is_initialized().await;
        initialized.map_err(|error| StartError::Raft(error.to_string()))
    }

    /// What this node tells the others with each health check; see
    /// [`crate::NodeStatus::announced`]. At most 64 KiB: what is longer is cut off.
    pub fn announce(&self, bytes: Bytes) {
        let end = bytes.len().min(health::ANNOUNCE_MAX_BYTES);
        *lock(&self.inner.announced) = bytes.slice(..end);
    }

    /// The random id of the cluster, 32 hexadecimal digits.
    pub fn cluster(&self) -> String {
        identity::hex(&self.inner.identity.cluster)
    }

    /// The secret URL with which another node joins.
    pub fn join_token(&self) -> String {
        let own = self.inner.options.peer.clone();
        let others = self.others().into_iter().map(|(_, member)| member.peer);
        let peers = std::iter::once(own).chain(others).collect();
        self.inner.identity.token(peers).to_string()
    }

    /// True if this node leads, as far as it knows.
    pub fn is_leading(&self) -> bool {
        let leader = self.inner.raft.metrics().borrow_watched().current_leader;
        leader == Some(self.inner.identity.id)
    }

    pub(crate) fn leader(&self) -> Leader {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        match metrics.current_leader {
            Some(id) if id == self.inner.identity.id => Leader::Me,
            Some(id) => {
                let member = metrics.membership_config.membership().get_node(&id);
                member.map_or(Leader::Nobody, |member| {
                    Leader::Peer(id, member.peer.clone())
                })
            }
            None => Leader::Nobody,
        }
    }

    /// True if the node can serve.
    pub fn is_ready(&self) -> bool {
        let within =
            |silence: Option<Duration>, bound| silence.is_some_and(|silence| silence < bound);
        let knows_leader = match self.leader() {
            Leader::Me => within(self.majority_silence(), MAJORITY_SILENCE_MAX),
            Leader::Peer(..) => within(self.leader_silence(), LEADER_SILENCE_MAX),
            Leader::Nobody => false,
        };
        knows_leader
            && self.inner.recovered.load(Ordering::Relaxed)
            && !self.is_stopping()
            && !self.has_failed()
            && !self.is_outvoted()
            && !self.is_removed()
    }

    /// Why it cannot, in a few words.
    pub fn why_not_ready(&self) -> &'static str {
        let elsewhere = |(id, _): &(NodeId, Member)| self.is_elsewhere(*id);
        match () {
            () if self.is_outvoted() => "out of service: its state differs from the others'",
            () if self.is_removed() => "out of service: it was removed from the cluster",
            () if self.others().iter().any(elsewhere) => {
                "not ready: its peers belong to another cluster"
            }
            () => "not ready",
        }
    }

    /// False while the disk of this node is full.
    pub fn has_room(&self) -> bool {
        self.inner.log.has_room() && self.inner.state.has_room()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stopping.is_cancelled()
    }

    pub(crate) fn term(&self) -> u64 {
        self.inner.raft.metrics().borrow_watched().current_term
    }

    pub(crate) fn member(&self) -> Member {
        let options = &self.inner.options;
        Member {
            name: options.name.clone(),
            peer: options.peer.clone(),
            http: options.http.clone(),
        }
    }

    /// Every other member.
    pub(crate) fn others(&self) -> Vec<(NodeId, Member)> {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let nodes = metrics.membership_config.membership().nodes();
        let others = nodes.filter(|(id, _)| **id != self.inner.identity.id);
        others.map(|(id, member)| (*id, member.clone())).collect()
    }

    pub(crate) fn env(&self) -> &E {
        &self.inner.env
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    pub(crate) fn raft(&self) -> &RaftOf<E> {
        &self.inner.raft
    }

    pub(crate) fn state(&self) -> &State<E> {
        &self.inner.state
    }

    pub(crate) fn chunks(&self) -> &Chunks<E> {
        &self.inner.chunks
    }

    pub(crate) fn peers(&self) -> &Peers<E> {
        &self.inner.peers
    }

    pub(crate) fn receiving(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.receiving
    }
}

/// After a start the state may be behind what this node has shown before, and behind what others
/// have. It is not ready until it has caught up with a commit that covers its log, and readers see
/// all that was acknowledged anywhere before it knew its leader.
async fn note_recovery<E: Env>(node: Node<E>) {
    if let Err(error) = node.inner.raft.wait_for_recovery(None).await {
        tracing::debug!(%error, "stopped before the log was applied");
        return;
    }
    // Applied is not visible yet: the state is committed behind the log.
    let index = node.agreed_point().await.index;
    node.inner.state.visible(index).await;
    node.inner.recovered.store(true, Ordering::Relaxed);
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
