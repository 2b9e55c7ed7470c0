//! What a request's headers say, in HTTP and in gRPC (where they are called metadata) alike.

use std::net::IpAddr;

use api::types::headers;
use domain::RequestId;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::app::App;
use crate::problem::{Kind, Trouble};
use crate::token::Token;

/// A request id has at most this many characters.
const REQUEST_KEY_MAX: usize = 128;

/// A client that has known the cluster before must not take another one for it: not a node that
/// lost its disk and founded one of its own, at the same address.
pub(crate) fn right_cluster(headers: &HeaderMap, app: &App) -> Result<(), Trouble> {
    let Some(meant) = header(headers, headers::CLUSTER)? else {
        return Ok(());
    };
    let own = app.engine.cluster();
    if meant == own {
        return Ok(());
    }
    let detail = format!("this node belongs to the cluster {own}, not to the one that is meant");
    Err(Trouble::new(Kind::WrongCluster, detail))
}

/// The token in `Authorization`. Anything else there is an error, not an anonymous request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Token>, Trouble> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Token::parse(token.trim())
        }
        _ => None,
    };
    token.map(Some).ok_or_else(Trouble::session_over)
}

/// The client's own id for its request, if it made one.
pub(crate) fn request_key(headers: &HeaderMap) -> Result<Option<&str>, Trouble> {
    let Some(key) = header(headers, headers::IDEMPOTENCY_KEY)? else {
        return Ok(None);
    };
    let fits = (1..=REQUEST_KEY_MAX).contains(&key.len());
    if !fits || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad_header(headers::IDEMPOTENCY_KEY));
    }
    Ok(Some(key))
}

/// The request id for a request with this content: where it was sent, and what it says.
pub(crate) fn request_for<'a>(
    key: String,
    content: impl IntoIterator<Item = &'a &'a [u8]>,
) -> RequestId {
    let mut hasher = blake3::Hasher::new();
    for part in content {
        // The length before each part keeps two different requests from looking the same.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut fingerprint = [0; 16];
    hasher.finalize_xof().fill(&mut fingerprint);
    RequestId { key, fingerprint }
}

/// A header's text.
pub(crate) fn header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, Trouble> {
    let text = headers
        .get(name)
        .map(|value| value.to_str().map_err(|_| bad_header(name)));
    text.transpose()
}

/// A header that cannot be read.
pub(crate) fn bad_header(name: &str) -> Trouble {
    Trouble::new(
        Kind::Malformed,
        format!("the header {name} is not what it must be"),
    )
}

/// Where a request comes from. A proxy appends the address that it saw to `X-Forwarded-For`.
pub(crate) fn client_address(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    trust_forwarded_for: bool,
) -> IpAddr {
    let forwarded = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let told = if trust_forwarded_for {
        forwarded()
    } else {
        None
    };
    told.or(peer).unwrap_or(IpAddr::from([0, 0, 0, 0]))
}
