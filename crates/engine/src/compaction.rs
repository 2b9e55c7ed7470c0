//! Lets the state take over from the log: a synced commit, then the log behind it is purged.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::AsyncRuntime;

use crate::env::Env;
use crate::node::Node;

/// How often the log's size is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Keeps the log short until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    loop {
        E::Runtime::sleep(INTERVAL).await;
        let tuning = &node.inner.options.tuning;
        if node.inner.log.stored_bytes() < tuning.compact_bytes {
            continue;
        }
        let Some(upto) = node.inner.log.purgeable(tuning.keep_bytes) else {
            continue;
        };
        let (snapshot, purged) = {
            let metrics = node.raft().metrics();
            let metrics = metrics.borrow_watched();
            (metrics.snapshot, metrics.purged)
        };
        let trigger = node.raft().trigger();
        // openraft purges no further than its last snapshot. That one is a round old, and under
        // steady writes never covers all that could go: what it covers goes.
        let covered = snapshot.map(|snapshot| snapshot.index.min(upto));
        let asked = match covered {
            Some(covered) if purged.is_none_or(|purged| purged.index < covered) => {
                trigger.purge_log(covered).await
            }
            _ => trigger.snapshot().await,
        };
        if let Err(error) = asked {
            tracing::warn!(%error, "the log could not be compacted");
        }
    }
}
