//! Leaving with a word.
//!
//! For the ring a node that leaves is one that dies; its word spares the others the wait. What it
//! names is asked before it is adopted, like any other candidate.

use super::{Node, Status, Turn, What};
use crate::Peer;
use crate::config::NEVER_US;
use crate::message::{Event, Message};

impl Node {
    /// Begins to leave: the driver hands over what is held here, while the node goes on answering.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>) {
        match self.status {
            Status::Member => {
                self.status = Status::Leaving;
                self.hand_over(turn);
            }
            Status::Outside | Status::Joining(_) => self.go(turn),
            Status::Leaving | Status::Gone => {}
        }
    }

    pub(super) fn hand_over(&mut self, turn: &mut Turn<'_>) {
        let to = self.successors.first().copied();
        turn.tell(Event::HandOver { to });
    }

    /// Says goodbye to both neighbours and is gone.
    pub(super) fn handed_over(&mut self, turn: &mut Turn<'_>) {
        if self.status != Status::Leaving {
            return;
        }
        let next = self.successors.first().copied();
        let neighbours = [
            next,
            self.predecessor.filter(|before| Some(*before) != next),
        ];
        for neighbour in neighbours.into_iter().flatten() {
            let goodbye = Message::Goodbye {
                predecessor: self.predecessor,
                successors: self.successors.clone(),
            };
            turn.send(neighbour, goodbye);
        }
        self.go(turn);
    }

    fn go(&mut self, turn: &mut Turn<'_>) {
        self.status = Status::Gone;
        self.give_up_lookups(turn);
        self.next_stabilise_us = NEVER_US;
        turn.tell(Event::Left);
    }

    /// A neighbour leaves.
    pub(super) fn farewell(
        &mut self,
        turn: &mut Turn<'_>,
        leaver: Peer,
        predecessor: Option<Peer>,
        successors: &[Peer],
    ) {
        self.fingers.remove(&leaver);
        if self.predecessor == Some(leaver) {
            match predecessor.filter(|before| *before != self.me) {
                Some(before) => self.ask(turn, before, What::Inherit { leaver }),
                None => self.set_predecessor(turn, None),
            }
        }
        let next = successors.iter().find(|peer| **peer != self.me);
        match (&*self.successors, next) {
            // It is all this node has: whoever comes after it is asked first.
            ([only], Some(next)) if *only == leaver => {
                self.ask(turn, *next, What::Replace { leaver });
            }
            (known, _) if known.contains(&leaver) => {
                self.drop_successor(turn, leaver);
                if !self.stabilising {
                    self.stabilise(turn);
                }
            }
            _ => {}
        }
    }

    /// `next` comes after the only successor, which left, and is alive.
    pub(super) fn replace(
        &mut self,
        turn: &mut Turn<'_>,
        leaver: Peer,
        next: Peer,
        successors: &[Peer],
    ) {
        if self.successors.first() == Some(&leaver) {
            self.adopt(turn, next, successors);
            self.stabilise(turn);
        }
    }

    /// `before` comes before the predecessor, which left, and is alive.
    pub(super) fn inherit(&mut self, turn: &mut Turn<'_>, leaver: Peer, before: Peer) {
        if self.predecessor == Some(leaver) {
            self.set_predecessor(turn, Some(before));
        }
    }
}
