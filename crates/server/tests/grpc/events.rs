//! The live stream: in order, from any cursor on, on any node.

use std::time::Duration;

use api::grpc::v1;
use api::grpc::v1::event::What;
use api::grpc::v1::watch_events_response::Message;
use futures_util::StreamExt;
use server::{Config, Limits};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use crate::site::{PATIENCE, Site, config, fields, open, post, refused, signed};

type Events = Streaming<v1::WatchEventsResponse>;

fn after(cursor: &str) -> v1::WatchEventsRequest {
    v1::WatchEventsRequest {
        after: cursor.to_owned(),
        ..v1::WatchEventsRequest::default()
    }
}

async fn watch(site: &Site, token: &str, ask: v1::WatchEventsRequest) -> Events {
    let stream = site.events().watch_events(signed(token, ask)).await;
    stream.unwrap().into_inner()
}

async fn message(stream: &mut Events) -> Message {
    let next = tokio::time::timeout(PATIENCE, stream.message());
    let said = next.await.expect("a message").unwrap();
    said.expect("no end").message.expect("something")
}

/// The next event, past signs of life.
async fn event(stream: &mut Events) -> v1::Event {
    loop {
        if let Message::Event(event) = message(stream).await {
            return event;
        }
    }
}

async fn progress(stream: &mut Events) -> String {
    match message(stream).await {
        Message::Progress(progress) => progress.cursor,
        other => panic!("{other:?}"),
    }
}

