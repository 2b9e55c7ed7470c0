//! What Zave proved to hold always, checked always.
//!
//! Her invariant has two parts. Every member has a live successor in its list. And there are at
//! least r + 1 *principals*: members that no member's list skips. (A list skips whoever lies
//! between two neighbours of it, the node itself counted in front.) From these follow one ordered
//! ring and that every member reaches it.
//!
//! A step changes one node, so what is counted is kept up to date rather than counted anew: a
//! change costs about as many looks as a list is long.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use crate::fingers::octave;
use crate::{Address, Id, Node, Peer};

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A member all of whose successors are dead.
    NoLiveSuccessor(Peer),
    /// Too few members that no list skips.
    TooFewPrincipals {
        /// How many there are.
        have: usize,
        /// How many there must be.
        need: usize,
    },
    /// A list that does not go once round in order.
    Disordered(Peer),
}

/// Counts who is skipped and who has a live successor.
#[derive(Clone, Debug)]
pub struct Checker {
    members: BTreeMap<Id, Address>,
    /// By address.
    tallies: Vec<Tally>,
    principals: usize,
    /// Lists by the octave of their length: how far back a list can begin that reaches a place.
    spans: [u32; 64],
    base: usize,
    /// A member without a live successor, or with a list out of order.
    worst: Option<Broken>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Lists that skip it.
    skips: u32,
    /// Members in its list.
    live: u32,
}

impl Checker {
    /// Begins with these nodes; `base` principals there must always be.
    pub fn of(nodes: &[Option<Node>], base: usize) -> Self {
        let members = || nodes.iter().flatten().filter(|node| node.is_member());
        let mut checker = Checker {
            members: members().map(|n| (n.me().id(), n.me().address())).collect(),
            tallies: vec![Tally::default(); nodes.len()],
            principals: 0,
            spans: [0; 64],
            base,
            worst: None,
        };
        checker.principals = checker.members.len();
        for node in members() {
            checker.add_list(node.me(), node.successors());
        }
        checker
    }

    /// Whether it holds.
    pub fn verdict(&self) -> Result<(), Broken> {
        if let Some(worst) = self.worst {
            return Err(worst);
        }
        if self.principals < self.base {
            return Err(Broken::TooFewPrincipals {
                have: self.principals,
                need: self.base,
            });
        }
        Ok(())
    }

