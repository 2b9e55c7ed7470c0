//! Whether a leader still has its majority. One that is cut off from the others goes on believing
//! that it leads.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::{AsyncRuntime, Instant as _};

use crate::env::Env;
use crate::node::{InstantOf, Node, POLL};

/// A leader whose majority has been silent for so long promises nothing more, and what it has
/// proposed is in doubt: long enough for the others to have elected another, who may know.
pub(crate) const MAJORITY_SILENCE_MAX: Duration = Duration::from_millis(1_500);

impl<E: Env> Node<E> {
    /// For a leader: how long ago a majority last answered it, beyond what is usual. One that is
    /// cut off from the others still believes that it leads.
    pub(crate) fn majority_silence(&self) -> Option<Duration> {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.membership_config.membership().voter_ids().count() == 1 {
            return Some(Duration::ZERO);
        }
        let silence = InstantOf::<E>::now() - *metrics.last_quorum_acked?;
        let usual = Duration::from_millis(2 * self.inner.options.tuning.heartbeat_ms);
        Some(silence.saturating_sub(usual))
    }

    /// For a leader: true if a majority has answered it since it was elected, and within the time
    /// in which the others could have elected another.
    pub(crate) fn has_majority(&self) -> bool {
        let bound = Duration::from_millis(self.inner.options.tuning.election_ms.1);
        self.majority_silence()
            .is_some_and(|silence| silence < bound)
    }

    /// True for a leader whose majority does not answer, for longer than the others need to elect
    /// another.
    pub(crate) fn has_lost_majority(&self) -> bool {
        self.is_leading()
            && self
                .majority_silence()
                .is_some_and(|silence| silence >= MAJORITY_SILENCE_MAX)
    }

    /// Waits until that is so.
    pub(crate) async fn majority_is_lost(&self) {
        while !self.has_lost_majority() {
            E::Runtime::sleep(10 * POLL).await;
        }
    }
}
