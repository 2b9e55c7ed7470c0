//! Clients that take too much, or nothing.

use tokio::io::AsyncWriteExt;

use crate::harness::{Node, PATIENCE, Reply, encode, hasty, line, ok};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answers_is_cut() {
    let node = Node::with(hasty()).await;
    let mut client = node.client().await;
    let value = vec![b'x'; 500_000];
    client
        .ask_words(&[b"SET".to_vec(), b"k".to_vec(), value])
        .await;
    let gets = line("GET k").repeat(1_000);
    // Half a gigabyte of answers: neither the socket nor the node keeps that.
    let sent = client.stream.write_all(&gets);
    let _ = tokio::time::timeout(PATIENCE, sent).await.unwrap();
    let mut other = node.client().await;
    let cut = async {
        loop {
            let Reply::Bulk(told) = other.ask("INFO clients").await else {
                panic!()
            };
            if String::from_utf8_lossy(&told).contains("connected_clients:1\r\n") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, cut)
        .await
        .expect("it is cut");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_takes_nothing_is_cut_and_nobody_else() {
    let node = Node::with(hasty()).await;
    let (mut deaf, mut well) = (node.client().await, node.client().await);
    deaf.ask("SUBSCRIBE c").await;
    well.ask("SUBSCRIBE c").await;
    let mut writer = node.client().await;
    let message = vec![b'x'; 400_000];
    let mut listeners = 2;
    let mut sent = 0;
    while listeners > 1 {
        let told = writer
            .ask_words(&[b"PUBLISH".to_vec(), b"c".to_vec(), message.clone()])
            .await;
        let Reply::Integer(count) = told else {
            panic!("{told:?}")
        };
        listeners = count;
        assert!(matches!(well.reply().await, Reply::Array(_)));
        sent += 1;
        assert!(sent < 1_000, "it is never cut");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_told_so() {
    let mut config = hasty();
    config.limits.connections = 2;
    let node = Node::with(config).await;
    let (mut first, mut second) = (node.client().await, node.client().await);
    first.ask("PING").await;
    second.ask("PING").await;
    let mut third = node.client().await;
    assert_eq!(third.rest().await, "-ERR max number of clients reached\r\n");
    drop(first);
    let let_in = async {
        loop {
            let mut next = node.client().await;
            let _ = next.stream.write_all(&line("PING")).await;
            if let Reply::Simple(_) = next.reply().await {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, let_in).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_in_words() {
    let node = Node::start().await;
    let mut client = node.client().await;
    let set =
        |key: &[u8], value: usize| encode(&[b"SET".to_vec(), key.to_vec(), vec![b'x'; value]]);
    client.send(&set(b"k", 512 * 1024)).await;
    assert_eq!(client.reply().await, ok());
    client.send(&set(b"k", 512 * 1024 + 1)).await;
    let Reply::Error(told) = client.reply().await else {
        panic!()
    };
    assert!(
        told.starts_with("ERR string exceeds maximum allowed size"),
        "{told}"
    );
    client.send(&set(&[b'k'; 1025], 1)).await;
    let Reply::Error(told) = client.reply().await else {
        panic!()
    };
    assert!(
        told.starts_with("ERR a key has at most 1024 bytes"),
        "{told}"
    );
    // The connection goes on.
    assert_eq!(client.ask("STRLEN k").await, Reply::Integer(512 * 1024));
    let mut greedy = node.client().await;
    greedy
        .send(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", 1024 * 1024 + 1).into_bytes())
        .await;
    let told = greedy.rest().await;
    assert_eq!(told, "-ERR Protocol error: invalid bulk length\r\n");
    node.stop().await;
}
