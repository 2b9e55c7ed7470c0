//! Every node checks every other, and tells how it is itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::RaftMetrics;
use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::{AsyncRuntime, Instant as _};

use crate::answer::{ClusterStatus, NodeStatus, Role};
use crate::env::{Env, Runtime as _};
use crate::identity::hex;
use crate::node::{InstantOf, Leader, Node, lock, millis};
use crate::peers::client::CallError;
use crate::peers::handshake::refusal_in;
use crate::peers::wire::{Pulse, Refusal, Request, Response};
use crate::types::{LogId, Member, NodeId, Types};

/// How often each node checks the others.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long a check may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A node that has not been heard for this long counts as dead.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Bytes that a node may announce with each check: they go to every other node four times a second.
pub const ANNOUNCE_MAX_BYTES: usize = 64 * 1024;

type MetricsOf<E> = RaftMetrics<Types<<E as Env>::Runtime>>;

/// What is known of another node.
pub struct Health<E: Env> {
    heard: Option<InstantOf<E>>,
    round_trip: Option<Duration>,
    pulse: Pulse,
    checking: bool,
    /// True if a node of another cluster was last found at its address.
    elsewhere: bool,
    /// True if its state was last found to differ from this node's at the same index.
    pub differs: bool,
}

impl<E: Env> Health<E> {
    /// What it last told of itself.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// When it was last heard of, and what its clock said then.
    pub fn clock(&self) -> Option<(InstantOf<E>, i64)> {
        Some((self.heard?, self.pulse.clock_ms))
    }
}

impl<E: Env> Default for Health<E> {
    fn default() -> Self {
        Health {
            heard: None,
            round_trip: None,
            pulse: Pulse::default(),
            checking: false,
            elsewhere: false,
            differs: false,
        }
    }
}

/// Checks the others until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    loop {
        let others = node.others();
        lock(&node.inner.health).retain(|id, _| others.iter().any(|(other, _)| other == id));
        for (id, member) in others {
            let mut health = lock(&node.inner.health);
            let health = health.entry(id).or_default();
            // A check that is still under way is waited for: a dead node must not pile them up.
            if !std::mem::replace(&mut health.checking, true) {
                drop(E::Runtime::spawn(check(node.clone(), id, member)));
            }
        }
        node.compare_states();
        E::Runtime::sleep(INTERVAL).await;
    }
}

async fn check<E: Env>(node: Node<E>, id: NodeId, member: Member) {
    let begun = InstantOf::<E>::now();
    let caller = node.peers().caller(id, &member.peer);
    let answer = caller.call(&Request::Ping(node.pulse()), TIMEOUT).await;
    let (mut round_trip, mut elsewhere) = (None, false);
    match answer {
        Ok(Response::Pong(pulse)) => {
            node.heard(pulse);
            round_trip = Some(InstantOf::<E>::now() - begun);
        }
        Ok(Response::Stranger(pulse, since)) => {
            node.is_told_stranger(&pulse, since);
            node.heard(pulse);
        }
        Err(CallError::Unreachable(error)) => {
            elsewhere = matches!(refusal_in(&error), Some(Refusal::Cluster));
        }
        Ok(_) | Err(CallError::Lost) => {}
    }
    if let Some(health) = lock(&node.inner.health).get_mut(&id) {
        health.checking = false;
        health.elsewhere = elsewhere;
        health.round_trip = round_trip.or(health.round_trip);
    }
}

impl<E: Env> Node<E> {
    /// How this node is, for the others.
    pub(crate) fn pulse(&self) -> Pulse {
        let standing = self.state().standing();
        let voted_for = self.last_vote().map(|vote| vote.leader_id.voted_for);
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let index = |log_id: Option<LogId>| log_id.map_or(0, |log_id| log_id.index);
        let options = &self.inner.options;
        Pulse {
            id: self.identity().id,
            name: options.name.clone(),
            peer: options.peer.clone(),
            http: options.http.clone(),
            term: metrics.current_term,
            leader: metrics.current_leader == Some(self.identity().id),
            voted_for,
            last_log: metrics.last_log_index.unwrap_or_default(),
            committed: index(metrics.local_committed),
            applied: index(standing.applied),
            snapshot: index(metrics.snapshot),
            purged: index(metrics.purged),
            state_hash: standing.hash.0,
            outvoted: self.is_outvoted(),
            has_room: self.has_room(),
            clock_ms: E::Runtime::wall_clock_ms(),
            announced: lock(&self.inner.announced).clone(),
        }
    }

    /// Notes that a node has told how it is.
    pub(crate) fn heard(&self, pulse: Pulse) {
        let mut health = lock(&self.inner.health);
        let health = health.entry(pulse.id).or_default();
        health.heard = Some(InstantOf::<E>::now());
        health.pulse = pulse;
    }

    /// True if the node was heard of lately; always of the node itself.
    pub(crate) fn is_alive(&self, id: NodeId) -> bool {
        id == self.identity().id
            || self
                .silence(id)
                .is_some_and(|silence| silence < SILENCE_MAX)
    }

    /// True if a node of another cluster was last found at the address of a member.
    pub(crate) fn is_elsewhere(&self, id: NodeId) -> bool {
        let health = lock(&self.inner.health);
        health.get(&id).is_some_and(|health| health.elsewhere)
    }

    pub(crate) fn silence(&self, id: NodeId) -> Option<Duration> {
        let heard = lock(&self.inner.health).get(&id)?.heard?;
        Some(InstantOf::<E>::now() - heard)
    }

