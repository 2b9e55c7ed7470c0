//! What a node is told when it starts.

use std::path::PathBuf;

use crate::identity::JoinToken;

/// How a node is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's name, unique in its cluster.
    pub name: String,
    /// The data directory.
    pub data: PathBuf,
    /// `host:port` at which the other nodes reach its peer port.
    pub peer: String,
    /// Base URL at which clients reach its HTTP front door.
    pub http: String,
    /// The cluster to join, if the data directory is not part of one yet.
    pub join: Option<JoinToken>,
    /// Timing and sizes.
    pub tuning: Tuning,
}

/// Timing and sizes; the defaults are for ordinary machines on one network.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// How often a leader shows that it lives, in milliseconds.
    pub heartbeat_ms: u64,
    /// A follower stands for election after a silence between these two, in milliseconds. The
    /// larger one is also how long it keeps faith with a leader it has heard of.
    pub election_ms: (u64, u64),
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// The state takes over from the log when the log has grown to this many bytes.
    pub compact_bytes: usize,
    /// Bytes of the log kept after that, for followers that lag a little.
    pub keep_bytes: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            heartbeat_ms: 80,
            election_ms: (250, 450),
            segment_bytes: 16 * 1024 * 1024,
            compact_bytes: 64 * 1024 * 1024,
            keep_bytes: 16 * 1024 * 1024,
        }
    }
}
