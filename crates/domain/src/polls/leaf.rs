//! What a ballot is in the [tree](crate::merkle) over the final ballots of a poll.
//!
//! ```text
//!   leaf  = SHA-256(0x00 ‖ "consorcio ballot 1" ‖ poll ‖ code hash ‖ choice ‖ weight ‖ name)
//! ```
//!
//! `poll` and `weight` are 8 bytes, `choice` 4, big-endian; a blank ballot's choice is 0. `name` is
//! UTF-8, and empty unless the ballot is open and a member's. The leaves stand in the order of
//! their code hashes; leaves of the same code in the order of choice, then weight, then the leaf's
//! hash. Nothing else of a ballot enters, so the order tells nothing about who voted when.

use crate::merkle::{self, Hash};

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
    let choice = leaf.choice as u32;
    let data = [
        CONTEXT,
        &leaf.poll.to_be_bytes(),
        &leaf.code_hash,
        &choice.to_be_bytes(),
        &leaf.weight.to_be_bytes(),
        leaf.name.as_bytes(),
    ];
    merkle::leaf(&data.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf written down by hand: who verifies a record elsewhere must find the same.
    #[test]
    fn a_leaf_is_what_the_header_says() {
        let leaf = Leaf {
            poll: 7,
            code_hash: [0xab; 32],
            choice: 2,
            weight: 600,
            name: "ana",
        };
        let mut data = b"consorcio ballot 1\0\0\0\0\0\0\0\x07".to_vec();
        data.extend([0xab; 32]);
        data.extend(b"\0\0\0\x02\0\0\0\0\0\0\x02\x58ana");
        assert_eq!(leaf_hash(&leaf), merkle::leaf(&data));
    }
}
