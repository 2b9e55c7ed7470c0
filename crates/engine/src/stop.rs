//! Stopping: leadership is handed over, Raft stops, the state is committed and synced.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::AsyncRuntime;

use crate::env::Env;
use crate::node::{Leader, Node, POLL};
use crate::types::NodeId;

/// How long a leader that stops waits for another to take over.
const HANDOVER_DEADLINE: Duration = Duration::from_millis(1500);

impl<E: Env> Node<E> {
    /// Hands over leadership, stops Raft, commits and syncs the state.
    pub async fn stop(&self) {
        if self.inner.stopping.is_cancelled() {
            return;
        }
        self.hand_over().await;
        self.inner.stopping.cancel();
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop as it should");
        }
        tracing::info!("raft has stopped");
        match self.inner.state.close().await {
            Ok(()) => tracing::info!("the state is committed and synced"),
            Err(error) => tracing::error!(%error, "the state could not be synced"),
        }
        // It may have been found out a moment ago.
        if self.is_outvoted()
            && let Err(error) = self.mark().await
        {
            tracing::error!(%error, "that this node was outvoted could not be noted");
        }
    }

    async fn hand_over(&self) {
        let Some(successor) = self.successor() else {
            return;
        };
        if self.leader() != Leader::Me {
            return;
        }
        let settled = E::Runtime::timeout(HANDOVER_DEADLINE, Box::pin(self.members_settled()));
        if settled.await.is_err() {
            tracing::warn!("a change of the members is still under way");
        }
        tracing::info!(to = self.name_of(successor), "handing over leadership");
        if self
            .inner
            .raft
            .trigger()
            .transfer_leader(successor)
            .await
            .is_err()
        {
            return;
        }
        let gone = self.leader_is_no_longer(self.inner.identity.id);
        match E::Runtime::timeout(HANDOVER_DEADLINE, Box::pin(gone)).await {
            Ok(()) => tracing::info!("leadership is handed over"),
            Err(_) => tracing::warn!("nobody took over leadership in time"),
        }
    }

    /// Waits until no change of voters is half done: without this node it could not be finished.
    async fn members_settled(&self) {
        while self.is_changing() {
            E::Runtime::sleep(POLL).await;
        }
    }

    /// Waits until another node than `id` is known to lead.
    pub(crate) async fn leader_is_no_longer(&self, id: NodeId) {
        loop {
            let leader = self.inner.raft.metrics().borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != id) {
                return;
            }
            E::Runtime::sleep(POLL).await;
        }
    }
}
