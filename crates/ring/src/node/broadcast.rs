//! Telling everybody: each node tells its fingers, and each finger all up to the next one.
//!
//! ```text
//!   origin ──▶ s₁ … s₂ … f₁ ……… f₂ ……………… f₃ ………………………… (round to the origin)
//!              └─▶┘ └─▶┘ └──▶──┘ └───▶────┘ └────▶─────┘   each tells its own part the same way
//! ```
//!
//! The parts do not overlap, so each node hears it once, in some log₂ N steps. Whose part is whose
//! depends on fingers; that every part is told, only on successors. A part whose hearer is dead
//! goes to whoever comes after it. (After El-Ansary et al., *Efficient Broadcast in Structured P2P
//! Networks*, IPTPS 2003; the acknowledgements are ours.)

use std::collections::VecDeque;

use super::lookup::{LOOKUPS_MAX, Purpose};
use super::{Node, Turn, What};
use crate::message::{Event, Owner, Payload, Tell};
use crate::{Id, Peer};

/// Broadcasts that a node remembers to have passed on. A repeat comes when an acknowledgement was
/// lost, within a few timeouts.
const HEARD_MAX: usize = 64;

/// Broadcasts that a node passed on lately, the oldest first: whose, which, and up to where.
pub(super) type Heard = VecDeque<(Id, u64, Id)>;

impl Node {
    /// Tells every other node.
    pub(super) fn broadcast(&mut self, turn: &mut Turn<'_>, payload: Payload) {
        if self.is_member() {
            let tell = Tell {
                origin: self.me,
                number: self.dice.any(),
                until: self.me.id(),
                depth: 0,
                payload,
            };
            self.spread(turn, &tell);
        }
    }

    /// Hears it and passes it on. The same part told again, because an acknowledgement was lost, is
    /// passed on already.
    pub(super) fn heard(&mut self, turn: &mut Turn<'_>, tell: Tell) {
        let part = (tell.origin.id(), tell.number, tell.until);
        let heard = self.heard.get_or_insert_default();
        if heard.contains(&part) {
            return;
        }
        if heard.len() >= HEARD_MAX {
            heard.pop_front();
        }
        heard.push_back(part);
        let depth = tell.depth.saturating_add(1);
        let tell = Tell { depth, ..tell };
        self.spread(turn, &tell);
        turn.tell(Event::Heard(tell));
    }

    /// Passes it to everybody known before the limit, each with the part up to the next. A node
    /// that waits for too many answers already passes nothing on.
    fn spread(&mut self, turn: &mut Turn<'_>, tell: &Tell) {
        if self.waiting.len() >= LOOKUPS_MAX {
            return;
        }
        let me = self.me.id();
        let known = self.successors.iter().chain(self.fingers.peers());
        let part = known.filter(|peer| peer.id().is_between(me, tell.until));
        let mut hearers: Vec<Peer> = part.copied().collect();
        hearers.sort_by_key(|peer| me.distance_to(peer.id()));
        hearers.dedup();
        let ends = hearers.iter().skip(1).map(Peer::id).chain([tell.until]);
        let ends: Vec<Id> = ends.collect();
        for (hearer, until) in hearers.into_iter().zip(ends) {
            let tell = Tell {
                until,
                ..tell.clone()
            };
            self.ask(turn, hearer, What::Tell(Box::new(tell)));
        }
    }

    /// `dead` did not hear it: its part goes to whoever comes after it.
    pub(super) fn cover(&mut self, turn: &mut Turn<'_>, dead: Peer, tell: Tell) {
        let key = dead.id().plus(1);
        self.begin(turn, Purpose::Cover(Box::new(tell)), key);
    }

    pub(super) fn covered(
        &mut self,
        turn: &mut Turn<'_>,
        tell: Tell,
        from: Id,
        owner: Option<Owner>,
    ) {
        let heir = owner.map(|owner| owner.peer);
        let in_part = |peer: &Peer| {
            let place = peer.id();
            from != tell.until && (place == from || place.is_between(from, tell.until))
        };
        if let Some(heir) = heir.filter(in_part).filter(|heir| *heir != self.me) {
            self.ask(turn, heir, What::Tell(Box::new(tell)));
        }
    }
}
