//! The tree over the final ballots of a poll: RFC 6962 §2.1 with SHA-256.
//!
//! ```text
//!   leaf  = SHA-256(0x00 ‖ "consorcio ballot 1" ‖ poll ‖ code hash ‖ choice ‖ weight ‖ name)
//!   node  = SHA-256(0x01 ‖ left ‖ right)
//! ```
//!
//! `poll` and `weight` are 8 bytes, `choice` 4, big-endian; a blank ballot's choice is 0. `name` is
//! UTF-8, and empty unless the ballot is open and a member's. The leaves stand in the order of
//! their code hashes; leaves of the same code in the order of choice, then weight, then the leaf's
//! hash. Nothing else of a ballot enters, so the order tells nothing about who voted when.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What a leaf says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Poll id.
    pub poll: i64,
    /// SHA-256 of the voter's code.
    pub code_hash: Hash,
    /// The option's number, 0 for a blank ballot.
    pub choice: i64,
    /// What the ballot weighs.
    pub weight: i64,
    /// The member's name if the ballot is open.
    pub name: &'a str,
}

/// Keeps a leaf of this kind from being taken for anything else that is hashed.
const CONTEXT: &[u8] = b"consorcio ballot 1";

/// The hash of a leaf.
pub fn leaf_hash(leaf: &Leaf<'_>) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0x00]);
    hasher.update(CONTEXT);
    hasher.update(leaf.poll.to_be_bytes());
    hasher.update(leaf.code_hash);
    hasher.update((leaf.choice as u32).to_be_bytes());
    hasher.update(leaf.weight.to_be_bytes());
    hasher.update(leaf.name.as_bytes());
    hasher.finalize().into()
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

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0x01]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The leaves and roots that Certificate Transparency's own tests use.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let inputs: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let leaves: Vec<Hash> = inputs
            .iter()
            .map(|input| {
                let mut hasher = Sha256::new_with_prefix([0x00]);
                hasher.update(input);
                hasher.finalize().into()
            })
            .collect();
        for (count, expected) in [
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
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ] {
            let tree = Tree::over(leaves[..count].to_vec());
            assert_eq!(hex(&tree.root()), expected, "{count} leaves");
        }
    }

    #[test]
    fn every_leaf_has_its_path() {
        for count in 1..20u8 {
            let leaves: Vec<Hash> = (0..count).map(|nth| [nth; 32]).collect();
            let tree = Tree::over(leaves.clone());
            assert_eq!(tree.root(), defined(&leaves), "{count} leaves");
            for index in 0..leaves.len() {
                let path = tree.path(index);
                let climbed = climb(&leaves, index, &path);
                assert_eq!(climbed, tree.root(), "{index} of {count}");
            }
        }
    }

    /// The recursive definition of RFC 6962.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node(&defined(left), &defined(right))
            }
        }
    }

    /// The largest power of two below `length`, which is at least 2.
    fn split(length: usize) -> usize {
        length.next_power_of_two() / 2
    }

    /// Follows a path up, told by the shape of the tree on which side each hash belongs.
    fn climb(leaves: &[Hash], index: usize, path: &[Hash]) -> Hash {
        let Some((top, rest)) = path.split_last() else {
            return leaves[index];
        };
        let (left, right) = leaves.split_at(split(leaves.len()));
        match index < left.len() {
            true => node(&climb(left, index, rest), top),
            false => node(top, &climb(right, index - left.len(), rest)),
        }
    }
}
