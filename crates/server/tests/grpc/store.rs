//! The store's keys: read, changed, compared and set, followed.

use api::grpc::v1;
use api::grpc::v1::operation::Operation as Do;
use api::grpc::v1::operation_result::Result as Came;
use api::grpc::v1::watch_keys_request::Target;
use bytes::Bytes;
use server::GrpcConfig;
use tonic::{Code, Streaming};

use crate::site::{PATIENCE, Site, config, fields, open, refused, said, signed, with};

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str, value: &str) -> v1::PutRequest {
    v1::PutRequest {
        key: bytes(key),
        value: bytes(value),
        ..v1::PutRequest::default()
    }
}

fn get(key: &str) -> v1::GetRequest {
    v1::GetRequest { key: bytes(key) }
}

fn delete(key: &str) -> v1::DeleteRequest {
    v1::DeleteRequest {
        keys: vec![bytes(key)],
        conditions: Vec::new(),
    }
}

#[tokio::test]
async fn strings_are_stored_over_the_version_that_was_seen() {
    let site = Site::start().await;
    let mut store = site.store();
    let none = store.get(get("a")).await.unwrap_err();
    refused(&none, Code::NotFound, "not-found");
    let new = |version| v1::PutRequest {
        if_version: Some(version),
        ..put("a", "uno")
    };
    let first = store.put(new(0)).await.unwrap().into_inner().version;
    let taken = store.put(new(0)).await.unwrap_err();
    refused(&taken, Code::Aborted, "version-moved");
    let found = store.get(get("a")).await.unwrap().into_inner();
    assert_eq!(
        (&found.value[..], found.version, found.expires_at),
        (&b"uno"[..], first, None)
    );
    let second = store.put(new(first)).await.unwrap().into_inner().version;
    assert!(second > first);
    let mortal = v1::PutRequest {
        time_to_live: Some(prost_types::Duration {
            seconds: 3600,
            nanos: 0,
        }),
        ..put("b", "dos")
    };
    store.put(mortal).await.unwrap();
    let found = store.get(get("b")).await.unwrap().into_inner();
    assert!(found.expires_at.unwrap().seconds > 1_700_000_000);
    let never = v1::PutRequest {
        time_to_live: Some(prost_types::Duration::default()),
        ..put("b", "dos")
    };
    let never = store.put(never).await.unwrap_err();
    refused(&never, Code::InvalidArgument, "invalid");
    assert_eq!(fields(&never), ["time_to_live"]);
    let deleted = store.delete(delete("a")).await.unwrap().into_inner();
    assert_eq!(deleted.deleted, 1);
    let long = put(&"k".repeat(1_025), "x");
    let long = store.put(long).await.unwrap_err();
    refused(&long, Code::InvalidArgument, "invalid");
    site.stop().await;
}

#[tokio::test]
async fn a_transaction_is_one_step_and_happens_once() {
    let site = Site::start().await;
    let (mut store, ana) = (site.store(), site.member("ana").await);
    let operations = [
        Do::Add(v1::Add {
            key: bytes("visits"),
            by: 5,
        }),
        Do::Push(v1::Push {
            key: bytes("list"),
            end: v1::ListEnd::Tail.into(),
            values: vec![bytes("a"), bytes("b")],
        }),
        Do::Range(v1::Range {
            key: bytes("list"),
            start: 0,
            stop: -1,
        }),
        Do::HashSet(v1::HashSet {
            key: bytes("hash"),
            pairs: vec![v1::Pair {
                name: bytes("f"),
                value: bytes("v"),
            }],
        }),
        Do::HashAll(bytes("hash")),
        Do::Get(bytes("list")),
        Do::Get(bytes("nothing")),
    ];
    let operations = operations.map(|operation| v1::Operation {
        operation: Some(operation),
    });
    let transaction = v1::TransactRequest {
        conditions: Vec::new(),
        operations: operations.into(),
    };
    let ask = || with("idempotency-key", "once", signed(&ana, transaction.clone()));
    let done = store.transact(ask()).await.unwrap().into_inner();
    let came: Vec<Came> = done
        .results
        .iter()
        .map(|r| r.result.clone().unwrap())
        .collect();
    assert_eq!(came[..2], [Came::Number(5), Came::Number(2)]);
    let value = |text| v1::MaybeValue {
        value: Some(bytes(text)),
    };
    let values = vec![value("a"), value("b")];
    assert_eq!(came[2], Came::Values(v1::Values { values }));
    assert_eq!(came[3], Came::Number(1));
    assert!(matches!(&came[4], Came::Pairs(pairs) if pairs.pairs[0].value == "v"));
    assert!(matches!(&came[5], Came::Error(why) if why.contains("wrong kind")));
    assert_eq!(came[6], Came::Nothing(v1::Nothing {}));
    let again = store.transact(ask()).await.unwrap();
    assert_eq!(said(again.metadata(), "idempotency-replayed"), "true");
    assert_eq!(again.into_inner(), done);
    let moved = v1::TransactRequest {
        conditions: vec![v1::Condition {
            key: bytes("visits"),
            version: 1,
        }],
        ..transaction
    };
    let moved = store.transact(moved).await.unwrap_err();
    refused(&moved, Code::Aborted, "version-moved");
    let empty = v1::TransactRequest {
        conditions: Vec::new(),
        operations: vec![v1::Operation { operation: None }],
    };
    let empty = store.transact(empty).await.unwrap_err();
    assert_eq!(fields(&empty), ["operations"]);
    site.stop().await;
}

