//! What a proxy tells of itself: whether it runs, whether it can serve, what it has counted.

use api::types::Health;
use http::{Request, Response, StatusCode};

use super::{asks, short};
use crate::client::Body;
use crate::count::Counts;
use crate::members::Members;

/// The answer to what is asked of the proxy itself.
pub fn answer<B>(
    request: &Request<B>,
    members: &Members,
    counts: &Counts,
) -> Option<Response<Body>> {
    if !asks(request.method()) {
        return None;
    }
    match request.uri().path() {
        "/health/live" => Some(health(StatusCode::OK, "live", members)),
        "/health/ready" => {
            let ready = members.nodes().iter().any(|(_, ready)| *ready);
            Some(match ready {
                true => health(StatusCode::OK, "ready", members),
                false => health(StatusCode::SERVICE_UNAVAILABLE, "not ready", members),
            })
        }
        "/metrics" => {
            let text = counts.text(&members.nodes());
            Some(short(StatusCode::OK, "text/plain; version=0.0.4", text))
        }
        _ => None,
    }
}

fn health(status: StatusCode, word: &str, members: &Members) -> Response<Body> {
    let health = Health {
        status: word.to_owned(),
        node: "proxy".to_owned(),
        leader: members.leader(),
        disk_full: false,
    };
    let text = serde_json::to_string(&health).unwrap_or_default();
    short(status, "application/json", text)
}
