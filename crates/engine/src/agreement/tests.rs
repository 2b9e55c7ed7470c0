//! What an outvoted node does, without having to be made wrong: `tests/node` does that.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::StateHash;
use openraft::impls::leader_id_std::LeaderId;
use openraft::raft::TransferLeaderRequest;
use openraft::vote::RaftLeaderIdExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Leader, Standing, TRAIL_MAX, Trail};
use crate::identity::JoinToken;
use crate::options::{Options, Tuning};
use crate::peers::server::answer;
use crate::peers::wire::{Proposed, Request, Response};
use crate::production::Production;
use crate::types::{LogId, Vote};
use crate::writes::{Claim, Group, give_up};
use crate::{Engine, WriteError};

fn standing(index: u64) -> Standing {
    Standing {
        applied: Some(LogId::new(LeaderId::new_committed(1, 1), index)),
        committed: None,
        hash: StateHash([index as u8; 32]),
    }
}

async fn start(name: &str, dir: &Path, join: Option<JoinToken>) -> Engine {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        name: name.to_owned(),
        data: dir.join(name),
        peer: listener.local_addr().unwrap().to_string(),
        http: format!("http://{name}.invalid"),
        join,
        tuning: Tuning::default(),
    };
    Engine::start(Production::new(listener), options)
        .await
        .unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_trail_knows_its_last_places_and_is_bounded() {
    let mut trail = Trail::default();
    trail.note(&Standing::default());
    for index in (0..3 * TRAIL_MAX as u64).step_by(2) {
        trail.note(&standing(index));
        trail.note(&standing(index));
    }
    assert_eq!(trail.0.len(), TRAIL_MAX);
    let newest = 3 * TRAIL_MAX as u64 - 2;
    assert_eq!(trail.at(newest), Some([newest as u8; 32]));
    assert_eq!(trail.at(newest - 1), None, "it did not stop there");
    assert_eq!(trail.at(0), None, "long ago");
    trail.note(&standing(newest - 10));
    assert_eq!(trail.at(newest), Some([newest as u8; 32]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outvoted_leader_does_not_rest_before_another_leads() {
    let dir = tempfile::tempdir().unwrap();
    let first = start("n1", dir.path(), None).await;
    let token: JoinToken = first.join_token().parse().unwrap();
    let mut others = Vec::new();
    for name in ["n2", "n3"] {
        others.push(start(name, dir.path(), Some(token.clone())).await);
    }
    until("all vote and n1 leads", || {
        first.raft().voter_ids().count() == 3 && first.leader() == Leader::Me
    })
    .await;
    // As if it had asked somebody already who could not take over.
    first.inner.outvoted.store(true, Ordering::Release);
    until("another leads", || {
        matches!(first.leader(), Leader::Peer(..))
    })
    .await;
    for node in others.iter().chain([&first]) {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outvoted_node_takes_over_from_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let node = start("n1", dir.path(), None).await;
    let id = node.identity().id;
    let transfer = |to| {
        let request = TransferLeaderRequest::new(Vote::new(0, 0), to, None);
        answer(&node, Request::TransferLeader(request))
    };
    assert!(matches!(transfer(id).await, Response::TransferLeader(_)));
    node.inner.outvoted.store(true, Ordering::Release);
    let Response::Unavailable(why) = transfer(id).await else {
        panic!("it would take over");
    };
    assert_eq!(why, WriteError::Outvoted.to_string());
    // That another is to lead concerns it too: it votes.
    assert!(matches!(
        transfer(id + 1).await,
        Response::TransferLeader(_)
    ));
    node.stop().await;
}

/// A group that has waited in the queue, and where its answer comes.
fn waiting(forwarded: bool) -> (Group, Answer) {
    let (reply, answer) = oneshot::channel();
    let group = Group {
        proposals: vec![vec![1].into()],
        repeatable: true,
        forwarded,
        claim: Claim::default(),
        reply,
    };
    (group, answer)
}

type Answer = oneshot::Receiver<Result<Proposed, WriteError>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_when_a_node_is_outvoted_is_not_proposed() {
    let dir = tempfile::tempdir().unwrap();
    let node = start("n1", dir.path(), None).await;
    node.inner.outvoted.store(true, Ordering::Release);
    let (own, own_answer) = waiting(false);
    let (forwarded, forwarded_answer) = waiting(true);
    for group in [own, forwarded] {
        node.inner.queue.send(group).unwrap();
    }
    let refused = own_answer.await.unwrap().unwrap_err();
    assert_eq!(refused, WriteError::Outvoted);
    let refused = forwarded_answer.await.unwrap().unwrap_err();
    assert_eq!(refused, WriteError::NoLeader, "its sender asks elsewhere");
    node.stop().await;
}

#[tokio::test]
async fn what_may_have_been_proposed_stays_in_doubt() {
    let (group, answer) = waiting(false);
    give_up(vec![group], &WriteError::Outvoted, true);
    let refused = answer.await.unwrap().unwrap_err();
    assert_eq!(refused, WriteError::OutcomeUnknown);
}
