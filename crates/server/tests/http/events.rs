//! The live stream of events.

use std::time::Duration;

use serde_json::json;

use crate::site::{Ask, PASSWORD, Site, Stream, config, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_live_and_in_order() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let mut stream = Stream::open(&site, "/v1/events", &ana, None).await;
    let opening = stream.next().await.unwrap();
    assert!(
        opening.retry.is_some() && opening.id.is_some(),
        "{opening:?}"
    );
    for title in ["uno", "dos"] {
        site.publish(&ana, area, title).await;
    }
    site.delete(&format!("/v1/areas/{area}/posts/1"), Some(&ana))
        .await;
    let (one, two, gone) = (
        stream.event().await,
        stream.event().await,
        stream.event().await,
    );
    assert_eq!(one.kind.as_deref(), Some("post.published"));
    let data = one.json();
    assert_eq!(
        (&data["title"], &data["author"]),
        (&json!("uno"), &json!("ana"))
    );
    assert_eq!((&data["area"], &data["post"]), (&json!(area), &json!(1)));
    assert_eq!(data["id"].as_str(), one.id.as_deref());
    assert_eq!(two.json()["title"], "dos");
    assert_eq!(gone.kind.as_deref(), Some("post.removed"));
    assert_eq!(gone.json()["hidden"], false);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_resumes_without_gap_or_repeat() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let mut stream = Stream::open(&site, "/v1/events", &ana, None).await;
    let opened_at = stream.next().await.unwrap().id.unwrap();
    site.publish(&ana, area, "1").await;
    let first = stream.event().await;
    drop(stream);
    for number in 2..=30 {
        site.publish(&ana, area, &number.to_string()).await;
    }
    let path = "/v1/events?kind=post.published";
    let mut resumed = Stream::open(&site, path, &ana, first.id.as_deref()).await;
    for number in 2..=30 {
        assert_eq!(resumed.event().await.json()["title"], number.to_string());
    }
    site.publish(&ana, area, "live again").await;
    assert_eq!(resumed.event().await.json()["title"], "live again");
    let by_query = format!("{path}&after={opened_at}");
    let mut resumed = Stream::open(&site, &by_query, &ana, None).await;
    assert_eq!(resumed.event().await.json()["title"], "1");
    let mut resumed = Stream::open(&site, &by_query, &ana, first.id.as_deref()).await;
    assert_eq!(
        resumed.event().await.json()["title"],
        "2",
        "the header goes first"
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_twice_while_readers_come_and_go_under_load() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let start = Stream::open(&site, "/v1/events", &ana, None)
        .await
        .next()
        .await
        .unwrap();
    let writing = async {
        for number in 0..200 {
            site.publish(&ana, area, &number.to_string()).await;
        }
    };
    let reading = async {
        let (mut last, mut seen) = (start.id.unwrap(), Vec::new());
        while seen.len() < 200 {
            let path = "/v1/events?kind=post.published";
            let mut stream = Stream::open(&site, path, &ana, Some(&last)).await;
            for _ in 0..7.min(200 - seen.len()) {
                let event = stream.event().await;
                seen.push(event.json()["title"].as_str().unwrap().to_owned());
                last = event.id.unwrap();
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(writing, reading);
    let wanted: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(seen, wanted);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_the_rest_and_the_cursor_still_moves() {
    let mut quick = config();
    quick.limits.heartbeat = Duration::from_millis(50);
    let site = Site::with(quick).await;
    let (obras, huerto) = (site.area("Obras").await, site.area("Huerto").await);
    let ana = site.member("ana").await;
    let path = "/v1/events?area=obras&kind=post.published&kind=post.removed";
    let mut stream = Stream::open(&site, path, &ana, None).await;
    let opened_at = stream.next().await.unwrap().id.unwrap();
    site.publish(&ana, huerto, "no").await;
    loop {
        let message = stream.next().await.unwrap();
        assert_eq!(message.data, None, "{message:?}");
        if let Some(id) = message.id {
            assert_ne!(id, opened_at);
            break;
        }
    }
    site.publish(&ana, obras, "si").await;
    assert_eq!(stream.event().await.json()["title"], "si");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_history_is_told_that_it_is_gone() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let mut stream = Stream::open(&site, "/v1/events", &ana, Some("99999999-0")).await;
    let gone = stream.event().await;
    assert_eq!(gone.kind.as_deref(), Some("gone"));
    assert!(gone.json()["oldest"].is_string(), "{gone:?}");
    assert_eq!(stream.next().await, None, "the stream ends");
    let ask = Ask::new("GET", "/v1/events")
        .token(Some(&ana))
        .header("Last-Event-ID", "x");
    site.send(ask).await.is_problem(422, "invalid");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_cut_and_the_others_are_not() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let mut quick = Stream::open(&site, "/v1/events?kind=post.published", &ana, None).await;
    // It sends its request and never reads. The sockets' buffers take what they can first.
    let mut slow = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let head = format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ana}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes())
        .await
        .unwrap();
    let title = "x".repeat(200);
    let cut = async || {
        let text = site.get("/metrics", None).await;
        text.text().contains("consorcio_event_readers_cut_total 1")
    };
    let publish = json!({ "title": title, "text": "x" }).to_string();
    let request = format!(
        "POST /v1/areas/{area}/posts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ana}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{publish}",
        publish.len()
    );
    let mut published = 0;
    while !cut().await {
        assert!(published < 60_000, "the slow reader is never cut");
        published += 500;
        pipeline(&site, &request, 500).await;
        for _ in 0..500 {
            assert_eq!(quick.event().await.json()["title"], title);
        }
        // What the kernel buffered lets the slow reader be polled again and see that it lags.
        let mut bytes = [0; 65536];
        let _ = slow.try_read(&mut bytes);
    }
    site.stop().await;
}

/// Sends a request many times over a few connections.
async fn pipeline(site: &Site, request: &str, times: usize) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let lanes = (0..20).map(|_| async {
        let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
        for _ in 0..times / 20 {
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let count = stream.read(&mut answer).await.unwrap();
            assert!(answer[..count].starts_with(b"HTTP/1.1 201"));
        }
    });
    futures_util::future::join_all(lanes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_the_session_and_with_the_node() {
    let mut quick = config();
    quick.limits.heartbeat = Duration::from_millis(20);
    let site = Site::with(quick).await;
    let ana = site.member("ana").await;
    let other = site.log_in("ana", PASSWORD).await;
    let mut ended = Stream::open(&site, "/v1/events", &other, None).await;
    assert_eq!(
        site.delete("/v1/sessions/current", Some(&other))
            .await
            .status,
        204
    );
    let mut last = None;
    while let Some(message) = ended.next().await {
        last = message.comment.or(last);
    }
    assert!(last.unwrap().contains("session"));

    let mut stopped = Stream::open(&site, "/v1/events", &ana, None).await;
    stopped.next().await.unwrap();
    site.shutdown.cancel();
    let mut last = None;
    while let Some(message) = stopped.next().await {
        last = message.comment.or(last);
    }
    assert!(last.unwrap().contains("stopping"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_bound_on_readers() {
    let mut small = config();
    small.limits.event_readers = 1;
    let site = Site::with(small).await;
    let ana = site.member("ana").await;
    let stream = Stream::open(&site, "/v1/events", &ana, None).await;
    let refused = site.get("/v1/events", Some(&ana)).await;
    refused.is_problem(503, "busy");
    assert!(refused.header("retry-after").is_some());
    drop(stream);
    until("a free seat", || async {
        let ask =
            format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ana}\r\n\r\n");
        let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, ask.as_bytes())
            .await
            .unwrap();
        let mut head = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head)
            .await
            .unwrap();
        &head == b"HTTP/1.1 200"
    })
    .await;
    site.stop().await;
}
