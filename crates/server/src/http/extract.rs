//! Reading a request: who calls, the path, and the body.

use std::net::IpAddr;

use api::types::{self, headers};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use domain::RequestId;
use domain::news::queries::AreaRef;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::PeerAddress;
use super::cookies::{INDEX_COOKIE, SESSION_COOKIE, cookie};
use super::guard::same_site;
use super::objects;
use super::query::Pairs;
use crate::app::{App, Caller, Freshness};
use crate::headers::{
    bad_header, bearer, client_address, header, request_for, request_key, right_cluster,
};
use crate::problem::{Kind, Trouble};
use crate::token::Token;
use crate::web;

/// A JSON body: room for the longest text with every character escaped.
const JSON_MAX_BYTES: usize = 512 * 1024;

/// Of a body that is too large, this much is still read, so that the client gets to see the answer
/// instead of a broken connection.
const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;

impl FromRequestParts<App> for Caller {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        right_cluster(&parts.headers, app)?;
        let bearer = bearer(&parts.headers)?;
        let from_cookie = cookie(&parts.headers, SESSION_COOKIE).filter(|_| bearer.is_none());
        if from_cookie.is_some() && !parts.method.is_safe() {
            same_site(app, &parts.headers)?;
        }
        let seen = match header(&parts.headers, headers::INDEX)? {
            Some(text) => Some(text.parse().map_err(|_| bad_header(headers::INDEX))?),
            // A browser's cookie is not worth an error.
            None if bearer.is_none() => {
                cookie(&parts.headers, INDEX_COOKIE).and_then(|text| web::remembered(app, text))
            }
            None => None,
        };
        Ok(Caller {
            token: bearer.or_else(|| from_cookie.and_then(Token::parse)),
            seen,
            freshness: freshness(parts)?,
            request: request_id(parts, &[])?,
            address: address(parts, app),
        })
    }
}

/// Where a request comes from.
fn address(parts: &Parts, app: &App) -> IpAddr {
    let peer = parts.extensions.get::<PeerAddress>();
    let peer = peer.map(|PeerAddress(peer)| peer.ip());
    client_address(&parts.headers, peer, app.config.trust_forwarded_for)
}

fn freshness(parts: &Parts) -> Result<Option<Freshness>, Trouble> {
    if let Some(text) = header(&parts.headers, headers::CONSISTENCY)? {
        return text.parse().map(Some);
    }
    let query = Pairs::parse(parts.uri.query().unwrap_or_default())?;
    query.text("consistency")?.map(str::parse).transpose()
}

/// The request id, if the client made one, for a request with this body.
fn request_id(parts: &Parts, body: &[&[u8]]) -> Result<Option<RequestId>, Trouble> {
    let Some(key) = request_key(&parts.headers)? else {
        return Ok(None);
    };
    let about = [
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
    ];
    let content = about.iter().chain(body);
    Ok(Some(request_for(key.to_owned(), content)))
}

/// A body that a route takes as JSON.
pub(crate) trait Content: DeserializeOwned {
    /// Whether the route needs a session; then its lack is told before the body is looked at.
    const SIGNED_IN: bool = true;

    /// What of the body a request id stands for; never a password.
    fn fingerprint<'a>(&'a self, raw: &'a [u8]) -> Vec<&'a [u8]> {
        vec![raw]
    }
}

impl Content for types::Credentials {
    const SIGNED_IN: bool = false;

    fn fingerprint<'a>(&'a self, _: &'a [u8]) -> Vec<&'a [u8]> {
        vec![self.name.as_bytes()]
    }
}

impl Content for types::PasswordChange {
    fn fingerprint<'a>(&'a self, _: &'a [u8]) -> Vec<&'a [u8]> {
        Vec::new()
    }
}

impl Content for types::NewArea {}
impl Content for types::AreaEdit {}
impl Content for types::NewPost {}
impl Content for types::Hide {}
impl Content for types::Mark {}
impl Content for types::NewPoll {}
impl Content for types::NewDrill {}
impl Content for types::Rebuild {}

impl Content for types::CastBallot {
    const SIGNED_IN: bool = false;
}

/// A caller and its JSON.
pub(crate) struct Input<T> {
    pub caller: Caller,
    pub body: T,
}

