//! The gRPC front door: the API of [`api::grpc`], health and reflection.
//!
//! ```text
//!   connection ─▶ preface ─▶ HTTP/2 ─▶ guard: seat, deadline, caller ─▶ service: parse ─▶ App
//!       ▲                                                                                  │
//!       └── pace: is it read? ── body: code, deadline, seat ◀── render ◀───────────────────┘
//! ```
//!
//! Nothing is queued for a stream: a message is made when the one before has left, and is bounded
//! in bytes; one that is not taken closes the connection.
//!
//! Sessions, request ids and freshness come in metadata that has the names of HTTP's headers, and
//! the calls of the App are those of the REST routes. An error is a problem of the REST API in
//! gRPC's own form: `problem/kinds.rs` has the code of each.

mod answer;
mod body;
mod connection;
mod guard;
mod health;
mod metadata;
mod methods;
mod preface;
mod render;
mod services;
mod status;
mod strangers;

pub(crate) use connection::serve;

use std::time::Duration;

/// Settings of the gRPC front door.
#[derive(Clone, Debug)]
pub struct GrpcConfig {
    /// Refuse calls without a session, but for those that make one, health and reflection. Right
    /// wherever other machines can connect.
    pub require_session: bool,
    /// Bounds.
    pub limits: GrpcLimits,
}

/// Bounds of the gRPC front door.
#[derive(Clone, Debug)]
pub struct GrpcLimits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Of these, connections on which nobody has shown a session yet, where one is required;
    /// further ones are closed.
    pub strangers: usize,
    /// Of these, from one address.
    pub strangers_per_address: usize,
    /// Calls at once on one connection; a client waits before it begins more.
    pub calls_per_connection: u32,
    /// Calls at work at once on all connections (a stream is not at work).
    pub requests: usize,
    /// Open streams at once on all connections; those of events have a bound of their own, too.
    pub streams: usize,
    /// From the start of a connection until it has said that it speaks HTTP/2.
    pub handshake: Duration,
    /// A connection is asked for a sign of life this often …
    pub keepalive: Duration,
    /// … and closed if none comes within this time.
    pub keepalive_timeout: Duration,
    /// From the head of a call to the start of its answer, if the client does not say less.
    pub request_timeout: Duration,
    /// How long a client may go on asking in one stream of reflection.
    pub conversation: Duration,
    /// A connection on which an answer is not read for this long is closed.
    pub write_stall: Duration,
}

/// A message that is sent to us has at most this many bytes: a store's largest command.
pub(crate) const MESSAGE_MAX_BYTES: usize = 1024 * 1024;

impl Default for GrpcConfig {
    fn default() -> Self {
        GrpcConfig {
            require_session: true,
            limits: GrpcLimits::default(),
        }
    }
}

impl Default for GrpcLimits {
    fn default() -> Self {
        GrpcLimits {
            // Clients put all their calls on one connection. One that reads nothing and asks a lot
            // holds 24 KiB a call and 256 KiB of what it sends, until it is closed.
            connections: 1_024,
            // A quarter of the seats stays for members.
            strangers: 768,
            // A proxy's clients share its address, and show their session with their first call.
            strangers_per_address: 64,
            // What most servers grant, and enough for a group commit of one client's.
            calls_per_connection: 128,
            // As HTTP's, for the same reason.
            requests: 2_048,
            streams: 4_096,
            // The first packet says it.
            handshake: Duration::from_secs(10),
            // Well under the minutes after which networks forget a silent connection.
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            // Above the engine's own deadlines, so that the engine's clearer answer comes first.
            request_timeout: Duration::from_secs(30),
            // A tool asks for all it needs at once.
            conversation: Duration::from_secs(60),
            // Four signs of life of a stream: what lives takes one of them.
            write_stall: Duration::from_secs(60),
        }
    }
}
