//! A node whose state is wrong, and what becomes of it.

use std::path::Path;
use std::time::Duration;

use domain::{Action, Actor, Proposal};
use engine::{Consistency, Engine, ReadError, Role, StartError, Watch, WriteError};

use super::{get, leader, put, read, refusal, start, three, until};

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

/// Tampers with a node's state and waits until it has found out. The key `a` is the others' then.
async fn outvote(data: &Path, nodes: &[Engine], odd: usize) {
    nodes[odd].write(bootstrap()).await.unwrap();
    nodes[odd].write(put("a", "1", None)).await.unwrap();
    let linearizable = get(&nodes[odd], Consistency::Linearizable, "a").await;
    assert_eq!(linearizable.as_deref(), Some("1"));
    tamper(data, &nodes[odd].status().node);
    nodes[odd].write(put("a", "2", None)).await.unwrap();
    nodes[odd].write(bootstrap()).await.unwrap();
    until("it is found out", || nodes[odd].is_outvoted()).await;
}

/// Waits until a node that joined under an old name votes, is well, and has what it must have.
async fn until_well(nodes: &[Engine], old_id: u64) {
    let well = |node: &Engine| {
        let status = node.status();
        let right = |of: &engine::NodeStatus| of.healthy && of.role != Role::Learner;
        node.is_ready()
            && status.nodes.len() == 3
            && status.nodes.iter().all(|of| right(of) && of.id != old_id)
    };
    until("three voters, all well", || nodes.iter().all(well)).await;
    let written = nodes[2].write(put("b", "3", None)).await.unwrap();
    let seen = Consistency::Session(written.position.index);
    for node in nodes {
        assert_eq!(get(node, seen, "a").await.as_deref(), Some("2"));
        assert_eq!(get(node, seen, "b").await.as_deref(), Some("3"));
    }
    until("equal hashes", || {
        let statuses: Vec<_> = nodes.iter().map(Engine::status).collect();
        let equal = |of: &engine::ClusterStatus| {
            (of.applied, &of.state_hash) == (statuses[0].applied, &statuses[0].state_hash)
        };
        statuses.iter().all(|status| equal(status))
    })
    .await;
}

fn id_of(node: &Engine) -> u64 {
    let status = node.status();
    let own = status.nodes.iter().find(|of| *of.name == *status.node);
    own.expect("it is a member").id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outvoted_node_does_not_start_again_and_is_well_once_it_joins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = three(dir.path()).await;
    let odd = leader(&nodes);
    outvote(dir.path(), &nodes, odd).await;
    let node = nodes.remove(odd);
    let (name, old_id) = (node.status().node.to_string(), id_of(&node));
    node.stop().await;
    drop(node);
    let token = nodes[0].join_token();
    // With the token or without: neither an operator nor a supervisor gets around it.
    for token in [None, Some(token.as_str())] {
        let refused = refusal(&name, dir.path(), token).await;
        assert!(matches!(refused, StartError::Outvoted), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("consorcio cluster rebuild"), "{said}");
    }
    // By hand, and at once, while the others have not missed the old one yet.
    let home = dir.path().join(&name);
    std::fs::rename(&home, dir.path().join("away")).unwrap();
    nodes.push(start(&name, dir.path(), Some(&token)).await);
    until_well(&nodes, old_id).await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outvoted_node_that_still_runs_leaves_its_name_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = three(dir.path()).await;
    let token = nodes[0].join_token();
    let taken = refusal("n3", &dir.path().join("elsewhere"), Some(&token)).await;
    assert!(
        taken.to_string().contains("n3 is a member and alive"),
        "{taken}"
    );
    outvote(dir.path(), &nodes, 2).await;
    let old = nodes.pop().unwrap();
    let old_id = id_of(&old);
    until("the others know", || {
        let knows = |of: &engine::NodeStatus| of.id == old_id && of.differs && !of.healthy;
        nodes
            .iter()
            .all(|node| node.status().nodes.iter().any(knows))
    })
    .await;
    nodes.push(start("n3", &dir.path().join("other"), Some(&token)).await);
    until_well(&nodes, old_id).await;
    old.stop().await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_state_is_not_made_a_cluster_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = three(dir.path()).await;
    outvote(dir.path(), &nodes, 2).await;
    for node in nodes {
        node.stop().await;
    }
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let env = engine::production::Production::new(nobody);
    let home = dir.path().join("n3");
    let refused = engine::recover(&env, &home).await.unwrap_err();
    assert!(
        refused.to_string().contains("another survivor"),
        "{refused}"
    );
    // Whoever has no other says so by removing the mark.
    std::fs::remove_file(home.join("outvoted")).unwrap();
    let recovered = engine::recover(&env, &home).await.unwrap();
    assert_eq!(recovered.left_behind, ["n1", "n2"]);
}
