//! What openraft is told about our types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use domain::Outcome;
use openraft::impls::{BoxedErrorSource, InlineBatch, OneshotResponder, leader_id_std};
use openraft::{EntryPayload, RaftTypeConfig};
use serde::{Deserialize, Serialize};

use crate::env::Runtime;

/// A node's random id. A wiped disk loses it, and with it the right to vote under it.
pub type NodeId = u64;

/// Where a log entry stands: term of the leader that made it, and index.
pub type LogId = openraft::alias::LogIdOf<Types<crate::production::TokioRuntime>>;

/// A vote, as it is stored and sent.
pub type Vote = openraft::impls::Vote<leader_id_std::LeaderId<u64, NodeId>>;

/// The members and the changes under way.
pub type Membership = openraft::Membership<NodeId, Member>;

/// The members with the place in the log that made them so.
pub type StoredMembership = openraft::StoredMembership<
    <leader_id_std::LeaderId<u64, NodeId> as openraft::vote::RaftLeaderId>::Committed,
    NodeId,
    Member,
>;

/// The content of an entry.
pub type Payload = EntryPayload<Batch, NodeId, Member>;

/// A log entry. It is the same type whatever the runtime.
pub type Entry = openraft::Entry<
    <leader_id_std::LeaderId<u64, NodeId> as openraft::vote::RaftLeaderId>::Committed,
    Payload,
>;

/// openraft's type configuration on the runtime `R`.
pub struct Types<R>(PhantomData<fn() -> R>);

/// The commands of one log entry: all that the front doors had ready when it was proposed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The proposing leader's wall clock, milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// Random bytes from which each command's own are derived.
    pub seed: [u8; 32],
    /// Encoded [`domain::Proposal`]s.
    pub proposals: Arc<[Bytes]>,
}

/// The outcomes of a batch, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes(pub Vec<Outcome>);

/// What the membership knows of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name, unique among the members.
    pub name: String,
    /// `host:port` of its peer port.
    pub peer: String,
    /// Base URL of its HTTP front door.
    pub http: String,
}

impl Batch {
    /// The random bytes of the command at `number`: BLAKE3 of the seed and the number.
    pub fn entropy(&self, number: u32) -> [u8; 32] {
        *blake3::keyed_hash(&self.seed, &number.to_le_bytes()).as_bytes()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands", self.proposals.len())
    }
}

impl<R: Runtime> RaftTypeConfig for Types<R> {
    type D = Batch;
    type R = Outcomes;
    type NodeId = NodeId;
    type Node = Member;
    type Term = u64;
    type LeaderId = leader_id_std::LeaderId<u64, NodeId>;
    type Vote = Vote;
    type Payload = Payload;
    type Entry = Entry;
    type AsyncRuntime = R;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: openraft::OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: openraft::OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

// Derives would ask the same of `R`, which is only a marker here.
impl<R> Clone for Types<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Types<R> {}

impl<R> Default for Types<R> {
    fn default() -> Self {
        Types(PhantomData)
    }
}

impl<R> fmt::Debug for Types<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Types")
    }
}

impl<R> PartialEq for Types<R> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<R> Eq for Types<R> {}

impl<R> PartialOrd for Types<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Ord for Types<R> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
