//! The rules of Consorcio, and nothing else.
//!
//! Everything that changes is a [`Command`]; everything that is asked is a [`Query`]. Both run
//! against a small synchronous [`Sql`] trait, so the same text rules SQLite on every replica and
//! PostgreSQL behind stateless nodes.
//!
//! ```text
//!   front door ── Proposal ──▶ engine: order, sync ── Command ──▶ Machine::apply ──▶ Outcome
//!   front door ── Query    ──▶ engine: pick a replica ──────────▶ Query::run     ──▶ Answer
//! ```
//!
//! Two rules make replicas equal (ARCHITECTURE.md, invariants 1–4):
//!
//! - nothing here reads a clock, a random source or the environment: what is not deterministic
//!   arrives in the [`Stamp`];
//! - a handler decides first and writes afterwards, so a [`Rejection`] leaves no trace but its
//!   reply.

pub mod accounts;
pub mod command;
mod context;
pub mod event;
pub mod files;
pub mod lottery;
pub mod machine;
pub mod merkle;
pub mod names;
pub mod news;
pub mod outbox;
pub mod polls;
pub mod query;
pub mod replies;
pub mod schema;
pub mod sql;
pub mod store;

pub use command::{Action, Actor, Command, Proposal, Rejection, Reply, RequestId, Stamp};
pub use event::{Event, EventId, Topic};
pub use machine::{Machine, Outcome, StateHash};
pub use query::Query;
pub use sql::{Fault, Param, Row, Sql, Value};
