//! Keeping the ring: stabilise and rectify, as Zave corrected them.
//!
//! ```text
//!   n ──Neighbours──▶ s           n's list becomes s and the whole of s's list.
//!   n ◀── p, list ─── s           If p lies between n and s, it may be a better successor,
//!   n ──Neighbours──▶ p           but it is asked before it is adopted: it may be dead.
//!   n ────Notify────▶ head        The head checks its old predecessor before it takes n for it.
//! ```

use super::{Node, Status, Turn, What};
use crate::message::{Event, Message};
use crate::{Peer, Peers};

/// Peers asked in one stabilisation: when many joined at once the next one goes on.
const STEPS_MAX: u8 = 16;

impl Node {
    /// Asks the successor for its neighbours, and refreshes one finger.
    pub(super) fn stabilise(&mut self, turn: &mut Turn<'_>) {
        let config = turn.config;
        let wait = self
            .dice
            .within(config.stabilise_from_us, config.stabilise_to_us);
        self.next_stabilise_us = turn.now_us.saturating_add(wait);
        self.refresh(turn);
        if !self.stabilising {
            self.ask_successor(turn);
        }
    }

    fn ask_successor(&mut self, turn: &mut Turn<'_>) {
        // Whoever joined a ring of one is known to it as its predecessor first.
        let head = self.successors.first().copied().or(self.predecessor);
        self.stabilising = head.is_some();
        if let Some(head) = head {
            self.ask(turn, head, What::Stabilise { steps: 1 });
        }
    }

    /// `from`, which was asked as successor or as a candidate for it, is alive and has answered.
    pub(super) fn stabilise_from(
        &mut self,
        turn: &mut Turn<'_>,
        from: Peer,
        predecessor: Option<Peer>,
        successors: &[Peer],
        steps: u8,
    ) {
        let head = self.successors.first().copied();
        let nearer = |head: Peer| from.id().is_between(self.me.id(), head.id());
        if !head.is_none_or(|head| head == from || nearer(head)) {
            return self.notify_head(turn);
        }
        if predecessor.is_some_and(|p| p.id() == self.me.id() && p != self.me) {
            return self.resign(turn);
        }
        self.adopt(turn, from, successors);
        let candidate = predecessor.filter(|p| p.id().is_between(self.me.id(), from.id()));
        match candidate {
            Some(candidate) if steps < STEPS_MAX => {
                self.ask(turn, candidate, What::Stabilise { steps: steps + 1 });
            }
            _ => self.notify_head(turn),
        }
    }

    /// `gone`, which was asked as successor or as a candidate for it, is silent.
    pub(super) fn stabilise_without(&mut self, turn: &mut Turn<'_>, gone: Peer) {
        let was_head = self.successors.first() == Some(&gone);
        if !was_head && !self.successors.is_empty() {
            return self.notify_head(turn);
        }
        if self.successors.is_empty() && self.predecessor == Some(gone) {
            self.set_predecessor(turn, None);
        }
        self.drop_successor(turn, gone);
        self.ask_successor(turn);
    }

    /// Ends a stabilisation: the successor is told who may be its predecessor.
    fn notify_head(&mut self, turn: &mut Turn<'_>) {
        self.stabilising = false;
        if let Some(head) = self.successors.first() {
            turn.send(*head, Message::Notify);
        }
    }

    /// Makes `head` and its whole list the successors, as far as the list goes round.
    pub(super) fn adopt(&mut self, turn: &mut Turn<'_>, head: Peer, list: &[Peer]) {
        let mut farthest = 0;
        let onward = std::iter::once(&head).chain(list).take_while(|peer| {
            let distance = self.me.id().distance_to(peer.id());
            let further = distance > farthest;
            farthest = distance;
            further
        });
        let next: Vec<Peer> = onward.take(turn.config.successors).copied().collect();
        self.set_successors(turn, &next);
    }

    pub(super) fn drop_successor(&mut self, turn: &mut Turn<'_>, gone: Peer) {
        let others = self.successors.iter().filter(|peer| **peer != gone);
        let next: Vec<Peer> = others.copied().collect();
        self.set_successors(turn, &next);
    }

    fn set_successors(&mut self, turn: &mut Turn<'_>, next: &[Peer]) {
        if *self.successors == *next {
            return;
        }
        let new_head = self.successors.first() != next.first();
        self.successors = Peers::from(next);
        turn.tell(Event::Successors);
        self.tell_if_alone(turn);
        if new_head && self.status == Status::Leaving {
            self.hand_over(turn);
        }
    }

    /// `candidate` says that it may be the predecessor.
    pub(super) fn rectify(&mut self, turn: &mut Turn<'_>, candidate: Peer) {
        match self.predecessor {
            _ if candidate.id() == self.me.id() => {}
            Some(known) if known == candidate => {}
            Some(known) if !candidate.id().is_between(known.id(), self.me.id()) => {
                if !self.checking {
                    self.checking = true;
                    self.ask(turn, known, What::Check { candidate });
                }
            }
            _ => {
                self.set_predecessor(turn, Some(candidate));
                if self.successors.is_empty() && !self.stabilising {
                    self.ask_successor(turn);
                }
            }
        }
    }

    /// The predecessor is dead, and another had offered itself.
    pub(super) fn succeed_predecessor(&mut self, turn: &mut Turn<'_>, dead: Peer, next: Peer) {
        self.checking = false;
        if self.predecessor == Some(dead) {
            self.set_predecessor(turn, Some(next));
        }
    }

    pub(super) fn set_predecessor(&mut self, turn: &mut Turn<'_>, predecessor: Option<Peer>) {
        let was = std::mem::replace(&mut self.predecessor, predecessor);
        turn.tell(Event::Range { predecessor, was });
        self.tell_if_alone(turn);
    }

    fn tell_if_alone(&self, turn: &mut Turn<'_>) {
        if self.successors.is_empty() && self.predecessor.is_none() {
            turn.tell(Event::Alone);
        }
    }
}
