//! Bytes that are right, half there, and wrong.

use std::time::{Duration, Instant};

use crate::harness::{Client, Node, Reply, bulk, encode, hasty, ok, simple};

#[tokio::test(flavor = "multi_thread")]
async fn requests_come_in_any_pieces_and_as_lines() {
    let node = Node::start().await;
    let mut client = node.client().await;
    for byte in encode(&["SET", "k", "a\r\nb"]) {
        client.send(&[byte]).await;
    }
    assert_eq!(client.reply().await, ok());
    client
        .send(b"get k\r\n\r\nPING\necho \"a\\x41 b\"\r\n")
        .await;
    assert_eq!(client.reply().await, bulk("a\r\nb"));
    assert_eq!(client.reply().await, simple("PONG"));
    assert_eq!(client.reply().await, bulk("aA b"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_bytes_are_named_and_the_connection_ends() {
    let node = Node::start().await;
    for (bytes, expected) in [
        (&b"*99999999999\r\n"[..], "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"get \"k\r\n", "unbalanced quotes in request"),
        (&[b'x'; 70_000], "too big inline request"),
        (&[b'*'; 70_000], "too big mbulk count string"),
    ] {
        let mut client = node.client().await;
        client.send(b"PING\r\n").await;
        client.send(bytes).await;
        let told = client.rest().await;
        assert_eq!(
            told,
            format!("+PONG\r\n-ERR Protocol error: {expected}\r\n")
        );
    }
    // The others do not notice.
    assert_eq!(node.client().await.ask("PING").await, simple("PONG"));
    node.stop().await;
}

/// A page in somebody's browser can send a form to a port of this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_cut_before_it_does_anything() {
    let node = Node::start().await;
    let mut browser = node.client().await;
    browser
        .send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1:6379\r\n\r\nSET k stolen\r\n")
        .await;
    assert_eq!(browser.rest().await, "");
    assert_eq!(node.client().await.ask("GET k").await, Reply::Null);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_has_its_time_and_silence_has_more() {
    let node = Node::with(hasty()).await;
    let mut silent = node.client().await;
    let mut half = node.client().await;
    half.send(b"*2\r\n$3\r\nGET\r\n$5\r\nab").await;
    let begun = Instant::now();
    assert_eq!(half.rest().await, "");
    assert!(begun.elapsed() >= hasty().limits.request);
    assert_eq!(silent.ask("PING").await, simple("PONG"));
    // One byte after the other does not buy more time.
    let mut dripping = Client::connect(node.address).await;
    let dripped = async {
        // A write fails once the connection is closed at its other end.
        while tokio::io::AsyncWriteExt::write_all(&mut dripping.stream, b"x")
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let ended = tokio::time::timeout(crate::harness::PATIENCE, dripped);
    ended.await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_commands_and_wrong_counts_of_words_are_told_as_redis_does() {
    let node = Node::start().await;
    let mut client = node.client().await;
    for (words, expected) in [
        (
            "nonsense",
            "ERR unknown command 'nonsense', with args beginning with: ",
        ),
        (
            "EVAL script 0",
            "ERR unknown command 'EVAL', with args beginning with: 'script' '0' ",
        ),
        ("get", "ERR wrong number of arguments for 'get' command"),
        ("GET a b", "ERR wrong number of arguments for 'get' command"),
        ("set a", "ERR wrong number of arguments for 'set' command"),
        (
            "mset a 1 b",
            "ERR wrong number of arguments for 'mset' command",
        ),
        (
            "client setname",
            "ERR wrong number of arguments for 'client|setname' command",
        ),
        (
            "client nonsense",
            "ERR unknown subcommand 'nonsense'. Try CLIENT HELP.",
        ),
        ("select 1", "ERR DB index is out of range"),
        (
            "cluster info",
            "ERR This instance has cluster support disabled",
        ),
    ] {
        assert_eq!(client.fail(words).await, expected, "{words}");
    }
    let long = "x".repeat(300);
    let told = client.fail(&format!("nonsense a\r\nb {long}")).await;
    assert!(told.contains("'a  b'") && told.len() < 250, "{told}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_3_has_its_own_forms() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client.ask("HSET h f v").await;
    client.ask("SADD s m").await;
    let two = client.ask("HGETALL h").await;
    assert_eq!(two, Reply::Array(vec![bulk("f"), bulk("v")]));
    let Reply::Map(told) = client.ask("HELLO 3").await else {
        panic!("HELLO 3 is answered with a map");
    };
    assert!(
        told.contains(&(bulk("proto"), Reply::Integer(3))),
        "{told:?}"
    );
    assert!(
        told.contains(&(bulk("mode"), bulk("standalone"))),
        "{told:?}"
    );
    let three = client.ask("HGETALL h").await;
    assert_eq!(three, Reply::Map(vec![(bulk("f"), bulk("v"))]));
    assert_eq!(client.ask("SMEMBERS s").await, Reply::Set(vec![bulk("m")]));
    client.send(&encode(&["GET", "none"])).await;
    let mut null = [0; 3];
    tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut null)
        .await
        .unwrap();
    assert_eq!(&null, b"_\r\n");
    assert_eq!(client.ask("RESET").await, simple("RESET"));
    assert_eq!(client.ask("HGETALL h").await, two);
    node.stop().await;
}
