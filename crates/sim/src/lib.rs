//! Whole clusters in one thread, from one seed.
//!
//! A [`World`] binds the production code of a node to a virtual clock, to disks that forget what
//! was not synced and to a network that delays, stalls and breaks: [`SimEnv`] is the
//! [`engine::env::Env`] of one node in it. Nothing else differs from production, and the same seed
//! gives the same run, down to the order of every poll.
//!
//! ```text
//!   scenario ── start · crash · cut · heal ──▶ World
//!                                               │ n1        n2        n3      node groups:
//!                                             tasks     tasks     tasks       killed as a whole
//!                                             disk      disk      disk        cached │ durable
//!                                               └───── network ─────┘         delays, partitions
//! ```
//!
//! What a node may touch is what the environment gives: a node that starts a thread, reads the
//! machine's clock or iterates over a `HashMap` runs differently every time, and
//! [`World::trace_hash`] of two runs tells.
//!
//! This crate is a tool for tests: where a scenario is wrong it panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod cluster;
mod context;
mod dice;
mod disk;
mod log;
mod net;
mod runtime;
pub mod storm;
mod task;
mod vfs;
mod world;

pub use context::NodeId;
pub use dice::Dice;
pub use disk::{Crash, Honesty, SimDisk, SimFile};
pub use net::{Network, SimReceiver, SimSender, SimTransport};
pub use runtime::SimRuntime;
pub use task::JoinHandle;
pub use world::{Sim, SimEnv, World};
