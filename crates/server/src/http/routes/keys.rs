//! The replicated store: raw bytes under keys.

use api::types::KeyVersion;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::accounts::Member;
use domain::store::{Ask, Read, StoreReply, Write};
use engine::Served;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue};

use crate::app::{App, Caller, Written, answers, now_ms};
use crate::http::extract::{KeyPath, Raw};
use crate::http::{Answer, Positioned};
use crate::problem::Trouble;

/// Read a key
///
/// The stored bytes, and their version in `ETag`.
#[utoipa::path(get, path = "/v1/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "1 to 1,024 bytes, percent-encoded")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    KeyPath(key): KeyPath,
) -> Result<Response, Trouble> {
    let name = String::from_utf8_lossy(&key).into_owned();
    let question = move |_: &Member| Ask {
        reads: vec![
            Read::Get { key: key.clone() },
            Read::Version { key: key.clone() },
        ],
        now_ms: now_ms(),
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(&caller, question).await?;
    let [value, version] = answers(found)?;
    let StoreReply::Bytes(value) = value? else {
        return Err(Trouble::missing_name("key", &name));
    };
    let binary = HeaderValue::from_static("application/octet-stream");
    let private = HeaderValue::from_static("no-store");
    let headers = [
        (CONTENT_TYPE, binary),
        (CACHE_CONTROL, private),
        etag(integer(version?)),
    ];
    Ok(Positioned(position, (headers, value)).into_response())
}

/// Store a key
///
/// The body is stored as it is. Answers the new version, also in `ETag`.
#[utoipa::path(put, path = "/v1/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "1 to 1,024 bytes, percent-encoded")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "At most 524,288 bytes"),
    responses((status = 200, body = KeyVersion)))]
pub(super) async fn put(
    State(app): State<App>,
    KeyPath(key): KeyPath,
    Raw { caller, bytes }: Raw,
) -> Result<Response, Trouble> {
    let set = vec![Write::set(key, bytes).into()];
    let (version, results, written) = app.change_keys(&caller, Vec::new(), set).await?;
    let [set] = answers(results)?;
    set?;
    versioned(&written, version)
}

/// Remove a key
///
/// Answers the version it had; 0 if it did not exist.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys",
    params(("key" = String, Path, description = "1 to 1,024 bytes, percent-encoded")),
    responses((status = 200, body = KeyVersion)))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    KeyPath(key): KeyPath,
) -> Result<Response, Trouble> {
    caller.token()?;
    let keys = vec![key.clone()];
    let operations = vec![Read::Version { key }.into(), Write::Delete { keys }.into()];
    let (_, results, written) = app.change_keys(&caller, Vec::new(), operations).await?;
    let [version, deleted] = answers(results)?;
    deleted?;
    versioned(&written, integer(version?))
}

fn integer(reply: StoreReply) -> i64 {
    match reply {
        StoreReply::Integer(number) => number,
        _ => 0,
    }
}

fn versioned(written: &Written, version: i64) -> Result<Response, Trouble> {
    let answer = Answer::ok(written.position.clone(), KeyVersion { version });
    let answer = answer.replayed(written.replayed);
    Ok(([etag(version)], answer).into_response())
}

fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let quoted = HeaderValue::try_from(format!("\"{version}\""));
    (ETAG, quoted.unwrap_or(HeaderValue::from_static("\"0\"")))
}
