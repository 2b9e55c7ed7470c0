//! What reaches the nodes, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use proxy::Limits;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::fake::Does;
use super::stand::{Stand, Wish, body, is_closed, read_until, status, until};

#[tokio::test]
async fn changes_go_to_the_leader_and_readings_to_the_followers_evenly() {
    let stand = Stand::start(Wish::default()).await;
    for _ in 0..5 {
        let made = stand.send("POST /v1/areas HTTP/1.1", "x").await;
        assert_eq!((status(&made), body(&made)), (200, "n1"));
    }
    for _ in 0..10 {
        assert_eq!(status(&stand.send("GET /v1/areas HTTP/1.1", "").await), 200);
    }
    assert_eq!(stand.asked(), [5, 5, 5]);
    *stand.cluster.leader.lock().unwrap() = Some("n2".to_owned());
    until("the new leader is found", async || {
        body(&stand.send("DELETE /x HTTP/1.1", "").await) == "n2"
    })
    .await;
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_with_the_address_it_came_from() {
    let stand = Stand::start(Wish::default()).await;
    let head = "PUT /v1/keys/a%2Fb?x=1&y=%20 HTTP/1.1
                authorization: Bearer t
                idempotency-key: k1
                cookie: a=1; b=2
                x-forwarded-for: 6.6.6.6
                keep-alive: 5";
    let answer = stand.send(head, "ñandú").await;
    assert!(
        answer.contains("\r\nvia: 1.1 consorcio-proxy\r\n"),
        "{answer}"
    );
    let taken = &stand.nodes[0].taken()[0];
    assert_eq!(taken.method, "PUT");
    assert_eq!(taken.path, "/v1/keys/a%2Fb?x=1&y=%20");
    assert_eq!(taken.body, "ñandú".as_bytes());
    for (name, value) in [
        ("host", "sur.lan"),
        ("authorization", "Bearer t"),
        ("idempotency-key", "k1"),
        ("cookie", "a=1; b=2"),
        ("content-length", "7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("via", "1.1 consorcio-proxy"),
    ] {
        assert_eq!(taken.headers[name], value, "{name}");
    }
    assert!(!taken.headers.contains_key("keep-alive"));
}

#[tokio::test]
async fn behind_another_proxy_the_address_is_the_one_that_it_tells() {
    let wish = Wish {
        trust_forwarded_for: true,
        ..Wish::default()
    };
    let stand = Stand::start(wish).await;
    let told = "GET /x HTTP/1.1
                x-forwarded-for: 6.6.6.6, 7.7.7.7";
    stand.send(told, "").await;
    stand.send("GET /x HTTP/1.1", "").await;
    let all: Vec<String> = stand.nodes[1..]
        .iter()
        .flat_map(|node| node.taken())
        .map(|taken| {
            taken.headers["x-forwarded-for"]
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(all.contains(&"6.6.6.6, 7.7.7.7".to_owned()), "{all:?}");
    assert!(all.contains(&"127.0.0.1".to_owned()), "{all:?}");
}

#[tokio::test]
async fn events_pass_as_they_come_and_end_when_the_proxy_stops() {
    let stand = Stand::start(Wish::default()).await;
    let (events, fed) = mpsc::unbounded_channel();
    let (other, fed_too) = mpsc::unbounded_channel();
    stand.nodes[1].does(Does::Streams(fed));
    stand.nodes[2].does(Does::Streams(fed_too));
    let mut stream = stand.open("GET /v1/events HTTP/1.1", "").await;
    for number in 0..3 {
        // Not before the one before has arrived: nothing is held back.
        let text = format!("id: {number}\n\n");
        for events in [&events, &other] {
            events.send(Bytes::from(text.clone())).unwrap();
        }
        read_until(&mut stream, &text).await;
    }
    stand.stop.cancel();
    read_until(&mut stream, "0\r\n\r\n").await;
}

#[tokio::test]
async fn a_long_body_passes_whole_though_it_is_not_kept() {
    let wish = Wish {
        limits: Limits {
            replay_bytes: 1000,
            ..Wish::default().limits
        },
        ..Wish::default()
    };
    let stand = Stand::start(wish).await;
    let long = "0123456789".repeat(100_000);
    let answer = stand.send("POST /x HTTP/1.1", &long).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(stand.nodes[0].taken()[0].body, long.as_bytes());
    assert_eq!(
        stand.nodes[0].taken()[0].headers["content-length"],
        "1000000"
    );

    // One whose length is not told is kept until it is too long.
    let mut stream = stand
        .open("POST /y HTTP/1.1\ntransfer-encoding: chunked", "")
        .await;
    let mut sent = String::new();
    for number in 0..200 {
        let chunk = format!("chunk number {number}");
        let framed = format!("{:x}\r\n{chunk}\r\n", chunk.len());
        stream.write_all(framed.as_bytes()).await.unwrap();
        sent += &chunk;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, "n1").await;
    assert_eq!(stand.nodes[0].taken()[1].body, sent.as_bytes());
}

#[tokio::test]
async fn what_is_too_slow_too_much_or_no_request_is_refused_in_words() {
    let wish = Wish {
        limits: Limits {
            body_timeout: Duration::from_millis(200),
            buffer_bytes: 4096,
            requests: 1,
            ..Wish::default().limits
        },
        ..Wish::default()
    };
    let stand = Stand::start(wish).await;
    let problem = |answer: &str| -> String {
        let problem: Value = serde_json::from_str(body(answer)).unwrap();
        assert_eq!(problem["status"], status(answer));
        problem["type"].as_str().unwrap().to_owned()
    };
    let mut slow = stand.open("POST /x HTTP/1.1\ncontent-length: 10", "").await;
    slow.write_all(b"12345").await.unwrap();
    let busy = stand.send("GET /x HTTP/1.1", "").await;
    assert_eq!(
        (status(&busy), problem(&busy)),
        (503, "/problems/busy".into())
    );
    let late = read_until(&mut slow, "}").await;
    assert_eq!(
        (status(&late), problem(&late)),
        (408, "/problems/request-timeout".into())
    );
    let much = stand.send("POST /x HTTP/1.1", &"x".repeat(5000)).await;
    assert_eq!(
        (status(&much), problem(&much)),
        (503, "/problems/busy".into())
    );
    let fits = stand.send("POST /x HTTP/1.1", &"x".repeat(3000)).await;
    assert_eq!(status(&fits), 200, "what was kept is let go: {fits}");
    let mut nonsense = stand.open("nonsense", "").await;
    read_until(&mut nonsense, "400 Bad Request").await;
    is_closed(&mut nonsense).await;
    assert_eq!(stand.asked()[0], 1);
}

#[tokio::test]
async fn a_node_of_another_cluster_gets_nothing_though_it_is_named_first() {
    let stand = Stand::start(Wish {
        with_stranger: true,
        ..Wish::default()
    })
    .await;
    for request in ["GET /x HTTP/1.1", "POST /x HTTP/1.1"].repeat(6) {
        assert_eq!(status(&stand.send(request, "").await), 200);
    }
    let stranger = stand.stranger.as_ref().unwrap();
    assert_eq!(stranger.taken().len(), 0);
    assert_eq!(stand.asked().iter().sum::<usize>(), 12);
    stand.knows(3).await;
}

#[tokio::test]
async fn a_proxy_tells_of_itself() {
    let mut stand = Stand::start(Wish::default()).await;
    let ready = stand.send("GET /health/ready HTTP/1.1", "").await;
    assert_eq!(status(&ready), 200);
    let health: Value = serde_json::from_str(body(&ready)).unwrap();
    assert_eq!(
        (&health["status"], &health["leader"]),
        (&"ready".into(), &"n1".into())
    );
    stand.send("GET /x HTTP/1.1", "").await;
    let metrics = stand.send("GET /metrics HTTP/1.1", "").await;
    assert!(
        metrics.contains("consorcio_proxy_requests_total{kind=\"reading\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("consorcio_proxy_node_ready{node=\"n2\"} 1"),
        "{metrics}"
    );
    for node in &mut stand.nodes {
        node.kill().await;
    }
    until("it is not ready", async || {
        status(&stand.send("GET /health/ready HTTP/1.1", "").await) == 503
    })
    .await;
    assert_eq!(
        status(&stand.send("GET /health/live HTTP/1.1", "").await),
        200
    );
}

#[tokio::test]
async fn who_never_reads_is_cut() {
    let wish = Wish {
        limits: Limits {
            write_stall: Duration::from_millis(500),
            ..Wish::default().limits
        },
        ..Wish::default()
    };
    let stand = Stand::start(wish).await;
    let mut feeders = Vec::new();
    for node in &stand.nodes[1..] {
        let (events, fed) = mpsc::unbounded_channel();
        node.does(Does::Streams(fed));
        feeders.push(events);
    }
    let stream = stand.open("GET /v1/events HTTP/1.1", "").await;
    let much = Bytes::from(vec![b'x'; 1024 * 1024]);
    for events in &feeders {
        for _ in 0..16 {
            events.send(much.clone()).unwrap();
        }
    }
    until("the reader that does not read is gone", async || {
        let metrics = stand.send("GET /metrics HTTP/1.1", "").await;
        // The one that asks is the last.
        metrics.contains("consorcio_proxy_connections{door=\"http\"} 1\n")
    })
    .await;
    drop(stream);
}
