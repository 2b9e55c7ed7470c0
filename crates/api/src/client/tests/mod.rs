//! The client against servers that fail in every way a node can.

#![allow(clippy::unwrap_used, clippy::panic)]

mod events;
mod fake;

use std::time::Duration;

use fake::{Act, Fake, Seen, nobody};
use tokio::time::Instant;

use super::{Client, Consistency, Error, parse_base};
use crate::types::{DrillFault, NewArea, NewDrill, NewPost};

/// A client of these endpoints only.
fn client(endpoints: &[&str]) -> Client {
    let builder = Client::builder()
        .learn(false)
        .deadline(Duration::from_secs(5));
    let builder = endpoints
        .iter()
        .fold(builder, |builder, url| builder.endpoint(*url));
    builder
        .attempt_timeout(Duration::from_millis(200))
        .build()
        .unwrap()
}

fn area(name: &str) -> NewArea {
    NewArea {
        name: name.into(),
        description: String::new(),
    }
}

fn made(id: i64) -> Act {
    Act::Answer(201, "", format!(r#"{{"id": {id}, "name": "Obras"}}"#))
}

fn problem(status: u16, kind: &str, retry_after_ms: Option<u64>) -> Act {
    let retry = retry_after_ms.map_or("null".into(), |ms| ms.to_string());
    let body = format!(
        r#"{{"type": "/problems/{kind}", "title": "T", "status": {status},
            "detail": "said {kind}", "retry_after_ms": {retry}}}"#
    );
    Act::Answer(status, "content-type: application/problem+json\r\n", body)
}

fn keys(fake: &Fake) -> Vec<String> {
    fake.seen()
        .iter()
        .map(|seen| seen.header("idempotency-key").unwrap())
        .collect()
}

#[tokio::test]
async fn a_refused_connection_goes_to_the_next_node() {
    let alive = Fake::start(|_, _| made(1)).await;
    let client = client(&[&nobody().await, &alive.base]);
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 1);
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 1);
    assert_eq!(alive.lines(), ["POST /v1/areas", "POST /v1/areas"]);
}

#[tokio::test]
async fn nobody_there_is_unreachable_at_the_deadline() {
    let client = client(&[&nobody().await]).with_deadline(Duration::from_millis(300));
    let start = Instant::now();
    let error = client.add_area(&area("Obras")).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_again_with_the_same_request_id() {
    // Both cuts look alike from outside: the request was processed before the second one.
    let first = Fake::start(|_, _| Act::Cut).await;
    let second = Fake::start(|_, before| if before == 0 { Act::Cut } else { made(9) }).await;
    let client = client(&[&first.base, &second.base]);
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 9);
    let mut ids = keys(&first);
    ids.extend(keys(&second));
    assert!(
        ids.len() >= 3 && ids.iter().all(|id| *id == ids[0] && id.len() == 32),
        "{ids:?}"
    );
    let bodies: Vec<String> = second.seen().into_iter().map(|seen| seen.body).collect();
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "the same request: {bodies:?}"
    );
}

#[tokio::test]
async fn a_drill_is_begun_at_most_once() {
    let drill = NewDrill {
        fault: DrillFault::Kill,
        seconds: 1,
        peers: vec![],
        delay_ms: None,
        skew_ms: None,
        confirmed: false,
    };
    let fake = Fake::start(|_, _| Act::Cut).await;
    let lost = client(&[&fake.base]).begin_drill(&drill).await;
    let lost = lost.unwrap_err();
    assert!(
        matches!(
            lost,
            Error::OutcomeUnknown {
                request_id: None,
                ..
            }
        ),
        "{lost}"
    );
    let seen = fake.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("idempotency-key"), None);
}

#[tokio::test]
async fn each_change_has_its_own_request_id_and_the_callers_is_kept() {
    let fake = Fake::start(|_, _| made(1)).await;
    let client = client(&[&fake.base]);
    client.add_area(&area("Obras")).await.unwrap();
    client.add_area(&area("Obras")).await.unwrap();
    client
        .with_request_id("mine")
        .add_area(&area("Obras"))
        .await
        .unwrap();
    let ids = keys(&fake);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[2], "mine");
}

#[tokio::test]
async fn an_answer_lost_until_the_deadline_is_an_unknown_outcome() {
    let fake = Fake::start(|_, _| Act::Hang).await;
    let client = client(&[&fake.base]).with_deadline(Duration::from_millis(500));
    let change = client
        .with_request_id("k1")
        .add_area(&area("Obras"))
        .await
        .unwrap_err();
    assert!(
        matches!(&change, Error::OutcomeUnknown { request_id: Some(id), .. } if id == "k1"),
        "{change}"
    );
    let reading = client.areas().await.unwrap_err();
    assert!(
        matches!(reading, Error::Unreachable { .. }),
        "a reading changes nothing: {reading}"
    );
}

