//! When the majority is gone for good: one survivor becomes a cluster of its own.
//!
//! This gives up what makes Raft safe: entries that only the lost nodes had are lost, and nobody
//! can tell which. It keeps every entry that the survivor has, whether it was committed or not,
//! since an acknowledged one may be among them. The new cluster has a new id and a new secret, so
//! a lost node that comes back after all is a stranger to it and cannot split it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use domain::Fault;
use openraft::EntryPayload;
use openraft::RaftLogReader as _;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use openraft::vote::RaftLeaderIdExt as _;
use openraft_rt::AsyncRuntime;

use crate::agreement::is_marked;
use crate::elections;
use crate::env::{Env, Runtime as _};
use crate::identity::{Identity, Stage};
use crate::log::{self, Log, LogError, LogOptions};
use crate::options::Tuning;
use crate::state::State;
use crate::types::{Entry, LogId, Member, Membership, NodeId, Vote};

/// What a forced recovery found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The node's name.
    pub name: String,
    /// Index of the last entry the survivor had.
    pub last_index: u64,
    /// Index that it had applied.
    pub applied_index: u64,
    /// The members that were left behind, by name.
    pub left_behind: Vec<String>,
    /// Id of the new cluster, 32 hexadecimal digits.
    pub cluster: String,
}

/// Why a data directory could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// There is no node in it.
    #[error("there is no node in this data directory")]
    Empty,
    /// The node was never made a member, so it has nothing to recover.
    #[error("this node never became a member of a cluster; there is nothing to recover")]
    NeverMember,
    /// Its state is known to be wrong.
    #[error(
        "the state of this node differed from that of a majority: recover from another survivor. \
         If there is none, and a wrong state is better than no state, remove the file `outvoted` \
         from the data directory first"
    )]
    Outvoted,
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state.
    #[error("the state cannot be opened: {0}")]
    State(Fault),
    /// The disk.
    #[error("the data directory cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// Makes the node in a data directory the only member of a new cluster. The node must not run.
pub async fn recover<E: Env>(env: &E, data: &Path) -> Result<Recovered, RecoverError> {
    let (disk, dir) = (env.disk().clone(), data.to_owned());
    let load = move || io::Result::Ok((Identity::load(&disk, &dir)?, is_marked(&disk, &dir)?));
    let (identity, outvoted) = E::Runtime::spawn_blocking(load).await??;
    let identity = identity.ok_or(RecoverError::Empty)?;
    if outvoted {
        return Err(RecoverError::Outvoted);
    }
    if identity.stage != Stage::Member {
        return Err(RecoverError::NeverMember);
    }
    let segment_bytes = Tuning::default().segment_bytes;
    let options = LogOptions {
        dir: log::dir(data),
        segment_bytes,
    };
    let mut log: Log<E> = Log::open(env, options).await?;
    let state = State::open(env, data, &log)
        .await
        .map_err(RecoverError::State)?;
    let members = last_membership(&mut log, &state).await?;

    // The identity first: should this be interrupted, the node belongs to no cluster but its own.
    let fresh = Identity {
        id: identity.id,
        stage: Stage::Member,
        ..Identity::first::<E>(&identity.name)
    };
    let (disk, dir, saved) = (env.disk().clone(), data.to_owned(), fresh.clone());
    E::Runtime::spawn_blocking(move || saved.save(&disk, &dir)).await??;

    let last = log.last().max(state.standing().applied);
    let term = stand_alone(&mut log, &identity, last, &members).await?;
    let (disk, dir, now_ms) = (
        env.disk().clone(),
        data.to_owned(),
        E::Runtime::wall_clock_ms(),
    );
    let note = move || elections::note_recovery(&disk, &dir, now_ms, term);
    E::Runtime::spawn_blocking(note).await??;
    let others = members.iter().filter(|(id, _)| **id != identity.id);
    let mut left_behind: Vec<String> = others.map(|(_, member)| member.name.clone()).collect();
    left_behind.sort();
    let recovered = Recovered {
        last_index: last.map_or(0, |last| last.index),
        applied_index: state.standing().applied.map_or(0, |applied| applied.index),
        left_behind,
        cluster: crate::identity::hex(&fresh.cluster),
        name: identity.name,
    };
    Ok(recovered)
}

async fn last_membership<E: Env>(
    log: &mut Log<E>,
    state: &State<E>,
) -> io::Result<BTreeMap<NodeId, Member>> {
    let mut members = state.membership();
    let mut next = state
        .standing()
        .applied
        .map_or(0, |applied| applied.index + 1);
    loop {
        let entries = log.limited_get_log_entries(next, u64::MAX).await?;
        let Some(last) = entries.last() else { break };
        next = last.log_id.index + 1;
        for entry in entries {
            if let EntryPayload::Membership(changed) = entry.payload {
                members = changed;
            }
        }
    }
    Ok(members
        .nodes()
        .map(|(id, member)| (*id, member.clone()))
        .collect())
}

/// Appends a membership of one, in a term of its own, which it answers.
async fn stand_alone<E: Env>(
    log: &mut Log<E>,
    identity: &Identity,
    last: Option<LogId>,
    members: &BTreeMap<NodeId, Member>,
) -> io::Result<u64> {
    use openraft::impls::leader_id_std::LeaderId;
    let voted = log
        .read_vote()
        .await?
        .map_or(0, |vote| vote.leader_id().term);
    let term = voted.max(last.map_or(0, |last| last.leader_id.term)) + 1;
    log.save_vote(&Vote::new(term, identity.id)).await?;
    let own = members.get(&identity.id).cloned();
    let own = own.unwrap_or_else(|| Member {
        name: identity.name.clone(),
        ..Member::default()
    });
    let voters = vec![BTreeSet::from([identity.id])];
    let membership = Membership::new(voters, BTreeMap::from([(identity.id, own)]));
    let membership = membership.map_err(|error| io::Error::other(error.to_string()))?;
    let leader = LeaderId::new_committed(term, identity.id);
    let log_id = LogId::new(leader, last.map_or(0, |last| last.index + 1));
    let entry = Entry {
        log_id,
        payload: EntryPayload::Membership(membership),
    };
    log.blocking_append([entry])
        .await
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(term)
}
