//! PUBLISH and SUBSCRIBE.

use crate::harness::{Client, Node, Reply, bulk, line, simple};

fn told(word: &str, rest: &[&str]) -> Reply {
    let mut items = vec![bulk(word)];
    items.extend(rest.iter().map(bulk));
    Reply::Array(items)
}

fn counted(word: &str, name: &str, count: i64) -> Reply {
    Reply::Array(vec![bulk(word), bulk(name), Reply::Integer(count)])
}

async fn listener(node: &Node, words: &str) -> Client {
    let mut client = node.client().await;
    let count = words.split(' ').count() - 1;
    client.send(&line(words)).await;
    for _ in 0..count {
        client.reply().await;
    }
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_those_who_listen_on_every_node_in_order() {
    let nodes = Node::three().await;
    let mut listeners = Vec::new();
    for node in &nodes {
        listeners.push(listener(node, "SUBSCRIBE news other").await);
    }
    let mut writer = nodes[2].client().await;
    for number in 0..50 {
        let told = writer.ask(&format!("PUBLISH news {number}")).await;
        assert_eq!(told, Reply::Integer(1), "those of this node are counted");
    }
    assert_eq!(writer.ask("PUBLISH nobody x").await, Reply::Integer(0));
    for listener in &mut listeners {
        for number in 0..50 {
            let expected = told("message", &["news", &number.to_string()]);
            assert_eq!(listener.reply().await, expected);
        }
        assert!(listener.is_silent().await);
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_and_channels_are_counted_and_left() {
    let node = Node::start().await;
    let (mut client, mut writer) = (node.client().await, node.client().await);
    assert_eq!(
        client.ask("SUBSCRIBE a").await,
        counted("subscribe", "a", 1)
    );
    assert_eq!(
        client.ask("PSUBSCRIBE n*").await,
        counted("psubscribe", "n*", 2)
    );
    assert_eq!(
        client.ask("SUBSCRIBE a").await,
        counted("subscribe", "a", 2)
    );
    assert_eq!(writer.ask("PUBLISH news hi").await, Reply::Integer(1));
    assert_eq!(
        client.reply().await,
        told("pmessage", &["n*", "news", "hi"])
    );
    let refused = client.fail("GET k").await;
    assert!(
        refused.starts_with("ERR Can't execute 'get': only (P|S)SUBSCRIBE"),
        "{refused}"
    );
    assert_eq!(client.ask("PING").await, told("pong", &[""]));
    assert_eq!(
        client.ask("UNSUBSCRIBE").await,
        counted("unsubscribe", "a", 1)
    );
    assert_eq!(
        client.ask("PUNSUBSCRIBE x").await,
        counted("punsubscribe", "x", 1)
    );
    assert_eq!(
        client.ask("PUNSUBSCRIBE").await,
        counted("punsubscribe", "n*", 0)
    );
    assert_eq!(client.ask("GET k").await, Reply::Null);
    assert_eq!(writer.ask("PUBLISH news hi").await, Reply::Integer(0));
    let nothing = Reply::Array(vec![bulk("unsubscribe"), Reply::Null, Reply::Integer(0)]);
    assert_eq!(client.ask("UNSUBSCRIBE").await, nothing);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_3_pushes_and_goes_on_answering() {
    let node = Node::start().await;
    let (mut client, mut writer) = (node.client().await, node.client().await);
    client.ask("HELLO 3").await;
    assert!(matches!(client.ask("SUBSCRIBE a").await, Reply::Push(_)));
    assert_eq!(client.ask("SET k v").await, simple("OK"));
    writer.ask("PUBLISH a hi").await;
    let expected = Reply::Push(vec![bulk("message"), bulk("a"), bulk("hi")]);
    assert_eq!(client.reply().await, expected);
    assert_eq!(client.ask("GET k").await, bulk("v"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_a_transaction_is_told_with_it() {
    let node = Node::start().await;
    let mut listener = listener(&node, "SUBSCRIBE c").await;
    let mut client = node.client().await;
    for words in ["MULTI", "SET k v", "PUBLISH c done"] {
        client.ask(words).await;
    }
    assert!(listener.is_silent().await);
    let done = Reply::Array(vec![simple("OK"), Reply::Integer(1)]);
    assert_eq!(client.ask("EXEC").await, done);
    assert_eq!(listener.reply().await, told("message", &["c", "done"]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_what_was_said_after_leaving() {
    let node = Node::start().await;
    drop(listener(&node, "SUBSCRIBE c").await);
    let mut client = node.client().await;
    let left = async {
        while client.ask("PUBLISH c x").await != Reply::Integer(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, left)
        .await
        .unwrap();
    node.stop().await;
}
