//! Whether a leader is fit to lead. One whose disk is full would refuse every write of a cluster
//! in which the others have room; one whose clock is wrong would stamp a time that nobody can take
//! back, for log time never goes back. Either hands over to somebody who is better off.

use std::ops::RangeInclusive;
use std::time::Duration;

use openraft_rt::{AsyncRuntime, Instant as _};

use crate::env::{Env, Runtime as _};
use crate::node::{InstantOf, Leader, Node, lock, millis};
use crate::types::NodeId;

/// How often a leader looks at itself.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long a leader is unfit before it hands over: what passes by itself needs no election.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the other is given to take over before it is asked again.
const HANDOVER: Duration = Duration::from_secs(2);

/// Clocks that differ by more do not agree: no network makes up for this much, and clocks that
/// nobody keeps drift by a minute in some weeks.
pub(crate) const CLOCKS_APART_MAX_MS: i64 = 60_000;

/// Why a node should not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    NoRoom,
    WrongClock,
}

/// Looks at a leader, and has it hand over, until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    let mut since = None;
    loop {
        E::Runtime::sleep(INTERVAL).await;
        let unfit = match node.leader() {
            Leader::Me => node.unfit(),
            Leader::Peer(..) | Leader::Nobody => None,
        };
        let Some(unfit) = unfit else {
            since = None;
            continue;
        };
        let now = InstantOf::<E>::now();
        if now - *since.get_or_insert(now) < PATIENCE {
            continue;
        }
        let Some(successor) = node.fitter(unfit) else {
            continue;
        };
        tracing::warn!(
            to = node.name_of(successor),
            because = ?unfit,
            "this node is not fit to lead, and hands over"
        );
        if let Err(error) = node.raft().trigger().transfer_leader(successor).await {
            tracing::warn!(%error, "leadership could not be handed over");
        }
        let gone = node.leader_is_no_longer(node.identity().id);
        // If nobody takes over, it is tried again.
        drop(E::Runtime::timeout(HANDOVER, Box::pin(gone)).await);
    }
}

impl<E: Env> Node<E> {
    fn unfit(&self) -> Option<Unfit> {
        match () {
            () if !self.has_room() => Some(Unfit::NoRoom),
            () if self.clock_is_wrong(E::Runtime::wall_clock_ms()) => Some(Unfit::WrongClock),
            () => None,
        }
    }

    /// A voter that would do better: whose clock is right, and that has room if that is all that is
    /// missing here; the furthest along of those with room. Whoever had another trouble instead
    /// would hand over to the next, and so on for ever.
    fn fitter(&self, unfit: Unfit) -> Option<NodeId> {
        let now_ms = E::Runtime::wall_clock_ms();
        let right_ms = match unfit {
            Unfit::NoRoom => -CLOCKS_APART_MAX_MS..=CLOCKS_APART_MAX_MS,
            Unfit::WrongClock => self.majoritys_clocks_ms(now_ms)?,
        };
        let is_right = |ahead_ms| right_ms.contains(&ahead_ms);
        let is_fit = |id: &NodeId| {
            self.clock_ahead_ms(*id, now_ms).is_some_and(is_right)
                && (unfit == Unfit::WrongClock || self.has_room_at(*id))
        };
        let voters = self.able_voters().filter(is_fit);
        voters.max_by_key(|id| {
            let applied = self.last_pulse(*id).map_or(0, |pulse| pulse.applied);
            (self.has_room_at(*id), applied)
        })
    }

    fn has_room_at(&self, id: NodeId) -> bool {
        self.last_pulse(id).is_some_and(|pulse| pulse.has_room)
    }

    /// The time for what is proposed now, and for what is read linearizably of this leader; `None`
    /// if its clock is not to be believed, and another is about to lead. Log time cannot be taken
    /// back, so what a drill makes of the clock is never stamped, whether the others notice or not.
    pub(crate) fn stamp(&self) -> Option<i64> {
        let believed = E::Runtime::clock_is_believed();
        let at_ms = E::Runtime::wall_clock_ms();
        // Asked before and after: it may change while the clock is read.
        let believed = believed && E::Runtime::clock_is_believed();
        (believed && !self.clock_is_wrong(at_ms)).then_some(at_ms)
    }

