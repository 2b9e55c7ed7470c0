//! The ring as it ought to be: what every node would know if all were known.
//!
//! Founders of a ring start from it, and tests compare with it.

use crate::fingers::Fingers;
use crate::{BITS, Id, Node, Peer, Peers};

/// Members in the order of the circle, each under its own id.
#[derive(Clone, Debug, Default)]
pub struct Circle(Vec<Peer>);

impl Circle {
    /// The circle of these members. Of two with the same id only one is kept.
    pub fn of(members: impl IntoIterator<Item = Peer>) -> Self {
        let mut members: Vec<Peer> = members.into_iter().collect();
        members.sort_by_key(Peer::id);
        members.dedup_by_key(|peer| peer.id());
        Circle(members)
    }

    /// The members, in order.
    pub fn members(&self) -> &[Peer] {
        &self.0
    }

    /// Where in [`Circle::members`] the owner of a key is; 0 if there are none.
    pub fn owner_index(&self, key: Id) -> usize {
        let at = self.0.partition_point(|peer| peer.id() < key);
        if at < self.0.len() { at } else { 0 }
    }

    /// The owner of a key, if there are members.
    pub fn owner(&self, key: Id) -> Option<Peer> {
        self.0.get(self.owner_index(key)).copied()
    }

    /// The `count` members after the one at `index`, or all others if they are fewer.
    pub fn successors(&self, index: usize, count: usize) -> Peers {
        let members = self.0.len();
        let others = members.saturating_sub(1).min(count);
        (1..=others)
            .map(|i| self.0[(index + i) % members])
            .collect()
    }

    /// The member before the one at `index`, unless it is alone.
    pub fn predecessor(&self, index: usize) -> Option<Peer> {
        let count = self.0.len();
        (count > 1).then(|| self.0[(index + count - 1) % count])
    }

    /// The fingers that the member at `index` has beyond its successors.
    pub fn fingers(&self, index: usize, successors: &[Peer]) -> Fingers {
        let me = self.0[index].id();
        let reach = successors
            .last()
            .map_or(0, |last| me.distance_to(last.id()));
        let mut fingers = Vec::new();
        let mut level = 0;
        while level < BITS {
            let Some(peer) = self.owner(me.plus(1 << level)) else {
                break;
            };
            let distance = me.distance_to(peer.id());
            // It leads round to the member itself: nobody is further.
            if distance < 1 << level {
                break;
            }
            if distance > reach {
                fingers.push(peer);
            }
            level = distance.ilog2() + 1;
        }
        Fingers::of(me, fingers)
    }

    /// The member at `index` as a node that knows what it ought to.
    pub fn node(&self, index: usize, successors: usize, seed: u64) -> Node {
        let list = self.successors(index, successors);
        let fingers = self.fingers(index, &list);
        Node::founder(self.0[index], self.predecessor(index), list, fingers, seed)
    }

    /// Whether a node has the neighbours that it ought to have.
    pub fn is_ideal(&self, node: &Node, successors: usize) -> bool {
        let index = self.owner_index(node.me().id());
        self.0.get(index) == Some(&node.me())
            && node.predecessor() == self.predecessor(index)
            && *node.successors() == *self.successors(index, successors)
    }
}
