//! Who holds a chunk: the members that follow its hash on the circle.

use ring::{Address, Circle, Id, Peer};

use super::ChunkHash;
use crate::types::NodeId;

/// Places that each node has on the circle. With one, a node of ten would hold three times its
/// share; with so many hardly any holds a third more.
const PLACES: u32 = 32;

/// The members on their places.
pub struct Placement {
    members: Vec<NodeId>,
    circle: Circle,
}

impl Placement {
    /// The circle of these members.
    pub fn of(members: Vec<NodeId>) -> Self {
        let places = members.iter().zip(0..).flat_map(|(member, address)| {
            let name = member.to_be_bytes();
            let place = move |number| Peer::new(Id::of_virtual(&name, number), Address(address));
            (0..PLACES).map(place)
        });
        let circle = Circle::of(places);
        Placement { members, circle }
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// The first `count` members that follow a chunk's hash, all if they are fewer: nobody twice,
    /// however many of its places come.
    pub fn holders(&self, hash: &ChunkHash, count: usize) -> Vec<NodeId> {
        let places = self.circle.members();
        let count = count.min(self.members.len());
        let first = self.circle.owner_index(Id::start_of(hash));
        let mut holders = Vec::with_capacity(count);
        for step in 0..places.len() {
            if holders.len() == count {
                break;
            }
            let place = places[(first + step) % places.len()];
            let member = self.members[place.address().0 as usize];
            if !holders.contains(&member) {
                holders.push(member);
            }
        }
        holders
    }

    /// All members, in the order in which they follow a chunk's hash.
    pub fn order(&self, hash: &ChunkHash) -> Vec<NodeId> {
        self.holders(hash, self.members.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: u32) -> impl Iterator<Item = ChunkHash> {
        (0..count).map(|nth| *blake3::hash(&nth.to_be_bytes()).as_bytes())
    }

    #[test]
    fn holders_are_different_members_in_the_order_of_the_circle() {
        let placement = Placement::of(vec![3, 1, 4, 15, 9]);
        for hash in hashes(200) {
            let order = placement.order(&hash);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 3, 4, 9, 15]);
            assert_eq!(placement.holders(&hash, 3), order[..3]);
            let owner = placement.circle.owner(Id::start_of(&hash));
            let owner = owner.map(|peer| placement.members[peer.address().0 as usize]);
            assert_eq!(owner, Some(order[0]), "the ring's own owner comes first");
        }
    }

    #[test]
    fn whoever_lists_the_members_finds_the_same_holders() {
        let (one, other) = (
            Placement::of(vec![1, 2, 3, 4]),
            Placement::of(vec![4, 2, 3, 1]),
        );
        for hash in hashes(200) {
            assert_eq!(one.order(&hash), other.order(&hash));
        }
    }

    #[test]
    fn a_new_member_takes_its_share_and_nothing_else_moves() {
        let (before, after) = (
            Placement::of((1..=9).collect()),
            Placement::of((1..=10).collect()),
        );
        let mut moved = 0;
        for hash in hashes(3_000) {
            let (old, new) = (before.holders(&hash, 3), after.holders(&hash, 3));
            if new.contains(&10) {
                moved += 1;
                let others: Vec<NodeId> = new.into_iter().filter(|id| *id != 10).collect();
                assert_eq!(old[..2], others);
            } else {
                assert_eq!(old, new);
            }
        }
        // Three tenths would be its share exactly.
        assert!((600..1_300).contains(&moved), "{moved}");
    }

    #[test]
    fn nobody_is_asked_for_more_members_than_there_are() {
        let hash = [7; 32];
        assert!(Placement::of(Vec::new()).holders(&hash, 3).is_empty());
        assert_eq!(Placement::of(vec![5]).holders(&hash, 3), [5]);
    }
}