    /// What another node last told of itself.
    pub(crate) fn last_pulse(&self, id: NodeId) -> Option<Pulse> {
        let health = lock(&self.inner.health);
        let known = health.get(&id).filter(|health| health.heard.is_some());
        known.map(|health| health.pulse.clone())
    }

    /// The voter to lead after this node: with room on its disk, and furthest along.
    pub(crate) fn successor(&self) -> Option<NodeId> {
        self.able_voters().max_by_key(|id| {
            let pulse = self.last_pulse(*id);
            pulse.map(|pulse| (pulse.has_room, pulse.applied))
        })
    }

    /// The other voters that are alive and of the same state.
    pub(crate) fn able_voters(&self) -> impl Iterator<Item = NodeId> {
        let voters: Vec<NodeId> = self.raft().voter_ids().collect();
        let able =
            |id: &NodeId| *id != self.identity().id && self.is_alive(*id) && !self.differs(*id);
        voters.into_iter().filter(able)
    }

    /// The cluster as this node sees it now.
    pub fn status(&self) -> Arc<ClusterStatus> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader;
        let name_of = |id: NodeId| membership.get_node(&id).map(|member| member.name.clone());
        // While voters are being changed, a vote counts for sure only if old and new agree on it.
        let is_voter = |id: NodeId| {
            membership
                .get_joint_config()
                .iter()
                .all(|c| c.contains(&id))
        };
        let role = |id: NodeId| match () {
            () if leader == Some(id) => Role::Leader,
            () if !is_voter(id) => Role::Learner,
            () if id == self.identity().id && metrics.state.is_candidate() => Role::Candidate,
            () => Role::Follower,
        };
        let nodes = membership.nodes();
        let mut nodes: Vec<NodeStatus> = nodes
            .map(|(id, member)| self.node_status(*id, member, role(*id)))
            .collect();
        self.note_lag(&metrics, &mut nodes);
        nodes.sort_by_cached_key(|node| natural(&node.name));
        let own = self.pulse();
        Arc::new(ClusterStatus {
            cluster: hex(&self.identity().cluster),
            node: own.name.as_str().into(),
            leader: leader.and_then(name_of),
            term: metrics.current_term,
            committed: metrics
                .local_committed
                .map_or(0, |committed| committed.index),
            applied: own.applied,
            state_hash: hex(&own.state_hash),
            ready: self.is_ready(),
            nodes,
        })
    }

    /// Fills in how many entries of the leader's log each node lacks: the leader knows at once,
    /// the others from what was last told.
    fn note_lag(&self, metrics: &MetricsOf<E>, nodes: &mut [NodeStatus]) {
        let leader = metrics.current_leader;
        let log_of = |node: &NodeStatus| (Some(node.id) == leader).then_some(node.last_log);
        let Some(leads_to) = nodes.iter().find_map(log_of) else {
            return;
        };
        for node in nodes {
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|all| all.get(&node.id));
            let has = match matched {
                Some(matched) => matched.map_or(0, |matched| matched.index),
                None => node.last_log,
            };
            let heard = node.last_contact_ms.is_some() || matched.is_some();
            node.lag = heard.then(|| leads_to.saturating_sub(has));
        }
    }

    fn node_status(&self, id: NodeId, member: &Member, role: Role) -> NodeStatus {
        let own = id == self.identity().id;
        let pulse = if own {
            Some(self.pulse())
        } else {
            self.last_pulse(id)
        };
        let pulse = pulse.unwrap_or_default();
        // The one that is outvoted is the one that differs.
        let differs = if own || self.is_outvoted() {
            own && self.is_outvoted()
        } else {
            self.differs(id)
        };
        let round_trip = lock(&self.inner.health)
            .get(&id)
            .and_then(|health| health.round_trip);
        NodeStatus {
            name: member.name.clone(),
            id,
            role,
            http: member.http.clone(),
            peer: member.peer.clone(),
            healthy: self.is_alive(id) && !differs && (!own || self.leader() != Leader::Nobody),
            differs,
            last_contact_ms: if own {
                Some(0)
            } else {
                self.silence(id).map(millis)
            },
            round_trip_us: round_trip
                .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            term: pulse.term,
            voted_for: pulse.voted_for.map(|id| self.name_of(id)),
            last_log: pulse.last_log,
            committed: pulse.committed,
            applied: pulse.applied,
            snapshot: pulse.snapshot,
            purged: pulse.purged,
            lag: None,
            state_hash: hex(&pulse.state_hash),
            announced: if own { Bytes::new() } else { pulse.announced },
        }
    }
}

/// Orders `n2` before `n10`: runs of digits compare as numbers.
pub(crate) fn natural(name: &str) -> Vec<(u128, String)> {
    let mut parts: Vec<(u128, String)> = Vec::new();
    let mut digits = false;
    for letter in name.chars() {
        let number = letter.to_digit(10);
        match (number, parts.last_mut()) {
            (Some(digit), Some(last)) if digits => {
                last.0 = last.0.saturating_mul(10).saturating_add(u128::from(digit));
            }
            (Some(digit), _) => parts.push((u128::from(digit), String::new())),
            (None, Some(last)) if !digits => last.1.push(letter),
            (None, _) => parts.push((u128::MAX, letter.to_string())),
        }
        digits = number.is_some();
    }
    parts
}