impl<T: Content> FromRequest<App> for Input<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let mut caller = Caller::from_request_parts(&mut parts, app).await?;
        if T::SIGNED_IN {
            caller.token()?;
        }
        if !is_json(&parts.headers) {
            let detail = "the body must be JSON, with Content-Type: application/json";
            return Err(Trouble::new(Kind::UnsupportedMediaType, detail));
        }
        let raw = read_body(app, &parts, body, JSON_MAX_BYTES).await?;
        let content: T = objects::from_slice(&raw).map_err(not_json)?;
        caller.request = request_id(&parts, &content.fingerprint(&raw))?;
        Ok(Input {
            caller,
            body: content,
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| {
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next()?.trim().to_ascii_lowercase())
}

fn not_json(error: serde_json::Error) -> Trouble {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => Trouble::new(Kind::Invalid, format!("the body does not fit: {error}")),
        Category::Io | Category::Syntax | Category::Eof => Trouble::new(
            Kind::Malformed,
            format!("the body is not JSON in UTF-8: {error}"),
        ),
    }
}

/// A caller and the raw bytes it sent.
pub(crate) struct Raw {
    pub caller: Caller,
    pub bytes: Bytes,
}

impl FromRequest<App> for Raw {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let mut caller = Caller::from_request_parts(&mut parts, app).await?;
        caller.token()?;
        let bytes = read_body(app, &parts, body, domain::store::VALUE_MAX_BYTES).await?;
        caller.request = request_id(&parts, &[&bytes])?;
        Ok(Raw { caller, bytes })
    }
}

/// A caller and the fields of an HTML form, which came from a page of this site.
pub(crate) struct Form {
    pub caller: Caller,
    pub fields: Pairs,
}

impl FromRequest<App> for Form {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        same_site(app, &parts.headers)?;
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        if media_type(&parts.headers).as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Trouble::new(
                Kind::UnsupportedMediaType,
                "this takes an HTML form",
            ));
        }
        let raw = read_body(app, &parts, body, JSON_MAX_BYTES).await?;
        let text = std::str::from_utf8(&raw)
            .map_err(|_| Trouble::new(Kind::Malformed, "the form is not UTF-8"))?;
        Ok(Form {
            caller,
            fields: Pairs::parse(text)?,
        })
    }
}

/// Reads a whole body of at most `max` bytes.
async fn read_body(app: &App, parts: &Parts, body: Body, max: usize) -> Result<Bytes, Trouble> {
    let too_large = || {
        Trouble::new(
            Kind::TooLarge,
            format!("a body here has at most {max} bytes"),
        )
    };
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let announced: Option<usize> = announced.and_then(|text| text.parse().ok());
    if announced.is_some_and(|bytes| bytes > DRAIN_MAX_BYTES) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(app.config.limits.body_timeout, collect(body, max)).await;
    match collected {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => Err(Trouble::new(
            Kind::Malformed,
            format!("the body broke off: {error}"),
        )),
        Err(_) => Err(Trouble::new(
            Kind::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

/// The body, or `None` if it is longer than `max`.
async fn collect(mut body: Body, max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut bytes = Vec::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        received += data.len();
        if received > DRAIN_MAX_BYTES {
            break;
        }
        if received <= max {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((received <= max).then(|| bytes.into()))
}

/// `{area}`: an id, or a name.
pub(crate) struct AreaPath(pub AreaRef);

/// `{area}/posts/{id}`.
pub(crate) struct PostPath(pub AreaRef, pub i64);

/// `{poll}`: an id.
pub(crate) struct PollPath(pub i64);

/// `{key}`: bytes, percent-encoded.
pub(crate) struct KeyPath(pub Bytes);

impl<S: Send + Sync> FromRequestParts<S> for AreaPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(area) = path.map_err(bad_path)?;
        Ok(AreaPath(area_ref(&area)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PostPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((area, post)) = path.map_err(bad_path)?;
        let id = post
            .parse()
            .map_err(|_| Trouble::missing_name("post", &post))?;
        Ok(PostPath(area_ref(&area)?, id))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PollPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(poll) = path.map_err(bad_path)?;
        let id = poll
            .parse()
            .map_err(|_| Trouble::missing_name("poll", &poll))?;
        Ok(PollPath(id))
    }
}

impl<S: Sync> FromRequestParts<S> for KeyPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        // Not through `Path`: a key need not be UTF-8.
        let encoded = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let key: Vec<u8> = percent_encoding::percent_decode_str(encoded).collect();
        let max = domain::store::KEY_MAX_BYTES;
        if key.is_empty() || key.len() > max {
            return Err(Trouble::field("key", format!("a key has 1 to {max} bytes")));
        }
        Ok(KeyPath(key.into()))
    }
}

/// How a path or a query names an area. Digits that are no id are nobody's.
pub(crate) fn area_ref(text: &str) -> Result<AreaRef, Trouble> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match AreaRef::parse(text) {
        AreaRef::Name(_) if digits => Err(Trouble::missing_name("area", text)),
        area => Ok(area),
    }
}

/// A path that cannot be read.
pub(crate) fn bad_path(_: axum::extract::rejection::PathRejection) -> Trouble {
    Trouble::new(Kind::Malformed, "the path is not UTF-8")
}
