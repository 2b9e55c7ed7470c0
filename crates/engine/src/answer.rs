//! What the engine answers, and how it says no.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write acknowledged before the read began, on any node.
    Linearizable,
    /// Sees at least the state at this log index: the client's own writes and what it has read.
    Session(u64),
    /// Whatever this replica has; [`Position::age_ms`] tells how old it may be.
    Stale,
}

/// A value with the place it was served from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<T> {
    /// The value.
    pub value: T,
    /// Where and when.
    pub position: Position,
}

/// How often a node has asked on behalf of linearizable reads: see
/// [`crate::Engine::read_rounds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadRounds {
    /// Times that it had its majority confirm that it leads.
    pub confirmed: u64,
    /// Times that it asked the leader.
    pub told: u64,
}

/// Which state an answer was made from, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Log index: of the write, or of the newest entry a read saw.
    pub index: u64,
    /// Raft term the node was in.
    pub term: u64,
    /// The node that served it.
    pub node: Arc<str>,
    /// How long ago the node last knew itself to be up to date with the leader; 0 on the leader,
    /// for writes and for linearizable reads.
    pub age_ms: u64,
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum WriteError {
    /// A queue is full; nothing was done.
    #[error("too much is waiting; try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// There is no leader to order writes; nothing was done.
    #[error(
        "there is no leader: fewer than half of the nodes can be reached, or an election is \
         under way"
    )]
    NoLeader,
    /// The deadline passed, or the leader was lost while the write was under way: it may or may not
    /// have been applied. Retry with the same request id.
    #[error("the outcome is unknown: the write may or may not have been applied")]
    OutcomeUnknown,
    /// The command is larger than the log takes; nothing was done.
    #[error("the command has {size_bytes} bytes; at most {max_bytes} are accepted")]
    TooLarge {
        /// Encoded size.
        size_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The leader's disk is full; nothing was done.
    #[error("no space is left on the disk of the node that leads")]
    DiskFull,
    /// This node is stopping; nothing was done.
    #[error("the node is stopping")]
    Stopping,
    /// The state of this node differs from that of a majority; nothing was done.
    #[error("the state of this node differs from the others', so it serves nothing")]
    Outvoted,
    /// The log or the state of this node has failed and its process is about to end; nothing was
    /// done.
    #[error("this node cannot go on and serves nothing; ask another")]
    CannotGoOn,
    /// This node was removed from the cluster; nothing was done.
    #[error("this node was removed from the cluster and serves nothing; ask another")]
    Removed,
}

/// Why a read was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A queue is full.
    #[error("too much is waiting; try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// A linearizable read found no leader with a majority.
    #[error(
        "there is no leader: fewer than half of the nodes can be reached, or an election is \
         under way"
    )]
    NoLeader,
    /// The replica did not reach the state the client has already seen within the time allowed.
    #[error("this node is behind: it is at index {at}, the session is at {wanted}")]
    Behind {
        /// The replica's applied index.
        at: u64,
        /// The index that was asked for.
        wanted: u64,
    },
    /// What the read must see was written and cannot be shown: neither this node's disk has room
    /// nor the leader's.
    #[error(
        "no space is left on the disk, so what was written last cannot be shown yet; what is older \
         can be read"
    )]
    DiskFull,
    /// The database of this node failed.
    #[error("this node's state cannot be read: {0}")]
    Failed(String),
    /// This node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// The state of this node differs from that of a majority.
    #[error("the state of this node differs from the others', so it serves nothing")]
    Outvoted,
    /// The log or the state of this node has failed and its process is about to end.
    #[error("this node cannot go on and serves nothing; ask another")]
    CannotGoOn,
    /// This node was removed from the cluster.
    #[error("this node was removed from the cluster and serves nothing; ask another")]
    Removed,
}

/// Why a change of the members was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum MembershipError {
    /// There is no leader to make the change.
    #[error(
        "there is no leader: fewer than half of the nodes can be reached, or an election is \
         under way"
    )]
    NoLeader,
    /// There is no node of that name.
    #[error("there is no node named {0}")]
    UnknownNode(String),
    /// The change would leave the cluster without a working majority.
    #[error("refused: {0}")]
    Refused(String),
    /// It did not finish in time; `cluster status` tells how far it came.
    #[error("the change did not finish in time; look at the cluster's status")]
    TimedOut,
    /// The node that is to do something about itself does not answer.
    #[error(
        "{0} does not answer; on its machine, `consorcio cluster rebuild --data DIR` has it begin \
         anew at its next start"
    )]
    Silent(String),
}

/// What a node is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Orders writes.
    Leader,
    /// Votes and replicates.
    Follower,
    /// A voter that is asking for votes (known only of this node itself).
    Candidate,
    /// Replicates, does not vote yet.
    Learner,
}

/// The cluster as one node sees it.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    /// Random id of the cluster, 32 hexadecimal digits.
    pub cluster: String,
    /// The node that answers.
    pub node: Arc<str>,
    /// The leader's name, if one is known.
    pub leader: Option<String>,
    /// Raft term.
    pub term: u64,
    /// Index of the last entry known to be committed.
    pub committed: u64,
    /// Index this node has applied.
    pub applied: u64,
    /// BLAKE3 chain of the state at `applied`, 64 hexadecimal digits.
    pub state_hash: String,
    /// True if this node can serve: it knows a leader that it has heard of lately.
    pub ready: bool,
    /// Every member, ordered by name (`n2` before `n10`).
    pub nodes: Vec<NodeStatus>,
}

/// One member as another sees it.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its random id, which a wiped disk loses.
    pub id: u64,
    /// What it is.
    pub role: Role,
    /// Base URL of its HTTP front door.
    pub http: String,
    /// Address its peers use.
    pub peer: String,
    /// True if its state differs from the majority's, or from this node's: it serves nothing.
    pub differs: bool,
    /// True if it answered a health check within the last two seconds, and its state is right.
    pub healthy: bool,
    /// How long ago it answered; `None` if never. 0 for the node itself.
    pub last_contact_ms: Option<u64>,
    /// Round trip of the last health check in microseconds.
    pub round_trip_us: Option<u64>,
    /// Raft term it was in by then.
    pub term: u64,
    /// For whom it last voted, in that term or an earlier one; itself if it stood.
    pub voted_for: Option<String>,
    /// Index of the last entry in its log.
    pub last_log: u64,
    /// Index up to which it knew that entries are committed.
    pub committed: u64,
    /// Index it had applied.
    pub applied: u64,
    /// Index up to which its state has taken over from the log.
    pub snapshot: u64,
    /// Index up to which its log is purged.
    pub purged: u64,
    /// Entries of the leader's log that it lacks; `None` if that is not known.
    pub lag: Option<u64>,
    /// Its state hash at that index, 64 hexadecimal digits.
    pub state_hash: String,
    /// What its server announced: see [`crate::Engine::announce`].
    pub announced: Bytes,
}
