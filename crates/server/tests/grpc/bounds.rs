//! Bounds: what is too much is refused, what is silent or does not read is let go.

use std::time::{Duration, Instant};

use api::grpc::v1;
use server::{GrpcConfig, GrpcLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt;

use crate::raw::{Raw, ask, framed};
use crate::site::{PATIENCE, Site, config, eventually, open, post, refused, signed, with};

async fn limited(change: impl FnOnce(&mut GrpcLimits)) -> Site {
    let mut limits = GrpcLimits::default();
    change(&mut limits);
    Site::with(config(), GrpcConfig { limits, ..open() }).await
}

#[tokio::test]
async fn more_calls_than_a_node_takes_are_told_when_to_come_back() {
    let site = limited(|limits| limits.requests = 0).await;
    let busy = site.cluster().get_version(v1::GetVersionRequest {}).await;
    let busy = busy.unwrap_err();
    refused(&busy, Code::Unavailable, "busy");
    let details = busy.get_error_details();
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(wait >= Duration::from_millis(100), "{wait:?}");
    site.stop().await;
}

#[tokio::test]
async fn a_cancelled_stream_frees_its_seat() {
    let site = limited(|limits| limits.streams = 1).await;
    let ana = site.member("ana").await;
    let watch = || signed(&ana, v1::WatchEventsRequest::default());
    let first = site.events().watch_events(watch()).await.unwrap();
    let full = site.events().watch_events(watch()).await.unwrap_err();
    refused(&full, Code::Unavailable, "busy");
    drop(first);
    let again = || async { site.events().watch_events(watch()).await.is_ok() };
    eventually("the seat is free", again).await;
    site.stop().await;
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_closed() {
    let site = limited(|limits| limits.handshake = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let started = Instant::now();
    let end = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await;
    assert_eq!(end.unwrap().unwrap_or(0), 0);
    assert!(started.elapsed() >= Duration::from_millis(150));
    site.stop().await;
}

#[tokio::test]
async fn a_connection_that_gives_no_sign_of_life_is_closed() {
    let site = limited(|limits| {
        limits.keepalive = Duration::from_millis(200);
        limits.keepalive_timeout = Duration::from_millis(200);
    })
    .await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    // Empty settings, and then nothing: pings are not answered.
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "it is still open");
    site.stop().await;
}

#[tokio::test]
async fn a_connection_whose_answers_are_not_read_is_closed() {
    let site = limited(|limits| limits.write_stall = Duration::from_millis(400)).await;
    let area = site.area("Obras").await;
    let ana = site.member("ana").await;
    let long = v1::PublishRequest {
        text: "x".repeat(60_000),
        ..post(area, "Largo")
    };
    site.news().publish(signed(&ana, long)).await.unwrap();
    let mut raw = Raw::with_window(site.address, 1).await;
    let get = v1::GetPostRequest {
        area: crate::site::by_id(area),
        post: 1,
    };
    let token = format!("Bearer {ana}");
    let get = ask(
        "/consorcio.v1.News/GetPost",
        framed(&get),
        &[("authorization", &token)],
    );
    let _unread = raw.begin(get).await;
    let end = tokio::time::timeout(PATIENCE, raw.connection).await;
    assert!(end.is_ok(), "it is still open");
    // Others are not disturbed.
    site.cluster()
        .get_version(v1::GetVersionRequest {})
        .await
        .unwrap();
    site.stop().await;
}

#[tokio::test]
async fn further_connections_wait_their_turn() {
    let site = limited(|limits| limits.connections = 1).await;
    let version = || {
        let empty = framed(&v1::GetVersionRequest {});
        ask("/consorcio.v1.Cluster/GetVersion", empty, &[])
    };
    let mut first = Raw::connect(site.address).await;
    assert_eq!(first.call(version()).await.status().code(), Code::Ok);
    let mut second = Raw::connect(site.address).await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), second.call(version()));
    assert!(waiting.await.is_err(), "there is no seat");
    drop(first);
    let mut third = Raw::connect(site.address).await;
    drop(second);
    let served = tokio::time::timeout(PATIENCE, third.call(version())).await;
    assert_eq!(served.unwrap().status().code(), Code::Ok);
    site.stop().await;
}

#[tokio::test]
async fn strangers_leave_seats_for_members() {
    let limits = GrpcLimits {
        strangers_per_address: 2,
        ..GrpcLimits::default()
    };
    let grpc = GrpcConfig {
        require_session: true,
        limits,
    };
    let site = Site::with(config(), grpc).await;
    let ana = site.member("ana").await;
    let signed_in = || {
        let empty = framed(&v1::GetVersionRequest {});
        let token = format!("Bearer {ana}");
        let metadata = [("authorization", token.as_str())];
        ask("/consorcio.v1.Cluster/GetVersion", empty, &metadata)
    };
    // The site's own channel is a stranger until it shows its session.
    let version = signed(&ana, v1::GetVersionRequest {});
    site.cluster().get_version(version).await.unwrap();
    let (mut first, second) = (
        Raw::connect(site.address).await,
        Raw::connect(site.address).await,
    );
    assert!(is_closed(Raw::connect(site.address).await).await, "no seat");
    assert!(!second.connection.is_finished());
    assert_eq!(first.call(signed_in()).await.status().code(), Code::Ok);
    let mut third = Raw::connect(site.address).await;
    let nobody = ask(
        "/consorcio.v1.Cluster/GetVersion",
        framed(&v1::GetVersionRequest {}),
        &[],
    );
    let refused = third.call(nobody).await.status().code();
    assert_eq!(refused, Code::Unauthenticated);
    assert!(
        is_closed(Raw::connect(site.address).await).await,
        "it says nothing of itself"
    );
    drop((first, second, third));
    site.stop().await;
}

/// Whether the other side closes a connection soon.
async fn is_closed(raw: Raw) -> bool {
    let end = tokio::time::timeout(Duration::from_secs(2), raw.connection);
    end.await.is_ok()
}

#[tokio::test]
async fn what_metadata_says_of_an_address_is_not_believed() {
    let mut trusting = config();
    trusting.trust_forwarded_for = true;
    let site = Site::with(trusting, open()).await;
    site.member("ana").await;
    let mut codes = Vec::new();
    for number in 0..11 {
        let guess = v1::LogInRequest {
            name: "ana".to_owned(),
            password: "adivina adivinanza".to_owned(),
        };
        let from = format!("10.0.0.{number}");
        let guess = with("x-forwarded-for", &from, tonic::Request::new(guess));
        codes.push(site.accounts().log_in(guess).await.unwrap_err().code());
    }
    assert_eq!(codes[10], Code::ResourceExhausted, "{codes:?}");
    site.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_says_so_and_waits_for_nobody() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let watch = signed(&ana, v1::WatchEventsRequest::default());
    let mut stream = site
        .events()
        .watch_events(watch)
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(site.channel.clone());
    let watch = tonic_health::pb::HealthCheckRequest::default();
    let mut watched = health.watch(watch).await.unwrap().into_inner();
    let started = Instant::now();
    site.shutdown.cancel();
    let end = stream.message().await.unwrap_err();
    refused(&end, Code::Unavailable, "stopping");
    let end = loop {
        match watched.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no reason"),
            Err(end) => break end,
        }
    };
    refused(&end, Code::Unavailable, "stopping");
    site.stop().await;
    assert!(started.elapsed() < PATIENCE);
}
