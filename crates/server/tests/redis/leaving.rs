//! Clients that leave while they wait, and nodes that do: no item vanishes with them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

use crate::harness::{Client, Node, PATIENCE, Reply, encode, line};

/// Takes items until the connection ends; what came in whole before counts as received.
fn taker(address: std::net::SocketAddr, leaves_after: Option<Duration>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        let mut items = Vec::new();
        let leaves = async {
            match leaves_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let mut leaves = std::pin::pin!(leaves);
        client.send(&line("BLPOP l 0")).await;
        loop {
            tokio::select! {
                reply = client.reply_or_end() => match reply {
                    Some(reply) if is_the_end(&reply) => return items,
                    Some(reply) => items.push(item(&reply)),
                    None => return items,
                },
                () = &mut leaves => break,
            }
            if client.stream.write_all(&line("BLPOP l 0")).await.is_err() {
                break;
            }
        }
        // It says no more, and hears what had been sent to it.
        let _ = client.stream.shutdown().await;
        while let Some(reply) = client.reply_or_end().await {
            items.push(item(&reply));
        }
        items
    })
}

/// Whoever is not cut is told so.
fn is_the_end(reply: &Reply) -> bool {
    *reply == Reply::Error("CLUSTERDOWN the node is stopping".to_owned())
}

fn item(reply: &Reply) -> String {
    match reply {
        Reply::Array(popped) => match &popped[1] {
            Reply::Bulk(item) => String::from_utf8(item.clone()).unwrap(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Pushes numbered items, one command after the other, and answers how many.
async fn push(client: &mut Client, count: usize) {
    for number in 0..count {
        let pushed = client.ask(&format!("RPUSH l {number}")).await;
        assert!(matches!(pushed, Reply::Integer(_)), "{pushed:?}");
    }
}

/// What is still in the list, once nobody has anything to put back.
async fn rest(client: &mut Client) -> Vec<String> {
    match client.ask("LRANGE l 0 -1").await {
        Reply::Array(items) => items
            .iter()
            .map(|item| match item {
                Reply::Bulk(item) => String::from_utf8(item.clone()).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn counted(items: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

async fn all(takers: Vec<JoinHandle<Vec<String>>>) -> Vec<String> {
    let mut items = Vec::new();
    for taker in takers {
        let taken = tokio::time::timeout(PATIENCE, taker).await;
        items.extend(taken.expect("an end").unwrap());
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_reaches_somebody_or_stays_while_many_clients_leave() {
    const LEAVE: u64 = 200;
    const ITEMS: usize = 400;
    let node = Node::start().await;
    let leave = (0..LEAVE).map(|number| {
        let after = Duration::from_millis(number * 7 % 600);
        taker(node.address, Some(after))
    });
    let takers: Vec<_> = leave.collect();
    let mut client = node.client().await;
    push(&mut client, ITEMS).await;
    let mut items = all(takers).await;
    // What is on its way back is back soon.
    let complete = async {
        loop {
            let rest = rest(&mut client).await;
            if items.len() + rest.len() >= ITEMS {
                return rest;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let rest = tokio::time::timeout(PATIENCE, complete).await;
    items.extend(rest.expect("an item is lost"));
    let counts = counted(items);
    assert_eq!(counts.len(), ITEMS);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    node.stop().await;
}

/// Connections that are reset hear nothing any more: what is not sent to them yet stays.
#[tokio::test(flavor = "multi_thread")]
async fn items_of_clients_that_were_reset_go_back_to_the_end_they_came_from() {
    let node = Node::start().await;
    let mut client = node.client().await;
    for words in ["BLPOP l 0", "BRPOP l 0", "BLMPOP 0 1 l LEFT COUNT 2"] {
        for _ in 0..20 {
            client.ask("DEL l").await;
            let mut gone = node.client().await;
            gone.send(&line(words)).await;
            crate::blocking::wait_for_blocked(&node, 1).await;
            // The push and the end arrive together, in either order.
            let pushes = client.ask_words(&["RPUSH", "l", "a", "b", "c"]);
            let end = async {
                socket2::SockRef::from(&gone.stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                drop(gone);
            };
            let (pushed, ()) = tokio::join!(pushes, end);
            assert_eq!(pushed, Reply::Integer(3));
            let rest = async {
                loop {
                    let rest = rest(&mut client).await;
                    if rest.len() == 3 {
                        return rest;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            // Otherwise it was sent before the connection was reset.
            if let Ok(rest) = tokio::time::timeout(Duration::from_millis(500), rest).await {
                assert_eq!(rest, ["a", "b", "c"], "{words}");
            }
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_behind_clients_that_have_gone_is_served() {
    let node = Node::start().await;
    let mut client = node.client().await;
    for number in 0..20 {
        let mut gone = Vec::new();
        for _ in 0..30 {
            let mut client = node.client().await;
            client.send(&line("BLPOP l 0")).await;
            gone.push(client);
        }
        crate::blocking::wait_for_blocked(&node, 30).await;
        let mut last = node.client().await;
        last.send(&line("BLPOP l 0")).await;
        crate::blocking::wait_for_blocked(&node, 31).await;
        drop(gone);
        client.ask(&format!("RPUSH l {number}")).await;
        assert_eq!(item(&last.reply().await), number.to_string());
        crate::blocking::wait_for_blocked(&node, 0).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_sends_what_it_has_taken() {
    const TAKERS: usize = 40;
    const ITEMS: usize = 300;
    let [first, second, third] = Node::three().await;
    let takers: Vec<_> = (0..TAKERS).map(|_| taker(second.address, None)).collect();
    let mut client = first.client().await;
    let stop = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        second.stop().await;
    };
    let ((), ()) = tokio::join!(push(&mut client, ITEMS), stop);
    let mut items = all(takers).await;
    let taken = items.len();
    items.extend(rest(&mut client).await);
    let counts = counted(items);
    assert_eq!(counts.len(), ITEMS, "{taken} were taken");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    for node in [first, third] {
        node.stop().await;
    }
}

/// The item that two nodes took for their clients is one client's; the other's time is over.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_told_because_somebody_else_was_faster() {
    let nodes = Node::three().await;
    for _ in 0..10 {
        let mut waiting = Vec::new();
        for node in &nodes {
            let mut client = node.client().await;
            client.send(&encode(&["BLPOP", "l", "0.3"])).await;
            waiting.push(client);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        nodes[0].client().await.ask("RPUSH l x").await;
        let mut served = 0;
        for client in &mut waiting {
            served += usize::from(client.reply().await != Reply::Null);
        }
        assert!(served <= 1);
        nodes[0].client().await.ask("DEL l").await;
    }
    for node in nodes {
        node.stop().await;
    }
}
