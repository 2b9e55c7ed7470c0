//! The front doors of a node: HTTP with REST, live events, Atom and the pages; gRPC; the one for
//! Redis clients; and the lottery's for agencies ([`serve_lottery`]).
//!
//! ```text
//!   connection ─▶ http: parse ─▶ App ─▶ engine: write · read
//!                       render ◀─ App ◀─ outcome · answer
//!                 events: one hub renders, every reader shares its bytes
//!                 agent:  counts demand, assigns areas to nodes
//! ```
//!
//! A handler does three things: it parses, calls the `app`, and renders. The rules are the
//! domain's; what is durable is the engine's.

mod agent;
mod app;
mod atom;
mod attempts;
mod config;
mod door;
mod drills;
mod events;
mod expiry;
mod files;
mod first;
mod grpc;
mod headers;
mod http;
mod limiter;
mod lottery;
mod markdown;
mod metrics;
mod password;
mod polls;
mod problem;
mod redis;
mod render;
mod serve;
mod sessions;
mod token;
mod web;

pub use config::{Config, Limits, PasswordCost};
pub use door::{Allowed, NotAllowed};
pub use first::{Bootstrapped, SetupError, bootstrap, check_password, demo};
pub use grpc::{GrpcConfig, GrpcLimits};
pub use lottery::{LOTTERY_BACKLOG, LotteryConfig, LotteryLimits, echo, serve_lottery};
pub use redis::resp;
pub use redis::{REDIS_BACKLOG, RedisConfig, RedisLimits};
pub use serve::{Front, serve};
