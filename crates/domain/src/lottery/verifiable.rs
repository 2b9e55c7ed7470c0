//! Draws that anybody can recompute.
//!
//! ```text
//!   before the first bet   commitment = SHA-256(secret), and the name of a public source
//!   while bets arrive      a Merkle tree over all batches in order; agencies hold their leaves
//!   after the last closing secret and the source's value are entered and published
//!   number                 SHA-256(secret ‖ root ‖ value), read as one big number, modulo 10,000
//! ```
//!
//! The secret has 32 bytes and the root 32; the value is UTF-8, nothing if no source was named.
//! The remainder favours no number by more than 1 in 2^242.
//!
//! What it proves: the number follows from the bets as they are in the tree, and from a secret that
//! was fixed before the first of them. No bet was added, changed, removed or moved after the draw
//! without changing the number, and an agency that kept its receipt can prove its batch.
//!
//! What it does not: **whoever made the secret knows it from the start**, and so can find out at
//! any moment which number the bets so far would draw. An administrator who also stores the last
//! batch (or has a friend who does) can try millions of batches until the number suits. A public
//! source whose value nobody knows before all agencies have closed takes that away: name one, with
//! a date after the closing. Nor can the software make anybody reveal the secret: a draw that is
//! never made is seen by all, but it is not prevented.

use sha2::{Digest, Sha256};

use crate::lottery::NUMBER_MAX;
use crate::lottery::merkle::Hash;

/// What is published before the first bet.
pub fn commitment(secret: &[u8; 32]) -> Hash {
    Sha256::digest(secret).into()
}

/// The number that is drawn.
pub fn number(secret: &[u8; 32], root: &Hash, source_value: Option<&str>) -> u16 {
    let hash = Sha256::new()
        .chain_update(secret)
        .chain_update(root)
        .chain_update(source_value.unwrap_or_default())
        .finalize();
    let numbers = u32::from(NUMBER_MAX) + 1;
    let remainder = hash
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % numbers);
    remainder as u16
}

#[cfg(test)]
mod tests {
    use super::{commitment, number};

    /// Computed with Python's hashlib: `int.from_bytes(sha256(...).digest(), "big") % 10000`.
    #[test]
    fn the_number_is_what_another_program_computes() {
        let secret: [u8; 32] = std::array::from_fn(|at| at as u8);
        let root = [0xab; 32];
        assert_eq!(commitment(&secret)[..4], COMMITMENT);
        assert_eq!(number(&secret, &root, None), PLAIN);
        assert_eq!(number(&secret, &root, Some("12345 ñ")), WITH_SOURCE);
    }

    const COMMITMENT: [u8; 4] = [0x63, 0x0d, 0xcd, 0x29];
    const PLAIN: u16 = 5509;
    const WITH_SOURCE: u16 = 8978;
}
