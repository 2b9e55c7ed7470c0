//! Asks one address how the cluster is, again and again.

use std::sync::Arc;

use api::types::Cluster;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use tokio::time::{sleep, timeout};

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

/// Asks until it is dropped.
pub async fn run(members: Members, base: Arc<str>) {
    loop {
        let asking = ask(members.client(), &base);
        match timeout(members.patience(&base), asking).await {
            Ok(Answer::Told(cluster)) => members.heard(&base, &cluster),
            Ok(Answer::Refused) => members.refused(&base),
            Ok(Answer::Busy) => members.lives(&base),
            Ok(Answer::Silent) | Err(_) => members.silent(&base),
        }
        sleep(members.limits().probe_every).await;
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
