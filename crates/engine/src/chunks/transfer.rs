//! Chunks to and from the nodes that hold them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft_rt::Instant as _;

use super::placement::Placement;
use super::{Chunk, ChunkError, ChunkHash, Look};
use crate::env::Env;
use crate::identity::hex;
use crate::node::{InstantOf, Node};
use crate::peers::client::CallError;
use crate::peers::wire::{Request, Response};
use crate::types::{Member, NodeId};

/// How long a node may take to store a chunk, or to send one: a mebibyte over a slow network, and a
/// disk that is busy. One that died is known to be dead long before.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that broke sooner than this was idle and closed at the other end just then: the
/// chunk is sent again.
const BROKE_AT_ONCE: Duration = Duration::from_millis(500);

/// Chunks that this node stores or fetches for others at once, each of them with its copies under
/// way: with three some 48 MiB of memory at the most.
pub(crate) const TRANSFERS_MAX: usize = 16;

impl<E: Env> Node<E> {
    /// Stores a chunk on as many nodes as copies are wanted, or on more than half of so many: see
    /// [`crate::chunks`]. What is stored without an entry goes after a while.
    pub async fn store_chunk(&self, chunk: Chunk, copies: u32) -> Result<(), ChunkError> {
        let _turn = self.transfer().await?;
        let placement = self.placement();
        let wanted = placement.members().min(copies as usize).max(1);
        let order = placement.order(&chunk.hash);
        let mut live = order.into_iter().filter(|id| self.is_alive(*id));
        let put = |id| self.put_on(id, chunk.clone());
        let mut under_way: FuturesUnordered<_> = live.by_ref().take(wanted).map(put).collect();
        let (mut stored, mut failed) = (0, None);
        while let Some(answer) = under_way.next().await {
            match answer {
                Ok(()) => stored += 1,
                Err(error) => {
                    failed = Some(error);
                    under_way.extend(live.next().map(put));
                }
            }
        }
        match failed {
            _ if stored > wanted / 2 => Ok(()),
            // What a user can do something about is not hidden behind a number of copies.
            Some(error @ (ChunkError::Busy | ChunkError::DiskFull)) => Err(error),
            failed => Err(ChunkError::TooFew {
                stored: stored as u32,
                wanted: wanted as u32,
                reason: failed.map_or("too few nodes are alive".to_owned(), |e| e.to_string()),
            }),
        }
    }

    /// A chunk from this node's disk, or from any other: first those that are alive, in the order
    /// of the circle. What is not what its hash says is not taken from anybody.
    pub async fn fetch_chunk(&self, hash: ChunkHash) -> Result<Bytes, ChunkError> {
        match self.chunks().get(hash).await {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a chunk could not be read; others are asked"),
        }
        self.fetch_from_others(hash).await
    }

    pub(crate) async fn fetch_from_others(&self, hash: ChunkHash) -> Result<Bytes, ChunkError> {
        let _turn = self.transfer().await?;
        let own = self.identity().id;
        let order = self.placement().order(&hash);
        let (live, silent): (Vec<NodeId>, Vec<NodeId>) = order
            .into_iter()
            .filter(|id| *id != own)
            .partition(|id| self.is_alive(*id));
        for id in live.into_iter().chain(silent) {
            match self.get_from(id, hash).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => {}
                Err(error) => {
                    let (node, chunk) = (self.name_of(id), hex(&hash));
                    tracing::warn!(%error, %node, chunk, "no chunk from this node");
                }
            }
        }
        Err(ChunkError::Missing(hex(&hash)))
    }

    /// The names of the nodes that are alive and say they have these chunks: for each chunk.
    pub async fn chunk_holders(&self, hashes: &[ChunkHash]) -> Vec<Vec<String>> {
        let mut holders = vec![Vec::new(); hashes.len()];
        let alive = self
            .member_ids()
            .into_iter()
            .filter(|id| self.is_alive(*id));
        for id in alive {
            let lacking = self.lacking_on(id, hashes.to_vec(), Look::IsThere).await;
            let Ok(lacking) = lacking else {
                continue;
            };
            for (hash, names) in hashes.iter().zip(&mut holders) {
                if !lacking.contains(hash) {
                    names.push(self.name_of(id));
                }
            }
        }
        holders
    }

    /// Which of these chunks a node does not have.
    pub(crate) async fn lacking_on(
        &self,
        id: NodeId,
        hashes: Vec<ChunkHash>,
        look: Look,
    ) -> Result<Vec<ChunkHash>, ChunkError> {
        if id == self.identity().id {
            return self.chunks().lacks(hashes, look).await;
        }
        match self.ask(id, &Request::LacksChunks(hashes, look)).await? {
            Response::LacksChunks(lacking) => lacking,
            _ => Err(ChunkError::Silent),
        }
    }

    async fn put_on(&self, id: NodeId, chunk: Chunk) -> Result<(), ChunkError> {
        if id == self.identity().id {
            return self.chunks().put(chunk).await;
        }
        match self.ask(id, &Request::PutChunk(chunk)).await? {
            Response::PutChunk(stored) => stored,
            _ => Err(ChunkError::Silent),
        }
    }

    /// A chunk from a node; an error if it does not answer, or sends something else.
    async fn get_from(&self, id: NodeId, hash: ChunkHash) -> Result<Option<Bytes>, ChunkError> {
        let Response::GetChunk(found) = self.ask(id, &Request::GetChunk(hash)).await? else {
            return Err(ChunkError::Silent);
        };
        let Some(bytes) = found? else {
            return Ok(None);
        };
        let chunk = Chunk { hash, bytes };
        match chunk.is_whole() {
            true => Ok(Some(chunk.bytes)),
            false => Err(ChunkError::Damaged),
        }
    }

    async fn ask(
        &self,
        id: NodeId,
        request: &Request<E::Runtime>,
    ) -> Result<Response<E::Runtime>, ChunkError> {
        let Some((_, member)) = self.others().into_iter().find(|(other, _)| *other == id) else {
            return Err(ChunkError::Silent);
        };
        let begun = InstantOf::<E>::now();
        match self.ask_once(id, &member, request).await {
            Err(CallError::Lost) if InstantOf::<E>::now() - begun < BROKE_AT_ONCE => {
                let again = self.ask_once(id, &member, request).await;
                again.map_err(|_| ChunkError::Silent)
            }
            answered => answered.map_err(|_| ChunkError::Silent),
        }
    }

    async fn ask_once(
        &self,
        id: NodeId,
        member: &Member,
        request: &Request<E::Runtime>,
    ) -> Result<Response<E::Runtime>, CallError> {
        let caller = self.peers().chunk_caller(id, &member.peer);
        caller.call(request, TIMEOUT).await
    }

    async fn transfer(&self) -> Result<tokio::sync::SemaphorePermit<'_>, ChunkError> {
        let turn = self.inner.transfers.acquire().await;
        turn.map_err(|closed| ChunkError::Disk(closed.to_string()))
    }

    /// All members on the circle.
    pub(crate) fn placement(&self) -> Placement {
        Placement::of(self.member_ids())
    }

    pub(crate) fn member_ids(&self) -> Vec<NodeId> {
        let others = self.others().into_iter().map(|(id, _)| id);
        let mut ids: Vec<NodeId> = std::iter::once(self.identity().id).chain(others).collect();
        ids.sort_unstable();
        ids
    }
}