#[tokio::test]
async fn a_gateway_that_lost_the_answer_is_asked_again() {
    for status in [502, 504] {
        let fake = Fake::start(move |_, before| match before {
            0 => Act::Answer(status, "", "<html>".into()),
            _ => made(4),
        });
        let fake = fake.await;
        assert_eq!(
            client(&[&fake.base])
                .add_area(&area("Obras"))
                .await
                .unwrap()
                .id,
            4
        );
        let ids = keys(&fake);
        assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    }
}

#[tokio::test]
async fn retry_after_is_honoured_on_the_node_that_said_it() {
    let busy = Fake::start(|_, before| match before {
        0 => problem(503, "busy", Some(400)),
        _ => made(2),
    });
    let busy = busy.await;
    let start = Instant::now();
    assert_eq!(
        client(&[&busy.base])
            .add_area(&area("Obras"))
            .await
            .unwrap()
            .id,
        2
    );
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );

    let seconds = Fake::start(|_, before| match before {
        0 => Act::Answer(503, "retry-after: 1\r\n", String::new()),
        _ => made(3),
    });
    let seconds = seconds.await;
    let start = Instant::now();
    assert_eq!(
        client(&[&seconds.base])
            .add_area(&area("Obras"))
            .await
            .unwrap()
            .id,
        3
    );
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn while_one_node_asks_to_wait_another_is_tried() {
    let busy = Fake::start(|_, _| problem(503, "busy", Some(60_000))).await;
    let free = Fake::start(|_, _| made(2)).await;
    let start = Instant::now();
    let client = client(&[&busy.base, &free.base]);
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 2);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_change_of_leader_is_waited_out() {
    // For a while no node knows a leader; then one of them does.
    let start = Instant::now();
    let election = move |_: &Seen, _: usize| {
        let over = start.elapsed() > Duration::from_millis(400);
        if over {
            made(5)
        } else {
            problem(503, "no-leader", None)
        }
    };
    let nodes = [Fake::start(election).await, Fake::start(election).await];
    let client = client(&[&nodes[0].base, &nodes[1].base]);
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 5);
    let tries = nodes[0].seen().len() + nodes[1].seen().len();
    assert!(
        (3..20).contains(&tries),
        "backs off, and comes back: {tries}"
    );
}

#[tokio::test]
async fn without_a_leader_until_the_deadline_the_problem_is_told() {
    let fake = Fake::start(|_, _| problem(503, "no-leader", None)).await;
    let client = client(&[&fake.base]).with_deadline(Duration::from_millis(300));
    let error = client.add_area(&area("Obras")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(p) if p.kind == "/problems/no-leader"),
        "{error}"
    );

    let unknown = Fake::start(|_, _| problem(503, "outcome-unknown", None)).await;
    let client = self::client(&[&unknown.base]).with_deadline(Duration::from_millis(300));
    let error = client.add_area(&area("Obras")).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_is_final_and_keeps_its_problem() {
    let fake = Fake::start(|_, _| problem(403, "forbidden", None)).await;
    let error = client(&[&fake.base])
        .add_area(&area("Obras"))
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert_eq!(error.problem().unwrap().kind, "/problems/forbidden");
    assert_eq!(error.to_string(), "said forbidden");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_stranger_that_listens_there_is_told_apart() {
    let stranger = Fake::start(|_, _| Act::Answer(404, "", "<html>not here</html>".into())).await;
    let error = client(&[&stranger.base]).areas().await.unwrap_err();
    assert!(matches!(error, Error::Unintelligible { .. }), "{error}");
    let stranger = Fake::start(|_, _| Act::Answer(200, "", "hello".into())).await;
    let error = client(&[&stranger.base]).areas().await.unwrap_err();
    assert!(matches!(error, Error::Unintelligible { .. }), "{error}");
}

#[tokio::test]
async fn the_newest_index_goes_along_to_every_node() {
    let body = r#"{"id": 1, "area": 7, "at": "2026-03-01T18:30:00Z"}"#;
    let written = Act::Answer(201, "consorcio-index: 41\r\n", body.into());
    let first = Fake::start(move |_, before| {
        if before == 0 {
            written.clone()
        } else {
            Act::Cut
        }
    });
    let first = first.await;
    let areas = Act::Answer(200, "consorcio-index: 40\r\n", r#"{"areas": []}"#.into());
    let second = Fake::start(move |_, _| areas.clone()).await;
    let client = client(&[&first.base, &second.base]).with_token("t0k3n");
    let post = NewPost {
        title: "Agua".into(),
        text: "Corte".into(),
    };
    client.publish("7", &post).await.unwrap();
    client
        .with_consistency(Consistency::Linearizable)
        .areas()
        .await
        .unwrap();
    let reading = &second.seen()[0];
    assert_eq!(reading.header("consorcio-index").as_deref(), Some("41"));
    assert_eq!(
        reading.header("consorcio-consistency").as_deref(),
        Some("linearizable")
    );
    assert_eq!(
        reading.header("authorization").as_deref(),
        Some("Bearer t0k3n")
    );
    assert_eq!(client.index(), 41, "an older answer does not turn it back");
}

#[tokio::test]
async fn logging_out_twice_is_logging_out() {
    let fake = Fake::start(|_, _| problem(401, "not-signed-in", None)).await;
    client(&[&fake.base])
        .with_token("t")
        .log_out()
        .await
        .unwrap();
    assert_eq!(fake.lines(), ["DELETE /v1/sessions/current"]);
}

/// A cluster's document with these front doors.
fn cluster(nodes: &[&str]) -> String {
    let node = |(place, url): (usize, &&str)| {
        format!(
            r#"{{"name": "n{place}", "id": "0", "role": "follower", "http": "{url}", "peer": "p",
                "healthy": true, "last_contact_ms": 0, "round_trip_us": null, "applied": 1,
                "state_hash": "", "areas": []}}"#
        )
    };
    let nodes: Vec<String> = nodes.iter().enumerate().map(node).collect();
    format!(
        r#"{{"id": "c", "node": "n0", "leader": "n0", "term": 1, "committed": 1, "applied": 1,
            "state_hash": "", "ready": true, "nodes": [{}]}}"#,
        nodes.join(",")
    )
}

