//! How long a client waits is how long the node does.

use std::time::{Duration, Instant};

use api::grpc::v1;
use tonic::Code;

use crate::raw::{Raw, ask, framed};
use crate::site::{PATIENCE, Site, config, eventually, open, post, refused};

/// Two nodes, of which one is gone: nothing can be agreed on any more.
async fn without_majority() -> (Site, String, i64) {
    let site = Site::start().await;
    let other = Site::node("n2", Some(&site), config(), open()).await;
    let voters = || async {
        let status = site.engine.status();
        let votes = |node: &engine::NodeStatus| node.role == engine::Role::Follower;
        status.nodes.iter().any(votes)
    };
    eventually("n2 votes", voters).await;
    let area = site.area("Obras").await;
    let token = format!("Bearer {}", site.member("ana").await);
    other.stop().await;
    (site, token, area)
}

#[tokio::test]
async fn a_write_whose_deadline_passes_may_have_happened() {
    let (site, token, area) = without_majority().await;
    let mut raw = Raw::connect(site.address).await;
    let metadata = [
        ("authorization", &*token),
        ("grpc-timeout", "300m"),
        ("consorcio-consistency", "stale"),
    ];
    let publish = ask(
        "/consorcio.v1.News/Publish",
        framed(&post(area, "Uno")),
        &metadata,
    );
    let started = Instant::now();
    let answer = raw.call(publish).await;
    let took = started.elapsed();
    refused(&answer.status(), Code::DeadlineExceeded, "outcome-unknown");
    assert!(answer.status().message().contains("idempotency-key"));
    assert!(
        took >= Duration::from_millis(290) && took < PATIENCE,
        "{took:?}"
    );
    site.stop().await;
}

#[tokio::test]
async fn a_reading_whose_deadline_passes_did_nothing() {
    let (site, token, _) = without_majority().await;
    let mut raw = Raw::connect(site.address).await;
    let metadata = [
        ("authorization", &*token),
        ("grpc-timeout", "300000u"),
        ("consorcio-consistency", "linearizable"),
    ];
    let list = framed(&v1::ListAreasRequest::default());
    let answer = raw
        .call(ask("/consorcio.v1.News/ListAreas", list, &metadata))
        .await;
    refused(&answer.status(), Code::DeadlineExceeded, "deadline");
    site.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_deadline() {
    let site = Site::start().await;
    let token = format!("Bearer {}", site.member("ana").await);
    let mut raw = Raw::connect(site.address).await;
    let metadata = [("authorization", &*token), ("grpc-timeout", "400m")];
    let watch = framed(&v1::WatchEventsRequest::default());
    let answer = raw
        .call(ask("/consorcio.v1.Events/WatchEvents", watch, &metadata))
        .await;
    refused(&answer.status(), Code::DeadlineExceeded, "deadline");
    assert!(!answer.body.is_empty(), "the first cursor comes at once");
    site.stop().await;
}

#[tokio::test]
async fn what_is_no_time_is_refused() {
    let site = Site::start().await;
    let mut raw = Raw::connect(site.address).await;
    for text in ["1", "soon", "1s", "-1S"] {
        let version = framed(&v1::GetVersionRequest {});
        let version = ask(
            "/consorcio.v1.Cluster/GetVersion",
            version,
            &[("grpc-timeout", text)],
        );
        let answer = raw.call(version).await;
        refused(&answer.status(), Code::InvalidArgument, "malformed-request");
    }
    site.stop().await;
}
