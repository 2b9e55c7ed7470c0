//! MULTI, EXEC and WATCH.

use crate::harness::{Client, Node, Reply, bulk, line, ok, simple};

async fn queue(client: &mut Client, requests: &[&str]) {
    assert_eq!(client.ask("MULTI").await, ok());
    for words in requests {
        assert_eq!(client.ask(words).await, simple("QUEUED"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_one_entry_of_the_log() {
    let node = Node::start().await;
    let mut client = node.client().await;
    queue(
        &mut client,
        &[
            "SET k 1",
            "INCR k",
            "PING",
            "GET k",
            "LPUSH k x",
            "BLPOP none 0",
        ],
    )
    .await;
    // Nobody sees anything of it before.
    assert_eq!(node.client().await.ask("GET k").await, Reply::Null);
    let before = node.applied();
    let done = client.ask("EXEC").await;
    assert_eq!(node.applied(), before + 1);
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let expected = vec![
        ok(),
        Reply::Integer(2),
        simple("PONG"),
        bulk("2"),
        Reply::Error(wrong.to_owned()),
        Reply::Null,
    ];
    assert_eq!(done, Reply::Array(expected));
    queue(&mut client, &[]).await;
    assert_eq!(client.ask("EXEC").await, Reply::Array(Vec::new()));
    assert_eq!(node.applied(), before + 1, "nothing is no entry");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_queued_breaks_the_transaction() {
    let node = Node::start().await;
    let mut client = node.client().await;
    for wrong in ["nonsense", "GET", "SET k v BOGUS", "SUBSCRIBE c"] {
        queue(&mut client, &["SET k v"]).await;
        client.fail(wrong).await;
        assert_eq!(
            client.fail("EXEC").await,
            "EXECABORT Transaction discarded because of previous errors.",
            "{wrong}"
        );
    }
    assert_eq!(client.ask("GET k").await, Reply::Null);
    assert_eq!(client.fail("EXEC").await, "ERR EXEC without MULTI");
    assert_eq!(client.fail("DISCARD").await, "ERR DISCARD without MULTI");
    queue(&mut client, &["SET k v"]).await;
    assert_eq!(
        client.fail("MULTI").await,
        "ERR MULTI calls can not be nested"
    );
    assert_eq!(
        client.fail("WATCH k").await,
        "ERR WATCH inside MULTI is not allowed"
    );
    assert_eq!(client.ask("DISCARD").await, ok());
    assert_eq!(client.ask("GET k").await, Reply::Null);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_key_that_changed_stops_the_transaction() {
    let node = Node::start().await;
    let (mut client, mut other) = (node.client().await, node.client().await);
    for change in ["SET k 2", "DEL k", "EXPIRE k 100", "APPEND k x", "FLUSHDB"] {
        client.ask("SET k 1").await;
        assert_eq!(client.ask("WATCH k").await, ok());
        other.ask(change).await;
        queue(&mut client, &["SET done yes"]).await;
        assert_eq!(client.ask("EXEC").await, Reply::Null, "{change}");
        assert_eq!(client.ask("GET done").await, Reply::Null, "{change}");
    }
    // A key that was removed and made again is not the old one.
    client.ask("SET k 1").await;
    client.ask("WATCH k").await;
    other.ask("DEL k").await;
    other.ask("SET k 1").await;
    queue(&mut client, &["SET done yes"]).await;
    assert_eq!(client.ask("EXEC").await, Reply::Null);
    // One that nobody touched goes through, and so does one that is no longer watched.
    client.ask("WATCH k none").await;
    queue(&mut client, &["SET done yes"]).await;
    assert_eq!(client.ask("EXEC").await, Reply::Array(vec![ok()]));
    client.ask("WATCH k").await;
    other.ask("SET k 3").await;
    assert_eq!(client.ask("UNWATCH").await, ok());
    queue(&mut client, &["SET done again"]).await;
    assert_eq!(client.ask("EXEC").await, Reply::Array(vec![ok()]));
    node.stop().await;
}

/// The loop that every library documents for counters: nothing is counted twice or lost.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_watch_and_retry_count_exactly() {
    const CLIENTS: usize = 6;
    const TIMES: usize = 10;
    let nodes = Node::three().await;
    let counters = (0..CLIENTS).map(|number| {
        let address = nodes[number % 3].address;
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            for _ in 0..TIMES {
                loop {
                    client.ask("WATCH n").await;
                    let now = match client.ask("GET n").await {
                        Reply::Bulk(text) => String::from_utf8(text).unwrap().parse().unwrap(),
                        _ => 0,
                    };
                    queue(&mut client, &[&format!("SET n {}", now + 1)]).await;
                    if client.ask("EXEC").await != Reply::Null {
                        break;
                    }
                }
            }
        })
    });
    for counter in counters.collect::<Vec<_>>() {
        counter.await.unwrap();
    }
    let mut client = nodes[0].client().await;
    assert_eq!(
        client.ask("INCRBY n 0").await,
        Reply::Integer((CLIENTS * TIMES) as i64)
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_in_a_pipeline_is_answered_in_order() {
    let node = Node::start().await;
    let mut client = node.client().await;
    let words = [
        "SET a 1", "MULTI", "INCR a", "EXEC", "INCR a", "MULTI", "DISCARD", "GET a",
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|words| line(words)).collect();
    client.send(&bytes).await;
    let expected = [
        ok(),
        ok(),
        simple("QUEUED"),
        Reply::Array(vec![Reply::Integer(2)]),
        Reply::Integer(3),
        ok(),
        ok(),
        bulk("3"),
    ];
    for (words, expected) in words.iter().zip(expected) {
        assert_eq!(client.reply().await, expected, "{words}");
    }
    node.stop().await;
}
