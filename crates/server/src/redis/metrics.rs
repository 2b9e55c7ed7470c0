//! What this door counts.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::commands::COMMANDS;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    command: &'static str,
}

/// What the Redis front door counts. Clones count together.
#[derive(Clone)]
pub(crate) struct RedisMetrics {
    /// Open connections.
    pub connections: Gauge,
    /// Clients that wait for something (BLPOP, XREAD).
    pub blocked: Gauge,
    /// Connections that were refused because there were too many.
    pub refused: Counter,
    requests: Family<CommandLabels, Counter>,
    /// The counters of `requests`, in the order of the commands: counting looks nothing up.
    by_command: Arc<[Counter]>,
}

/// A client that waits.
pub(crate) struct Blocked(Gauge);

impl Drop for Blocked {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl RedisMetrics {
    /// All at zero.
    pub fn new() -> Self {
        let requests = Family::<CommandLabels, Counter>::default();
        let counter = |command: &super::commands::Command| {
            let labels = CommandLabels {
                command: command.name,
            };
            requests.get_or_create_owned(&labels)
        };
        RedisMetrics {
            connections: Gauge::default(),
            blocked: Gauge::default(),
            refused: Counter::default(),
            by_command: COMMANDS.iter().map(counter).collect(),
            requests,
        }
    }

    /// Adds them to what is told.
    pub fn register(&self, to: &mut Registry) {
        to.register(
            "redis_connections",
            "Open connections of Redis clients",
            self.connections.clone(),
        );
        to.register(
            "redis_blocked_clients",
            "Redis clients that wait for something",
            self.blocked.clone(),
        );
        to.register(
            "redis_connections_refused",
            "Connections of Redis clients refused as too many",
            self.refused.clone(),
        );
        to.register(
            "redis_commands",
            "Commands of Redis clients",
            self.requests.clone(),
        );
    }

    /// Counts a client that waits, until it waits no more.
    pub fn block(&self) -> Blocked {
        self.blocked.inc();
        Blocked(self.blocked.clone())
    }

    /// Counts a request for the command at this place among all.
    pub fn count(&self, place: usize) {
        if let Some(counter) = self.by_command.get(place) {
            counter.inc();
        }
    }

    /// Commands of all kinds since the start.
    pub fn commands(&self) -> u64 {
        self.by_command.iter().map(Counter::get).sum()
    }
}
