//! The event stream across nodes.

use super::super::EventFilter;
use super::fake::{Act, Fake, Seen};
use super::{client, problem};
use crate::client::Error;

/// A message with an event.
fn event(id: &str) -> String {
    format!(
        "id: {id}\nevent: post.published\ndata: {{\"id\": \"{id}\", \
         \"kind\": \"post.published\", \"at\": \"2026-03-01T18:30Z\"}}\n\n"
    )
}

fn cursor(seen: &Seen) -> Option<String> {
    seen.header("last-event-id")
}

#[tokio::test]
async fn it_goes_on_with_another_node_without_gap_or_repetition() {
    let first = Fake::start(|_, _| Act::Stream("", event("5-0") + &event("6-0"))).await;
    // The second node starts a little earlier, and cuts its first message short.
    let second = Fake::start(|_, before| match before {
        0 => Act::Stream("", event("6-0") + &event("6-1") + "id: 7-0\ndata: {"),
        _ => Act::Stream("", event("7-0")),
    });
    let second = second.await;
    let client = client(&[&first.base, &second.base]);
    let mut stream = client.events(EventFilter::default(), Some("4-0")).unwrap();
    let mut ids = Vec::new();
    while ids.len() < 4 {
        ids.push(stream.next().await.unwrap().id);
    }
    assert_eq!(ids, ["5-0", "6-0", "6-1", "7-0"]);
    assert_eq!(stream.cursor().as_deref(), Some("7-0"));
    assert_eq!(cursor(&first.seen()[0]).as_deref(), Some("4-0"));
    assert_eq!(cursor(&second.seen()[0]).as_deref(), Some("6-0"));
}

#[tokio::test]
async fn a_stream_cut_before_its_first_event_resumes_where_it_began() {
    let first = Fake::start(|_, _| Act::Stream("consorcio-index: 41\r\n", ": hi\n\n".into())).await;
    let second = Fake::start(|_, _| Act::StreamOn("consorcio-index: 50\r\n", event("42-0"))).await;
    let client = client(&[&first.base, &second.base]);
    let mut stream = client.events(EventFilter::default(), None).unwrap();
    assert_eq!(stream.next().await.unwrap().id, "42-0");
    assert_eq!(cursor(&first.seen()[0]), None);
    assert_eq!(cursor(&second.seen()[0]), Some(format!("41-{}", u32::MAX)));
}

#[tokio::test]
async fn an_id_without_data_moves_the_cursor() {
    let fake = Fake::start(|_, _| Act::Stream("", format!("id: 9-0\n\n{}", event("9-1")))).await;
    let client = client(&[&fake.base]);
    let mut stream = client.events(EventFilter::default(), Some("8-0")).unwrap();
    assert_eq!(stream.next().await.unwrap().id, "9-1");
}

#[tokio::test]
async fn history_that_is_gone_is_said_and_what_is_kept_can_be_followed() {
    let fake = Fake::start(|seen, _| match cursor(seen).as_deref() {
        Some("1-0") => Act::Stream("", "event: gone\ndata: {\"oldest\": \"30-0\"}\n\n".into()),
        _ => Act::Stream("", event("31-0")),
    });
    let fake = fake.await;
    let mut stream = client(&[&fake.base])
        .events(EventFilter::default(), Some("1-0"))
        .unwrap();
    let error = stream.next().await.unwrap_err();
    assert_eq!(
        error,
        Error::HistoryGone {
            oldest: "30-0".into()
        }
    );
    assert_eq!(stream.next().await.unwrap().id, "31-0");
    assert_eq!(cursor(&fake.seen()[1]).as_deref(), Some("30-0"));
}

#[tokio::test]
async fn a_busy_node_is_passed_over_and_a_refusal_is_told() {
    let busy = Fake::start(|_, _| problem(503, "busy", Some(60_000))).await;
    let free = Fake::start(|_, _| Act::StreamOn("", event("1-0"))).await;
    let client = client(&[&busy.base, &free.base]);
    let filter = EventFilter {
        area: Some("Obras y más".into()),
        kind: None,
        ..EventFilter::default()
    };
    let mut stream = client.events(filter, Some("0-0")).unwrap();
    assert_eq!(stream.next().await.unwrap().id, "1-0");
    assert_eq!(free.lines(), ["GET /v1/events?area=Obras%20y%20m%C3%A1s"]);

    let closed = Fake::start(|_, _| problem(401, "not-signed-in", None)).await;
    let client = super::client(&[&closed.base]);
    let error = client
        .events(EventFilter::default(), None)
        .unwrap()
        .next()
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(401));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_at_once() {
    let client = client(&["http://127.0.0.1:1"]);
    let error = client
        .events(EventFilter::default(), Some("soon"))
        .unwrap_err();
    assert!(error.to_string().contains("1042-3"), "{error}");
}
