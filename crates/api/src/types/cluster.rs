//! The cluster, its nodes, and the replicated store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a node is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Orders writes.
    Leader,
    /// Votes and replicates.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Replicates, does not vote yet.
    Learner,
}

/// A node as the node that answers sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its random id, 16 hexadecimal digits; a wiped disk loses it.
    pub id: String,
    /// What it is.
    pub role: NodeRole,
    /// Base URL of its HTTP front door.
    pub http: String,
    /// The address its peers use.
    pub peer: String,
    /// Whether it answered a health check within the last two seconds.
    pub healthy: bool,
    /// How long ago it answered, in milliseconds; `null` if never.
    pub last_contact_ms: Option<u64>,
    /// Round trip of the last health check, in microseconds.
    pub round_trip_us: Option<u64>,
    /// Raft term it was in by then.
    #[serde(default)]
    pub term: u64,
    /// For whom it last voted, in that term or an earlier one; itself if it stood.
    #[serde(default)]
    pub voted_for: Option<String>,
    /// Index of the last entry in its log.
    #[serde(default)]
    pub last_log: u64,
    /// Index up to which it knew that entries are committed.
    #[serde(default)]
    pub committed: u64,
    /// Log index it had applied by then.
    pub applied: u64,
    /// Index up to which its state has taken over from the log.
    #[serde(default)]
    pub snapshot: u64,
    /// Index up to which its log is purged.
    #[serde(default)]
    pub purged: u64,
    /// Entries of the leader's log that it lacks; `null` if that is not known.
    #[serde(default)]
    pub lag: Option<u64>,
    /// Its state hash at that index, 64 hexadecimal digits.
    pub state_hash: String,
    /// Whether its state differs from that of the others: it serves nothing, and is to be replaced.
    #[serde(default)]
    pub differs: bool,
    /// Ids of the areas it is assigned.
    pub areas: Vec<i64>,
    /// Its other front doors.
    #[serde(default)]
    pub doors: Doors,
}

/// Where a node serves other protocols than HTTP, `host:port` each; `null` where it serves none, or
/// nobody but its own machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doors {
    /// Redis clients.
    #[serde(default)]
    pub redis: Option<String>,
    /// gRPC clients.
    #[serde(default)]
    pub grpc: Option<String>,
    /// The lottery's agencies.
    #[serde(default)]
    pub lottery: Option<String>,
}

/// The cluster as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Random id of the cluster, 32 hexadecimal digits.
    pub id: String,
    /// The node that answers.
    pub node: String,
    /// The leader's name; `null` when there is none.
    pub leader: Option<String>,
    /// Raft term.
    pub term: u64,
    /// Index of the last log entry known to be committed.
    pub committed: u64,
    /// Log index that the answering node has applied.
    pub applied: u64,
    /// Its state hash at that index, 64 hexadecimal digits.
    pub state_hash: String,
    /// Whether the answering node can serve: it knows a leader.
    pub ready: bool,
    /// Every node, in node order (`n2` before `n10`).
    pub nodes: Vec<Node>,
}

/// That a node is to begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// Even if too few voters answer now for anything to be written until it is back.
    #[serde(default)]
    pub confirmed: bool,
}

/// A node that begins anew: it puts its data away, and joins under another id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rebuilding {
    /// Its name, which it keeps.
    pub name: String,
    /// The id that it leaves behind, 16 hexadecimal digits. It is back when a voter of its name has
    /// another.
    pub leaves: String,
}

/// The elections that the nodes remember, each its newest ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Elections {
    /// What each of them lived through, newest first. Times are those of the nodes' own clocks.
    pub elections: Vec<Election>,
    /// The members that could not be asked.
    pub silent: Vec<String>,
}

/// Something that happened at a node about who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Election {
    /// The node that remembers it.
    pub node: String,
    /// When, by its clock.
    pub at: String,
    /// The Raft term it was about.
    pub term: u64,
    /// What happened.
    pub event: ElectionEvent,
    /// Who got the vote (`voted`), or who leads (`leads`).
    pub who: Option<String>,
    /// Why there was an election, as far as the node knows.
    pub cause: Option<ElectionCause>,
    /// With `silence`, how long the leader had not been heard of, in milliseconds.
    pub silent_ms: Option<u64>,
    /// With `handed-over`, by whom.
    pub from: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ElectionEvent {
    /// The node started.
    Started,
    /// It asked for votes.
    Stood,
    /// It gave its vote.
    Voted,
    /// It learnt who leads.
    Leads,
}

/// Why there was an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ElectionCause {
    /// The cluster was founded.
    Founded,
    /// The node is the only one that votes.
    OnlyVoter,
    /// The leader was not heard of.
    Silence,
    /// No leader had been heard of since the node started, or since it led itself.
    NoLeader,
    /// The leader handed over.
    HandedOver,
    /// Somebody made a cluster of one from a survivor, by force.
    Forced,
}

/// Which nodes to ask about an area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// The area's id.
    pub area: i64,
    /// The nodes, best first: those the area is assigned to, then the other healthy ones.
    pub nodes: Vec<RouteNode>,
}

/// A node of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteNode {
    /// Its name.
    pub name: String,
    /// Base URL of its HTTP front door.
    pub http: String,
    /// Whether the area is assigned to it.
    pub assigned: bool,
    /// Whether it leads: writes need one hop less.
    pub leader: bool,
}

/// With this, another node joins: `consorcio serve --join <token>`. It is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    /// `consorcio://…`
    pub token: String,
}

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinToken").finish_non_exhaustive()
    }
}

/// The version of a key, also in `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyVersion {
    /// Of the last change: larger with each, and never used again, also if the key is removed and
    /// made anew. After a removal, the version the key had; 0 if it did not exist.
    pub version: i64,
}

/// Whether a node runs, or can serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `live`, `ready`, or why it is not ready.
    pub status: String,
    /// The node that answers.
    pub node: String,
    /// The leader's name, if one is known.
    pub leader: Option<String>,
    /// True while its disk is full: it takes no writes, and shows what it could still store.
    #[serde(default)]
    pub disk_full: bool,
}

/// Which program answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// `consorcio`.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The API's version: the first part of its paths.
    pub api: String,
}
