//! From many callers to one log entry: what is ready together is proposed together.
//!
//! A group is what one caller asked for at once: a front door's single command, or the batch that
//! another node forwarded. One entry is under way at a time, and everything that arrives in the
//! meantime goes into the next one, so entries grow with the load by themselves.

mod queue;

pub use queue::{Claim, Group, Queue, Waiting, queue};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Outcome, Proposal};
use openraft::errors::{ClientWriteError, RaftError};
use openraft_rt::{AsyncRuntime, Select2};
use rand::Rng as _;
use tokio::sync::oneshot;

use crate::answer::{Position, Served, WriteError};
use crate::env::Env;
use crate::node::{Leader, Node};
use crate::peers::client::CallError;
use crate::peers::wire::{Proposed, Request, Response};
use crate::types::{Batch, Outcomes};

/// Bytes of one command.
pub const COMMAND_MAX_BYTES: usize = 1024 * 1024;

/// How long a caller waits for its outcome; an election fits in several times.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// Groups in doubt that are proposed together: if they had been carried out, the replies that are
/// stored for them come all at once, and must fit into one frame.
const DOUBTFUL_MAX: usize = 64;

/// How often is looked again whether there is a leader.
const LEADER_RETRY: Duration = Duration::from_millis(15);

/// How an attempt ended.
enum Attempt {
    /// Accepted and applied.
    Done(Proposed),
    /// Certainly not accepted; another attempt may go better.
    Rejected,
    /// Nobody knows.
    Unknown,
    /// Not accepted, and trying again at once would not help.
    Refused(WriteError),
}

impl<E: Env> Node<E> {
    /// Makes a command durable on a majority, applies it and answers its outcome. Any node takes
    /// it and forwards it to the leader.
    pub async fn write(&self, proposal: Proposal) -> Result<Served<Outcome>, WriteError> {
        let bytes = Bytes::from(proposal.encode());
        if bytes.len() > COMMAND_MAX_BYTES {
            return Err(WriteError::TooLarge {
                size_bytes: bytes.len(),
                max_bytes: COMMAND_MAX_BYTES,
            });
        }
        let repeatable = proposal.request.is_some();
        let mut proposed = self.submit(vec![bytes], repeatable, false).await?;
        let index = proposed.log_id.index;
        let term = proposed.log_id.leader_id.term;
        let value = proposed.outcomes.pop().ok_or(WriteError::OutcomeUnknown)?;
        let node = Arc::clone(&self.inner.name);
        Ok(Served {
            value,
            position: Position {
                index,
                term,
                node,
                age_ms: 0,
            },
        })
    }

    async fn submit(
        &self,
        proposals: Vec<Bytes>,
        repeatable: bool,
        forwarded: bool,
    ) -> Result<Proposed, WriteError> {
        if let Some(refusal) = self.refusal() {
            return Err(as_told(&refusal, forwarded));
        }
        if self.has_lost_majority() {
            return Err(WriteError::NoLeader);
        }
        let (reply, answer) = oneshot::channel();
        let claim = Claim::default();
        let group = Group {
            proposals,
            repeatable,
            forwarded,
            claim: claim.clone(),
            reply,
        };
        self.inner.queue.send(group)?;
        match E::Runtime::timeout(WRITE_DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) if claim.abandon() => Err(WriteError::NoLeader),
            Ok(Err(_)) | Err(_) => Err(WriteError::OutcomeUnknown),
        }
    }

    /// Why this node has nothing proposed any more, whoever asks.
    fn refusal(&self) -> Option<WriteError> {
        match () {
            () if self.is_stopping() => Some(WriteError::Stopping),
            () if self.is_outvoted() => Some(WriteError::Outvoted),
            () if self.is_removed() => Some(WriteError::Removed),
            () if self.has_failed() => Some(WriteError::CannotGoOn),
            () => None,
        }
    }

    pub(crate) async fn propose_forwarded(&self, proposals: Vec<Bytes>) -> Response<E::Runtime> {
        if proposals.is_empty() {
            return Response::Unavailable("nothing was proposed".to_owned());
        }
        // In the log it would be a fault of every replica.
        if proposals
            .iter()
            .any(|bytes| Proposal::decode(bytes).is_err())
        {
            return Response::Unavailable("what was proposed cannot be read".to_owned());
        }
        Response::Proposed(self.submit(proposals, false, true).await)
    }
}

/// Proposes groups until the queue is closed.
pub async fn run<E: Env>(node: Node<E>, mut waiting: Waiting) {
    while let Some(groups) = waiting.next::<E>().await {
        propose(&node, groups).await;
    }
}

async fn propose<E: Env>(node: &Node<E>, groups: Vec<Group>) {
    propose_until_told(node, groups, false).await;
}

