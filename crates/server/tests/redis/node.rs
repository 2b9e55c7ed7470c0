//! What a node tells of itself, and when it cannot serve.

use crate::blocking::wait_for_blocked;
use crate::harness::{Client, Node, PATIENCE, Reply, bulk, line};

fn text(reply: Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_what_is_true_of_it() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client.ask("SET k v").await;
    let info = text(client.ask("INFO").await);
    for expected in [
        "# Server\r\nredis_version:",
        "redis_mode:standalone",
        "consorcio_node:n1",
        "connected_clients:1",
        "role:master",
        "connected_slaves:0",
        "raft_leader:n1",
        "db0:keys=1,",
    ] {
        assert!(info.contains(expected), "{expected} in {info}");
    }
    let one = text(client.ask("INFO keyspace").await);
    assert!(
        one.starts_with("# Keyspace\r\n") && !one.contains("Server"),
        "{one}"
    );
    let Reply::Array(pairs) = client.ask("CONFIG GET save append*").await else {
        panic!()
    };
    assert_eq!(pairs.len(), 6, "{pairs:?}");
    assert!(client.fail("CONFIG SET save 1").await.contains("read-only"));
    let Reply::Array(time) = client.ask("TIME").await else {
        panic!()
    };
    assert_eq!(time.len(), 2);
    assert_eq!(client.ask("DBSIZE").await, Reply::Integer(1));
    assert_eq!(client.ask("SELECT 0").await, Reply::Simple("OK".to_owned()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_told_of() {
    let node = Node::start().await;
    let mut client = node.client().await;
    let Reply::Integer(count) = client.ask("COMMAND COUNT").await else {
        panic!()
    };
    let Reply::Array(all) = client.ask("COMMAND").await else {
        panic!()
    };
    assert_eq!(all.len() as i64, count);
    let Reply::Array(get) = client.ask("COMMAND INFO get nonsense").await else {
        panic!()
    };
    let Reply::Array(parts) = &get[0] else {
        panic!()
    };
    assert_eq!((&parts[0], &parts[1]), (&bulk("get"), &Reply::Integer(2)));
    assert_eq!((parts.len(), &get[1]), (10, &Reply::Null));
    let Reply::Array(docs) = client.ask("COMMAND DOCS get nonsense").await else {
        panic!()
    };
    assert_eq!((docs.len(), &docs[0]), (2, &bulk("get")));
    let Reply::Array(docs) = client.ask("COMMAND DOCS").await else {
        panic!()
    };
    assert_eq!(docs.len() as i64, 2 * count);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_reads_go_on_and_writes_are_refused() {
    let [first, second, third] = Node::three().await;
    let mut client = first.client().await;
    client.ask("SET k v").await;
    second.stop().await;
    third.stop().await;
    // Until the node knows that it leads nobody, the outcome of what it was asked is unknown.
    let certain = async {
        loop {
            match client.ask("SET k w").await {
                Reply::Error(told) if told.starts_with("UNKNOWNOUTCOME the outcome is") => {}
                Reply::Simple(_) => {}
                Reply::Error(told) => return told,
                other => panic!("{other:?}"),
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, certain).await.unwrap();
    assert!(told.starts_with("CLUSTERDOWN there is no leader"), "{told}");
    assert_eq!(client.ask("PING").await, Reply::Simple("PONG".to_owned()));
    assert!(matches!(client.ask("GET k").await, Reply::Bulk(_)));
    first.stop().await;
}

/// Clients that listen and wait, which a node that must not be believed ends.
async fn who_hear(node: &Node) -> Vec<Client> {
    let mut clients = Vec::new();
    for words in ["SUBSCRIBE c", "PSUBSCRIBE *"] {
        let mut client = node.client().await;
        client.ask(words).await;
        clients.push(client);
    }
    for words in ["BLPOP l 0", "XREAD BLOCK 0 STREAMS j $"] {
        let mut client = node.client().await;
        client.send(&line(words)).await;
        clients.push(client);
    }
    wait_for_blocked(node, 2).await;
    clients
}

async fn all_end(clients: Vec<Client>) {
    for mut client in clients {
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_go_on_cuts_those_who_listen_and_wait() {
    let node = Node::start().await;
    let clients = who_hear(&node).await;
    let mut client = node.client().await;
    // Only commits, which come behind the answers, write this table.
    node.tamper("DROP TABLE engine");
    client.ask("SET k v").await;
    all_end(clients).await;
    let told = client.fail("GET k").await;
    assert!(told.starts_with("CLUSTERDOWN "), "{told}");
    // Nobody is told any more that it listens.
    let mut late = node.client().await;
    late.send(&line("SUBSCRIBE c")).await;
    assert_eq!(late.rest().await, "");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outvoted_node_cuts_those_who_listen_and_wait() {
    let nodes = Node::three().await;
    let clients = who_hear(&nodes[1]).await;
    let mut elsewhere = nodes[2].client().await;
    elsewhere.ask("SUBSCRIBE c").await;
    nodes[1].tamper("DELETE FROM accounts");
    // Where there is an administrator a second one is refused.
    let bootstrap = domain::Proposal {
        actor: domain::Actor::System,
        request: None,
        action: domain::Action::Bootstrap {
            password_hash: "$test$".to_owned(),
        },
    };
    nodes[0].engine.write(bootstrap).await.unwrap();
    all_end(clients).await;
    nodes[0].client().await.ask("PUBLISH c hi").await;
    assert!(matches!(elsewhere.reply().await, Reply::Array(_)));
    for node in nodes {
        node.stop().await;
    }
}
