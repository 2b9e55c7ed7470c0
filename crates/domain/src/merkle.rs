//! The Merkle tree of RFC 6962, section 2.1, over SHA-256.
//!
//! A leaf is the hash of a zero byte and the data, a node the hash of a one byte and its two
//! children, so that neither can be passed off as the other. The tree over *n* leaves splits at the
//! largest power of two below *n*; of no leaves it is the hash of nothing.
//!
//! ```text
//!            root                  7 leaves: the frontier is a, b, c
//!          /      \
//!         a       node             a leaf is appended in one step on average: it joins
//!       /   \     /   \            the complete trees at the end of the frontier
//!      .     .   b     c = leaf 6
//! ```
//!
//! A tree that grows keeps its [`Frontier`] (a lottery's batches); one that is complete and asked
//! for many paths is kept whole, as a [`Tree`] (a closed poll's ballots).

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf's data.
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(data)
        .finalize()
        .into()
}

/// The hash of a node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The roots of the complete trees that a growing tree consists of, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree with `size` leaves, from what [`Frontier::to_bytes`] gave; `None` if
    /// the bytes do not fit the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self {
            size,
            peaks: peaks.to_vec(),
        })
    }

    /// The hashes one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Appends a leaf. Answers the root of the complete tree of `2^level` leaves that it closed,
    /// if it closed one.
    pub fn push(&mut self, leaf: Hash, level: u32) -> Option<Hash> {
        let mut top = leaf;
        let mut closed = (level == 0).then_some(top);
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                top = node(&left, &top);
            }
            if height == level {
                closed = Some(top);
            }
        }
        self.peaks.push(top);
        self.size += 1;
        closed
    }

    /// The root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else {
            return Sha256::digest([]).into();
        };
        peaks.fold(last, |right, left| node(left, &right))
    }
}

/// A tree kept whole, level by level from the leaves up: a path is looked up, not computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// A hash without a neighbour stands in the level above as it is.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over leaf hashes in their order.
    pub fn over(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let pairs = below.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                _ => pair[0],
            });
            let above = pairs.collect();
            levels.push(above);
        }
        Tree { levels }
    }

    /// Its root. That of no leaves is SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        let root = self.levels.last().and_then(|level| level.first());
        root.copied().unwrap_or_else(|| Sha256::digest([]).into())
    }

    /// The audit path of the leaf at `index`: the hashes beside its way to the root, from below.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let beside = (0..).zip(&self.levels);
        let beside = beside.filter_map(|(height, level)| level.get((index >> height) ^ 1));
        beside.copied().collect()
    }
}

/// The root of a tree over these leaves (hashes, not data).
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf, 0);
    }
    frontier.root()
}

/// The hashes that prove that the leaf at `index` is in the tree over `leaves`: the siblings on the
/// way to the root, the nearest first. Empty if there is no such leaf.
///
/// The leaves may be roots of complete trees of one size (the last one smaller): the tree over
/// them is the same tree, seen from there up.
pub fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    let mut path = Vec::new();
    let (mut index, mut rest) = (index, leaves);
    while index < rest.len() && rest.len() > 1 {
        let middle = rest.len().next_power_of_two() / 2;
        let (left, right) = rest.split_at(middle);
        if index < middle {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            rest = right;
            index -= middle;
        }
    }
    path.reverse();
    path
}

/// Whether `path` proves that `leaf` is at `index` of the tree with `size` leaves and this root
/// (RFC 9162, section 2.1.3.2).
pub fn includes(root: &Hash, size: u64, index: u64, leaf: &Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            let lone = at.trailing_zeros();
            at >>= lone;
            last >>= lone;
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Frontier, Hash, Tree, includes, leaf, node, path, root};

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|at| leaf(&at.to_be_bytes())).collect()
    }

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The recursive definition of RFC 6962.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&defined(left), &defined(right))
            }
        }
    }

    /// The vectors that Certificate Transparency's implementations share.
    #[test]
    fn known_roots() {
        let data: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<Hash> = data.iter().map(|data| leaf(data)).collect();
        let known = [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                2,
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            ),
            (
                3,
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            ),
            (
                5,
                "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            ),
            (
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ];
        for (size, expected) in known {
            assert_eq!(hex(root(&leaves[..size])), expected, "{size} leaves");
            let tree = Tree::over(leaves[..size].to_vec());
            assert_eq!(hex(tree.root()), expected, "{size} leaves");
        }
    }

    #[test]
    fn every_leaf_of_every_tree_is_proven_and_nothing_else() {
        for size in 1..40 {
            let leaves = leaves(size);
            let root = root(&leaves);
            assert_eq!(root, defined(&leaves));
            let tree = Tree::over(leaves.clone());
            assert_eq!(tree.root(), root);
            for at in 0..size {
                let path = path(at, &leaves);
                assert_eq!(tree.path(at), path, "{at} of {size}");
                let proven = |index: usize, leaf: &Hash, path: &[Hash]| {
                    includes(&root, size as u64, index as u64, leaf, path)
                };
                assert!(proven(at, &leaves[at], &path), "{at} of {size}");
                assert!(!proven(at + 1, &leaves[at], &path));
                assert!(!proven(at, &leaf(b"other"), &path));
                assert!(!proven(
                    at,
                    &leaves[at],
                    &[path.as_slice(), &[root]].concat()
                ));
                if let Some((_, short)) = path.split_last() {
                    assert!(!proven(at, &leaves[at], short));
                }
            }
        }
        assert!(path(3, &leaves(3)).is_empty());
    }

    #[test]
    fn a_frontier_is_kept_as_bytes_and_tells_which_trees_are_complete() {
        let leaves = leaves(23);
        let mut frontier = Frontier::default();
        let mut blocks = Vec::new();
        for (at, leaf) in leaves.iter().enumerate() {
            let bytes = frontier.to_bytes();
            frontier = Frontier::from_bytes(at as u64, &bytes).unwrap();
            blocks.extend(frontier.push(*leaf, 2));
            assert_eq!(frontier.root(), root(&leaves[..=at]));
        }
        let expected: Vec<Hash> = leaves
            .as_chunks::<4>()
            .0
            .iter()
            .map(|four| root(four))
            .collect();
        assert_eq!(blocks, expected);
        assert_eq!(Frontier::from_bytes(3, &[0; 32]), None);
        assert_eq!(Frontier::from_bytes(1, &[0; 33]), None);

        // From the blocks up it is the same tree.
        blocks.push(root(&leaves[20..]));
        for at in 0..23 {
            let block = &leaves[at / 4 * 4..(at / 4 * 4 + 4).min(23)];
            let both = [path(at % 4, block), path(at / 4, &blocks)].concat();
            assert_eq!(both, path(at, &leaves));
        }
    }
}
