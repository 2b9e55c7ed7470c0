//! What holds for every request: bounds, security headers, counting, and where it came from.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::FILE_PATH;
use super::answer::fallback_position;
use crate::app::App;
use crate::files::UPLOAD_TIME_MAX;
use crate::problem::{Kind, Trouble};

/// When to try again on a node with too many requests at work.
const BUSY_MS: u64 = 500;

/// Pages and API alike: nothing from elsewhere, no scripts in the page itself, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; manifest-src 'self'";

const SECURITY: [(&str, &str); 5] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// What holds for every request: it is bounded, counted, timed and logged, and every answer has the
/// security headers and names its node. One layer, because each costs every request some copies.
pub(super) async fn every_request(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = bounded(&app, request, next).await;
    secure(response.headers_mut());
    fallback_position(response.headers_mut(), &app.engine);
    let status = response.status().as_u16();
    let took = started.elapsed();
    // Never the path itself: a private feed's holds its secret.
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    tracing::debug!(%method, route, status, took_us = took.as_micros() as u64, "request");
    app.metrics.request(&method, route, status, took);
    response
}

fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        let name = HeaderName::from_static(name);
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Bounds the requests at work and the time each may take.
async fn bounded(app: &App, request: Request, next: Next) -> Response {
    let Some(_at_work) = app.metrics.start_request(app.config.limits.requests) else {
        let detail = "too many requests are at work on this node";
        return Trouble::new(Kind::Busy, detail)
            .retry_after_ms(BUSY_MS)
            .into_response();
    };
    let safe = request.method().is_safe();
    let time = match is_upload(&request) {
        true => UPLOAD_TIME_MAX,
        false => app.config.limits.request_timeout,
    };
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => too_slow(safe).into_response(),
    }
}

/// A file may take longer to arrive than a request may otherwise; silence ends it all the same.
fn is_upload(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>();
    request.method() == Method::PUT && route.is_some_and(|route| route.as_str() == FILE_PATH)
}

fn too_slow(safe: bool) -> Trouble {
    let kind = if safe {
        Kind::Busy
    } else {
        Kind::OutcomeUnknown
    };
    Trouble::new(kind, "the request took too long").retry_after_ms(BUSY_MS)
}

/// Refuses a change that a browser sends from a page of another site. Every browser of today sends
/// `Origin` or `Sec-Fetch-Site` with a change; what sends neither is not a browser's page.
pub(crate) fn same_site(app: &App, headers: &HeaderMap) -> Result<(), Trouble> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let fetch_site = text(&HeaderName::from_static("sec-fetch-site"));
    let same = match (text(&ORIGIN), fetch_site) {
        // A proxy may send another host along than the browser was at.
        (Some(origin), _) if app.config.public_url.as_deref() == Some(origin) => true,
        (Some(origin), _) => is_own_origin(origin, headers),
        (None, Some(site)) => site == "same-origin" || site == "none",
        (None, None) => false,
    };
    let refused = || {
        Trouble::new(
            Kind::CrossSite,
            "this change did not start on a page of this site",
        )
    };
    same.then_some(()).ok_or_else(refused)
}

/// Whether an origin is the host that the request was sent to. The scheme is not compared: a proxy
/// may have taken TLS off.
fn is_own_origin(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    match (origin.authority(), host) {
        (Some(authority), Some(host)) => authority.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// 404 for a path that no route has.
pub(super) async fn no_such_route(uri: Uri, headers: HeaderMap) -> Response {
    let trouble = Trouble::new(Kind::NotFound, "there is nothing at this address");
    crate::web::or_page(uri.path(), &headers, trouble)
}

/// 405 for a method that a route does not have.
pub(super) async fn no_such_method(method: Method) -> Trouble {
    Trouble::new(
        Kind::MethodNotAllowed,
        format!("{method} is not allowed here"),
    )
}
