//! Every node sees to its own share: walks over all entries, copies what it should have and has
//! not, and lets go of what nobody names, or what has become another's.
//!
//! Nobody directs this. A node that was away, a new one, and one whose disk lost a chunk all do the
//! same; and a node that is silent for a while ([`AWAY_AFTER`]) is left out of the circle, so that
//! those after it find its share to be theirs. When it comes back they let go of that again.

use std::time::Duration;

use domain::files::HASH_BYTES;
use domain::files::queries::{Block, CountChanges, ListChunks};
use openraft_rt::{AsyncRuntime, Instant as _};

use super::placement::Placement;
use super::{Chunk, ChunkError, ChunkHash, Look};
use crate::answer::ReadError;
use crate::env::Env;
use crate::node::{InstantOf, Node};
use crate::types::NodeId;

/// How often a node looks whether something changed that may concern its share.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often it walks over all entries though nothing did: what has lost its entry is let go then.
const WALK_AT_LEAST: Duration = Duration::from_secs(10 * 60);

/// A node that has been silent for this long counts as away: others make its copies. Shorter than
/// that it is a restart, and copying would cost more than it helps.
const AWAY_AFTER: Duration = Duration::from_secs(30);

/// Bytes that a node copies to itself in a second: a repair must leave the network and the disks
/// to those who read and write.
const COPIED_PER_SECOND: u64 = 32 * 1024 * 1024;

/// Chunks that one walk gives to others' care, one question each. The next walk goes on.
const GIVEN_UP_MAX: usize = 1_000;

/// What a walk depends on: while it is the same, another one finds nothing new.
#[derive(Clone, PartialEq, Eq)]
struct Signs {
    changes: i64,
    present: Vec<NodeId>,
}

/// Looks after this node's share until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    let mut done: Option<(Signs, InstantOf<E>)> = None;
    loop {
        E::Runtime::sleep(INTERVAL).await;
        if !node.is_ready() {
            continue;
        }
        if node.chunks().take_damaged() {
            done = None;
        }
        let signs = match signs(&node).await {
            Ok(signs) => signs,
            Err(error) => {
                tracing::debug!(%error, "the entries of files cannot be read now");
                continue;
            }
        };
        let now = InstantOf::<E>::now();
        let is_new =
            |(known, at): &(Signs, InstantOf<E>)| *known != signs || now - *at >= WALK_AT_LEAST;
        if done.as_ref().is_none_or(is_new) {
            done = walk(&node, &signs).await.then_some((signs, now));
        }
    }
}

async fn signs<E: Env>(node: &Node<E>) -> Result<Signs, ReadError> {
    let (changes, _) = node.state().readers().read(CountChanges).await?;
    let away = |id: &NodeId| {
        let silence = node.silence(*id);
        *id != node.identity().id && silence.is_some_and(|silence| silence >= AWAY_AFTER)
    };
    let mut present = node.member_ids();
    present.retain(|id| !away(id));
    Ok(Signs { changes, present })
}

/// Walks over all entries; answers whether nothing is left to do.
async fn walk<E: Env>(node: &Node<E>, signs: &Signs) -> bool {
    let placement = Placement::of(signs.present.clone());
    let walked = async {
        let walk = Walk { node, placement };
        let (named, mut is_done) = walk.entries().await?;
        for first in 0..=u8::MAX {
            is_done &= walk.held(first, &named).await?;
        }
        Ok::<_, Failed>(is_done)
    };
    match walked.await {
        Ok(is_done) => is_done,
        Err(error) => {
            tracing::warn!(%error, "this node could not see to all of its chunks");
            false
        }
    }
}

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

/// The chunks that entries name, by the beginning of their hashes, each with the copies that are
/// wanted: sixteen bytes each, two million of them at most. One that is named is never missed; two
/// that begin alike are taken for the same, and then one more than need be is kept.
struct Named(Vec<(u64, u32)>);

impl Named {
    fn of(mut chunks: Vec<(u64, u32)>) -> Self {
        // Of two entries that name the same chunk the one that wants more copies counts.
        chunks.sort_unstable_by_key(|(start, copies)| (*start, u32::MAX - copies));
        chunks.dedup_by_key(|(start, _)| *start);
        Named(chunks)
    }

    fn copies(&self, hash: &ChunkHash) -> Option<u32> {
        let at = self
            .0
            .binary_search_by_key(&start(hash), |(start, _)| *start);
        at.ok().map(|at| self.0[at].1)
    }
}

fn start(hash: &ChunkHash) -> u64 {
    ring::Id::start_of(hash).0
}

