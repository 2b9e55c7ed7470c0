//! Raffles among members: the publicly verifiable selection of RFC 3797.
//!
//! A numbered pool and sources of randomness are announced beforehand (numbers that will be drawn
//! in public, after the pool is fixed). Each source becomes its numbers in ascending order, each
//! followed by a dot, and a slash after the last; the key is all of them. Selection *i*, from 0,
//! is MD5 over *i* in two bytes, the key, and *i* again, read as one big number, modulo how many
//! are left. MD5's known weakness (collisions) does not help here, where nobody chooses the input.

use md5::{Digest, Md5};

/// A raffle's pool has at most this many: more than any association's members, and the RFC's
/// selection index has two bytes.
pub const POOL_MAX: usize = 65_535;

/// A raffle's sources and their numbers are at most this many each: what can be read aloud.
pub const SOURCE_NUMBERS_MAX: usize = 100;

/// What a raffle cannot be held with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRaffle(pub &'static str);

impl std::fmt::Display for NoRaffle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NoRaffle {}

/// The key that the sources make.
pub fn key(sources: &[Vec<u64>]) -> Result<String, NoRaffle> {
    let bounded = |count| (1..=SOURCE_NUMBERS_MAX).contains(&count);
    if !bounded(sources.len()) || !sources.iter().all(|source| bounded(source.len())) {
        return Err(NoRaffle(
            "a raffle has 1 to 100 sources of 1 to 100 numbers each",
        ));
    }
    let mut key = String::new();
    for source in sources {
        let mut sorted = source.clone();
        sorted.sort_unstable();
        for number in sorted {
            key.push_str(&format!("{number}."));
        }
        key.push('/');
    }
    Ok(key)
}

/// Selects `count` of `pool`, numbered from 1, in the order of their selection.
pub fn select(key: &str, pool: usize, count: usize) -> Result<Vec<usize>, NoRaffle> {
    if !(1..=POOL_MAX).contains(&pool) {
        return Err(NoRaffle("a pool has 1 to 65535 entries"));
    }
    if !(1..=pool).contains(&count) {
        return Err(NoRaffle("at least one is selected, and at most the pool"));
    }
    let mut left: Vec<usize> = (1..=pool).collect();
    let selections = (0..=u16::MAX).take(count);
    Ok(selections
        .map(|index| {
            let at = remainder(&hash(key, index), left.len());
            left.remove(at)
        })
        .collect())
}

/// The hash of a selection.
fn hash(key: &str, index: u16) -> [u8; 16] {
    Md5::new()
        .chain_update(index.to_be_bytes())
        .chain_update(key)
        .chain_update(index.to_be_bytes())
        .finalize()
        .into()
}

fn remainder(hash: &[u8; 16], divisor: usize) -> usize {
    (u128::from_be_bytes(*hash) % divisor as u128) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{NoRaffle, hash, key, select};

    /// RFC 3797, section 6.
    #[test]
    fn the_published_vector() {
        let sources = [
            vec![9319],
            vec![2, 5, 12, 8, 10],
            vec![9, 18, 26, 34, 41, 45],
        ];
        let key = key(&sources).unwrap();
        assert_eq!(key, "9319./2.5.8.10.12./9.18.26.34.41.45./");
        let first: String = hash(&key, 0).iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(first, "990DD0A5692A029A98B5E01AA28F3459");
        assert_eq!(
            select(&key, 25, 10).unwrap(),
            [17, 7, 2, 16, 25, 23, 8, 24, 19, 13]
        );
    }

    #[test]
    fn all_are_selected_once_and_nonsense_is_refused() {
        let mut all = select("1./", 100, 100).unwrap();
        all.sort_unstable();
        assert_eq!(all, (1..=100).collect::<Vec<_>>());
        for (pool, count) in [(0, 0), (0, 1), (5, 0), (5, 6), (65_536, 1)] {
            assert!(select("1./", pool, count).is_err(), "{count} of {pool}");
        }
        let refused = |sources: &[Vec<u64>]| matches!(key(sources), Err(NoRaffle(_)));
        assert!(refused(&[]) && refused(&[vec![]]) && refused(&[vec![1; 101]]));
    }
}
