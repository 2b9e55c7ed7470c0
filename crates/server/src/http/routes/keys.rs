//! The replicated store: raw bytes under keys.

use api::types::KeyVersion;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::accounts::Member;
use domain::keys::GetKey;
use domain::{Action, Reply};
use engine::Served;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue};

use crate::app::{App, Caller, Written, odd_reply};
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
    let question = move |_: &Member| GetKey { key: key.clone() };
    let Served {
        value: (_, entry),
        position,
    } = app.ask(&caller, question).await?;
    let entry = entry.ok_or_else(|| Trouble::not_found("key"))?;
    let binary = HeaderValue::from_static("application/octet-stream");
    let private = HeaderValue::from_static("no-store");
    let headers = [
        (CONTENT_TYPE, binary),
        (CACHE_CONTROL, private),
        etag(entry.version),
    ];
    Ok(Positioned(position, (headers, entry.value)).into_response())
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
    let value = bytes.into();
    versioned(app.write(&caller, Action::PutKey { key, value }).await?)
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
    versioned(app.write(&caller, Action::DeleteKey { key }).await?)
}

fn versioned(written: Written) -> Result<Response, Trouble> {
    let Reply::Key { version } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let answer = Answer::ok(written.position, KeyVersion { version }).replayed(written.replayed);
    Ok(([etag(version)], answer).into_response())
}

fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let quoted = HeaderValue::try_from(format!("\"{version}\""));
    (ETAG, quoted.unwrap_or(HeaderValue::from_static("\"0\"")))
}