/// Proposes groups until all have been told what became of them. Those in doubt have been proposed
/// before, and something of them may have been carried out.
async fn propose_until_told<E: Env>(node: &Node<E>, mut groups: Vec<Group>, mut doubtful: bool) {
    loop {
        // Those whose callers have given up meanwhile are left out.
        groups.retain(|group| group.claim.propose());
        if groups.is_empty() {
            return;
        }
        if let Some(refusal) = node.refusal() {
            return give_up(groups, &refusal, doubtful);
        }
        if node.has_lost_majority() {
            return give_up(groups, &WriteError::NoLeader, doubtful);
        }
        let attempt = match &node.leader() {
            // Nothing is promised before a majority has answered: what is proposed cannot be taken
            // back, and its outcome would stay unknown.
            Leader::Me if !node.has_majority() => Attempt::Rejected,
            Leader::Me => propose_while_heard(node, &groups).await,
            Leader::Peer(..) | Leader::Nobody if groups.iter().any(|group| group.forwarded) => {
                groups = refuse_forwarded(groups);
                Attempt::Rejected
            }
            Leader::Peer(id, address) => forward(node, &groups, *id, address).await,
            Leader::Nobody => Attempt::Rejected,
        };
        match attempt {
            Attempt::Done(proposed) => return share(groups, proposed),
            Attempt::Refused(_) if doubtful => {
                return refuse(groups, &WriteError::OutcomeUnknown);
            }
            Attempt::Refused(error) => return refuse(groups, &error),
            Attempt::Rejected => {}
            // Who asks elsewhere with the same request id may learn it from the next leader.
            Attempt::Unknown if node.has_lost_majority() => {
                return give_up(groups, &WriteError::NoLeader, true);
            }
            Attempt::Unknown => {
                let (again, lost) = groups.into_iter().partition(|group| group.repeatable);
                refuse(lost, &WriteError::OutcomeUnknown);
                groups = again;
                if groups.len() > DOUBTFUL_MAX {
                    let rest = groups.split_off(DOUBTFUL_MAX);
                    Box::pin(propose_until_told(node, rest, true)).await;
                }
                // They stay claimed: a caller that gives up now must know that it is in doubt.
                doubtful = true;
                E::Runtime::sleep(LEADER_RETRY).await;
                continue;
            }
        }
        if !doubtful {
            groups.iter().for_each(|group| group.claim.withdraw());
        }
        E::Runtime::sleep(LEADER_RETRY).await;
    }
}

/// A node that forwards here knows what to do when this one does not lead.
fn refuse_forwarded(groups: Vec<Group>) -> Vec<Group> {
    let (forwarded, own) = groups.into_iter().partition(|group| group.forwarded);
    refuse(forwarded, &WriteError::NoLeader);
    own
}

/// Tells why this node proposes nothing more; what it has proposed is in doubt.
pub(crate) fn give_up(groups: Vec<Group>, refusal: &WriteError, doubtful: bool) {
    for group in groups {
        let error = match doubtful {
            true => WriteError::OutcomeUnknown,
            false => as_told(refusal, group.forwarded),
        };
        group.tell(Err(error));
    }
}

/// A node that forwards here is told to look for another leader: the trouble is not its own.
fn as_told(refusal: &WriteError, forwarded: bool) -> WriteError {
    match forwarded {
        true => WriteError::NoLeader,
        false => refusal.clone(),
    }
}

fn refuse(groups: Vec<Group>, error: &WriteError) {
    groups
        .into_iter()
        .for_each(|group| group.tell(Err(error.clone())));
}

/// Gives each group its part of the outcomes.
fn share(groups: Vec<Group>, proposed: Proposed) {
    let mut outcomes = proposed.outcomes.into_iter();
    for group in groups {
        let part = outcomes.by_ref().take(group.proposals.len()).collect();
        group.tell(Ok(Proposed {
            outcomes: part,
            log_id: proposed.log_id,
        }));
    }
}

fn proposals(groups: &[Group]) -> impl Iterator<Item = Bytes> {
    groups
        .iter()
        .flat_map(|group| group.proposals.iter().cloned())
}

/// Proposes, and waits for what becomes of it as long as a majority answers.
async fn propose_while_heard<E: Env>(node: &Node<E>, groups: &[Group]) -> Attempt {
    let proposed = propose_here(node, groups);
    let lost = node.majority_is_lost();
    match E::Runtime::select2(Box::pin(proposed), Box::pin(lost)).await {
        Select2::First(attempt) => attempt,
        Select2::Second(()) => Attempt::Unknown,
    }
}

async fn propose_here<E: Env>(node: &Node<E>, groups: &[Group]) -> Attempt {
    if !node.has_room() {
        return Attempt::Refused(WriteError::DiskFull);
    }
    let mut seed = [0; 32];
    E::Runtime::thread_rng().fill_bytes(&mut seed);
    let Some(at_ms) = node.stamp() else {
        // Another is about to lead: see `fitness`.
        return Attempt::Rejected;
    };
    let batch = Batch {
        at_ms,
        seed,
        proposals: proposals(groups).collect(),
    };
    match node.raft().client_write(batch).await {
        Ok(written) => {
            let Outcomes(outcomes) = written.data;
            Attempt::Done(Proposed {
                outcomes,
                log_id: written.log_id,
            })
        }
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Attempt::Rejected,
        Err(RaftError::APIError(_)) => Attempt::Unknown,
        Err(RaftError::Fatal(_)) => Attempt::Refused(WriteError::OutcomeUnknown),
    }
}

async fn forward<E: Env>(node: &Node<E>, groups: &[Group], id: u64, address: &str) -> Attempt {
    let caller = node.peers().caller(id, address);
    let request = Request::Propose(proposals(groups).collect());
    let call = caller.call(&request, WRITE_DEADLINE);
    let moved = node.leader_is_no_longer(id);
    match E::Runtime::select2(Box::pin(call), Box::pin(moved)).await {
        Select2::First(Ok(Response::Proposed(Ok(proposed)))) => Attempt::Done(proposed),
        Select2::First(Ok(Response::Proposed(Err(error)))) => match error {
            WriteError::NoLeader | WriteError::Stopping => Attempt::Rejected,
            WriteError::OutcomeUnknown => Attempt::Unknown,
            error => Attempt::Refused(error),
        },
        Select2::First(Ok(_) | Err(CallError::Unreachable(_))) => Attempt::Rejected,
        Select2::First(Err(CallError::Lost)) | Select2::Second(()) => Attempt::Unknown,
    }
}
