//! Nodes in production's world, on this machine: one, three, killed, replaced.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)]

mod elections;
mod outvoted;
mod removed;
mod rounds;
mod starts;
mod store;

use std::path::Path;
use std::time::{Duration, Instant};

use domain::store::{Executed, Read, StoreReply, Write};
use domain::{Action, Actor, Proposal, Reply, RequestId};
use engine::production::Production;
use engine::{
    Cause, Consistency, Engine, Happened, JoinToken, Options, ReadError, Role, StartError, Tuning,
    WriteError,
};
use tokio::net::TcpListener;

async fn start(name: &str, data: &Path, join: Option<&str>) -> Engine {
    start_tuned(name, data, join, "127.0.0.1:0", Tuning::default()).await
}

async fn start_tuned(
    name: &str,
    data: &Path,
    join: Option<&str>,
    peer: &str,
    tuning: Tuning,
) -> Engine {
    let listener = TcpListener::bind(peer).await.unwrap();
    let options = Options {
        name: name.to_owned(),
        data: data.join(name),
        peer: listener.local_addr().unwrap().to_string(),
        http: format!("http://{name}.invalid"),
        join: join.map(|token| token.parse::<JoinToken>().unwrap()),
        tuning,
    };
    Engine::start(Production::new(listener), options)
        .await
        .unwrap()
}

fn put(key: &str, value: &str, request: Option<&str>) -> Proposal {
    Proposal {
        actor: Actor::Anonymous,
        request: request.map(|key| RequestId {
            key: key.to_owned(),
            fingerprint: [7; 16],
        }),
        action: Action::Store {
            conditions: Vec::new(),
            operations: vec![Write::set(key.to_owned(), value.to_owned()).into()],
        },
    }
}

async fn get(node: &Engine, consistency: Consistency, key: &str) -> Option<String> {
    let answer = node.store(consistency, read(key)).await.unwrap();
    match answer.value.as_slice() {
        [Ok(StoreReply::Bytes(value))] => Some(String::from_utf8(value.to_vec()).unwrap()),
        [Ok(StoreReply::Nil)] => None,
        other => panic!("a key was read as {other:?}"),
    }
}

fn read(key: &str) -> Vec<Read> {
    let key = key.to_owned().into();
    vec![Read::Get { key }]
}

/// Whether a write was answered as it must be.
fn is_stored(reply: &Reply) -> bool {
    let stored = vec![Ok(StoreReply::Done)];
    matches!(reply, Reply::Store(Executed::Done { results, .. }) if *results == stored)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "{what} did not come about in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn three(data: &Path) -> Vec<Engine> {
    let first = start("n1", data, None).await;
    let token = first.join_token();
    let mut nodes = vec![first];
    for name in ["n2", "n3"] {
        nodes.push(start(name, data, Some(&token)).await);
    }
    let voters = |node: &Engine| {
        let status = node.status();
        status
            .nodes
            .iter()
            .filter(|node| node.role != Role::Learner)
            .count()
    };
    until("three voters", || {
        nodes
            .iter()
            .all(|node| voters(node) == 3 && node.is_ready())
    })
    .await;
    nodes
}

