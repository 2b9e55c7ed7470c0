//! At the same index all nodes must have the same state hash. A node that differs from a majority
//! of the voters takes itself out: it answers nothing more, ends what follows its events, and
//! leaves the lead to another.
//!
//! ```text
//!   pulse of another: index 7, hash b ─┐
//!   own trail: … (6, x) (7, a) (8, y) ─┴─▶ they differ
//! ```
//!
//! The hash is a chain, so a difference stays, and is found at any later index that both know.
//! That it was found is kept in the data directory: a restart makes no wrong state right.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft_rt::AsyncRuntime;

use crate::env::{Disk, Env, File};
use crate::node::{Leader, Node, lock};
use crate::state::store::Standing;
use crate::types::NodeId;

/// Places remembered, 40 bytes each: some seconds of full load, and a health check is younger.
const TRAIL_MAX: usize = 4096;

/// The file in the data directory of a node that was outvoted.
pub const MARK: &str = "outvoted";

/// Version of that file, and all that it holds: that it is there says everything.
const MARK_VERSION: u8 = 1;

/// Pause between attempts to write it: the disk may be full.
const MARK_RETRY: Duration = Duration::from_secs(5);

/// The hashes that a state had at its last indexes.
#[derive(Debug, Default)]
pub(crate) struct Trail(VecDeque<(u64, [u8; 32])>);

impl Trail {
    /// Notes where the state stands now.
    pub fn note(&mut self, standing: &Standing) {
        let Some(applied) = standing.applied else {
            return;
        };
        if self
            .0
            .back()
            .is_some_and(|(last, _)| *last >= applied.index)
        {
            return;
        }
        if self.0.len() == TRAIL_MAX {
            self.0.pop_front();
        }
        self.0.push_back((applied.index, standing.hash.0));
    }

    /// The hash at an index, if the state stopped there between two stretches.
    pub fn at(&self, index: u64) -> Option<[u8; 32]> {
        let place = self.0.binary_search_by_key(&index, |(index, _)| *index);
        place.ok().map(|place| self.0[place].1)
    }
}

impl<E: Env> Node<E> {
    /// Compares what the others last told with the own state, and draws the consequence.
    pub(crate) fn compare_states(&self) {
        let voters: Vec<NodeId> = self.raft().voter_ids().collect();
        let mut differing = 0;
        for (id, known) in lock(&self.inner.health).iter_mut() {
            let pulse = known.pulse();
            let own = self.state().hash_at(pulse.applied);
            if let Some(own) = own {
                let differs = own != pulse.state_hash;
                if differs && !known.differs {
                    let (node, index) = (&pulse.name, pulse.applied);
                    tracing::error!(node, index, "its state differs from this node's");
                }
                known.differs = differs;
            }
            differing += usize::from(known.differs && voters.contains(id));
        }
        // More than half of all voters, so that it is this node that is wrong.
        if differing > voters.len() / 2 && !self.is_outvoted() {
            self.inner.outvoted.store(true, Ordering::Release);
            self.inner.silenced.cancel();
            tracing::error!(
                "the state of this node differs from that of a majority: it serves nothing any \
                 more. `consorcio cluster rebuild` puts its data away and has it join anew"
            );
            self.raft().runtime_config().elect(false);
            self.spawn(keep_marking(self.clone()));
        }
        // Until it is done: who was asked to take over may have been gone, or behind.
        if self.is_outvoted() && self.leader() == Leader::Me {
            drop(E::Runtime::spawn(leave_the_lead(self.clone())));
        }
    }

    /// True once the state of this node was found to differ from that of a majority. It stays so
    /// until the process ends.
    pub fn is_outvoted(&self) -> bool {
        self.inner.outvoted.load(Ordering::Acquire)
    }

    /// True if another node's state was last found to differ from this node's, or if it says so
    /// itself.
    pub(crate) fn differs(&self, id: NodeId) -> bool {
        lock(&self.inner.health)
            .get(&id)
            .is_some_and(|known| known.differs || known.pulse().outvoted)
    }

    /// Notes in the data directory that this node was outvoted, durably.
    pub(crate) async fn mark(&self) -> io::Result<()> {
        let (disk, data) = (self.env().disk().clone(), self.inner.options.data.clone());
        E::Runtime::spawn_blocking(move || write_mark(&disk, &data)).await?
    }
}

/// True if the node of a data directory was outvoted. Blocking.
pub(crate) fn is_marked<D: Disk>(disk: &D, data: &Path) -> io::Result<bool> {
    match disk.open(&data.join(MARK), false) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_mark<D: Disk>(disk: &D, data: &Path) -> io::Result<()> {
    let file = disk.open(&data.join(MARK), true)?;
    // The name is what counts, also if the disk has no room for the byte.
    disk.sync_dir(data)?;
    file.write_all_at(&[MARK_VERSION], 0)?;
    file.sync_data()
}

async fn keep_marking<E: Env>(node: Node<E>) {
    while let Err(error) = node.mark().await {
        tracing::warn!(%error, "cannot note in the data directory that this node was outvoted");
        E::Runtime::sleep(MARK_RETRY).await;
    }
}

/// Asks another to take over, the one that most likely can.
async fn leave_the_lead<E: Env>(node: Node<E>) {
    let others = node
        .raft()
        .voter_ids()
        .filter(|id| *id != node.identity().id);
    let applied = |id| node.last_pulse(id).map_or(0, |pulse| pulse.applied);
    let Some(successor) = others.max_by_key(|id| (node.is_alive(*id), applied(*id))) else {
        return;
    };
    if let Err(error) = node.raft().trigger().transfer_leader(successor).await {
        tracing::warn!(%error, "leadership could not be handed over");
    }
}
