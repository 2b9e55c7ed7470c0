//! Finding the owner of a key: iteratively, and past the dead.
//!
//! ```text
//!   asker ──Next──▶ a ──▶ nodes before the key, nearest first          (several: some may be dead)
//!   asker ──Next──▶ b ──▶ the owner and its successors, from b's list  (several: likewise)
//!   asker ──Own───▶ o ──▶ mine; or: somebody before me may own it
//! ```
//!
//! Of all nodes it has heard of, the asker asks the one nearest before the key; when that one is
//! silent, the next nearest. Nobody is asked twice, but for one case: before a lookup goes back, or
//! takes the word of a node that knows of one nearer, the silent ones get a second chance, since a
//! packet may have been lost. Fingers make it short, and only that: with wrong ones it still
//! arrives by successors.

use super::{Node, Turn, What};
use crate::fingers::octave_beyond;
use crate::message::{Answer, Event, Found, Hop, Lost, Owner, Tell};
use crate::{Id, Peer, Peers, SUCCESSORS_MAX};

/// Lookups that a node has under way, its own upkeep included. Each takes about a kilobyte.
pub const LOOKUPS_MAX: usize = 4096;

/// Nodes that one lookup asks. In a ring of a million with half of it dead, the longest of ten
/// thousand asks some 90.
pub const HOPS_MAX: usize = 128;

/// Nodes before the key that an answer names. With half the ring dead, all of 16 are dead once in
/// 65,000 times, and then those that earlier answers named are left.
const CLOSER_MAX: usize = 16;

/// Nodes before the key that a lookup keeps in mind, the nearest.
const CANDIDATES_MAX: usize = 96;

/// A lookup under way.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    purpose: Purpose,
    key: Id,
    started_us: u64,
    /// Nodes before the key that were not asked yet, the nearest last.
    candidates: Vec<Peer>,
    /// Nodes before the key that were silent once.
    silent: Vec<Peer>,
    /// How far before the key the nearest node is that answered.
    nearest: u64,
    /// Who may own the key, the likeliest last.
    owners: Vec<Peer>,
    /// Presumed owners that were silent once.
    missed: Vec<Peer>,
    /// Alive, and owns the key unless somebody alive lies between.
    claim: Option<Owner>,
    /// Named as its next neighbour by the node before it.
    beside: Option<Peer>,
    hops: Vec<Hop>,
}

/// What a lookup is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Somebody asked.
    Call(u64),
    /// The finger of this level.
    Finger(u8),
    /// The node's own place.
    Join,
    /// Whoever comes after a hearer that is dead.
    Cover(Box<Tell>),
}

/// What a lookup does next.
enum Step {
    /// Ask a presumed owner.
    Own(Peer),
    /// Ask a node for the way.
    Next(Peer),
    /// It has found the owner.
    End(Owner),
    /// There is nobody left to ask.
    GiveUp,
}

impl Lookup {
    /// A lookup that begins with these candidates, in any order.
    pub(super) fn new(purpose: Purpose, key: Id, now_us: u64, candidates: Vec<Peer>) -> Box<Self> {
        let mut lookup = Lookup {
            purpose,
            key,
            started_us: now_us,
            candidates: Vec::new(),
            silent: Vec::new(),
            nearest: u64::MAX,
            owners: Vec::new(),
            missed: Vec::new(),
            claim: None,
            beside: None,
            hops: Vec::new(),
        };
        lookup.learn(candidates);
        Box::new(lookup)
    }

    pub(super) fn key(&self) -> Id {
        self.key
    }

    fn asked(&self, peer: &Peer) -> bool {
        self.times_asked(peer) > 0
    }

    fn times_asked(&self, peer: &Peer) -> usize {
        self.hops.iter().filter(|hop| hop.peer == *peer).count()
    }

    /// What to do next.
    fn next(&mut self) -> Step {
        if let Some(owner) = self.owners.pop() {
            return Step::Own(owner);
        }
        if self.claim.is_none() && self.candidates.last().is_some_and(|p| self.is_ahead(p)) {
            return self.candidates.pop().map_or(Step::GiveUp, Step::Next);
        }
        if let Some(owner) = self.second_chance(|lookup| &mut lookup.missed) {
            return Step::Own(owner);
        }
        if let Some(claim) = self.claim.take() {
            // Whoever lies between is dead.
            return Step::End(claim);
        }
        let silent = self.second_chance(|lookup| &mut lookup.silent);
        let next = silent.or_else(|| self.candidates.pop());
        next.map_or(Step::GiveUp, Step::Next)
    }

    /// Whether a node is nearer to the key than every one that answered.
    fn is_ahead(&self, peer: &Peer) -> bool {
        peer.id().distance_to(self.key) < self.nearest
    }

    /// Takes the one nearest to the key out of those that were silent once.
    fn second_chance(&mut self, of: impl Fn(&mut Self) -> &mut Vec<Peer>) -> Option<Peer> {
        let key = self.key;
        let silent = of(self);
        let apart = |peer: &Peer| key.distance_to(peer.id()).min(peer.id().distance_to(key));
        let nearest = (0..silent.len()).min_by_key(|index| apart(&silent[*index]))?;
        Some(silent.remove(nearest))
    }

