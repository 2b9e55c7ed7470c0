//! What a node cannot go on from: noticed, said once, and left to whoever runs the node.
//!
//! A full disk is waited out. Everything else that fails in the log or the state (a disk that
//! cannot be read or synced, a damaged database) is a fault: the node serves nothing any more, and
//! its process is to end, so that it begins anew from what is durable.

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::{AsyncRuntime, Select2};
use tokio::sync::watch;

use crate::env::Env;
use crate::node::Node;

/// Set once, and then it stays.
#[derive(Debug, Default)]
pub(crate) struct Failure(watch::Sender<Option<String>>);

impl Failure {
    /// Notes the first reason.
    pub fn note(&self, reason: String) {
        self.0.send_if_modified(|noted| {
            let first = noted.is_none();
            noted.get_or_insert(reason);
            first
        });
    }

    /// True once there is a reason.
    pub fn is_noted(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for the reason.
    pub async fn noted(&self) -> String {
        let mut changes = self.0.subscribe();
        let noted = changes.wait_for(Option::is_some).await;
        // The sender is our own, so it cannot be gone.
        noted
            .ok()
            .and_then(|noted| noted.clone())
            .unwrap_or_default()
    }
}

impl<E: Env> Node<E> {
    /// Waits until the node cannot go on, and says why. It is to be stopped then.
    pub async fn failed(&self) -> String {
        self.inner.failure.noted().await
    }

    /// True if the node cannot go on.
    pub fn has_failed(&self) -> bool {
        self.inner.failure.is_noted() || self.raft_failure().is_some()
    }

    fn raft_failure(&self) -> Option<String> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        metrics
            .running_state
            .as_ref()
            .err()
            .map(ToString::to_string)
    }

    /// Waits for the end of Raft, which openraft decides when its storage fails.
    async fn raft_failed(&self) -> String {
        let mut metrics = self.raft().metrics();
        loop {
            if let Some(reason) = self.raft_failure() {
                return reason;
            }
            if metrics.changed().await.is_err() {
                return "raft is gone".to_owned();
            }
        }
    }
}

/// Notes what the node cannot go on from, until it stops.
pub async fn run<E: Env>(node: Node<E>) {
    let raft = node.raft_failed();
    let state = node.state().failed();
    let (Select2::First(reason) | Select2::Second(reason)) =
        E::Runtime::select2(Box::pin(raft), Box::pin(state)).await;
    if !node.is_stopping() {
        tracing::error!(reason, "the node cannot go on");
        node.inner.failure.note(reason);
    }
}
