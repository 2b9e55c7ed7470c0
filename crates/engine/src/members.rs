//! Who belongs to the cluster: joining, promotion, replacement, removal.
//!
//! A node joins as a learner. The leader makes it a voter once it has caught up, in place of a
//! dead member of the same name if there is one; a new leader goes on where the old one stopped,
//! because all it needs to know is in the membership itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::{AsyncRuntime, Instant as _};

use crate::answer::MembershipError;
use crate::env::Env;
use crate::identity::JoinToken;
use crate::node::{InstantOf, Leader, Node};
use crate::peers::client::CallError;
use crate::peers::handshake;
use crate::peers::wire::{Candidate, JoinError, Pulse, Refusal, Request, Response};
use crate::start::StartError;
use crate::types::{Member, Membership, NodeId};

/// How often a leader looks after the members.
const INTERVAL: Duration = Duration::from_millis(250);

/// A learner that lacks no more entries than this has caught up: what is written meanwhile.
const CAUGHT_UP_ENTRIES: u64 = 64;

/// How long a node tries to join, and how long a change of the members may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Pause between attempts.
const RETRY: Duration = Duration::from_millis(200);

/// How long a member may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one request about members may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the members of a token until one of them has taken this node in.
pub async fn join<E: Env>(node: &Node<E>, token: &JoinToken) -> Result<(), StartError> {
    let Member { name, peer, http } = node.member();
    let candidate = Candidate {
        id: node.identity().id,
        name,
        peer,
        http,
    };
    let deadline = InstantOf::<E>::now() + DEADLINE;
    let mut reason = String::from("no member could be reached");
    let mut hint = None;
    while InstantOf::<E>::now() < deadline {
        let addresses = hint.take().into_iter().chain(token.peers.iter().cloned());
        let addresses: Vec<String> = addresses.collect();
        let mut certain = 0;
        for address in &addresses {
            match ask_to_join(node, address, &candidate).await? {
                Asked::Joined => return Ok(()),
                Asked::Elsewhere(leader) => hint = leader,
                Asked::Again => {}
                Asked::Failed(why) => reason = why,
                Asked::Certain(why) => {
                    reason = why;
                    certain += 1;
                }
            }
            if hint.is_some() {
                break;
            }
        }
        if certain == addresses.len() {
            break;
        }
        E::Runtime::sleep(RETRY).await;
    }
    Err(StartError::Join(reason))
}

/// What came of asking one member.
enum Asked {
    Joined,
    /// Another leads, at this address if it is known.
    Elsewhere(Option<String>),
    /// It was not done in time.
    Again,
    /// It did not answer, and why.
    Failed(String),
    /// Nor will it ever take this token, and why.
    Certain(String),
}

async fn ask_to_join<E: Env>(
    node: &Node<E>,
    address: &str,
    candidate: &Candidate,
) -> Result<Asked, StartError> {
    let caller = node.peers().stranger(None, address);
    let request = Request::Join(candidate.clone());
    Ok(match caller.call(&request, CALL_TIMEOUT).await {
        Ok(Response::Joined(Ok(()))) => Asked::Joined,
        Ok(Response::Joined(Err(JoinError::TimedOut))) => Asked::Again,
        Ok(Response::Joined(Err(error))) => return Err(StartError::Join(error.to_string())),
        Ok(Response::NotLeader(leader)) => Asked::Elsewhere(leader),
        Ok(_) => Asked::Failed(format!("{address} cannot answer now")),
        Err(CallError::Unreachable(error)) => match for_good(address, &error) {
            Some(why) => Asked::Certain(why),
            None => Asked::Failed(format!("{address} cannot be reached: {error}")),
        },
        Err(CallError::Lost) => Asked::Failed(format!("{address} did not answer")),
    })
}

/// Why no other attempt would go better, if that is certain.
fn for_good(address: &str, error: &io::Error) -> Option<String> {
    if handshake::is_denied(error) {
        return Some(format!(
            "the token's secret is not that of the cluster of {address}"
        ));
    }
    match handshake::refusal_in(error)? {
        Refusal::Cluster => Some(format!(
            "{address} belongs to another cluster than the token"
        )),
        refusal @ Refusal::Version(_) => Some(format!("{address}: {refusal}")),
        Refusal::Node => None,
    }
}

/// Looks after the members while this node leads.
pub async fn run<E: Env>(node: Node<E>) {
    loop {
        E::Runtime::sleep(INTERVAL).await;
        if node.leader() != Leader::Me {
            continue;
        }
        if let Some((change, what)) = due(&node) {
            match node.raft().change_membership(change, false).await {
                Ok(_) => tracing::info!("{what}"),
                Err(error) => tracing::debug!(%error, "the members could not be changed now"),
            }
        }
    }
}

