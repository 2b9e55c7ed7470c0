//! AUTH, where it is required and where it is not.

use std::time::{Duration, Instant};

use crate::harness::{Client, Node, PASSWORD, PATIENCE, Reply, bulk, encode, guarded, ok, simple};

async fn auth(client: &mut Client, name: &str, password: &str) -> Reply {
    client.ask_words(&["AUTH", name, password]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_may_sign_in_and_do_nothing_else() {
    let node = Node::with(guarded()).await;
    let mut client = node.client().await;
    for words in [
        "GET k",
        "PING",
        "INFO",
        "CLIENT ID",
        "SUBSCRIBE c",
        "MULTI",
        "COMMAND",
    ] {
        let refused = client.fail(words).await;
        assert_eq!(refused, "NOAUTH Authentication required.", "{words}");
    }
    assert!(
        client
            .fail("HELLO 3")
            .await
            .starts_with("NOAUTH HELLO must be called")
    );
    let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
    for (name, password) in [("admin", "wrong"), ("nobody", PASSWORD), ("", "")] {
        let told = auth(&mut client, name, password).await;
        assert_eq!(told, Reply::Error(wrong.to_owned()), "{name}");
    }
    assert!(client.fail("AUTH secret").await.starts_with("WRONGPASS"));
    assert_eq!(
        client.fail("GET k").await,
        "NOAUTH Authentication required."
    );
    assert_eq!(auth(&mut client, "admin", PASSWORD).await, ok());
    assert_eq!(client.ask("SET k v").await, ok());
    let Reply::Bulk(about) = client.ask("CLIENT INFO").await else {
        panic!()
    };
    assert!(String::from_utf8_lossy(&about).contains("user=admin"));
    assert_eq!(client.ask("RESET").await, simple("RESET"));
    assert_eq!(
        client.fail("GET k").await,
        "NOAUTH Authentication required."
    );
    let hello = ["HELLO", "3", "AUTH", "admin", PASSWORD, "SETNAME", "worker"];
    assert!(matches!(client.ask_words(&hello).await, Reply::Map(_)));
    assert_eq!(client.ask("CLIENT GETNAME").await, bulk("worker"));
    assert_eq!(client.ask("GET k").await, bulk("v"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_not_say_much_nor_take_long() {
    let mut config = crate::harness::hasty();
    config.password_required = true;
    let node = Node::with(config).await;
    let mut loud = node.client().await;
    loud.send(b"*2\r\n$4\r\nAUTH\r\n$100000\r\n").await;
    let told = loud.rest().await;
    assert_eq!(told, "-ERR Protocol error: unauthenticated bulk length\r\n");
    let mut silent = node.client().await;
    assert_eq!(silent.rest().await, "");
    let mut known = node.client().await;
    assert_eq!(auth(&mut known, "admin", PASSWORD).await, ok());
    assert!(known.is_silent().await);
    let large = vec![b'x'; 100_000];
    let told = known
        .ask_words(&[b"SET".to_vec(), b"k".to_vec(), large])
        .await;
    assert_eq!(told, ok());
    node.stop().await;
}

/// Whoever must sign in has one deadline for it, however much is said meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_get_more_time_by_talking() {
    let mut config = crate::harness::hasty();
    config.password_required = true;
    let limit = config.limits.request;
    let node = Node::with(config).await;
    for words in ["PING", "RESET", "AUTH nobody wrong", "HELLO 3"] {
        let begun = Instant::now();
        let mut client = node.client().await;
        let talk = async {
            loop {
                client.send(&crate::harness::line(words)).await;
                if client.reply_or_end().await.is_none() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, talk).await.expect(words);
        assert!(begun.elapsed() >= limit, "{words}");
    }
    // Nor by never pausing, nor with all the words in one piece.
    let mut loud = node.client().await;
    let pings = crate::harness::line("PING").repeat(1_000);
    let (mut from, mut to) = loud.stream.split();
    let talk = async {
        while tokio::io::AsyncWriteExt::write_all(&mut to, &pings)
            .await
            .is_ok()
        {}
    };
    let listen = async { tokio::io::copy(&mut from, &mut tokio::io::sink()).await };
    let both = async { tokio::join!(talk, listen) };
    let _ = tokio::time::timeout(PATIENCE, both).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_has_its_limits_and_they_are_those_of_sessions() {
    let node = Node::with(guarded()).await;
    let mut client = node.client().await;
    let mut told = Reply::Null;
    for _ in 0..11 {
        told = auth(&mut client, "admin", "a guess").await;
    }
    let expected = "WRONGPASS too many wrong passwords; wait before the next attempt";
    assert_eq!(told, Reply::Error(expected.to_owned()));
    // Also the right one has to wait now.
    let told = auth(&mut client, "admin", PASSWORD).await;
    assert_eq!(told, Reply::Error(expected.to_owned()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_this_machine_alone_nobody_must_sign_in_but_anybody_may() {
    let node = Node::start().await;
    let mut client = node.client().await;
    assert_eq!(client.ask("SET k v").await, ok());
    assert!(matches!(
        auth(&mut client, "admin", "wrong").await,
        Reply::Error(_)
    ));
    assert_eq!(client.ask("GET k").await, bulk("v"));
    assert_eq!(auth(&mut client, "admin", PASSWORD).await, ok());
    assert_eq!(client.ask("GET k").await, bulk("v"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_say_what_it_is() {
    let node = Node::start().await;
    let mut client = node.client().await;
    assert_eq!(client.ask("CLIENT GETNAME").await, Reply::Null);
    assert_eq!(client.ask("CLIENT SETNAME worker-1").await, ok());
    assert_eq!(client.ask("CLIENT SETINFO LIB-NAME redis-py").await, ok());
    assert_eq!(client.ask("CLIENT SETINFO lib-ver 5.0.1").await, ok());
    assert_eq!(client.ask("CLIENT NO-EVICT on").await, ok());
    let refused = client.ask_words(&["CLIENT", "SETNAME", "a b"]).await;
    assert!(matches!(refused, Reply::Error(_)));
    let Reply::Integer(id) = client.ask("CLIENT ID").await else {
        panic!()
    };
    for words in ["CLIENT INFO", "CLIENT LIST"] {
        let Reply::Bulk(line) = client.ask(words).await else {
            panic!()
        };
        let line = String::from_utf8(line).unwrap();
        let start = format!("id={id} addr=127.0.0.1:");
        assert!(line.starts_with(&start), "{line}");
        for part in [
            "name=worker-1 ",
            "lib-name=redis-py ",
            "lib-ver=5.0.1\n",
            "resp=2 ",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert_eq!(line.lines().count(), 1);
    }
    client.send(&encode(&["HELLO", "2"])).await;
    let Reply::Array(told) = client.reply().await else {
        panic!()
    };
    assert_eq!(told.len(), 14);
    assert_eq!(
        client.fail("HELLO 4").await,
        "NOPROTO unsupported protocol version"
    );
    node.stop().await;
}

/// A pool opens its connections at once; no password hash is computed for most of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_signs_in_with_all_its_connections() {
    let node = Node::with(guarded()).await;
    let address = node.address;
    let pool = (0..200).map(|_| {
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            assert_eq!(auth(&mut client, "admin", PASSWORD).await, ok());
            assert_eq!(client.ask("PING").await, simple("PONG"));
        })
    });
    for client in pool.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let mut client = node.client().await;
    assert!(matches!(
        auth(&mut client, "admin", "another").await,
        Reply::Error(_)
    ));
    node.stop().await;
}
