//! The store's keys.

use api::grpc::v1;
use api::grpc::v1::store_server::Store;
use api::grpc::v1::watch_keys_request::Target;
use bytes::Bytes;
use domain::store::{Condition, Operation, Read, StoreReply, Write};
use engine::Served;

use super::watch_keys::{Follow, follow};
use crate::app::{App, Caller, answers, odd};
use crate::grpc::answer::{Answer as Said, Stream, service};
use crate::grpc::render::{limit, not_negative, store, time};
use crate::problem::Trouble;

/// Keys that a scan looks at if it is not told how many.
const SCAN_DEFAULT: u32 = 100;

service!(Store {
    get: v1::GetRequest => v1::GetResponse;
    put: v1::PutRequest => v1::PutResponse;
    delete: v1::DeleteRequest => v1::DeleteResponse;
    scan: v1::ScanRequest => v1::ScanResponse;
    transact: v1::TransactRequest => v1::TransactResponse;
    watch_keys: v1::WatchKeysRequest => Self::WatchKeysStream;
} type WatchKeysStream = Stream<v1::WatchKeysResponse>;);

async fn get(
    app: &App,
    caller: &Caller,
    ask: v1::GetRequest,
) -> Result<Said<v1::GetResponse>, Trouble> {
    let key = ask.key;
    let reads = vec![
        Read::Get { key: key.clone() },
        Read::Version { key: key.clone() },
        Read::Expiry { key },
    ];
    let Served { value, position } = app.read_keys(caller, reads).await?;
    let [value, version, expiry] = answers(value)?;
    let found = match (value?, version?, expiry?) {
        (StoreReply::Nil, _, _) => return Err(Trouble::not_found("key")),
        (
            StoreReply::Bytes(value),
            StoreReply::Integer(version),
            StoreReply::Expiry { at_ms, .. },
        ) => v1::GetResponse {
            value,
            version,
            expires_at: at_ms.and_then(time),
        },
        _ => return Err(odd()),
    };
    Ok(Said::at(position, found))
}

async fn put(
    app: &App,
    caller: &Caller,
    ask: v1::PutRequest,
) -> Result<Said<v1::PutResponse>, Trouble> {
    let only = ask.if_version.map(|version| Condition {
        key: ask.key.clone(),
        version,
    });
    let conditions = only.into_iter().collect();
    let operations = vec![store::put(ask)?];
    let (version, results, written) = app.change_keys(caller, conditions, operations).await?;
    let [stored] = answers(results)?;
    stored?;
    let done = v1::PutResponse { version };
    Ok(Said::at(written.position, done).replayed(written.replayed))
}

async fn delete(
    app: &App,
    caller: &Caller,
    ask: v1::DeleteRequest,
) -> Result<Said<v1::DeleteResponse>, Trouble> {
    let conditions = ask.conditions.into_iter().map(store::condition).collect();
    let operations: Vec<Operation> = vec![Write::Delete { keys: ask.keys }.into()];
    let (_, results, written) = app.change_keys(caller, conditions, operations).await?;
    let [deleted] = answers(results)?;
    let StoreReply::Integer(deleted) = deleted? else {
        return Err(odd());
    };
    let done = v1::DeleteResponse { deleted };
    Ok(Said::at(written.position, done).replayed(written.replayed))
}

async fn scan(
    app: &App,
    caller: &Caller,
    ask: v1::ScanRequest,
) -> Result<Said<v1::ScanResponse>, Trouble> {
    let count = limit(ask.limit, SCAN_DEFAULT, domain::store::SCAN_MAX)?;
    let kind = v1::KeyKind::try_from(ask.kind)
        .map_err(|_| Trouble::field("kind", "there is no such kind of key"))?;
    let kind = store::kind_of(kind);
    let pattern = Some(ask.pattern).filter(|pattern| !pattern.is_empty());
    let reads = vec![Read::Scan {
        cursor: ask.cursor,
        count,
        pattern,
        kind,
    }];
    let Served { value, position } = app.read_keys(caller, reads).await?;
    let [page] = answers(value)?;
    let StoreReply::Page {
        cursor,
        items: keys,
    } = page?
    else {
        return Err(odd());
    };
    Ok(Said::at(position, v1::ScanResponse { keys, cursor }))
}

async fn transact(
    app: &App,
    caller: &Caller,
    ask: v1::TransactRequest,
) -> Result<Said<v1::TransactResponse>, Trouble> {
    let conditions = ask.conditions.into_iter().map(store::condition).collect();
    let operations = ask.operations.into_iter().map(store::operation);
    let operations = operations.collect::<Result<_, _>>()?;
    let (version, results, written) = app.change_keys(caller, conditions, operations).await?;
    let results = results.into_iter().map(store::result).collect();
    let done = v1::TransactResponse { version, results };
    Ok(Said::at(written.position, done).replayed(written.replayed))
}

async fn watch_keys(
    app: &App,
    caller: &Caller,
    ask: v1::WatchKeysRequest,
) -> Result<Said<Stream<v1::WatchKeysResponse>>, Trouble> {
    let which = match ask.target {
        Some(Target::Key(key)) => Follow::Key(key),
        Some(Target::Prefix(prefix)) => Follow::Prefix(prefix),
        None => Follow::Prefix(Bytes::new()),
    };
    let since = ask.since.map(|since| not_negative("since", since));
    follow(app, caller, which, since.transpose()?).await
}
