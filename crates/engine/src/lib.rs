//! Makes commands durable and ordered, and answers queries from a replica.
//!
//! ```text
//!   write ─▶ batcher ─▶ leader's raft ─▶ log (fdatasync on a majority) ─▶ apply ─▶ Outcome
//!   read  ─▶ pick a view (linearizable · session · stale) ─▶ SQLite snapshot ─▶ Answer
//!   watch ─▶ every event, as it is applied
//! ```

mod agreement;
mod answer;
mod chunks;
mod compaction;
mod drills;
mod elections;
pub mod env;
mod fault;
mod fitness;
mod frames;
mod health;
mod heard;
pub mod identity;
mod links;
pub mod log;
mod majority;
mod members;
pub mod node;
mod notices;
mod options;
mod peers;
pub mod production;
mod reads;
pub mod rebuild;
mod recover;
mod removal;
mod rounds;
pub mod sql;
mod start;
pub mod state;
mod stop;
pub mod types;
mod writes;

pub use answer::{
    ClusterStatus, Consistency, MembershipError, NodeStatus, Position, ReadError, ReadRounds, Role,
    Served, WriteError,
};
pub use chunks::{CHUNK_GRACE, CHUNK_MAX_BYTES, Chunk, ChunkError, ChunkHash};
pub use drills::UnknownPeer;
pub use elections::{Cause, ELECTIONS_MAX, Election, Happened, NodeElections};
pub use identity::{JoinToken, NotAToken};
pub use links::Harm;
pub use node::Node;
pub use options::{Options, Tuning};
pub use reads::{KeyWatch, Missed, Watch};
pub use rebuild::When;
pub use recover::{RecoverError, Recovered, recover};
pub use start::StartError;

/// A node in production.
pub type Engine = Node<production::Production>;