fn leader(nodes: &[Engine]) -> usize {
    let name = nodes[0].status().leader.clone().expect("a leader");
    nodes
        .iter()
        .position(|node| *node.status().node == *name)
        .expect("a known leader")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_serves_and_remembers() {
    let data = tempfile::tempdir().unwrap();
    let node = start("n1", data.path(), None).await;
    let written = node.write(put("color", "azul", None)).await.unwrap();
    assert!(is_stored(&written.value.result.unwrap()));
    let session = Consistency::Session(written.position.index);
    assert_eq!(get(&node, session, "color").await.as_deref(), Some("azul"));
    assert_eq!(
        get(&node, Consistency::Linearizable, "color")
            .await
            .as_deref(),
        Some("azul")
    );
    let hash = node.status().state_hash.clone();
    node.stop().await;
    drop(node);

    let node = start("n1", data.path(), None).await;
    until("ready", || node.is_ready()).await;
    assert_eq!(
        get(&node, Consistency::Linearizable, "color")
            .await
            .as_deref(),
        Some("azul")
    );
    assert_eq!(node.status().state_hash, hash);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_writes_and_serves_reads() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    for (number, node) in nodes.iter().enumerate() {
        let key = format!("k{number}");
        let written = node.write(put(&key, "v", Some(&key))).await.unwrap();
        let again = node.write(put(&key, "v", Some(&key))).await.unwrap();
        assert!(again.value.replayed);
        assert_eq!(again.value.result, written.value.result);
        for reader in &nodes {
            let session = Consistency::Session(written.position.index);
            assert_eq!(get(reader, session, &key).await.as_deref(), Some("v"));
            assert_eq!(
                get(reader, Consistency::Linearizable, &key)
                    .await
                    .as_deref(),
                Some("v")
            );
        }
    }
    until("equal hashes", || {
        let statuses: Vec<_> = nodes.iter().map(Engine::status).collect();
        statuses.iter().all(|status| {
            (status.applied, &status.state_hash) == (statuses[0].applied, &statuses[0].state_hash)
        })
    })
    .await;
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_hands_over() {
    let data = tempfile::tempdir().unwrap();
    let mut nodes = three(data.path()).await;
    let old = nodes.remove(leader(&nodes));
    let begun = Instant::now();
    let stopping = tokio::spawn(async move { old.stop().await });
    let written = nodes[0].write(put("a", "b", Some("a"))).await.unwrap();
    assert!(is_stored(&written.value.result.unwrap()));
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    stopping.await.unwrap();
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_leave_only_while_a_majority_lives() {
    let data = tempfile::tempdir().unwrap();
    let mut nodes = three(data.path()).await;
    let refused = nodes[0].remove_node("n9").await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no node named n9");
    let third = nodes.pop().unwrap();
    nodes[0].remove_node("n3").await.unwrap();
    third.stop().await;
    until("two members", || {
        nodes.iter().all(|node| node.status().nodes.len() == 2)
    })
    .await;
    let second = nodes.pop().unwrap();
    second.stop().await;
    let first = nodes.pop().unwrap();
    until("n2 counts as dead", || !first.status().nodes[1].healthy).await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_survivor_can_be_made_a_cluster_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    let survivor = nodes
        .iter()
        .position(|node| *node.status().node == *"n2")
        .unwrap();
    let written = nodes[survivor]
        .write(put("k", "v", Some("k")))
        .await
        .unwrap();
    let seen = Consistency::Session(written.position.index);
    assert_eq!(get(&nodes[survivor], seen, "k").await.as_deref(), Some("v"));
    let token = nodes[0].join_token();
    for node in &nodes {
        node.stop().await;
    }
    drop(nodes);

    let env = Production::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let recovered = engine::recover(&env, &data.path().join("n2"))
        .await
        .unwrap();
    assert_eq!(recovered.name, "n2");
    assert_eq!(recovered.left_behind, ["n1", "n3"]);
    assert!(recovered.last_index >= written.position.index);
    drop(env);
    let missing = Production::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let refused = engine::recover(&missing, &data.path().join("n9"))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no node in this data directory"
    );

    let node = start("n2", data.path(), None).await;
    until("ready", || node.is_ready()).await;
    assert_eq!(
        get(&node, Consistency::Linearizable, "k").await.as_deref(),
        Some("v")
    );
    let again = node.write(put("k", "v", Some("k"))).await.unwrap();
    assert!(
        again.value.replayed,
        "a request of the old cluster is still known"
    );
    let remembered = node.elections().await[0].elections.clone();
    let forced = Happened::Stood(Cause::Forced);
    assert!(
        remembered
            .expect("its own")
            .iter()
            .any(|past| past.what == forced)
    );
    let members = |node: &Engine| node.status().nodes.len();
    until("one member", || members(&node) == 1).await;
    // A lost node that comes back is a stranger now; a new one may join.
    assert_ne!(
        node.join_token().rsplit('/').next(),
        token.rsplit('/').next()
    );
    let joined = start("n4", data.path(), Some(&node.join_token())).await;
    until("two members", || {
        members(&node) == 2 && members(&joined) == 2
    })
    .await;
    joined.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_is_a_stranger_and_can_take_its_old_place() {
    let data = tempfile::tempdir().unwrap();
    let mut nodes = three(data.path()).await;
    let token = nodes[0].join_token();
    nodes.pop().unwrap().stop().await;
    std::fs::remove_dir_all(data.path().join("n3")).unwrap();
    let written = nodes[1].write(put("k", "v", Some("k"))).await.unwrap();
    until("n3 counts as dead", || !nodes[0].status().nodes[2].healthy).await;

    let alone = start("n3", data.path(), None).await;
    assert_ne!(
        alone.status().cluster,
        nodes[0].status().cluster,
        "without a token: another cluster"
    );
    alone.stop().await;
    drop(alone);
    std::fs::remove_dir_all(data.path().join("n3")).unwrap();

    let old_id = nodes[0].status().nodes[2].id;
    let back = start("n3", data.path(), Some(&token)).await;
    until("the new n3 votes in place of the old one", || {
        let status = nodes[0].status();
        let third = &status.nodes[2..];
        third.len() == 1 && third[0].id != old_id && third[0].role != Role::Learner
    })
    .await;
    let seen = Consistency::Session(written.position.index);
    assert_eq!(get(&back, seen, "k").await.as_deref(), Some("v"));
    nodes.push(back);
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lost_its_log_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let node = start("n1", data.path(), None).await;
    node.write(put("k", "v", None)).await.unwrap();
    node.stop().await;
    drop(node);
    let home = data.path().join("n1");
    std::fs::remove_dir_all(home.join("log")).unwrap();
    refuse_to_start(data.path()).await;
    std::fs::remove_dir_all(home.join("log")).unwrap();
    std::fs::remove_file(home.join("state.db")).unwrap();
    refuse_to_start(data.path()).await;
}

async fn refuse_to_start(data: &Path) {
    let error = refusal("n1", data, None).await;
    assert!(error.is_damage(), "{error}");
    assert!(
        error.to_string().contains("cluster rebuild --data DIR"),
        "{error}"
    );
}

/// Why a node does not start.
async fn refusal(name: &str, data: &Path, join: Option<&str>) -> StartError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        name: name.to_owned(),
        data: data.join(name),
        peer: listener.local_addr().unwrap().to_string(),
        http: String::new(),
        join: join.map(|token| token.parse::<JoinToken>().unwrap()),
        tuning: Tuning::default(),
    };
    let started = Engine::start(Production::new(listener), options).await;
    started.err().expect("it does not start")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_missed_the_purged_log_gets_the_state() {
    let data = tempfile::tempdir().unwrap();
    let first = start_tuned("n1", data.path(), None, "127.0.0.1:0", small()).await;
    for number in 0..300 {
        let key = format!("k{number}");
        first
            .write(put(&key, &"x".repeat(2000), None))
            .await
            .unwrap();
    }
    let log = data.path().join("n1/log");
    let bytes = || std::fs::read_dir(&log).unwrap().count();
    until("the log is purged", || bytes() <= 4).await;
    let second = start_tuned(
        "n2",
        data.path(),
        Some(&first.join_token()),
        "127.0.0.1:0",
        small(),
    )
    .await;
    // No new write: what is missing must come as a snapshot, not with the next entry.
    until("the state arrives", || {
        let (a, b) = (first.status(), second.status());
        a.applied == b.applied && a.state_hash == b.state_hash
    })
    .await;
    assert!(
        get(&second, Consistency::Linearizable, "k299")
            .await
            .is_some()
    );
    until("n2 votes", || {
        first.status().nodes.iter().all(|n| n.role != Role::Learner)
    })
    .await;
    second.stop().await;
    first.stop().await;
}

/// Purges early and often.
fn small() -> Tuning {
    Tuning {
        segment_bytes: 64 * 1024,
        compact_bytes: 128 * 1024,
        keep_bytes: 32 * 1024,
        ..Tuning::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_be_committed_ends_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = start("n1", dir.path(), None).await;
    node.write(put("a", "1", None)).await.unwrap();
    until("it is ready", || node.is_ready()).await;
    // The engine's own table is written by commits alone.
    let other = rusqlite::Connection::open(dir.path().join("n1/state.db")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("DROP TABLE engine").unwrap();
    node.write(put("b", "2", None)).await.unwrap();
    let failed = tokio::time::timeout(Duration::from_secs(10), node.failed());
    let reason = failed.await.expect("it is noticed");
    assert!(reason.contains("no such table: engine"), "{reason}");
    assert!(!node.is_ready());
    let refused = node.write(put("c", "3", None)).await;
    assert_eq!(refused.unwrap_err(), WriteError::CannotGoOn);
    let refused = node.store(Consistency::Stale, read("a")).await;
    assert_eq!(refused.unwrap_err(), ReadError::CannotGoOn);
    node.stop().await;
}
