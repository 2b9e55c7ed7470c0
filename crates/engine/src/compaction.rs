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
        let snapshot = node.raft().metrics().borrow_watched().snapshot;
        let trigger = node.raft().trigger();
        // openraft purges no further than its last snapshot; the next round purges up to this one.
        let asked = match snapshot.is_some_and(|snapshot| snapshot.index >= upto) {
            true => trigger.purge_log(upto).await,
            false => trigger.snapshot().await,
        };
        if let Err(error) = asked {
            tracing::warn!(%error, "the log could not be compacted");
        }
    }
}