    /// True if a majority of the voters, of which this node is none, agree on another time than
    /// `now_ms`. Where nobody agrees, nobody would do better.
    pub(crate) fn clock_is_wrong(&self, now_ms: i64) -> bool {
        self.majoritys_clocks_ms(now_ms).is_some()
    }

    /// By how much the clocks of that majority are ahead of `now_ms`, if there is one.
    fn majoritys_clocks_ms(&self, now_ms: i64) -> Option<RangeInclusive<i64>> {
        let own = self.identity().id;
        let voters: Vec<NodeId> = self.raft().voter_ids().collect();
        let others = voters
            .iter()
            .filter(|id| **id != own && self.is_alive(**id));
        let ahead = others.filter_map(|id| self.clock_ahead_ms(*id, now_ms));
        outvoted_by(ahead.collect(), voters.len() / 2 + 1)
    }

    /// By how much another node's clock is ahead of `now_ms`.
    fn clock_ahead_ms(&self, id: NodeId, now_ms: i64) -> Option<i64> {
        let (heard, clock_ms) = {
            let health = lock(&self.inner.health);
            health.get(&id)?.clock()?
        };
        let since = i64::try_from(millis(InstantOf::<E>::now() - heard)).unwrap_or(i64::MAX);
        Some(clock_ms.saturating_add(since).saturating_sub(now_ms))
    }
}

/// Of these clocks, which are ahead of one's own by so much, so many that agree with each other and
/// not with it, if there are.
fn outvoted_by(mut ahead_ms: Vec<i64>, majority: usize) -> Option<RangeInclusive<i64>> {
    ahead_ms.sort_unstable();
    let agree = |some: &[i64]| match some {
        [first, .., last] => {
            let together = last.saturating_sub(*first) <= CLOCKS_APART_MAX_MS;
            let apart = *first > CLOCKS_APART_MAX_MS || *last < -CLOCKS_APART_MAX_MS;
            (together && apart).then_some(*first..=*last)
        }
        // Two clocks that differ do not tell which of them is right.
        _ => None,
    };
    ahead_ms.windows(majority).find_map(agree)
}

#[cfg(test)]
mod tests {
    use super::outvoted_by;

    fn is_outvoted(ahead_ms: Vec<i64>, majority: usize) -> bool {
        outvoted_by(ahead_ms, majority).is_some()
    }

    #[test]
    fn who_is_wrong_in_another_way_is_no_part_of_the_majority() {
        let hour = 3_600_000;
        let right = outvoted_by(vec![hour, hour + 900, 5 * hour, hour + 200], 3);
        assert_eq!(right, Some(hour..=hour + 900));
    }

    #[test]
    fn a_clock_is_wrong_if_a_majority_of_others_agrees_on_another_time() {
        let hour = 3_600_000;
        assert!(is_outvoted(vec![hour, hour + 5_000], 2));
        assert!(is_outvoted(vec![-hour, -hour - 5_000], 2));
        assert!(is_outvoted(vec![hour, 0, hour, hour - 900], 3));
    }

    #[test]
    fn a_clock_is_not_wrong_because_somebody_elses_is() {
        let hour = 3_600_000;
        assert!(!is_outvoted(vec![0, hour], 2), "one of three is wrong");
        assert!(!is_outvoted(vec![-hour, hour], 2), "nobody agrees");
        assert!(!is_outvoted(vec![hour], 2), "one is not heard of");
        assert!(!is_outvoted(vec![hour, hour, 0, 0], 3), "two against three");
        assert!(!is_outvoted(vec![59_000, 50_000], 2), "that is not much");
        assert!(!is_outvoted(vec![], 1), "alone");
    }
}
