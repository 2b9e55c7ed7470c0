//! Chunks that no entry names, or not yet: how long they have been so, and how much may be.
//!
//! A front door stores the chunks of a file before the entry that names them. So a chunk without an
//! entry is kept for a while ([`GRACE`]), counted from when it was last stored or first seen
//! without one, and whoever stores the same bytes again begins that time anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ChunkError, ChunkHash};

/// A chunk that nothing has named for this long goes. Longer than storing a file may take (see
/// `server`'s limit), and than a reader may take who began before the file was removed.
pub const GRACE: Duration = Duration::from_secs(3 * 60 * 60);

/// Bytes that a node takes for entries that are still to come: two files of the largest size.
/// Whoever stores chunks and never names them fills no disk.
pub const LOOSE_MAX_BYTES: u64 = 32 * 1024 * 1024 * 1024;

/// As many chunks: a row of memory each, until the next walk over the entries.
pub const LOOSE_MAX: usize = 200_000;

/// Chunks without an entry, by when that began.
pub struct Loose<I> {
    chunks: BTreeMap<ChunkHash, Since<I>>,
    arrived: usize,
    size_bytes: u64,
}

struct Since<I> {
    at: I,
    /// Bytes of one that arrived since; none of one that was found to have lost its entry.
    arrived_bytes: Option<u64>,
}

impl<I> Default for Loose<I> {
    fn default() -> Self {
        Loose {
            chunks: BTreeMap::new(),
            arrived: 0,
            size_bytes: 0,
        }
    }
}

impl<I: Copy + Ord + std::ops::Sub<Output = Duration>> Loose<I> {
    /// Notes that a chunk is being stored, or refuses it.
    pub fn arrive(&mut self, hash: ChunkHash, size_bytes: u64, now: I) -> Result<(), ChunkError> {
        if let Some(since) = self.chunks.get_mut(&hash) {
            since.at = now;
            return Ok(());
        }
        if self.arrived >= LOOSE_MAX || self.size_bytes + size_bytes > LOOSE_MAX_BYTES {
            return Err(ChunkError::Busy);
        }
        self.arrived += 1;
        self.size_bytes += size_bytes;
        let arrived_bytes = Some(size_bytes);
        self.chunks.insert(
            hash,
            Since {
                at: now,
                arrived_bytes,
            },
        );
        Ok(())
    }

    /// Notes that an entry names a chunk, or that it is gone.
    pub fn forget(&mut self, hash: &ChunkHash) {
        let Some(Since { arrived_bytes, .. }) = self.chunks.remove(hash) else {
            return;
        };
        if let Some(size_bytes) = arrived_bytes {
            self.arrived -= 1;
            self.size_bytes -= size_bytes;
        }
    }

    /// Notes that no entry names a chunk; answers whether its time is over.
    pub fn is_over(&mut self, hash: ChunkHash, now: I) -> bool {
        let since = self.chunks.entry(hash).or_insert(Since {
            at: now,
            arrived_bytes: None,
        });
        since.at <= now && now - since.at >= GRACE
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Seconds.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct At(u64);

    impl std::ops::Sub for At {
        type Output = Duration;

        fn sub(self, other: At) -> Duration {
            Duration::from_secs(self.0 - other.0)
        }
    }

    const OVER: u64 = GRACE.as_secs();

    #[test]
    fn time_runs_from_the_last_arrival() {
        let mut loose = Loose::default();
        loose.arrive([1; 32], 5, At(0)).unwrap();
        assert!(!loose.is_over([1; 32], At(OVER - 1)));
        loose.arrive([1; 32], 5, At(OVER - 1)).unwrap();
        assert!(!loose.is_over([1; 32], At(OVER + 5)));
        assert!(loose.is_over([1; 32], At(2 * OVER)));
    }

    #[test]
    fn a_chunk_that_had_an_entry_begins_anew() {
        let mut loose = Loose::default();
        loose.arrive([1; 32], 5, At(0)).unwrap();
        loose.forget(&[1; 32]);
        assert!(!loose.is_over([1; 32], At(OVER)));
        assert!(loose.is_over([1; 32], At(2 * OVER)));
    }

    #[test]
    fn what_has_no_entry_is_bounded() {
        let mut loose = Loose::default();
        loose.arrive([1; 32], LOOSE_MAX_BYTES - 1, At(0)).unwrap();
        loose.arrive([1; 32], LOOSE_MAX_BYTES - 1, At(0)).unwrap();
        assert_eq!(loose.arrive([2; 32], 2, At(0)), Err(ChunkError::Busy));
        loose.arrive([2; 32], 1, At(0)).unwrap();
        loose.forget(&[1; 32]);
        loose.arrive([3; 32], 2, At(0)).unwrap();
    }

    #[test]
    fn what_lost_its_entry_takes_no_room_from_what_arrives() {
        let mut loose = Loose::default();
        for nth in 0..=LOOSE_MAX as u64 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&nth.to_be_bytes());
            assert!(!loose.is_over(hash, At(0)));
        }
        loose.arrive([255; 32], 1, At(0)).unwrap();
    }
}
