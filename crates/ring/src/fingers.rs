//! Shortcuts across the circle.
//!
//! The paper's finger `i` is the first node at a distance of `2^i` or more. Most of the 64 are the
//! same few nodes, so what is kept is one node for each *octave* of distance, `[2^i, 2^(i+1))`,
//! that has any: finger `i` is the nearest kept node of octave `i` or further. Twelve bytes each,
//! and some log₂ N of them.

use crate::{Id, Peer, Peers};

/// The fingers of one node, nearest first, at most one an octave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingers(Peers);

/// The octave of a distance that is not 0.
pub fn octave(distance: u64) -> u32 {
    distance.max(1).ilog2()
}

/// The first octave that lies beyond `distance` as a whole.
pub fn octave_beyond(distance: u64) -> u32 {
    match distance {
        0 => 0,
        _ => octave(distance) + 1,
    }
}

impl Fingers {
    /// Fingers that are known, in any order.
    pub fn of(me: Id, peers: impl IntoIterator<Item = Peer>) -> Self {
        let mut fingers: Vec<Peer> = peers.into_iter().filter(|p| p.id() != me).collect();
        fingers.sort_by_key(|peer| me.distance_to(peer.id()));
        fingers.dedup_by_key(|peer| octave(me.distance_to(peer.id())));
        Fingers(fingers.into())
    }

    /// All of them, nearest first.
    pub fn peers(&self) -> &[Peer] {
        &self.0
    }

    /// Takes in that `peer` is the first node at a distance of `2^level` or more; none if that
    /// leads round to the node itself. What lies nearer than `keep_beyond` is dropped: the
    /// successor list knows it better.
    pub fn put(&mut self, me: Id, level: u32, peer: Option<Peer>, keep_beyond: u64) {
        let reached = peer.map_or(u32::MAX, |peer| octave(me.distance_to(peer.id())));
        let stays = |known: &&Peer| {
            let distance = me.distance_to(known.id());
            let contradicted = (level..=reached).contains(&octave(distance));
            !contradicted && distance > keep_beyond
        };
        let known = self.0.iter().filter(stays).copied();
        let new = peer.filter(|peer| me.distance_to(peer.id()) > keep_beyond);
        let next = Fingers::of(me, known.chain(new));
        if next != *self {
            *self = next;
        }
    }

    /// Forgets a peer that is gone.
    pub fn remove(&mut self, gone: &Peer) {
        if self.0.contains(gone) {
            self.0 = self.0.iter().filter(|p| *p != gone).copied().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn at(place: u64) -> Peer {
        Peer::new(Id(place), Address(place as u32))
    }

    fn places(fingers: &Fingers) -> Vec<u64> {
        fingers.peers().iter().map(|peer| peer.id().0).collect()
    }

    #[test]
    fn one_an_octave_nearest_first() {
        let fingers = Fingers::of(Id(0), [at(40), at(33), at(0), at(5), at(4)]);
        assert_eq!(places(&fingers), [4, 33]);
    }

    #[test]
    fn what_a_lookup_contradicts_goes() {
        let mut fingers = Fingers::of(Id(0), [at(5), at(9), at(20), at(70)]);
        fingers.put(Id(0), 3, Some(at(40)), 0);
        assert_eq!(places(&fingers), [5, 40, 70], "nobody from 8 to 40");
        fingers.put(Id(0), 5, None, 0);
        assert_eq!(places(&fingers), [5], "nobody from 32 on");
    }

    #[test]
    fn the_successor_list_knows_the_near_ones() {
        let mut fingers = Fingers::of(Id(0), [at(5), at(70)]);
        fingers.put(Id(0), 4, Some(at(20)), 10);
        assert_eq!(places(&fingers), [20, 70]);
        fingers.put(Id(0), 4, Some(at(21)), 30);
        assert_eq!(
            places(&fingers),
            [70],
            "and it is no finger if the list reaches it"
        );
    }

    #[test]
    fn octaves() {
        assert_eq!([octave(1), octave(2), octave(3), octave(4)], [0, 1, 1, 2]);
        assert_eq!(
            [octave_beyond(0), octave_beyond(1), octave_beyond(4)],
            [0, 1, 3]
        );
        assert_eq!(octave(u64::MAX), 63);
    }
}
