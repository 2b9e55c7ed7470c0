//! Nodes in production's world, on this machine: one, three, killed, replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::time::{Duration, Instant};

use domain::keys::GetKey;
use domain::{Action, Actor, Proposal, Reply, RequestId};
use engine::production::Production;
use engine::{Consistency, Engine, JoinToken, Options, Role, Tuning};
use tokio::net::TcpListener;

async fn start(name: &str, data: &Path, join: Option<&str>) -> Engine {
    start_at(name, data, join, "127.0.0.1:0").await
}

async fn start_at(name: &str, data: &Path, join: Option<&str>, peer: &str) -> Engine {
    let listener = TcpListener::bind(peer).await.unwrap();
    let options = Options {
        name: name.to_owned(),
        data: data.join(name),
        peer: listener.local_addr().unwrap().to_string(),
        http: format!("http://{name}.invalid"),
        join: join.map(|token| token.parse::<JoinToken>().unwrap()),
        tuning: Tuning::default(),
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
        action: Action::PutKey {
            key: key.into(),
            value: value.into(),
        },
    }
}

async fn get(node: &Engine, consistency: Consistency, key: &str) -> Option<String> {
    let answer = node
        .read(consistency, GetKey { key: key.into() })
        .await
        .unwrap();
    answer
        .value
        .map(|entry| String::from_utf8(entry.value).unwrap())
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
    assert_eq!(written.value.result, Ok(Reply::Key { version: 1 }));
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
    assert_eq!(written.value.result, Ok(Reply::Key { version: 1 }));
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
