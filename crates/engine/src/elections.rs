//! The elections as this node lived through them: when it stood and why, whom it gave its vote,
//! who led then. It is of this node alone, no part of the replicated state, and kept in a small
//! file of the data directory, so that a restart (which is when one asks) does not forget it.
//!
//! Nothing depends on it: a file that is damaged or cannot be written costs the history.

mod file;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::AsyncRuntime;
use serde::{Deserialize, Serialize};

use crate::env::{Env, Runtime as _};
use crate::identity::Stage;
use crate::node::{Node, lock, millis};
use crate::peers::wire::{Request, Response};
use crate::types::{NodeId, Vote};

pub(crate) use file::{load, note_recovery};

/// So many are kept, the newest: weeks of ordinary life, a bad hour of a broken network, and small
/// enough to be sent and written whole.
pub const ELECTIONS_MAX: usize = 100;

/// How long another node may take to tell its history.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often is looked whether something is still to be written.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Something that happened at a node about who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Election {
    /// The node's wall clock, milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// The term it was about.
    pub term: u64,
    /// What happened.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// The node started; the term is the one that it had last voted in.
    Started,
    /// The node asked for votes.
    Stood(Cause),
    /// The node gave its vote.
    Voted {
        /// To whom, by name.
        candidate: String,
        /// Why there was an election, as far as this node knows.
        cause: Cause,
    },
    /// The node learnt who leads.
    Leads {
        /// Its name.
        leader: String,
        /// Why there was an election; `None` if this node took no part in it.
        cause: Option<Cause>,
    },
}

/// Why there was an election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The cluster was founded.
    Founded,
    /// The node is the only one that votes.
    OnlyVoter,
    /// The leader was not heard of for so long.
    Silence {
        /// Milliseconds since this node had last heard of it.
        silent_ms: u64,
    },
    /// No leader had been heard of since the node started, or since it led itself.
    NoLeader,
    /// The leader handed over.
    HandedOver {
        /// Its name.
        from: String,
    },
    /// Somebody made a cluster of one from a survivor, by force.
    Forced,
}

/// The history of one node, as another asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeElections {
    /// The node.
    pub node: String,
    /// What it told, oldest first; `None` if it could not be asked.
    pub elections: Option<Vec<Election>>,
}

/// The history of this node.
pub(crate) struct History(Mutex<Kept>);

struct Kept {
    elections: VecDeque<Election>,
    unsaved: bool,
    /// Who handed over to this node, and in which term it led.
    transfer: Option<(NodeId, u64)>,
    /// Who was last known to lead.
    leader: Option<NodeId>,
}

impl History {
    /// Goes on from what was kept.
    pub fn new(kept: Vec<Election>) -> Self {
        History(Mutex::new(Kept {
            elections: kept.into(),
            unsaved: false,
            transfer: None,
            leader: None,
        }))
    }

    /// Notes the start of the node, in the term of its last vote. To be called before Raft runs,
    /// which may vote at once.
    pub fn note_start(&self, at_ms: i64, last_vote: Option<Vote>) {
        self.note(Election {
            at_ms,
            term: last_vote.map_or(0, term_of),
            what: Happened::Started,
        });
    }

    /// All that is kept, oldest first.
    pub fn all(&self) -> Vec<Election> {
        lock(&self.0).elections.iter().cloned().collect()
    }

    /// Adds an entry, unless it is known: votes are asked for again, and a restart learns anew who
    /// leads.
    fn note(&self, election: Election) {
        let mut kept = lock(&self.0);
        let known = |other: &Election| other.term == election.term && other.what.is(&election.what);
        let started = election.what == Happened::Started;
        if !started && kept.elections.iter().any(known) {
            return;
        }
        if kept.elections.len() >= ELECTIONS_MAX {
            kept.elections.pop_front();
        }
        kept.elections.push_back(election);
        kept.unsaved = true;
    }

    /// Why there was an election in a term, if this node took part in it.
    fn cause(&self, term: u64) -> Option<Cause> {
        let kept = lock(&self.0);
        let of_term = kept.elections.iter().filter(|past| past.term == term);
        of_term.rev().find_map(|past| match &past.what {
            Happened::Stood(cause) | Happened::Voted { cause, .. } => Some(cause.clone()),
            Happened::Started | Happened::Leads { .. } => None,
        })
    }

    /// All, if something was added since the last time.
    fn unsaved(&self) -> Option<Vec<Election>> {
        let mut kept = lock(&self.0);
        std::mem::take(&mut kept.unsaved).then(|| kept.elections.iter().cloned().collect())
    }
}

