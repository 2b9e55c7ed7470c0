//! Commands that wait.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::harness::{Client, Node, PATIENCE, Reply, bulk, bulks, line};

/// Waits until so many clients wait on a node, as it tells.
pub async fn wait_for_blocked(node: &Node, count: usize) {
    let mut client = node.client().await;
    let expected = format!("blocked_clients:{count}\r\n");
    let waiting = async {
        loop {
            let told = client.ask("INFO clients").await;
            let Reply::Bulk(text) = told else {
                panic!("{told:?}")
            };
            if String::from_utf8_lossy(&text).contains(&expected) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect(&expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_taken_at_once_and_nothing_in_time_is_nothing() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client.ask("RPUSH l a b c").await;
    assert_eq!(client.ask("BLPOP none l 5").await, bulks(&["l", "a"]));
    assert_eq!(client.ask("BRPOP l 5").await, bulks(&["l", "c"]));
    assert_eq!(client.ask("BLMOVE l m LEFT RIGHT 5").await, bulk("b"));
    assert_eq!(client.ask("BRPOPLPUSH m l 5").await, bulk("b"));
    let expected = Reply::Array(vec![bulk("l"), bulks(&["b"])]);
    assert_eq!(
        client.ask("BLMPOP 5 2 none l LEFT COUNT 10").await,
        expected
    );
    let begun = Instant::now();
    assert_eq!(client.ask("BLPOP l 0.1").await, Reply::Null);
    assert_eq!(client.ask("BLMOVE l m LEFT LEFT 0.05").await, Reply::Null);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    client.ask("SET s v").await;
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(client.fail("BLPOP s 0").await, wrong);
    assert_eq!(client.fail("BLPOP l -1").await, "ERR timeout is negative");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_stands_in_nobodys_way_who_waits_for_another() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client.ask("SET s v").await;
    client.ask("RPUSH l 1 2").await;
    // The first of the keys that has something decides, as in Redis.
    assert_eq!(client.ask("BLPOP l s 1").await, bulks(&["l", "1"]));
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(client.fail("BLPOP s l 1").await, wrong);
    let mut waiting = node.client().await;
    waiting.send(&line("BLPOP a b 0")).await;
    wait_for_blocked(&node, 1).await;
    client.ask("SET a v").await;
    assert!(waiting.is_silent().await);
    client.ask("RPUSH b 1").await;
    assert_eq!(waiting.reply().await, bulks(&["b", "1"]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_who_came_is_served_first() {
    let node = Node::start().await;
    let mut waiting = Vec::new();
    for number in 0..5 {
        let mut client = node.client().await;
        client.send(&line("BLPOP l 0")).await;
        wait_for_blocked(&node, number + 1).await;
        waiting.push(client);
    }
    let mut client = node.client().await;
    assert_eq!(client.ask("RPUSH l 0 1 2").await, Reply::Integer(3));
    // The first three may be taken by now, or not.
    assert!(matches!(
        client.ask("RPUSH l 3").await,
        Reply::Integer(1..=4)
    ));
    for (number, waiting) in waiting.iter_mut().take(4).enumerate() {
        assert_eq!(waiting.reply().await, bulks(&["l", &number.to_string()]));
    }
    assert!(waiting[4].is_silent().await);
    client.ask("RPUSH l 4").await;
    assert_eq!(waiting[4].reply().await, bulks(&["l", "4"]));
    assert_eq!(client.ask("LLEN l").await, Reply::Integer(0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_goes_to_one_of_many_who_wait_on_every_node() {
    const CLIENTS: usize = 60;
    const EACH: usize = 5;
    let nodes = Node::three().await;
    let workers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = nodes[number % 3].address;
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut items = Vec::new();
                while items.len() < EACH {
                    match client.ask("BLPOP jobs 0").await {
                        Reply::Array(popped) => items.push(format!("{:?}", popped[1])),
                        other => panic!("{other:?}"),
                    }
                }
                items
            })
        })
        .collect();
    let mut client = nodes[1].client().await;
    for job in 0..CLIENTS * EACH {
        client.send(&line(&format!("RPUSH jobs {job}"))).await;
    }
    for _ in 0..CLIENTS * EACH {
        assert!(matches!(client.reply().await, Reply::Integer(_)));
    }
    let mut items = Vec::new();
    for worker in workers {
        items.extend(
            tokio::time::timeout(PATIENCE, worker)
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let different: BTreeSet<&String> = items.iter().collect();
    assert_eq!(
        (items.len(), different.len()),
        (CLIENTS * EACH, CLIENTS * EACH)
    );
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_not_lost_with_a_client_that_has_gone() {
    let node = Node::start().await;
    for number in 0..10 {
        let mut gone = node.client().await;
        gone.send(&line("BLPOP l 0")).await;
        wait_for_blocked(&node, 1).await;
        drop(gone);
        wait_for_blocked(&node, 0).await;
        let mut client = node.client().await;
        let item = number.to_string();
        client.ask(&format!("RPUSH l {item}")).await;
        assert_eq!(client.ask("BLPOP l 5").await, bulks(&["l", &item]));
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_goes_on_after_what_it_waited_for() {
    let node = Node::start().await;
    let mut client = node.client().await;
    client
        .send(&[line("SET k 1"), line("BLPOP l 0"), line("GET k")].concat())
        .await;
    assert_eq!(client.reply().await, crate::harness::ok());
    wait_for_blocked(&node, 1).await;
    node.client().await.ask("RPUSH l x").await;
    assert_eq!(client.reply().await, bulks(&["l", "x"]));
    assert_eq!(client.reply().await, bulk("1"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_journal_all_get_what_is_appended() {
    let nodes = Node::three().await;
    let mut readers = Vec::new();
    for node in &nodes {
        let mut reader = node.client().await;
        reader
            .send(&line("XREAD BLOCK 0 STREAMS other j $ $"))
            .await;
        wait_for_blocked(node, 1).await;
        readers.push(reader);
    }
    let mut writer = nodes[0].client().await;
    let id = writer.ask("XADD j 5-1 f v").await;
    assert_eq!(id, bulk("5-1"));
    let entry = Reply::Array(vec![bulk("5-1"), bulks(&["f", "v"])]);
    let stream = Reply::Array(vec![bulk("j"), Reply::Array(vec![entry])]);
    for reader in &mut readers {
        assert_eq!(reader.reply().await, Reply::Array(vec![stream.clone()]));
        assert_eq!(
            reader.ask("XREAD BLOCK 50 STREAMS j 5-1").await,
            Reply::Null
        );
        let again = reader.ask("XREAD COUNT 1 BLOCK 50 STREAMS j 0").await;
        assert_eq!(again, Reply::Array(vec![stream.clone()]));
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_wait_do_not_hold_up_a_stop() {
    let node = Node::start().await;
    let mut waiting = node.client().await;
    waiting.send(&line("BLPOP l 0")).await;
    wait_for_blocked(&node, 1).await;
    tokio::time::timeout(Duration::from_secs(5), node.stop())
        .await
        .unwrap();
    assert_eq!(waiting.rest().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_nodes_answers_those_that_have_it() {
    let nodes = Node::three().await;
    let mut client = nodes[0].client().await;
    client.ask("SET k v").await;
    // A majority of three is two: one besides the one that is asked.
    let Reply::Integer(others) = client.ask("WAIT 1 0").await else {
        panic!()
    };
    assert!((1..=2).contains(&others));
    assert_eq!(client.ask("WAIT 2 20000").await, Reply::Integer(2));
    assert_eq!(client.ask("WAIT 9 50").await, Reply::Integer(2));
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_items_come_through_too() {
    let node = Node::start().await;
    let mut waiting = Vec::new();
    for number in 0..4 {
        let mut client = node.client().await;
        client.send(&line("BLPOP l 0")).await;
        wait_for_blocked(&node, number + 1).await;
        waiting.push(client);
    }
    let mut client = node.client().await;
    let sizes = [500_000, 40_000, 40_000, 300_000];
    for size in sizes {
        let item = vec![b'x'; size];
        client
            .ask_words(&[b"RPUSH".to_vec(), b"l".to_vec(), item])
            .await;
    }
    for (client, size) in waiting.iter_mut().zip(sizes) {
        let Reply::Array(popped) = client.reply().await else {
            panic!("an item")
        };
        assert!(matches!(&popped[1], Reply::Bulk(item) if item.len() == size));
    }
    node.stop().await;
}

/// As many as an application's workers on one node, and as many jobs at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_are_served_together() {
    const CLIENTS: usize = 500;
    let node = Node::start().await;
    let mut waiting = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = node.client().await;
        client.send(&line("BLPOP l 0")).await;
        waiting.push(client);
    }
    wait_for_blocked(&node, CLIENTS).await;
    let before = node.applied();
    let items: Vec<String> = (0..CLIENTS).map(|number| number.to_string()).collect();
    node.client()
        .await
        .ask(&format!("RPUSH l {}", items.join(" ")))
        .await;
    let mut popped = BTreeSet::new();
    for client in &mut waiting {
        popped.insert(format!("{:?}", client.reply().await));
    }
    assert_eq!(popped.len(), CLIENTS);
    let entries = node.applied() - before;
    assert!(entries < 20, "{entries} entries of the log");
    node.stop().await;
}

/// All nodes try to take an item for their client, and one gets it: those of the others wait on,
/// and are not forgotten while somebody tries for them.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_who_waits_on_a_node_is_told_of_the_next_item_too() {
    let nodes = Node::three().await;
    let mut pusher = nodes[0].client().await;
    for round in 0..60 {
        let mut waiting = Vec::new();
        for node in &nodes {
            let mut client = node.client().await;
            client.send(&line("BLPOP l 0")).await;
            waiting.push(client);
        }
        for node in &nodes {
            wait_for_blocked(node, 1).await;
        }
        for number in 0..nodes.len() {
            pusher.ask(&format!("RPUSH l {round}-{number}")).await;
        }
        for client in &mut waiting {
            let told = tokio::time::timeout(PATIENCE, client.reply()).await;
            assert!(told.is_ok(), "nobody is told of an item in round {round}");
        }
    }
    for node in nodes {
        node.stop().await;
    }
}