type Change = ChangeMembers<NodeId, Member>;

/// True while a change of voters is half done: both the old and the new ones must agree.
pub(crate) fn is_joint(membership: &Membership) -> bool {
    membership.get_joint_config().len() > 1
}

/// The next change the members need, if any.
fn due<E: Env>(node: &Node<E>) -> Option<(Change, String)> {
    let metrics = node.raft().metrics();
    let metrics = metrics.borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    if is_joint(membership) {
        // The leader that began the change is gone, or could not finish it: do it for him.
        return Some((
            ChangeMembers::AddVoterIds(BTreeSet::new()),
            "a change is finished".into(),
        ));
    }
    let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
    let last = metrics.last_log_index.unwrap_or_default();
    let replication = metrics.replication.as_ref()?;
    for (id, member) in membership.nodes() {
        let matched = replication.get(id).and_then(|matched| *matched);
        let caught_up = matched.is_some_and(|at| at.index + CAUGHT_UP_ENTRIES >= last);
        if !voters.contains(id) && caught_up && node.is_alive(*id) {
            let same_name = membership
                .nodes()
                .filter(|(_, other)| other.name == member.name);
            let replaced: BTreeSet<NodeId> = same_name
                .map(|(other, _)| *other)
                .filter(|other| other != id)
                .collect();
            if replaced.iter().any(|other| node.serves(*other)) {
                continue;
            }
            let mut wanted: BTreeSet<NodeId> = voters.difference(&replaced).copied().collect();
            wanted.insert(*id);
            let what = format!("{} has caught up and votes now", member.name);
            let voting = ChangeMembers::ReplaceAllVoters(wanted);
            // Of those that it replaces the voters go by themselves.
            let others = replaced.difference(&voters).copied().collect();
            let change = vec![ChangeMembers::RemoveNodes(others), voting];
            return Some((ChangeMembers::Batch(change), what));
        }
        let moved = node
            .last_pulse(*id)
            .filter(|pulse| node.is_alive(*id) && pulse.id == *id);
        let told = moved.map(|pulse| Member {
            name: pulse.name,
            peer: pulse.peer,
            http: pulse.http,
        });
        let told = if *id == node.identity().id {
            Some(node.member())
        } else {
            told
        };
        if let Some(told) = told.filter(|told| told != member) {
            let what = format!("{} has new addresses", told.name);
            return Some((ChangeMembers::SetNodes(BTreeMap::from([(*id, told)])), what));
        }
    }
    None
}

impl<E: Env> Node<E> {
    /// Takes a node in as a learner.
    pub(crate) async fn admit(&self, candidate: Candidate) -> Response<E::Runtime> {
        if let Some(elsewhere) = self.not_leader() {
            return elsewhere;
        }
        let Candidate {
            id,
            name,
            peer,
            http,
        } = candidate;
        let others = self.others();
        if others.iter().any(|(other, _)| *other == id) {
            // Until that is committed, another leader may not know of it.
            return Response::Joined(match self.members_are_committed() {
                true => Ok(()),
                false => Err(JoinError::TimedOut),
            });
        }
        let mut taken = self.member().name == name;
        for (other, member) in others.iter().filter(|(_, member)| member.name == name) {
            taken |= self.serves(*other) && self.is_there(*other, member).await;
        }
        if taken {
            return Response::Joined(Err(JoinError::NameTaken(name)));
        }
        tracing::info!(name, peer, "a node joins as a learner");
        let member = Member { name, peer, http };
        // Not `add_learner`: in the middle of a change it would keep those whose place is taken.
        let adding = ChangeMembers::AddNodes(BTreeMap::from([(id, member)]));
        let adding = self.raft().change_membership(adding, false);
        match E::Runtime::timeout(CALL_TIMEOUT / 2, Box::pin(adding)).await {
            Ok(Ok(_)) => Response::Joined(Ok(())),
            Ok(Err(error)) => Response::Unavailable(error.to_string()),
            Err(_) => Response::Joined(Err(JoinError::TimedOut)),
        }
    }

    fn members_are_committed(&self) -> bool {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        *metrics.membership_config.log_id() <= metrics.local_committed
    }

    /// True if another member is alive and not outvoted: then nobody may take its place.
    fn serves(&self, id: NodeId) -> bool {
        let outvoted = |pulse: Pulse| pulse.outvoted;
        self.is_alive(id) && !self.last_pulse(id).is_some_and(outvoted)
    }

