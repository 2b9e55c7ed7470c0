//! More than a node takes, and slower than it waits for.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Answer, Ask, PASSWORD, Site, config, until};

#[tokio::test(flavor = "multi_thread")]
async fn past_the_bound_of_requests_the_answer_is_busy() {
    let mut small = config();
    small.limits.requests = 1;
    let site = Site::with(small).await;
    // One request takes the only place: its body does not come.
    let mut waiting = TcpStream::connect(site.address).await.unwrap();
    let head = "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Content-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    waiting.write_all(head.as_bytes()).await.unwrap();
    // It is asked for its body: so it has been let in.
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    waiting.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"));
    let refused = site.get("/v1/cluster", None).await;
    refused.is_problem(503, "busy");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(waiting);
    until("room", || async {
        site.get("/health/live", None).await.status == 200
    })
    .await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_slowly_is_cut() {
    let mut hasty = config();
    hasty.limits.head_timeout = Duration::from_millis(200);
    hasty.limits.body_timeout = Duration::from_millis(200);
    let site = Site::with(hasty).await;
    let mut loris = TcpStream::connect(site.address).await.unwrap();
    loris
        .write_all(b"GET /v1/cluster HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    let started = Instant::now();
    let mut rest = Vec::new();
    loris.read_to_end(&mut rest).await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the head timeout cuts"
    );

    let slow_body = "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\"";
    site.raw(slow_body.as_bytes())
        .await
        .is_problem(408, "request-timeout");
    let truncated = "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\"";
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(truncated.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    if !answer.is_empty() {
        Answer::parse(&answer).is_problem(400, "malformed-request");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_bound_wait_for_a_seat() {
    let mut small = config();
    small.limits.connections = 2;
    small.limits.head_timeout = Duration::from_millis(300);
    let site = Site::with(small).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(site.address).await.unwrap());
    }
    // The idle ones are let go after the head timeout, and then this one has its turn.
    assert_eq!(site.get("/health/live", None).await.status, 200);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_finishes_what_is_at_work_and_takes_nothing_new() {
    let site = Site::start().await;
    let mut at_work = TcpStream::connect(site.address).await.unwrap();
    let body = json!({ "name": "ana", "password": PASSWORD }).to_string();
    let (first, rest) = body.split_at(10);
    let head = format!(
        "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{first}",
        body.len()
    );
    at_work.write_all(head.as_bytes()).await.unwrap();
    until("the request to be at work", || async {
        let text = site.get("/metrics", None).await;
        text.text().contains("consorcio_http_requests_at_work 2")
    })
    .await;
    site.shutdown.cancel();
    until("the port to close", || async {
        TcpStream::connect(site.address).await.is_err()
    })
    .await;
    at_work.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    at_work.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Answer::parse(&answer).status, 201);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_reused() {
    let site = Site::start().await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = vec![0; 4096];
        let count = stream.read(&mut answer).await.unwrap();
        assert_eq!(Answer::parse(&answer[..count]).status, 200);
    }
    let last = Ask::new("GET", "/health/live").bytes();
    stream.write_all(&last).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Answer::parse(&answer).status, 200);
    site.stop().await;
}
