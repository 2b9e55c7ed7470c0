//! The front doors without data: a proxy before the nodes of a cluster.
//!
//! ```text
//!   HTTP ──────▶ http: changes ─▶ the leader · readings ─▶ the followers, evenly
//!   Redis ─────▶ ╮                           │
//!   gRPC ──────▶ ├ tcp: bytes as they come ──┤
//!   agencies ──▶ ╯                           ▼
//!                members: who there is, who leads, who lives; each node is asked twice a second
//! ```
//!
//! A proxy keeps nothing but what it knows of the nodes, so any number of them may stand side by
//! side, and losing one loses nothing. It never does a thing twice: what was sent and not answered
//! is sent again only if it says that this does no harm (a reading, or an `Idempotency-Key`).

mod client;
mod config;
mod count;
mod forward;
mod members;
mod node;
mod pick;
mod probe;
mod serve;
mod tcp;

pub use config::{Admits, Config, Door, Limits, Listeners, NotANode, Port, node};
pub use serve::serve;
