//! HTTP to the nodes.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::Limits;

/// Idle connections are closed before the nodes close them, which they do after 15 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a node on which nothing came for this long is asked whether it lives …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(2);

/// … and again so long after …
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// … and given up when nothing that was sent arrives for this long: a machine without power answers
/// nothing, and its neighbours notice it within seconds as well. Nodes take a request's body at
/// once, so none is cut for being slow.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body on its way, either way.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Connections to the nodes, kept open between requests.
pub type HttpClient = legacy::Client<HttpConnector, Body>;

/// A client within these bounds.
pub fn new(limits: &Limits) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(limits.connect_timeout));
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE_IDLE));
    connector.set_keepalive_interval(Some(KEEPALIVE_EVERY));
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(connector)
}

/// True if nobody listens there.
pub fn is_refusal(error: &legacy::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::ConnectionRefused;
        }
        cause = error.source();
    }
    false
}