    /// Keeps in mind nodes before the key.
    fn learn(&mut self, peers: impl IntoIterator<Item = Peer>) {
        for peer in peers {
            if !self.asked(&peer) && !self.candidates.contains(&peer) {
                self.candidates.push(peer);
            }
        }
        let key = self.key;
        let distance = |peer: &Peer| peer.id().distance_to(key);
        self.candidates
            .sort_by_key(|peer| std::cmp::Reverse(distance(peer)));
        let surplus = self.candidates.len().saturating_sub(CANDIDATES_MAX);
        self.candidates.drain(..surplus);
    }

    /// Keeps in mind who may own the key, the likeliest first.
    fn nominate(&mut self, owners: &[Peer]) {
        let some = &owners[..owners.len().min(SUCCESSORS_MAX)];
        let new = some.iter().rev().filter(|peer| !self.asked(peer));
        let new: Vec<Peer> = new.copied().collect();
        self.owners.retain(|peer| !new.contains(peer));
        self.owners.extend(new);
    }

    /// `peer` is alive and owns the key, unless `before`, which lies between, is alive too.
    fn claim(&mut self, peer: Peer, before: Option<Peer>, successors: Peers) {
        let before = before.filter(|before| !self.asked(before));
        self.owners = before.into_iter().collect();
        self.claim = Some(Owner { peer, successors });
    }

    fn asking(&mut self, peer: Peer, now_us: u64) {
        self.hops.push(Hop {
            peer,
            after_us: now_us.saturating_sub(self.started_us),
            took_us: None,
        });
    }

    fn answered(&mut self, now_us: u64) {
        let since_us = now_us.saturating_sub(self.started_us);
        if let Some(hop) = self.hops.last_mut() {
            hop.took_us = Some(since_us.saturating_sub(hop.after_us));
        }
    }

    /// The end of it, as the asker is told.
    fn found(self, tag: u64, owner: Result<Owner, Lost>) -> Found {
        let answered = self.hops.iter().filter(|hop| hop.took_us.is_some());
        let visited = answered.count() as u32;
        let beside = owner
            .as_ref()
            .is_ok_and(|owner| self.beside == Some(owner.peer));
        Found {
            tag,
            key: self.key,
            owner,
            path: visited - u32::from(beside && visited > 0),
            hops: self.hops,
            started_us: self.started_us,
        }
    }
}

impl Node {
    /// Looks up a key for the driver.
    pub(super) fn look_up(&mut self, turn: &mut Turn<'_>, key: Id, tag: u64) {
        self.begin(turn, Purpose::Call(tag), key);
    }

    /// Refreshes the next finger beyond the successor list.
    pub(super) fn refresh(&mut self, turn: &mut Turn<'_>) {
        let Some(last) = self.successors.last() else {
            return;
        };
        if self.refreshing {
            return;
        }
        let first = octave_beyond(self.me.id().distance_to(last.id()));
        let level = match u32::from(self.level) {
            level if level < first || level >= crate::BITS => first,
            level => level,
        };
        if level < crate::BITS {
            self.refreshing = true;
            let key = self.me.id().plus(1 << level);
            self.begin(turn, Purpose::Finger(level as u8), key);
        }
    }