fn title(event: &v1::Event) -> &str {
    match &event.what {
        Some(What::PostPublished(post)) => &post.title,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_happens_is_told_in_full() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let mut stream = watch(&site, &ana, after("")).await;
    let start = progress(&mut stream).await;
    let area = site.area("Obras").await;
    let post = site.publish(&ana, area, "Uno").await;
    let added = event(&mut stream).await;
    assert_eq!(added.kind, "area.added");
    let name = "Obras".to_owned();
    assert_eq!(
        added.what,
        Some(What::AreaAdded(v1::AreaChanged { area, name }))
    );
    let told = event(&mut stream).await;
    assert_eq!(told.kind, "post.published");
    let published = v1::PostPublished {
        area,
        post,
        title: "Uno".to_owned(),
        author: "ana".to_owned(),
    };
    assert_eq!(told.what, Some(What::PostPublished(published)));
    assert!(told.at.unwrap().seconds > 1_700_000_000);
    // From where it began, all comes again and nothing else.
    let mut again = watch(&site, &ana, after(&start)).await;
    assert_eq!(event(&mut again).await, added);
    assert_eq!(event(&mut again).await, told);
    site.stop().await;
}

#[tokio::test]
async fn a_stream_goes_on_at_another_node() {
    let site = Site::start().await;
    let other = Site::node("n2", Some(&site), config(), open()).await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let mut stream = watch(&site, &ana, after("")).await;
    progress(&mut stream).await;
    for number in 0..10 {
        site.publish(&ana, area, &number.to_string()).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for _ in 0..5 {
        let event = event(&mut stream).await;
        seen.push(title(&event).to_owned());
        cursor = event.id;
    }
    drop(stream);
    let mut stream = watch(&other, &ana, after(&cursor)).await;
    for number in 10..15 {
        site.publish(&ana, area, &number.to_string()).await;
    }
    while seen.len() < 15 {
        seen.push(title(&event(&mut stream).await).to_owned());
    }
    let all: Vec<String> = (0..15).map(|number| number.to_string()).collect();
    assert_eq!(seen, all);
    drop(stream);
    other.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn filters_leave_out_the_rest_and_move_the_cursor() {
    let quick = Config {
        limits: Limits {
            heartbeat: Duration::from_millis(100),
            ..Limits::default()
        },
        ..config()
    };
    let site = Site::with(quick, open()).await;
    let ana = site.member("ana").await;
    let (works, water) = (site.area("Obras").await, site.area("Agua").await);
    let filter = v1::WatchEventsRequest {
        areas: vec![works],
        kinds: vec!["post.published".to_owned()],
        ..v1::WatchEventsRequest::default()
    };
    let mut stream = watch(&site, &ana, filter).await;
    let start = progress(&mut stream).await;
    site.publish(&ana, water, "Fuera").await;
    let mut cursor = start.clone();
    while cursor == start {
        cursor = progress(&mut stream).await;
    }
    site.publish(&ana, works, "Dentro").await;
    assert_eq!(title(&event(&mut stream).await), "Dentro");
    // What a sign of life said is a place to go on from.
    let mut stream = watch(&site, &ana, after(&cursor)).await;
    assert_eq!(title(&event(&mut stream).await), "Dentro");
    site.stop().await;
}

#[tokio::test]
async fn a_history_that_is_not_there_is_said_to_be_gone() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let mut stream = watch(&site, &ana, after("99999999-0")).await;
    let end = stream.message().await.unwrap_err();
    refused(&end, Code::OutOfRange, "history-gone");
    let details = end.get_error_details();
    let oldest = &details.error_info().unwrap().metadata["oldest"];
    assert!(oldest.contains('-'), "{oldest}");
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let wrong = [
        (after("yesterday"), "after"),
        (
            v1::WatchEventsRequest {
                kinds: vec!["post.eaten".to_owned()],
                ..after("")
            },
            "kinds",
        ),
        (
            v1::WatchEventsRequest {
                polls: vec![1; 51],
                ..after("")
            },
            "polls",
        ),
    ];
    for (ask, field) in wrong {
        let refusal = site.events().watch_events(signed(&ana, ask)).await;
        let refusal = refusal.unwrap_err();
        refused(&refusal, Code::InvalidArgument, "invalid");
        assert_eq!(fields(&refusal), [field]);
    }
    let nowhere = v1::WatchEventsRequest {
        areas: vec![99],
        ..after("")
    };
    let nowhere = site.events().watch_events(signed(&ana, nowhere)).await;
    refused(&nowhere.unwrap_err(), Code::NotFound, "not-found");
    let nobody = site.events().watch_events(after("")).await;
    refused(&nobody.unwrap_err(), Code::Unauthenticated, "not-signed-in");
    site.stop().await;
}

#[tokio::test]
async fn a_session_that_ends_ends_its_streams() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let mut stream = watch(&site, &ana, after("")).await;
    let all = v1::WatchKeysRequest {
        target: Some(v1::watch_keys_request::Target::Prefix(Default::default())),
        ..v1::WatchKeysRequest::default()
    };
    let keys = site.store().watch_keys(signed(&ana, all)).await;
    let mut keys = keys.unwrap().into_inner();
    let leave = signed(&ana, v1::LogOutRequest::default());
    site.accounts().log_out(leave).await.unwrap();
    // Less than a heartbeat, also on a busy machine.
    let soon = Duration::from_secs(5);
    let ended = tokio::time::timeout(soon, async {
        (end(&mut stream).await, end(&mut keys).await)
    });
    let (end, of_keys) = ended.await.unwrap();
    refused(&end, Code::Unauthenticated, "not-signed-in");
    refused(&of_keys, Code::Unauthenticated, "not-signed-in");
    site.stop().await;
}

/// Why a stream ends.
async fn end<T>(stream: &mut Streaming<T>) -> Status {
    loop {
        match stream.message().await {
            Ok(said) => assert!(said.is_some(), "no reason"),
            Err(end) => return end,
        }
    }
}

#[tokio::test]
async fn whoever_reads_too_slowly_is_cut_and_misses_nothing() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let mut stream = watch(&site, &ana, after("")).await;
    progress(&mut stream).await;
    // More than what waits on the way and in the node's own memory.
    let count = 2_400;
    let name = |number: usize| format!("{number:0200}");
    let publish = |number| {
        let (mut news, ask) = (site.news(), signed(&ana, post(area, &name(number))));
        async move { news.publish(ask).await.map(|_| ()) }
    };
    let published = futures_util::stream::iter(0..count)
        .map(publish)
        .buffer_unordered(64);
    published.for_each(|done| async { done.unwrap() }).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let end = loop {
        match stream.message().await {
            Ok(Some(said)) => {
                if let Some(Message::Event(event)) = said.message {
                    seen.push(title(&event).to_owned());
                    cursor = event.id;
                }
            }
            Ok(None) => panic!("no reason"),
            Err(end) => break end,
        }
    };
    refused(&end, Code::Aborted, "cut");
    assert!(seen.len() < count, "it was not cut");
    let mut stream = watch(&site, &ana, after(&cursor)).await;
    while seen.len() < count {
        seen.push(title(&event(&mut stream).await).to_owned());
    }
    seen.sort();
    let all: Vec<String> = (0..count).map(name).collect();
    assert_eq!(seen, all);
    site.stop().await;
}