#[tokio::test]
async fn a_scan_finds_every_key() {
    let site = Site::start().await;
    let mut store = site.store();
    let unknown = v1::ScanRequest {
        kind: 99,
        ..v1::ScanRequest::default()
    };
    assert_eq!(fields(&store.scan(unknown).await.unwrap_err()), ["kind"]);
    for number in 0..30 {
        store
            .put(put(&format!("key-{number:02}"), "x"))
            .await
            .unwrap();
    }
    store.put(put("other", "x")).await.unwrap();
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let scan = v1::ScanRequest {
            cursor,
            pattern: bytes("key-*"),
            limit: 7,
            ..v1::ScanRequest::default()
        };
        let page = store.scan(scan).await.unwrap().into_inner();
        found.extend(page.keys);
        cursor = page.cursor;
        if cursor == 0 {
            break;
        }
    }
    found.sort();
    let all: Vec<String> = (0..30).map(|number| format!("key-{number:02}")).collect();
    assert_eq!(found, all);
    site.stop().await;
}

type Changes = Streaming<v1::WatchKeysResponse>;

async fn watch(site: &Site, prefix: &str, since: Option<i64>) -> Changes {
    let ask = v1::WatchKeysRequest {
        target: Some(Target::Prefix(bytes(prefix))),
        since,
    };
    site.store().watch_keys(ask).await.unwrap().into_inner()
}

async fn message(stream: &mut Changes) -> v1::WatchKeysResponse {
    let next = tokio::time::timeout(PATIENCE, stream.message());
    next.await.expect("a message").unwrap().expect("no end")
}

/// Changes until a key changes, each as `key=value` or `-key`, and the last cursor.
async fn until(stream: &mut Changes, last: &str) -> (Vec<String>, Option<i64>) {
    let (mut changes, mut cursor) = (Vec::new(), None);
    while !changes.iter().any(|change| change == last) {
        let said = message(stream).await;
        cursor = said.cursor.or(cursor);
        changes.extend(said.changes.into_iter().map(|change| {
            let key = String::from_utf8(change.key.to_vec()).unwrap();
            let value = change.value.unwrap_or_default();
            match change.removed {
                true => format!("-{key}"),
                false => format!("{key}={}", String::from_utf8(value.to_vec()).unwrap()),
            }
        }));
    }
    (changes, cursor)
}