    /// Members in the order of the circle.
    pub fn members(&self) -> impl Iterator<Item = Peer> {
        self.members
            .iter()
            .map(|(id, address)| Peer::new(*id, *address))
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// How many of them no list skips.
    pub fn principals(&self) -> usize {
        self.principals
    }

    /// The member that owns a key.
    pub fn owner(&self, key: Id) -> Option<Peer> {
        let from_key = self.members.range(key..).next();
        let (id, address) = from_key.or_else(|| self.members.first_key_value())?;
        Some(Peer::new(*id, *address))
    }

    /// `me` became a member.
    pub fn enter(&mut self, nodes: &[Option<Node>], me: Peer) {
        let index = me.address().0 as usize;
        if self.tallies.len() <= index {
            self.tallies.resize(index + 1, Tally::default());
        }
        self.members.insert(me.id(), me.address());
        self.principals += 1;
        for (before, list) in self.lists_reaching(nodes, me.id()) {
            if list.contains(&me) {
                self.tallies[before.address().0 as usize].live += 1;
            } else {
                self.skip(me.address(), true);
            }
        }
        if let Some(node) = nodes.get(index).and_then(Option::as_ref) {
            self.add_list(me, node.successors());
        }
    }

    /// The list of `me` is no more what it was.
    pub fn changed(&mut self, nodes: &[Option<Node>], me: Peer, before: &[Peer]) {
        let node = nodes.get(me.address().0 as usize).and_then(Option::as_ref);
        if let Some(node) = node.filter(|node| node.successors() != before) {
            self.remove_list(me, before);
            self.add_list(me, node.successors());
        }
    }

    /// `me`, whose list this was, is a member no more.
    pub fn depart(&mut self, nodes: &[Option<Node>], me: Peer, list: &[Peer]) {
        self.remove_list(me, list);
        self.members.remove(&me.id());
        if self.tallies[me.address().0 as usize].skips == 0 {
            self.principals -= 1;
        }
        for (before, list) in self.lists_reaching(nodes, me.id()) {
            if list.contains(&me) {
                let tally = &mut self.tallies[before.address().0 as usize];
                tally.live -= 1;
                let alone = tally.live == 0 && self.members.len() > 1;
                if alone && self.worst.is_none() {
                    self.worst = Some(Broken::NoLiveSuccessor(before));
                }
            }
        }
    }

    fn add_list(&mut self, me: Peer, list: &[Peer]) {
        let live = list.iter().filter(|peer| self.is_member(peer)).count() as u32;
        self.tallies[me.address().0 as usize].live = live;
        if live == 0 && self.members.len() > 1 && self.worst.is_none() {
            self.worst = Some(Broken::NoLiveSuccessor(me));
        }
        let distances = list.iter().map(|peer| me.id().distance_to(peer.id()));
        let distances: Vec<u64> = distances.collect();
        let ordered = distances.first() != Some(&0) && distances.is_sorted_by(|a, b| a < b);
        if !ordered && self.worst.is_none() {
            self.worst = Some(Broken::Disordered(me));
        }
        self.count_list(me, list, true);
    }

    fn remove_list(&mut self, me: Peer, list: &[Peer]) {
        self.count_list(me, list, false);
    }

    /// Counts whom a list skips, or takes that back.
    fn count_list(&mut self, me: Peer, list: &[Peer], add: bool) {
        let Some(last) = list.last() else {
            return;
        };
        let span = &mut self.spans[octave(me.id().distance_to(last.id())) as usize];
        *span = if add { *span + 1 } else { *span - 1 };
        let skipped = self.skipped(me.id(), list);
        for address in skipped {
            self.skip(address, add);
        }
    }

    /// The members that lie in the reach of a list and are not in it.
    fn skipped(&self, me: Id, list: &[Peer]) -> Vec<Address> {
        let Some(last) = list.last() else {
            return Vec::new();
        };
        let reach = me.distance_to(last.id());
        let onward = self.members.range((Bound::Excluded(me), Bound::Unbounded));
        let round = onward.chain(self.members.range(..me));
        let reached = round.take_while(|(id, _)| me.distance_to(**id) < reach);
        let mut listed = list.iter().map(Peer::id).peekable();
        let mut skipped = Vec::new();
        for (id, address) in reached {
            let distance = me.distance_to(*id);
            while listed
                .next_if(|known| me.distance_to(*known) < distance)
                .is_some()
            {}
            if listed.peek() != Some(id) {
                skipped.push(*address);
            }
        }
        skipped
    }

    fn skip(&mut self, address: Address, add: bool) {
        let tally = &mut self.tallies[address.0 as usize];
        let was = tally.skips;
        tally.skips = if add { was + 1 } else { was - 1 };
        match (was, tally.skips) {
            (0, _) => self.principals -= 1,
            (_, 0) => self.principals += 1,
            _ => {}
        }
    }

    /// The members whose lists reach a place, from another place.
    fn lists_reaching<'a>(&self, nodes: &'a [Option<Node>], place: Id) -> Vec<(Peer, &'a [Peer])> {
        let longest = self.spans.iter().rposition(|count| *count > 0);
        let back = |id: &Id| longest.is_some_and(|octave| id.distance_to(place) >> octave < 2);
        let before = self.members.range(..place).rev();
        let round = before.chain(self.members.range(place..).rev());
        let near = round
            .filter(|(id, _)| **id != place)
            .take_while(|(id, _)| back(id));
        let lists = near.filter_map(|(id, address)| {
            let list = nodes.get(address.0 as usize)?.as_ref()?.successors();
            let reach = id.distance_to(list.last()?.id());
            (id.distance_to(place) <= reach).then(|| (Peer::new(*id, *address), list))
        });
        lists.collect()
    }

    fn is_member(&self, peer: &Peer) -> bool {
        self.members.get(&peer.id()) == Some(&peer.address())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NoLiveSuccessor(peer) => {
                write!(f, "every successor that {} knows is dead", peer.id())
            }
            Broken::TooFewPrincipals { have, need } => {
                write!(
                    f,
                    "{have} members are skipped by no list, of {need} that must be"
                )
            }
            Broken::Disordered(peer) => {
                write!(f, "the successors of {} are out of order", peer.id())
            }
        }
    }
}
