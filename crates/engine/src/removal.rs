//! How a node learns that it is no member any more.
//!
//! It is not told by the log: whoever is removed is sent nothing of what follows. But it goes on
//! asking the others how they are, and one that knows newer members than it does, without it, says
//! so. A node that was removed answers nothing any more: what it would say is old, and gets older.

use std::sync::atomic::Ordering;

use openraft::async_runtime::WatchReceiver as _;

use crate::env::Env;
use crate::identity::Stage;
use crate::node::Node;
use crate::peers::wire::{Pulse, Response};
use crate::types::{LogId, NodeId};

impl<E: Env> Node<E> {
    /// True once this node is known to be no member of its cluster any more. It stays so: a node
    /// that was removed comes back under another id only.
    pub fn is_removed(&self) -> bool {
        self.inner.removed.load(Ordering::Acquire)
    }

    /// Answers a health check, and tells a node that is no member that it is none.
    pub(crate) fn answer_ping(&self, pulse: Pulse) -> Response<E::Runtime> {
        let without = self.members_without(pulse.id);
        self.heard(pulse);
        if self.is_leaving() {
            return Response::Unavailable("this node is about to begin anew".to_owned());
        }
        match without {
            Some(since) => Response::Stranger(self.pulse(), since),
            None => Response::Pong(self.pulse()),
        }
    }

    /// Where in the log the members were made what they are, if that is committed and a node is
    /// not among them.
    fn members_without(&self, id: NodeId) -> Option<LogId> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let members = &metrics.membership_config;
        let since = (*members.log_id())?;
        let without = members.membership().get_node(&id).is_none();
        (without && metrics.local_committed >= Some(since)).then_some(since)
    }

    /// Another says that this node is not among the members that it has since a place in the log.
    /// It may be behind, or this node may be on its way to where it was taken in.
    pub(crate) fn is_told_stranger(&self, by: &Pulse, since: LogId) {
        let (named, known, committed, term) = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow_watched();
            let members = &metrics.membership_config;
            let named = members.membership().get_node(&self.identity().id).is_some();
            let committed = metrics.local_committed;
            (named, *members.log_id(), committed, metrics.current_term)
        };
        let removed = match named {
            // What took it in may be an entry that is not committed, and never will be: it asks
            // to be taken in again then.
            true => known < Some(since) && known <= committed,
            false => by.leader && by.term >= term && self.identity().stage == Stage::Member,
        };
        if removed && !self.inner.removed.swap(true, Ordering::AcqRel) {
            self.inner.silenced.cancel();
            self.raft().runtime_config().elect(false);
            tracing::error!(
                told_by = by.name,
                "this node was removed from the cluster: stop it and remove its data directory"
            );
        }
    }
}