#[tokio::test]
async fn it_learns_the_members_and_survives_the_one_it_was_given() {
    let second = Fake::start(|_, _| made(2)).await;
    let members = cluster(&["http://127.0.0.1:1", &second.base]);
    let first = Fake::start(move |seen, _| match seen.line.as_str() {
        "GET /v1/cluster" => Act::Answer(200, "", members.clone()),
        _ => Act::Cut,
    });
    let first = first.await;
    let client = Client::builder().endpoint(&first.base).build().unwrap();
    client.learn_members().await.unwrap();
    assert_eq!(
        client.endpoints(),
        [first.base.as_str(), "http://127.0.0.1:1", &second.base]
    );
    assert_eq!(client.add_area(&area("Obras")).await.unwrap().id, 2);
}

#[tokio::test]
async fn an_area_is_asked_where_it_is_assigned() {
    let posts = r#"{"posts": [], "next": null}"#;
    let owner = Fake::start(move |_, _| Act::Answer(200, "", posts.into())).await;
    let members = cluster(&[&owner.base]);
    let route = format!(
        r#"{{"area": 7, "nodes": [
            {{"name": "n1", "http": "{}", "assigned": true, "leader": false}}]}}"#,
        owner.base
    );
    let first = Fake::start(move |seen, _| match seen.line.as_str() {
        "GET /v1/route/areas/Obras" => Act::Answer(200, "", route.clone()),
        _ => Act::Answer(200, "", members.clone()),
    });
    let first = first.await;
    let client = Client::builder().endpoint(&first.base).build().unwrap();
    client.learn_members().await.unwrap();
    for _ in 0..2 {
        client
            .posts("Obras", super::PostsQuery::default())
            .await
            .unwrap();
    }
    assert_eq!(owner.lines(), ["GET /v1/areas/Obras/posts"; 2]);
    let routes = first
        .lines()
        .iter()
        .filter(|line| line.contains("/route/"))
        .count();
    assert_eq!(routes, 1, "the route is remembered");
}

#[test]
fn an_endpoint_is_an_http_url_with_a_host() {
    assert_eq!(
        &*parse_base("http://localhost:8080/").unwrap(),
        "http://localhost:8080"
    );
    assert_eq!(&*parse_base("http://[::1]:80").unwrap(), "http://[::1]:80");
    for bad in [
        "",
        "localhost:8080",
        "https://a",
        "ftp://a",
        "http://a/b",
        "http://u:p@a",
        "://",
    ] {
        let error = parse_base(bad).unwrap_err();
        assert!(error.to_string().starts_with("the endpoint"), "{error}");
    }
    assert!(Client::builder().build().is_err());
}

#[tokio::test]
async fn a_node_of_another_cluster_is_left_for_one_that_is_meant() {
    let stranger = Fake::start(|_, _| problem(421, "wrong-cluster", None)).await;
    let ours = Fake::start(|_, _| made(1)).await;
    let build = |endpoints: &[&str]| {
        let builder = Client::builder().learn(false).cluster(Some("c1".into()));
        let with = |builder: super::Builder, url: &&str| builder.endpoint(*url);
        endpoints.iter().fold(builder, with).build().unwrap()
    };
    let both = build(&[&stranger.base, &ours.base]);
    for _ in 0..2 {
        assert_eq!(both.add_area(&area("Obras")).await.unwrap().id, 1);
    }
    assert_eq!(stranger.seen().len(), 1, "it is not asked again");
    let seen = ours.seen();
    let told: Vec<_> = seen.iter().map(|s| s.header("consorcio-cluster")).collect();
    assert_eq!(told, [Some("c1".into()), Some("c1".into())]);

    let start = Instant::now();
    let error = build(&[&stranger.base]).add_area(&area("Obras")).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(p) if p.status == 421),
        "{error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(2), "said at once");
}