impl Happened {
    /// True if the other is the same thing, told again.
    fn is(&self, other: &Happened) -> bool {
        match (self, other) {
            (
                Happened::Voted { candidate, .. },
                Happened::Voted {
                    candidate: again, ..
                },
            ) => candidate == again,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// Notes what happens and writes it down, until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    let mut metrics = node.raft().server_metrics();
    loop {
        let vote = metrics.borrow_watched().vote;
        node.look_at_vote(vote);
        if let Some(elections) = node.inner.elections.unsaved() {
            let (disk, data) = (node.env().disk().clone(), node.inner.options.data.clone());
            let writing = move || file::save(&disk, &data, &elections);
            let written = E::Runtime::spawn_blocking(writing).await.flatten();
            if let Err(error) = written {
                tracing::debug!(%error, "the history of elections could not be written");
            }
        }
        // What was noted beside a change of the vote is written a little later.
        let changed = Box::pin(metrics.changed());
        let later = Box::pin(E::Runtime::sleep(SAVE_EVERY));
        let waited = E::Runtime::select2(changed, later).await;
        if matches!(waited, openraft_rt::Select2::First(Err(_))) {
            return;
        }
    }
}

fn term_of(vote: Vote) -> u64 {
    vote.leader_id.term
}

impl<E: Env> Node<E> {
    /// What every member remembers of the elections; each for itself.
    pub async fn elections(&self) -> Vec<NodeElections> {
        let own = NodeElections {
            node: self.member().name,
            elections: Some(self.own_elections()),
        };
        let others = self.others().into_iter().map(|(id, member)| async move {
            let caller = self.peers().caller(id, &member.peer);
            let answer = match self.is_alive(id) {
                true => caller.call(&Request::Elections, ASK_TIMEOUT).await.ok(),
                false => None,
            };
            let elections = match answer {
                Some(Response::Elections(elections)) => Some(elections),
                _ => None,
            };
            NodeElections {
                node: member.name,
                elections,
            }
        });
        let others = futures_util::future::join_all(others).await;
        std::iter::once(own).chain(others).collect()
    }

    /// What this node remembers, oldest first.
    pub fn own_elections(&self) -> Vec<Election> {
        self.inner.elections.all()
    }

    /// Notes that the leader of a term hands over to this node.
    pub(crate) fn note_transfer(&self, from: &Vote) {
        let leader = (from.leader_id.voted_for, from.leader_id.term);
        lock(&self.inner.elections.0).transfer = Some(leader);
    }

    /// Why another stands for election now, as far as this node can tell.
    pub(crate) fn cause_of(&self, leadership_transfer: bool) -> Cause {
        let leader = lock(&self.inner.elections.0).leader;
        match leader {
            Some(leader) if leadership_transfer => Cause::HandedOver {
                from: self.name_of(leader),
            },
            _ => self.silence_of_leader(),
        }
    }

    /// Notes that this node gave its vote.
    pub(crate) fn note_vote_given(&self, vote: &Vote, cause: Cause) {
        let candidate = self.name_of(vote.leader_id.voted_for);
        self.note_election(term_of(*vote), Happened::Voted { candidate, cause });
    }

    /// The last vote that this node stored.
    pub(crate) fn last_vote(&self) -> Option<Vote> {
        self.inner.log.vote()
    }

    /// The name of a member, or its id if it is none.
    pub(crate) fn name_of(&self, id: NodeId) -> String {
        self.known_name(id).unwrap_or_else(|| format!("{id:016x}"))
    }

    fn known_name(&self, id: NodeId) -> Option<String> {
        if id == self.identity().id {
            return Some(self.inner.options.name.clone());
        }
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        let member = metrics.membership_config.membership().get_node(&id);
        let told = || self.last_pulse(id).map(|pulse| pulse.name);
        member.map(|member| member.name.clone()).or_else(told)
    }

    fn look_at_vote(&self, vote: Vote) {
        let (term, of) = (term_of(vote), vote.leader_id.voted_for);
        if term == 0 {
            return;
        }
        if of == self.identity().id && self.inner.elections.cause(term).is_none() {
            self.note_election(term, Happened::Stood(self.own_cause(term)));
        }
        if vote.committed {
            let cause = self.inner.elections.cause(term);
            // A node that joins hears its leader before it learns who the members are.
            if let Some(leader) = self.known_name(of) {
                self.note_election(term, Happened::Leads { leader, cause });
            }
            lock(&self.inner.elections.0).leader = Some(of);
        }
    }

    /// Why this node stands for election now.
    fn own_cause(&self, term: u64) -> Cause {
        let transfer = lock(&self.inner.elections.0).transfer.take();
        if let Some((from, _)) = transfer.filter(|(_, led)| *led < term) {
            let from = self.name_of(from);
            return Cause::HandedOver { from };
        }
        // Of a cluster that is being founded the vote may be seen before its members are.
        if self.raft().voter_ids().all(|id| id == self.identity().id) {
            return match self.identity().stage {
                Stage::Founding => Cause::Founded,
                Stage::Joining | Stage::Member => Cause::OnlyVoter,
            };
        }
        self.silence_of_leader()
    }

    fn silence_of_leader(&self) -> Cause {
        let led = lock(&self.inner.elections.0).leader == Some(self.identity().id);
        match self.leader_silence().filter(|_| !led) {
            Some(silence) => Cause::Silence {
                silent_ms: millis(silence),
            },
            None => Cause::NoLeader,
        }
    }

    fn note_election(&self, term: u64, what: Happened) {
        let at_ms = E::Runtime::wall_clock_ms();
        self.inner.elections.note(Election { at_ms, term, what });
    }
}