    /// Asks a member that was heard lately whether it is still there: one that was stopped just
    /// now, to be wiped and joined anew, has not been silent for long enough to count as dead.
    async fn is_there(&self, id: NodeId, member: &Member) -> bool {
        let caller = self.peers().caller(id, &member.peer);
        let answer = caller
            .call(&Request::Ping(self.pulse()), CHECK_TIMEOUT)
            .await;
        match answer {
            Ok(Response::Pong(pulse) | Response::Stranger(pulse, _)) => {
                self.heard(pulse);
                self.serves(id)
            }
            Err(CallError::Unreachable(error)) => error.kind() == io::ErrorKind::TimedOut,
            Ok(_) | Err(CallError::Lost) => true,
        }
    }

    /// Takes a node out of the cluster. Any node takes the request and forwards it.
    pub async fn remove_node(&self, name: &str) -> Result<(), MembershipError> {
        let deadline = InstantOf::<E>::now() + DEADLINE;
        let mut outcome = MembershipError::NoLeader;
        while InstantOf::<E>::now() < deadline {
            let answer = match self.leader() {
                Leader::Me => self.dismiss(name).await,
                Leader::Peer(id, address) => {
                    let caller = self.peers().caller(id, &address);
                    let request = Request::Remove(name.to_owned());
                    match caller.call(&request, DEADLINE).await {
                        Ok(response) => response,
                        Err(error) => Response::Unavailable(error.to_string()),
                    }
                }
                Leader::Nobody => Response::NotLeader(None),
            };
            match answer {
                Response::Removed(result) => return result,
                Response::Unavailable(_) => outcome = MembershipError::TimedOut,
                _ => {}
            }
            E::Runtime::sleep(RETRY).await;
        }
        Err(outcome)
    }

    pub(crate) async fn dismiss(&self, name: &str) -> Response<E::Runtime> {
        if let Some(elsewhere) = self.not_leader() {
            return elsewhere;
        }
        // Perhaps this very one, asked for before: to refuse it now would be wrong.
        if self.is_changing() {
            return Response::Unavailable("a change of the members is under way".to_owned());
        }
        let own = std::iter::once((self.identity().id, self.member()));
        let named = own
            .chain(self.others())
            .find(|(_, member)| member.name == name);
        let Some((id, _)) = named else {
            return Response::Removed(Err(MembershipError::UnknownNode(name.to_owned())));
        };
        if let Err(refused) = self.may_lose(id, name) {
            return Response::Removed(Err(refused));
        }
        if id == self.identity().id {
            // Another leads first and then removes this node; the caller asks again.
            if let Some(successor) = self.successor() {
                drop(self.raft().trigger().transfer_leader(successor).await);
                let moved = Box::pin(self.leader_is_no_longer(id));
                drop(E::Runtime::timeout(CALL_TIMEOUT / 2, moved).await);
            }
            return Response::NotLeader(None);
        }
        let change = match self.raft().voter_ids().any(|voter| voter == id) {
            true => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
            false => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        };
        let changing = self.raft().change_membership(change, false);
        match E::Runtime::timeout(DEADLINE, Box::pin(changing)).await {
            Ok(Ok(_)) => {
                tracing::info!(name, "removed from the cluster");
                Response::Removed(Ok(()))
            }
            // Another change is under way, or leadership moved: the caller asks again.
            Ok(Err(error)) => Response::Unavailable(error.to_string()),
            Err(_) => Response::Removed(Err(MembershipError::TimedOut)),
        }
    }

    /// True while a change of voters is half done, as far as this node knows.
    pub(crate) fn is_changing(&self) -> bool {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        is_joint(metrics.membership_config.membership())
    }

    /// Whether a majority of live voters is left without `id`.
    fn may_lose(&self, id: NodeId, name: &str) -> Result<(), MembershipError> {
        let left: Vec<NodeId> = self
            .raft()
            .voter_ids()
            .filter(|voter| *voter != id)
            .collect();
        let alive = left.iter().filter(|voter| self.is_alive(**voter)).count();
        let refused = |reason: String| Err(MembershipError::Refused(reason));
        if left.is_empty() {
            return refused(format!(
                "{name} is the only voter; the cluster would be gone"
            ));
        }
        if 2 * alive <= left.len() {
            return refused(format!(
                "without {name} only {alive} of {} voters would be alive, which is no majority",
                left.len()
            ));
        }
        Ok(())
    }

    fn not_leader(&self) -> Option<Response<E::Runtime>> {
        match self.leader() {
            // An outvoted leader is about to be none.
            Leader::Me if !self.is_outvoted() => None,
            Leader::Peer(_, address) => Some(Response::NotLeader(Some(address))),
            Leader::Me | Leader::Nobody => Some(Response::NotLeader(None)),
        }
    }
}
