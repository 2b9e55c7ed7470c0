//! What readings cost: who is asked, and how often.

use engine::{Consistency, Engine, ReadRounds};
use tokio::task::JoinSet;

use super::{get, leader, put, three};

/// Readers at once.
const READERS: u64 = 200;

/// What all nodes have asked so far.
fn asked(nodes: &[Engine]) -> Vec<ReadRounds> {
    nodes.iter().map(Engine::read_rounds).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_served_by_any_node_without_asking_the_leader() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    let written = nodes[0].write(put("k", "v", None)).await.unwrap();
    let before = asked(&nodes);
    for node in &nodes {
        for _ in 0..10 {
            let session = Consistency::Session(written.position.index);
            assert_eq!(get(node, session, "k").await.as_deref(), Some("v"));
        }
    }
    assert_eq!(asked(&nodes), before);
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linearizable_readings_share_their_questions() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    nodes[0].write(put("k", "v", None)).await.unwrap();
    let leads = leader(&nodes);
    for (place, node) in nodes.iter().enumerate() {
        let before = asked(&nodes);
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let node = node.clone();
            readers.spawn(async move { get(&node, Consistency::Linearizable, "k").await });
        }
        while let Some(value) = readers.join_next().await {
            assert_eq!(value.unwrap().as_deref(), Some("v"));
        }
        let after = asked(&nodes);
        let confirmed = after[leads].confirmed - before[leads].confirmed;
        assert!(
            (1..READERS / 4).contains(&confirmed),
            "{confirmed} confirmations for {READERS} readers"
        );
        let told = after[place].told - before[place].told;
        if place == leads {
            assert_eq!(told, 0, "the leader asks nobody");
        } else {
            assert_eq!(told, confirmed, "each question is confirmed once");
        }
    }
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_sees_what_was_acknowledged_before_it_though_others_read_too() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    let mut readers = JoinSet::new();
    for node in nodes.clone() {
        for _ in 0..8 {
            let node = node.clone();
            readers.spawn(async move {
                loop {
                    drop(get(&node, Consistency::Linearizable, "k").await);
                }
            });
        }
    }
    for number in 0..50 {
        let value = number.to_string();
        nodes[number % 3]
            .write(put("k", &value, None))
            .await
            .unwrap();
        for node in &nodes {
            let seen = get(node, Consistency::Linearizable, "k").await;
            assert_eq!(seen, Some(value.clone()));
        }
    }
    readers.abort_all();
    for node in &nodes {
        node.stop().await;
    }
}
