//! The replicated store on nodes: what is read from memory, and who is told what was touched.

use std::time::Duration;

use bytes::Bytes;
use domain::store::{Answer, End, Executed, Operation, Read, StoreReply, Touched, Write};
use domain::{Action, Actor, Proposal, Reply};
use engine::{Consistency, Engine, KeyWatch, Missed, WriteError};

use super::{start, three};

fn command(operations: Vec<Operation>) -> Proposal {
    Proposal {
        actor: Actor::System,
        request: None,
        action: Action::Store {
            conditions: Vec::new(),
            operations,
        },
    }
}

/// Has operations applied; answers the index, and what they came to.
async fn apply(node: &Engine, operations: Vec<Operation>) -> (u64, Vec<Answer>) {
    let written = node.write(command(operations)).await.unwrap();
    match written.value.result.unwrap() {
        Reply::Store(Executed::Done { results, .. }) => (written.position.index, results),
        other => panic!("{other:?}"),
    }
}

fn get(key: &str) -> Read {
    let key = key.to_owned().into();
    Read::Get { key }
}

fn bytes(text: &str) -> Answer {
    Ok(StoreReply::Bytes(text.to_owned().into()))
}

fn push(count: usize) -> Operation {
    Operation::from(Write::ListPush {
        key: "l".into(),
        end: End::Tail,
        values: (0..count).map(|n| Bytes::from(n.to_string())).collect(),
        only_existing: false,
    })
}

fn range(stop: i64) -> Read {
    let (key, start) = ("l".into(), 0);
    Read::ListRange { key, start, stop }
}

async fn length(node: &Engine, index: u64, stop: i64) -> usize {
    let session = Consistency::Session(index);
    let answers = node.store(session, vec![range(stop)]).await.unwrap();
    assert!(answers.position.index >= index);
    match &answers.value[..] {
        [Ok(StoreReply::Values(items))] => items.len(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_read_at_once_from_memory_and_after_a_restart_from_the_disk() {
    let data = tempfile::tempdir().unwrap();
    let node = start("n1", data.path(), None).await;
    let set = Write::set("a", "1").into();
    let (index, _) = apply(&node, vec![set, push(3), push(2_997)]).await;
    let reads = [get("a"), get("missing")];
    let looked = node.store_now(index, &reads).expect("all is in memory");
    assert!(looked.index >= index);
    assert_eq!(looked.answers, [bytes("1"), Ok(StoreReply::Nil)]);
    assert!(node.store_now(index + 1_000, &reads).is_none());
    // A few items, some that memory and disk are asked for together, and very many.
    for (stop, count) in [(2, 3), (499, 500), (-1, 3_000)] {
        assert_eq!(length(&node, index, stop).await, count);
    }
    node.stop().await;
    drop(node);

    let node = start("n1", data.path(), None).await;
    assert!(node.store_now(index, &reads).is_none(), "memory is empty");
    let read = |reads| node.store(Consistency::Linearizable, reads);
    let answers = read(vec![get("a"), get("missing")]).await.unwrap().value;
    assert_eq!(answers, [bytes("1"), Ok(StoreReply::Nil)]);
    let looked = node.store_now(index, &reads[..1]).expect("it is kept now");
    assert_eq!(looked.answers, [bytes("1")]);
    // What changes on top of what is on the disk is seen with it.
    let pop = Write::ListPop {
        key: "l".into(),
        end: End::Head,
        count: Some(100),
    };
    let (index, _) = apply(&node, vec![pop.into(), push(1)]).await;
    assert_eq!(length(&node, index, 499).await, 500);
    assert_eq!(length(&node, index, -1).await, 2_901);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_too_large_is_refused_with_its_size() {
    let data = tempfile::tempdir().unwrap();
    let node = start("n1", data.path(), None).await;
    let set = |key: &'static str| Write::set(key, vec![7; 512 * 1024]).into();
    let refused = node
        .write(command(vec![set("a"), set("b"), set("c")]))
        .await;
    match refused.unwrap_err() {
        WriteError::TooLarge {
            size_bytes,
            max_bytes,
        } => assert!(size_bytes > 3 * 512 * 1024 && max_bytes < size_bytes),
        other => panic!("{other}"),
    }
    assert_eq!(apply(&node, vec![set("a")]).await.1, [Ok(StoreReply::Done)]);
    node.stop().await;
}

/// What is told next.
async fn next(watch: &mut KeyWatch) -> Result<std::sync::Arc<Touched>, Missed> {
    let told = tokio::time::timeout(Duration::from_secs(20), watch.next());
    let told = told.await.expect("something is told");
    told.map(|touched| touched.expect("the node runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_tells_which_keys_are_touched_and_what_is_published() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    apply(&nodes[0], vec![Write::set("before", "1").into()]).await;
    let mut watches: Vec<KeyWatch> = nodes.iter().map(Engine::watch_keys).collect();
    let publish = Write::Publish {
        channel: "c".into(),
        message: "m".into(),
    };
    let nothing = Write::Delete {
        keys: vec!["nobody".into()],
    };
    let set = Write::set("a", "1").into();
    let (index, results) = apply(
        &nodes[1],
        vec![set, nothing.into(), publish.into(), push(1)],
    )
    .await;
    assert_eq!(results[1], Ok(StoreReply::Integer(0)));
    for watch in &mut watches {
        let touched = loop {
            match next(watch).await {
                // What was told before anybody followed, and what came with a start.
                Err(Missed) => {}
                Ok(touched) if touched.messages.is_empty() => {}
                Ok(touched) => break touched,
            }
        };
        let keys: Vec<&[u8]> = touched
            .keys
            .iter()
            .map(|touched| &touched.key[..])
            .collect();
        assert_eq!(keys, [b"a", b"l"]);
        let same =
            |touched: &domain::store::TouchedKey| domain::store::index_of(touched.version) == index;
        assert!(touched.keys.iter().all(same));
        assert_eq!(touched.messages[0].channel, "c");
        assert_eq!(touched.messages[0].message, "m");
    }
    // Whoever waits for anything looks anew when everything is gone.
    apply(&nodes[2], vec![Write::Flush.into()]).await;
    for watch in &mut watches {
        assert!(next(watch).await.unwrap().missed);
    }
    for node in &nodes {
        node.stop().await;
    }
    drop(nodes);
    for watch in &mut watches {
        let ended = tokio::time::timeout(Duration::from_secs(20), watch.next());
        let ended = ended.await.expect("it ends with its node");
        assert!(ended.unwrap().is_none());
    }
}