struct Walk<'n, E: Env> {
    node: &'n Node<E>,
    placement: Placement,
}

impl<E: Env> Walk<'_, E> {
    /// Walks over the entries and copies what is missing of this node's share; answers what they
    /// name, and whether nothing is missing any more.
    async fn entries(&self) -> Result<(Named, bool), Failed> {
        let (mut named, mut is_done) = (Vec::new(), true);
        let mut after = (0, 0);
        loop {
            let page = ListChunks { after };
            let (blocks, _) = self.node.state().readers().read(page).await?;
            let Some(last) = blocks.last() else {
                return Ok((Named::of(named), is_done));
            };
            after = last.place;
            for block in &blocks {
                let hashes = hashes_of(block);
                named.extend(hashes.iter().map(|hash| (start(hash), block.copies)));
                is_done &= self.copy_missing(hashes, block.copies).await?;
            }
        }
    }

    async fn copy_missing(&self, hashes: Vec<ChunkHash>, copies: u32) -> Result<bool, Failed> {
        let own: Vec<ChunkHash> = hashes
            .into_iter()
            .filter(|hash| self.is_own(hash, copies))
            .collect();
        let mut is_done = true;
        for hash in self.node.chunks().lacks(own, Look::IsThere).await? {
            match self.copy(hash).await {
                Ok(()) => {}
                // It may come back with a node that has it: the others are seen to all the same.
                Err(error @ (ChunkError::Missing(_) | ChunkError::Busy)) => {
                    tracing::warn!(%error, "a chunk of this node's share cannot be copied now");
                    is_done = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(is_done)
    }

    /// Copies a chunk, at a bounded rate.
    async fn copy(&self, hash: ChunkHash) -> Result<(), ChunkError> {
        let bytes = self.node.fetch_from_others(hash).await?;
        let took = Duration::from_micros(bytes.len() as u64 * 1_000_000 / COPIED_PER_SECOND);
        self.node.chunks().put(Chunk { hash, bytes }).await?;
        E::Runtime::sleep(took).await;
        Ok(())
    }

    /// Looks at the chunks on this node's disk that begin so, and lets go of what it may; answers
    /// whether nothing is left to let go of.
    async fn held(&self, first: u8, named: &Named) -> Result<bool, Failed> {
        let chunks = self.node.chunks();
        let mut surplus = Vec::new();
        for hash in chunks.beginning(first).await? {
            match named.copies(&hash) {
                None => {
                    if chunks.remove_if_over(hash).await? {
                        tracing::debug!(chunk = crate::identity::hex(&hash), "a chunk was let go");
                    }
                }
                Some(copies) => {
                    chunks.is_named(&hash);
                    if !self.is_own(&hash, copies) {
                        surplus.push((hash, copies));
                    }
                }
            }
        }
        let is_done = surplus.len() <= GIVEN_UP_MAX / usize::from(u8::MAX);
        surplus.truncate(GIVEN_UP_MAX / usize::from(u8::MAX));
        Ok(self.give_up(surplus).await? && is_done)
    }

    /// Lets go of chunks that are others' share, once all of those have read theirs and found them
    /// whole.
    async fn give_up(&self, surplus: Vec<(ChunkHash, u32)>) -> Result<bool, Failed> {
        let mut is_done = true;
        for (hash, copies) in surplus {
            match self.is_held_by_others(hash, copies).await {
                true => self.node.chunks().give_up(hash).await?,
                false => is_done = false,
            }
        }
        Ok(is_done)
    }

    async fn is_held_by_others(&self, hash: ChunkHash, copies: u32) -> bool {
        for id in self.placement.holders(&hash, copies as usize) {
            let lacking = self.node.lacking_on(id, vec![hash], Look::IsWhole).await;
            if !lacking.is_ok_and(|lacking| lacking.is_empty()) {
                return false;
            }
        }
        true
    }

    fn is_own(&self, hash: &ChunkHash, copies: u32) -> bool {
        let holders = self.placement.holders(hash, copies as usize);
        holders.contains(&self.node.identity().id)
    }
}

fn hashes_of(block: &Block) -> Vec<ChunkHash> {
    let (hashes, _) = block.hashes.as_chunks::<HASH_BYTES>();
    hashes.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_entries_the_one_that_wants_more_copies_counts() {
        let named = Named::of(vec![(7, 1), (9, 2), (7, 3), (7, 2)]);
        let hash = |start: u64| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&start.to_be_bytes());
            hash
        };
        let copies = [7, 8, 9].map(|start| named.copies(&hash(start)));
        assert_eq!(copies, [Some(3), None, Some(2)]);
    }
}
