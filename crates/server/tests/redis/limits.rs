//! Clients that take too much, or nothing.

use std::time::Duration;

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

/// The largest replies are kept for a few slow clients, and not for many.
#[tokio::test(flavor = "multi_thread")]
async fn large_replies_that_nobody_takes_have_a_bound_together() {
    let mut config = hasty();
    config.limits.write_stall = PATIENCE * 2;
    // A client keeps the socket's buffers besides.
    config.limits.waiting_replies_kib = 20 * 1024;
    let node = Node::with(config).await;
    let mut well = node.client().await;
    let item = vec![b'x'; 500_000];
    for _ in 0..30 {
        let push = [b"RPUSH".to_vec(), b"l".to_vec(), item.clone()];
        well.ask_words(&push).await;
    }
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut client = node.client().await;
        client.send(&line("LRANGE l 0 -1")).await;
        slow.push(client);
    }
    // One finds room, the others are cut.
    let left = async {
        while connected(&mut well).await > 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.unwrap();
    let mut whole = 0;
    for client in &mut slow {
        whole += usize::from(client.reply_or_end().await.is_some());
    }
    assert_eq!(whole, 1);
    let Reply::Array(items) = well.ask("LRANGE l 0 -1").await else {
        panic!()
    };
    assert_eq!(items.len(), 30);
    node.stop().await;
}

async fn connected(client: &mut crate::harness::Client) -> usize {
    let Reply::Bulk(told) = client.ask("INFO clients").await else {
        panic!()
    };
    let told = String::from_utf8_lossy(&told).into_owned();
    let (_, rest) = told.split_once("connected_clients:").unwrap();
    rest.split("\r\n").next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_refused_in_words() {
    let node = Node::start().await;
    let mut client = node.client().await;
    let item = vec![b'x'; 500_000];
    for number in 0..40 {
        let field = format!("f{number}").into_bytes();
        let put = [b"HSET".to_vec(), b"h".to_vec(), field, item.clone()];
        client.ask_words(&put).await;
        let push = [b"RPUSH".to_vec(), b"l".to_vec(), item.clone()];
        client.ask_words(&push).await;
        let key = format!("k{number}").into_bytes();
        client
            .ask_words(&[b"SET".to_vec(), key, item.clone()])
            .await;
    }
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    let many = format!("MGET {}", keys.join(" "));
    for words in ["LRANGE l 0 -1", "HGETALL h", "HVALS h", &many] {
        let told = client.fail(words).await;
        assert_eq!(told, "ERR too much for one command; do it in parts");
    }
    assert!(matches!(client.ask("LRANGE l 0 9").await, Reply::Array(ten) if ten.len() == 10));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_and_channels_have_bounds() {
    let node = Node::start().await;
    let mut client = node.client().await;
    let long = "*".repeat(1025);
    let expected = "ERR a pattern or channel has at most 1024 bytes";
    for words in [
        "KEYS ",
        "SCAN 0 MATCH ",
        "HSCAN h 0 MATCH ",
        "SSCAN s 0 MATCH ",
        "CONFIG GET ",
        "PSUBSCRIBE ",
        "SUBSCRIBE ",
    ] {
        assert_eq!(client.fail(&format!("{words}{long}")).await, expected);
    }
    let publish = format!("PUBLISH {long} x");
    assert_eq!(client.fail(&publish).await, expected);
    // The worst pattern there is, at the longest keys, ends in words and in time.
    for number in 0..300 {
        let key = format!("{}{number:04}", "a".repeat(1020));
        client.ask(&format!("SET {key} v")).await;
    }
    let worst = "a*".repeat(511) + "b";
    let begun = std::time::Instant::now();
    let found = client.ask(&format!("KEYS {worst}")).await;
    assert_eq!(found, Reply::Array(Vec::new()));
    assert!(begun.elapsed() < PATIENCE);
    // A client has as many names as it may, and no more.
    let mut listener = node.client().await;
    let names: Vec<String> = (0..10_001).map(|number| format!("c{number}")).collect();
    for names in names.chunks(1_000) {
        listener
            .send(&line(&format!("SUBSCRIBE {}", names.join(" "))))
            .await;
        for name in names {
            let told = listener.reply().await;
            match name.as_str() {
                "c10000" => assert_eq!(
                    told,
                    Reply::Error("ERR at most 10000 channels and patterns for a client".into())
                ),
                _ => assert!(matches!(told, Reply::Array(_)), "{told:?}"),
            }
        }
    }
    node.stop().await;
}

/// Few words that ask for much, many times over.
#[tokio::test(flavor = "multi_thread")]
async fn long_answers_to_short_words_are_sent_as_they_come() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client.send(&line("COMMAND DOCS").repeat(200)).await;
    for _ in 0..200 {
        assert!(matches!(client.reply().await, Reply::Array(_)));
    }
    assert_eq!(client.ask("MULTI").await, ok());
    for _ in 0..2_000 {
        client.ask("COMMAND DOCS").await;
    }
    client.send(&[line("EXEC"), line("QUIT")].concat()).await;
    let told = client.rest().await;
    assert!(told.starts_with("*2000\r\n") && told.ends_with("\r\n+OK\r\n"));
    let refused = told.matches("-ERR too much for one command").count();
    assert!((1..2_000).contains(&refused), "{refused} are refused");
    assert!(told.len() < 17 * 1024 * 1024, "{} bytes", told.len());
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
