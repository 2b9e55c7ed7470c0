//! Makes commands durable and ordered, and answers queries from a replica.
//!
//! ```text
//!   write ─▶ batcher ─▶ leader's raft ─▶ log (fdatasync on a majority) ─▶ apply ─▶ Outcome
//!   read  ─▶ pick a view (linearizable · session · stale) ─▶ SQLite snapshot ─▶ Answer
//!   watch ─▶ every event, as it is applied
//! ```

mod answer;
pub mod env;
pub mod sql;

pub use answer::{
    ClusterStatus, Consistency, MembershipError, NodeStatus, Position, ReadError, Role, Served,
    WriteError,
};

use std::sync::Arc;

use bytes::Bytes;
use domain::{Event, Outcome, Proposal, Query};

/// A running node. Cloning it is cheap; all clones are the same node.
#[derive(Clone)]
pub struct Engine {}

/// The events of this node as they are applied, from the moment [`Engine::watch`] was called.
pub struct Watch {}

/// The reader was too slow and events were dropped for it: read them again from the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed;

impl Watch {
    /// The next event. `Err(Missed)` if this reader fell behind; `Ok(None)` when the node stops.
    pub async fn next(&mut self) -> Result<Option<Event>, Missed> {
        Ok(None)
    }
}

impl Engine {
    /// Makes a command durable on a majority, applies it and answers its outcome. Any node takes
    /// it and forwards it to the leader.
    pub async fn write(&self, _proposal: Proposal) -> Result<Served<Outcome>, WriteError> {
        Err(WriteError::Stopping)
    }

    /// Runs a query against one consistent view of the state.
    pub async fn read<Q: Query>(
        &self,
        _consistency: Consistency,
        _query: Q,
    ) -> Result<Served<Q::Answer>, ReadError> {
        Err(ReadError::Stopping)
    }

    /// Follows the events that are applied from now on.
    pub fn watch(&self) -> Watch {
        Watch {}
    }

    /// The cluster as this node sees it now; cheap.
    pub fn status(&self) -> Arc<ClusterStatus> {
        unimplemented!()
    }

    /// What this node tells the others with each health check, at most 64 KiB; it appears in their
    /// [`NodeStatus::announced`] within seconds.
    pub fn announce(&self, _bytes: Bytes) {}

    /// The secret URL with which another node joins: `consorcio://…`.
    pub fn join_token(&self) -> String {
        String::new()
    }

    /// Takes a node out of the cluster. Forwarded to the leader.
    pub async fn remove_node(&self, _name: &str) -> Result<(), MembershipError> {
        Err(MembershipError::NoLeader)
    }
}
