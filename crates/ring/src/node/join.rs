//! Becoming a member.
//!
//! The joiner looks for the member before its place, and takes over that one's successor list as it
//! was answered. Nobody else changes: the new predecessor learns of it by stabilising.

use super::lookup::{Lookup, Purpose};
use super::{Node, Status, Turn};
use crate::config::NEVER_US;
use crate::message::Event;
use crate::{Peer, Peers};

impl Node {
    /// Looks for its place by way of a member. Tries again until it has one.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, via: Peer) {
        let alone = self.successors.is_empty() && self.predecessor.is_none();
        let may = match self.status {
            Status::Outside | Status::Joining(_) => true,
            // A ring of one may join another: it is where a node ends whose neighbours all died.
            Status::Member => alone,
            Status::Leaving | Status::Gone => false,
        };
        if !may || via == self.me {
            return;
        }
        self.status = Status::Joining(via);
        let wait = turn.config.stabilise_from_us;
        self.next_stabilise_us = turn.now_us.saturating_add(wait);
        let lookup = Lookup::new(Purpose::Join, self.me.id(), turn.now_us, vec![via]);
        self.advance(turn, lookup);
    }

    /// `before` is a member, and nobody is known between it and the first of `successors`.
    pub(super) fn joined(&mut self, turn: &mut Turn<'_>, before: Peer, successors: &[Peer]) {
        let Some(first) = successors.first() else {
            return;
        };
        let Status::Joining(_) = self.status else {
            return;
        };
        let me = self.me.id();
        if before.id() == me || successors.iter().any(|peer| peer.id() == me) {
            return self.resign(turn);
        }
        if !me.is_between(before.id(), first.id()) {
            return;
        }
        self.status = Status::Member;
        self.adopt(turn, *first, &successors[1..]);
        self.set_predecessor(turn, Some(before));
        turn.tell(Event::Joined);
        self.stabilise(turn);
    }

    /// Its id is another's. Of two that join at once the one stays whom the successor knows.
    pub(super) fn resign(&mut self, turn: &mut Turn<'_>) {
        self.status = Status::Outside;
        self.predecessor = None;
        self.successors = Peers::default();
        self.give_up_lookups(turn);
        self.stabilising = false;
        self.checking = false;
        self.refreshing = false;
        self.next_stabilise_us = NEVER_US;
        turn.tell(Event::Taken);
    }
}
