//! Asks one address how the cluster is, again and again.

use std::sync::Arc;

use api::types::Cluster;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::{Body, HttpClient, is_refusal};
use crate::members::Members;

/// An answer about a handful of nodes, with the areas that each is assigned.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// What came of a question.
enum Answer {
    Told(Box<Cluster>),
    /// Nobody listens there.
    Refused,
    /// It lives, but tells nothing now.
    Busy,
    Silent,
}

/// Asks until it is dropped. The next question does not wait for the answer to the one before: a
/// slow answer delays no other.
pub async fn run(members: Members, base: Arc<str>) {
    let mut times = interval(members.limits().probe_every);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Each ends in its time, so only a few are ever under way.
    let mut under_way = JoinSet::new();
    loop {
        times.tick().await;
        while under_way.try_join_next().is_some() {}
        under_way.spawn(once(members.clone(), Arc::clone(&base)));
    }
}

async fn once(members: Members, base: Arc<str>) {
    let asking = ask(members.client(), &base);
    match timeout(members.limits().probe_timeout, asking).await {
        Ok(Answer::Told(cluster)) => members.heard(&base, &cluster),
        Ok(Answer::Refused) => members.refused(&base),
        Ok(Answer::Busy) => members.lives(&base),
        Ok(Answer::Silent) | Err(_) => members.silent(&base),
    }
}

async fn ask(client: &HttpClient, base: &str) -> Answer {
    let body = Body::new(Empty::<Bytes>::new().map_err(|never| match never {}));
    let Ok(request) = Request::get(format!("http://{base}/v1/cluster")).body(body) else {
        return Answer::Silent;
    };
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) if is_refusal(&error) => return Answer::Refused,
        Err(_) => return Answer::Silent,
    };
    if response.status() != StatusCode::OK {
        return Answer::Busy;
    }
    let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES);
    let Ok(body) = body.collect().await else {
        return Answer::Silent;
    };
    match serde_json::from_slice(&body.to_bytes()) {
        Ok(cluster) => Answer::Told(Box::new(cluster)),
        Err(error) => {
            tracing::debug!(base, %error, "it tells nothing of a cluster");
            Answer::Busy
        }
    }
}
