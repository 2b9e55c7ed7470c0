//! What a follower hears from the leader, and how old its answers are.

use std::time::Duration;

use openraft_rt::Instant as _;

use crate::env::Env;
use crate::node::{InstantOf, Leader, Node, lock, millis};
use crate::types::Vote;

/// What a follower has heard from the leader.
pub(crate) struct Heard<E: Env> {
    /// When it last said something.
    last: Option<InstantOf<E>>,
    /// When it said that so much is committed, which readers may not see yet.
    told: Option<(InstantOf<E>, u64)>,
    /// The newest time at which readers saw all that was committed.
    up_to_date: Option<InstantOf<E>>,
}

impl<E: Env> Default for Heard<E> {
    fn default() -> Self {
        Heard {
            last: None,
            told: None,
            up_to_date: None,
        }
    }
}

impl<E: Env> Heard<E> {
    fn note(&mut self, now: InstantOf<E>, committed: Option<u64>, shown: u64) {
        self.last = Some(now);
        let caught_up = self.told.is_none_or(|(_, index)| shown >= index);
        self.up_to_date(shown);
        if caught_up && let Some(committed) = committed {
            self.told = Some((now, committed));
        }
    }

    /// When the state that readers see now was up to date.
    pub fn up_to_date(&mut self, shown: u64) -> Option<InstantOf<E>> {
        if let Some((then, index)) = self.told
            && shown >= index
        {
            self.up_to_date = Some(then);
        }
        self.up_to_date
    }
}

impl<E: Env> Node<E> {
    /// How long ago this node was up to date for sure: everything that was committed then is shown
    /// to readers.
    pub(crate) fn age_ms(&self) -> u64 {
        let age = match self.leader() {
            Leader::Me => self.majority_silence(),
            Leader::Peer(..) | Leader::Nobody => {
                let shown = self.state().standing().committed;
                let shown = shown.map_or(0, |log_id| log_id.index);
                let then = lock(&self.inner.heard).up_to_date(shown);
                then.map(|then| InstantOf::<E>::now() - then)
            }
        };
        age.map_or(u64::MAX, millis)
    }

    /// Notes that somebody who leads with this vote has said that all up to an index is committed.
    /// One that was deposed, and does not know it, says nothing of worth.
    pub(crate) fn heard_leader(&self, vote: &Vote, committed: Option<u64>) {
        let known = self.last_vote();
        if known.is_none_or(|known| *vote >= known) {
            let applied = self.state().standing().committed;
            let applied = applied.map_or(0, |log_id| log_id.index);
            lock(&self.inner.heard).note(InstantOf::<E>::now(), committed, applied);
        }
    }

    pub(crate) fn leader_silence(&self) -> Option<Duration> {
        let last = lock(&self.inner.heard).last?;
        Some(InstantOf::<E>::now() - last)
    }
}
