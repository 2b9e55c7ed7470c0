//! A node whose state is wrong.

use std::path::Path;
use std::time::Duration;

use domain::{Action, Actor, Proposal};
use engine::{Consistency, Engine, ReadError, Watch, WriteError};

use super::{get, put, read, three, until};

/// Changes a node's state behind its back.
fn tamper(data: &Path, name: &str) {
    let other = rusqlite::Connection::open(data.join(name).join("state.db")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    let changed = other.execute("DELETE FROM accounts", []);
    assert_eq!(changed.unwrap(), 1);
}

/// Refused wherever the administrator exists already.
fn bootstrap() -> Proposal {
    Proposal {
        actor: Actor::System,
        request: None,
        action: Action::Bootstrap {
            password_hash: "$test$".to_owned(),
        },
    }
}

/// Takes what is left of the events, and waits for their end.
async fn until_it_ends(watch: &mut Watch) {
    let ended = async { while watch.next().await != Ok(None) {} };
    let in_time = tokio::time::timeout(Duration::from_secs(20), ended);
    in_time.await.expect("the events end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_state_differs_takes_itself_out_also_when_it_leads() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = three(dir.path()).await;
    until("n1 is ready", || nodes[0].is_ready()).await;
    let leads = |node: &Engine| {
        let status = node.status();
        status.leader.as_deref() == Some(&*status.node)
    };
    nodes[0].write(put("a", "1", None)).await.unwrap();
    nodes[0].write(bootstrap()).await.unwrap();
    let odd = nodes.iter().position(leads).expect("one leads");
    let name = format!("n{}", odd + 1);
    let mut watch = nodes[odd].watch();
    let before = get(&nodes[odd], Consistency::Linearizable, "a").await;
    assert_eq!(before.as_deref(), Some("1"));
    tamper(dir.path(), &name);
    nodes[odd].write(put("a", "2", None)).await.unwrap();
    nodes[odd].write(bootstrap()).await.unwrap();
    until("it is found out", || nodes[odd].is_outvoted()).await;
    assert!(!nodes[odd].is_ready());
    until_it_ends(&mut watch).await;
    assert_eq!(nodes[odd].watch().next().await, Ok(None));
    for consistency in [Consistency::Stale, Consistency::Linearizable] {
        let refused = nodes[odd].store(consistency, read("a")).await;
        assert_eq!(refused.unwrap_err(), ReadError::Outvoted);
    }
    let refused = nodes[odd].write(put("b", "1", None)).await;
    assert_eq!(refused.unwrap_err(), WriteError::Outvoted);
    let other = &nodes[(odd + 1) % 3];
    until("another leads", || other.is_ready() && !leads(&nodes[odd])).await;
    other.write(put("c", "1", None)).await.unwrap();
    assert_eq!(
        get(other, Consistency::Linearizable, "a").await.as_deref(),
        Some("2")
    );
    let seen = |node: &Engine, name: &str| {
        let status = node.status();
        let found = status.nodes.iter().find(|node| node.name == name);
        found.is_some_and(|node| node.differs && !node.healthy)
    };
    until("all say which one it is", || {
        nodes.iter().all(|node| seen(node, &name))
    })
    .await;
    assert!(other.is_ready() && !other.is_outvoted());
    for node in nodes {
        node.stop().await;
    }
}
