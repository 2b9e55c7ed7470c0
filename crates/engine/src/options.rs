//! What a node is told when it starts.

use std::path::PathBuf;
use std::sync::Arc;

use openraft::{Config, ConfigError, SnapshotPolicy};

use crate::identity::{Identity, JoinToken, hex};

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
    /// How long a follower waits between these two, in milliseconds, before it stands for election.
    /// The larger one is also how long it keeps faith with a leader it has heard of before it
    /// begins to wait.
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
            election_ms: (180, 340),
            segment_bytes: 16 * 1024 * 1024,
            compact_bytes: 64 * 1024 * 1024,
            keep_bytes: 16 * 1024 * 1024,
        }
    }
}

/// What openraft is told.
pub(crate) fn raft_config(
    tuning: &Tuning,
    identity: &Identity,
) -> Result<Arc<Config>, ConfigError> {
    let config = Config {
        cluster_name: hex(&identity.cluster),
        heartbeat_interval: tuning.heartbeat_ms,
        election_timeout_min: tuning.election_ms.0,
        election_timeout_max: tuning.election_ms.1,
        // Entries are batches: a few of them fill a message.
        max_payload_entries: 64,
        // When to take a snapshot and what to purge is decided by bytes: see `compaction`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        replication_lag_threshold: u64::MAX / 2,
        install_snapshot_timeout: 600_000,
        enable_pre_vote: Some(true),
        // Entries go to the followers while they are being synced here. A leader that loses one in
        // a crash and led on in its old term would give the same log id to another entry.
        enable_leader_restore: Some(false),
        backoff: "50ms 100ms 200ms ...500ms".to_owned(),
        ..Config::default()
    };
    config.validate().map(Arc::new)
}