    /// Begins a lookup with what this node knows itself.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>, purpose: Purpose, key: Id) {
        let known = self.before(key);
        let mut lookup = Lookup::new(purpose, key, turn.now_us, known);
        lookup.nearest = self.me.id().distance_to(key);
        if !self.is_member() {
            return self.end(turn, lookup, Err(Lost::Outside));
        }
        if self.waiting.len() >= LOOKUPS_MAX {
            return self.end(turn, lookup, Err(Lost::Busy));
        }
        if self.predecessor.is_some() && self.owns(key) {
            lookup.claim(self.me, None, self.successors.clone());
        } else {
            let (owners, beside) = self.owners(key);
            lookup.nominate(&owners);
            lookup.beside = owners.first().copied().filter(|_| beside);
        }
        self.advance(turn, lookup);
    }

    /// Asks the next node, or ends.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>, mut lookup: Box<Lookup>) {
        if lookup.hops.len() >= HOPS_MAX {
            return self.end(turn, lookup, Err(Lost::TooFar));
        }
        let (peer, what) = match lookup.next() {
            Step::Own(owner) if owner == self.me => {
                let before = self.predecessor.filter(|_| !self.owns(lookup.key));
                lookup.claim(self.me, before, self.successors.clone());
                return self.advance(turn, lookup);
            }
            Step::Own(owner) => (owner, What::Own as fn(_) -> _),
            Step::Next(peer) => (peer, What::Next as fn(_) -> _),
            Step::End(owner) => return self.end(turn, lookup, Ok(owner)),
            Step::GiveUp => return self.end(turn, lookup, Err(Lost::Silence)),
        };
        lookup.asking(peer, turn.now_us);
        self.ask(turn, peer, what(lookup));
    }

    /// A node on the way answered.
    pub(super) fn pointed(
        &mut self,
        turn: &mut Turn<'_>,
        mut lookup: Box<Lookup>,
        from: Peer,
        owners: Peers,
        closer: &[Peer],
        beside: bool,
    ) {
        lookup.answered(turn.now_us);
        if matches!(lookup.purpose, Purpose::Join) {
            if beside {
                return self.joined(turn, from, &owners);
            }
        } else {
            lookup.nominate(&owners);
            if beside {
                lookup.beside = owners.first().copied();
            }
        }
        lookup.nearest = lookup.nearest.min(from.id().distance_to(lookup.key));
        let others = closer.iter().filter(|peer| **peer != self.me);
        lookup.learn(others.copied());
        self.advance(turn, lookup);
    }

    /// A presumed owner answered.
    pub(super) fn claimed(
        &mut self,
        turn: &mut Turn<'_>,
        mut lookup: Box<Lookup>,
        from: Peer,
        before: Option<Peer>,
        successors: Peers,
    ) {
        lookup.answered(turn.now_us);
        lookup.claim(from, before, successors);
        self.advance(turn, lookup);
    }

    /// A node on the way is silent.
    pub(super) fn no_way(&mut self, turn: &mut Turn<'_>, mut lookup: Box<Lookup>, silent: Peer) {
        if lookup.times_asked(&silent) == 1 {
            lookup.silent.push(silent);
        }
        self.advance(turn, lookup);
    }

    /// A presumed owner is silent.
    pub(super) fn no_claim(&mut self, turn: &mut Turn<'_>, mut lookup: Box<Lookup>, silent: Peer) {
        if lookup.times_asked(&silent) == 1 {
            lookup.missed.push(silent);
        }
        self.advance(turn, lookup);
    }

    fn end(&mut self, turn: &mut Turn<'_>, lookup: Box<Lookup>, owner: Result<Owner, Lost>) {
        match lookup.purpose {
            Purpose::Call(tag) => {
                let found = lookup.found(tag, owner);
                turn.tell(Event::Found(Box::new(found)));
            }
            Purpose::Finger(level) => self.refreshed(u32::from(level), owner.ok()),
            Purpose::Join => turn.tell(Event::NotJoined),
            Purpose::Cover(tell) => self.covered(turn, *tell, lookup.key, owner.ok()),
        }
    }

    /// Waits for nothing any more. Whoever asked for a lookup is told that it came to nothing.
    pub(super) fn give_up_lookups(&mut self, turn: &mut Turn<'_>) {
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            if let What::Next(lookup) | What::Own(lookup) = waiting.what
                && matches!(lookup.purpose, Purpose::Call(_))
            {
                self.end(turn, lookup, Err(Lost::Outside));
            }
        }
    }

    fn refreshed(&mut self, level: u32, owner: Option<Owner>) {
        self.refreshing = false;
        let Some(owner) = owner else {
            return;
        };
        let me = self.me.id();
        let peer = Some(owner.peer).filter(|peer| peer.id() != me);
        let last = self.successors.last();
        let reach = last.map_or(0, |last| me.distance_to(last.id()));
        self.fingers.put(me, level, peer, reach);
        let beyond = peer.map(|peer| octave_beyond(me.distance_to(peer.id())));
        self.level = beyond.unwrap_or(crate::BITS) as u8;
    }

    /// What this node answers who asks for a key.
    pub(super) fn next_towards(&self, key: Id) -> Answer {
        let (owners, beside) = self.owners(key);
        let mut closer = self.before(key);
        closer.truncate(CLOSER_MAX);
        Answer::Next {
            owners,
            closer: closer.into(),
            beside,
        }
    }

    /// The owner of `key` and those after it, if the successor list reaches so far; and whether it
    /// is this node's next neighbour.
    fn owners(&self, key: Id) -> (Peers, bool) {
        let me = self.me.id();
        if self.successors.is_empty() {
            return (Peers::from([self.me]), true);
        }
        let reached = |peer: &Peer| key.is_within(me, peer.id());
        let first = match key == me {
            true => None,
            false => self.successors.iter().position(reached),
        };
        let owners = first.map_or(Peers::default(), |first| self.successors[first..].into());
        (owners, first == Some(0))
    }

    /// The nodes before `key` that this node knows, nearest to it first.
    fn before(&self, key: Id) -> Vec<Peer> {
        let me = self.me.id();
        let known = self.successors.iter().chain(self.fingers.peers());
        let own = self.predecessor.iter().filter(|_| self.owns(key));
        let before = known
            .chain(own)
            .filter(|peer| peer.id().is_between(me, key));
        let mut before: Vec<Peer> = before.copied().collect();
        before.sort_by_key(|peer| peer.id().distance_to(key));
        before.dedup();
        before
    }
}
