//! What nodes say to each other.
//!
//! A connection begins with a handshake in which both ends prove, without saying it, that they
//! hold the cluster's secret. After it the connection serves one [`Purpose`]. Nothing is encrypted:
//! the peer port belongs on a private network.

use bytes::Bytes;
use domain::Outcome;
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::answer::{MembershipError, WriteError};
use crate::chunks::{Chunk, ChunkError, ChunkHash, Look};
use crate::elections::Election;
use crate::env::Runtime;
use crate::types::{LogId, NodeId, StoredMembership, Types, Vote};

/// Version of everything in this file. Nodes of different versions do not talk. What is only said
/// when somebody asks for it may be added at the end of an enum within a version: a node that does
/// not know it ends the connection, and whoever asked is told that there was no answer.
pub const VERSION: u16 = 7;

/// First frame of the side that connects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of the sender.
    pub version: u16,
    /// The cluster it belongs to.
    pub cluster: [u8; 16],
    /// Who it is.
    pub from: NodeId,
    /// Whom it wants; `None` takes any member.
    pub to: Option<NodeId>,
    /// What the connection is for.
    pub purpose: Purpose,
    /// Random bytes that the other side must answer.
    pub challenge: [u8; 32],
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Requests and responses, many at a time: see [`Request`].
    Calls,
    /// The same about chunks, a few at a time: they must not stand before a vote or a check.
    Chunks,
    /// A stream of append requests, answered in order.
    Append,
    /// One snapshot.
    Snapshot,
}

/// First frame of the side that accepts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Welcome {
    /// It goes on.
    Accepted {
        /// Proof that the accepting side knows the secret.
        proof: [u8; 32],
        /// Random bytes that the connecting side must answer with its own proof.
        challenge: [u8; 32],
    },
    /// It does not, and why.
    Refused(Refusal),
}

/// Why a connection was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The other side speaks another version.
    #[error("the peer speaks version {0} of the peers' protocol")]
    Version(u16),
    /// The other side belongs to another cluster.
    #[error("the peer belongs to another cluster")]
    Cluster,
    /// The address belongs to another node now: the one that was wanted is gone.
    #[error("the peer at this address is another node")]
    Node,
}

/// A request on a connection for calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Request<R: Runtime> {
    /// Raft: asks for a vote.
    Vote(VoteRequest<Types<R>>),
    /// Raft: asks whether a vote would be given.
    PreVote(VoteRequest<Types<R>>),
    /// Raft: the leader hands over.
    TransferLeader(TransferLeaderRequest<Types<R>>),
    /// Commands for the leader: encoded [`domain::Proposal`]s.
    Propose(Vec<Bytes>),
    /// Asks the leader what a linearizable read must see.
    ReadPoint,
    /// Health check, both ways.
    Ping(Pulse),
    /// A node wants to join.
    Join(Candidate),
    /// A member is to be removed.
    Remove(String),
    /// Asks for the elections that the node remembers.
    Elections,
    /// The node that is asked is to begin anew.
    Rebuild {
        /// Even if no majority is left for a while.
        confirmed: bool,
    },
    /// A chunk to store.
    PutChunk(Chunk),
    /// Asks for a chunk.
    GetChunk(ChunkHash),
    /// Asks which of these chunks the node does not have.
    LacksChunks(Vec<ChunkHash>, Look),
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Response<R: Runtime> {
    /// To a vote or pre-vote.
    Vote(VoteResponse<Types<R>>),
    /// To a transfer of leadership.
    TransferLeader(openraft::raft::TransferLeaderResponse<Types<R>>),
    /// To proposals.
    Proposed(Result<Proposed, WriteError>),
    /// What such a read must see; `None` if this is not the leader or it cannot prove it.
    ReadPoint(Option<ReadPoint>),
    /// To a health check.
    Pong(Pulse),
    /// The same to one that is not among the members, with their place in the log.
    Stranger(Pulse, LogId),
    /// To a join.
    Joined(Result<(), JoinError>),
    /// To a removal.
    Removed(Result<(), MembershipError>),
    /// The elections that the node remembers, oldest first.
    Elections(Vec<Election>),
    /// This node is not the leader; the one it knows, by peer address.
    NotLeader(Option<String>),
    /// The node cannot answer: it is stopping or has failed.
    Unavailable(String),
    /// To a rebuild: the id that the node leaves behind.
    Rebuilding(Result<NodeId, MembershipError>),
    /// To a chunk to store: whether it is durable.
    PutChunk(Result<(), ChunkError>),
    /// To a question for a chunk: its bytes, if the node has it.
    GetChunk(Result<Option<Bytes>, ChunkError>),
    /// The chunks that the node does not have.
    LacksChunks(Result<Vec<ChunkHash>, ChunkError>),
}