#[tokio::test]
async fn keys_are_followed_and_the_stream_goes_on_at_another_node() {
    let site = Site::start().await;
    let other = Site::node("n2", Some(&site), config(), open()).await;
    let mut store = site.store();
    store.put(put("a/old", "0")).await.unwrap();
    let mut stream = watch(&site, "a/", None).await;
    store.put(put("a/1", "x")).await.unwrap();
    store.put(put("b/1", "x")).await.unwrap();
    store.put(put("a/2", "y")).await.unwrap();
    let (changes, cursor) = until(&mut stream, "a/2=y").await;
    assert_eq!(changes, ["a/1=x", "a/2=y"]);
    drop(stream);
    store.put(put("a/3", "z")).await.unwrap();
    store.delete(delete("a/1")).await.unwrap();
    let mut stream = watch(&other, "a/", cursor).await;
    let (mut missed, _) = until(&mut stream, "-a/1").await;
    missed.sort();
    assert_eq!(missed, ["-a/1", "a/3=z"]);
    store.put(put("a/4", "w")).await.unwrap();
    let (live, _) = until(&mut stream, "a/4=w").await;
    assert_eq!(live, ["a/4=w"]);
    // From the beginning: all there is, and then what happens.
    let mut stream = watch(&site, "a/", Some(0)).await;
    let (mut all, _) = until(&mut stream, "a/old=0").await;
    all.sort();
    assert_eq!(all, ["a/2=y", "a/3=z", "a/4=w", "a/old=0"]);
    drop(stream);
    other.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn one_key_is_followed_alone() {
    let site = Site::start().await;
    let mut store = site.store();
    let ask = v1::WatchKeysRequest {
        target: Some(Target::Key(bytes("a"))),
        since: None,
    };
    let mut stream = store.watch_keys(ask).await.unwrap().into_inner();
    store.put(put("ab", "1")).await.unwrap();
    store.put(put("a", "2")).await.unwrap();
    store.delete(delete("a")).await.unwrap();
    let (changes, _) = until(&mut stream, "-a").await;
    assert!(
        !changes.iter().any(|change| change.starts_with("ab")),
        "{changes:?}"
    );
    site.stop().await;
}

#[tokio::test]
async fn the_end_of_a_key_is_told_though_nothing_else_happens() {
    let site = Site::start().await;
    let mut store = site.store();
    let mut stream = watch(&site, "short/", None).await;
    let mortal = v1::PutRequest {
        time_to_live: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        ..put("short/lived", "x")
    };
    store.put(mortal).await.unwrap();
    let (changes, _) = until(&mut stream, "-short/lived").await;
    assert_eq!(changes, ["short/lived=x", "-short/lived"]);
    site.stop().await;
}

#[tokio::test]
async fn where_a_session_is_required_the_store_asks_for_one() {
    let strict = GrpcConfig {
        require_session: true,
        ..open()
    };
    let site = Site::with(config(), strict).await;
    let mut store = site.store();
    let nobody = store.put(put("a", "1")).await.unwrap_err();
    refused(&nobody, Code::Unauthenticated, "not-signed-in");
    let forged = format!("{}.1", "A".repeat(43));
    let write = store.put(signed(&forged, put("a", "1"))).await.unwrap_err();
    refused(&write, Code::Unauthenticated, "not-signed-in");
    let read = store.get(signed(&forged, get("a"))).await.unwrap_err();
    refused(&read, Code::Unauthenticated, "not-signed-in");
    let ana = site.member("ana").await;
    store.put(signed(&ana, put("a", "1"))).await.unwrap();
    store.get(signed(&ana, get("a"))).await.unwrap();
    site.stop().await;
}

#[tokio::test]
async fn what_changed_at_once_is_told_in_messages_of_a_bounded_size() {
    const KEYS: usize = 12;
    let site = Site::start().await;
    let value = "x".repeat(80_000);
    let mut live = watch(&site, "long/", None).await;
    message(&mut live).await;
    let operation = |number: usize| v1::Operation {
        operation: Some(Do::Put(put(&format!("long/{number:02}"), &value))),
    };
    let all_at_once = v1::TransactRequest {
        operations: (0..KEYS).map(operation).collect(),
        ..v1::TransactRequest::default()
    };
    site.store().transact(all_at_once).await.unwrap();
    let caught_up = watch(&site, "long/", Some(0)).await;
    for mut stream in [live, caught_up] {
        let (mut told, mut cursor) = (Vec::new(), None);
        // It stands behind all that was told, so it comes with the last part or after it.
        while cursor.is_none() {
            let said = message(&mut stream).await;
            assert!(said.changes.len() < KEYS / 2, "{}", said.changes.len());
            told.extend(said.changes.into_iter().map(|change| change.key));
            cursor = said.cursor;
        }
        let expected: Vec<Bytes> = (0..KEYS).map(|n| bytes(&format!("long/{n:02}"))).collect();
        assert_eq!(told, expected);
    }
    site.stop().await;
}
