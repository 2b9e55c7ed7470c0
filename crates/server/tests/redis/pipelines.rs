//! Many requests at once: few entries of the log, replies in order, and one's own writes.

use crate::harness::{Node, Reply, bulk, encode, line, ok, simple};

/// The entries of the log that some bytes took, and the replies to them.
async fn entries(node: &Node, bytes: &[u8], replies: usize) -> (u64, Vec<Reply>) {
    let mut client = node.client().await;
    let before = node.applied();
    client.send(bytes).await;
    let mut found = Vec::new();
    for _ in 0..replies {
        found.push(client.reply().await);
    }
    (node.applied() - before, found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_a_hundred_writes_is_one_entry_of_the_log() {
    let node = Node::start().await;
    let sets =
        (0..100).map(|number| encode(&["SET".to_owned(), format!("k{number}"), "v".to_owned()]));
    let (entries, replies) = entries(&node, &sets.collect::<Vec<_>>().concat(), 100).await;
    assert!(replies.iter().all(|reply| *reply == ok()), "{replies:?}");
    // The socket may have handed it over in two parts.
    assert!((1..=2).contains(&entries), "{entries} entries");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_alone_are_no_entry() {
    let node = Node::start().await;
    let gets = line("GET k").repeat(100);
    let (entries, replies) = entries(&node, &gets, 100).await;
    assert!(replies.iter().all(|reply| *reply == Reply::Null));
    assert_eq!(entries, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_in_order_and_reads_see_what_was_written_before_them() {
    let node = Node::start().await;
    let words = [
        "GET n",
        "INCR n",
        "GET n",
        "PING",
        "INCR n",
        "nonsense",
        "GET n",
        "LPUSH n x",
        "ECHO hi",
        "GET n",
        "MGET n m",
        "SET m 1",
        "MGET n m",
        "DBSIZE",
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|words| line(words)).collect();
    let (entries, replies) = entries(&node, &bytes, words.len()).await;
    let shown: Vec<String> = replies.iter().map(|reply| format!("{reply:?}")).collect();
    let expected = [
        "null",
        ":1",
        "\"1\"",
        "+PONG",
        ":2",
        "-ERR unknown command 'nonsense', with args beginning with: ",
        "\"2\"",
        "-WRONGTYPE Operation against a key holding the wrong kind of value",
        "\"hi\"",
        "\"2\"",
        "[\"2\", null]",
        "+OK",
        "[\"2\", \"1\"]",
        ":2",
    ];
    assert_eq!(shown, expected);
    assert!((1..=2).contains(&entries), "{entries} entries");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_a_client_see_its_writes_on_every_node() {
    let nodes = Node::three().await;
    for (number, node) in nodes.iter().enumerate() {
        let (mut client, mut other) = (node.client().await, node.client().await);
        for round in 0..20 {
            let value = format!("{number}-{round}");
            assert_eq!(client.ask(&format!("SET k {value}")).await, ok());
            assert_eq!(client.ask("GET k").await, bulk(&value));
            assert_eq!(other.ask("GET k").await, bulk(&value));
        }
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_one_entry_takes_several() {
    let node = Node::start().await;
    let value = vec![b'x'; 100 * 1024];
    let sets = (0..30).flat_map(|number| {
        encode(&[
            b"SET".to_vec(),
            format!("k{number}").into_bytes(),
            value.clone(),
        ])
    });
    let mut bytes: Vec<u8> = sets.collect();
    bytes.extend(line("DBSIZE"));
    let (entries, replies) = entries(&node, &bytes, 31).await;
    assert_eq!(replies.last(), Some(&Reply::Integer(30)));
    assert!((3..=31).contains(&entries), "{entries} entries");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_in_a_pipeline_answers_what_came_before() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client
        .send(b"SET k v\r\nGET k\r\nQUIT\r\nSET k w\r\n")
        .await;
    assert_eq!(client.rest().await, "+OK\r\n$1\r\nv\r\n+OK\r\n");
    let mut other = node.client().await;
    assert_eq!(other.ask("GET k").await, bulk("v"));
    assert_eq!(other.ask("PING hello").await, bulk("hello"));
    assert_eq!(other.ask("PING").await, simple("PONG"));
    node.stop().await;
}

/// Words of a request, and the length of the string that it is answered with.
fn large(replies: &[Reply]) -> Vec<usize> {
    let lengths = replies.iter().map(|reply| match reply {
        Reply::Bulk(bytes) => bytes.len(),
        other => panic!("{other:?}"),
    });
    lengths.collect()
}

/// More than one query or command answers: neither the store's bounds nor the order show.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_many_megabytes_come_whole_and_in_order() {
    const LARGE: usize = 400_000;
    let node = Node::start().await;
    let mut client = node.client().await;
    for key in ["a", "b", "c", "d"] {
        let value = vec![b'x'; LARGE];
        client
            .ask_words(&[b"SET".to_vec(), key.into(), value.clone()])
            .await;
        for _ in 0..3 {
            let list = format!("list-{key}").into_bytes();
            client
                .ask_words(&[b"RPUSH".to_vec(), list, value.clone()])
                .await;
        }
    }
    // Reads alone: twenty-four megabytes.
    let (_, replies) = entries(&node, &line("GET a").repeat(60), 60).await;
    assert_eq!(large(&replies), [LARGE; 60]);
    // Reads between writes, and writes that answer what they take.
    let words = ["INCR n", "GET a", "GET b", "GET c", "GET d", "INCR n"];
    let bytes: Vec<u8> = words.iter().flat_map(|words| line(words)).collect();
    let (_, replies) = entries(&node, &bytes, 6).await;
    assert_eq!(large(&replies[1..5]), [LARGE; 4]);
    assert_eq!(replies[5], Reply::Integer(2));
    let pops = [
        "LPOP list-a",
        "LPOP list-a",
        "LPOP list-a",
        "LPOP list-b",
        "LPOP list-c",
    ];
    let bytes: Vec<u8> = pops.iter().flat_map(|words| line(words)).collect();
    let (_, replies) = entries(&node, &bytes, 5).await;
    assert_eq!(large(&replies), [LARGE; 5]);
    // What came after it in the pipeline, and is done, must not show: this one is refused.
    let words = ["INCR n", "GET a", "GET b", "GET c", "APPEND c y", "GET n"];
    let bytes: Vec<u8> = words.iter().flat_map(|words| line(words)).collect();
    let (_, replies) = entries(&node, &bytes, 6).await;
    assert_eq!(large(&replies[1..3]), [LARGE; 2]);
    assert!(matches!(&replies[3], Reply::Error(told) if told.contains("do it in parts")));
    assert_eq!(replies[4], Reply::Integer(LARGE as i64 + 1));
    node.stop().await;
}