/// What a read must see, so that it comes after every write acknowledged before it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPoint {
    /// The last log entry that it must see.
    pub index: u64,
    /// Which keys have expired for it, in milliseconds since 1970 (UTC). A linearizable read goes
    /// by the clock of the leader, as writes do: two nodes whose clocks differ would otherwise show
    /// a key after it was seen to be gone.
    pub now_ms: i64,
}

/// What the leader made of proposals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposed {
    /// One for each proposal, in order.
    pub outcomes: Vec<Outcome>,
    /// The entry they are in.
    pub log_id: LogId,
}

/// How a node is, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// Who says so.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Address of its peer port.
    pub peer: String,
    /// Base URL of its HTTP front door.
    pub http: String,
    /// Its Raft term.
    pub term: u64,
    /// True if it leads in that term.
    pub leader: bool,
    /// For whom it has last voted, in that term or an earlier one; itself if it stood.
    pub voted_for: Option<NodeId>,
    /// Index of the last entry in its log.
    pub last_log: u64,
    /// Index up to which it knows that entries are committed.
    pub committed: u64,
    /// Index it has applied.
    pub applied: u64,
    /// Index up to which its state has taken over from the log.
    pub snapshot: u64,
    /// Index up to which its log is purged.
    pub purged: u64,
    /// State hash at that index.
    pub state_hash: [u8; 32],
    /// True if its state differs from a majority's: it serves nothing, and its name is free for
    /// the node that takes its place.
    pub outvoted: bool,
    /// False while its disk is full.
    pub has_room: bool,
    /// Its wall clock, in milliseconds since 1970.
    pub clock_ms: i64,
    /// What its server announces.
    pub announced: Bytes,
}

/// A node that wants to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its random id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Address of its peer port.
    pub peer: String,
    /// Base URL of its HTTP front door.
    pub http: String,
}

/// Why a node may not join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JoinError {
    /// A live member has that name.
    #[error("a node named {0} is a member and alive; choose another name with --name")]
    NameTaken(String),
    /// The member of that name is dead, and replacing it now would lose the majority.
    #[error("refused: {0}")]
    Refused(String),
    /// It was not finished in time.
    #[error("the cluster did not answer in time")]
    TimedOut,
}

/// First frame of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotStart {
    /// The leader's vote.
    pub vote: Vote,
    /// The last entry the state holds.
    pub last_log_id: Option<LogId>,
    /// The members as of that entry.
    pub membership: StoredMembership,
    /// Bytes that follow.
    pub size_bytes: u64,
}

/// Last frame of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotEnd {
    /// BLAKE3 of all its bytes.
    pub hash: [u8; 32],
}

/// The answer to a snapshot.
pub type SnapshotAnswer<R> = Result<SnapshotResponse<Types<R>>, String>;

/// One request of an append stream.
pub type AppendRequest<R> = AppendEntriesRequest<Types<R>>;

/// One answer of an append stream.
pub type AppendAnswer<R> = Result<openraft::raft::StreamAppendResult<Types<R>>, String>;

/// A frame could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer sent a frame that cannot be read")]
pub struct Garbled;

/// Encodes a message.
pub fn encode<T: Serialize>(message: &T) -> Bytes {
    // Extending a Vec cannot fail, and every message has a serialisation.
    postcard::to_stdvec(message).unwrap_or_default().into()
}

/// Decodes a message that fills the frame.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, Garbled> {
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(Garbled),
    }
}
