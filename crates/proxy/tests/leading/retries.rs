//! Nodes that die, stand still, lose answers or cannot serve.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fake::Does;
use super::stand::{Stand, Wish, body, is_closed, read_until, status};

const KEYED: &str = "POST /x HTTP/1.1\nidempotency-key: k1";
const PLAIN: &str = "POST /x HTTP/1.1";
const READING: &str = "GET /x HTTP/1.1";

/// The kind of problem that an answer tells.
fn kind(answer: &str) -> String {
    let problem: Value = serde_json::from_str(body(answer)).unwrap();
    problem["type"].as_str().unwrap().to_owned()
}

fn problem(kind: &str) -> Does {
    let text = json!({
        "type": format!("/problems/{kind}"), "title": "x", "status": 503, "detail": "x",
    });
    Does::Answers(503, "application/problem+json", text.to_string())
}

#[tokio::test]
async fn whoever_is_killed_is_left_out_and_nothing_fails() {
    let mut stand = Stand::start(Wish::default()).await;
    stand.nodes[0].kill().await;
    // Nothing of it was sent, so also this may go to another.
    assert_eq!(status(&stand.send(PLAIN, "a").await), 200);
    for _ in 0..10 {
        assert_eq!(status(&stand.send(READING, "").await), 200);
    }
    stand.nodes[1].kill().await;
    for request in [READING, KEYED, PLAIN] {
        let answer = stand.send(request, "").await;
        assert_eq!((status(&answer), body(&answer)), (200, "n3"), "{request}");
    }
    stand.nodes[2].kill().await;
    let answer = stand.send(READING, "").await;
    assert_eq!(
        (status(&answer), kind(&answer)),
        (503, "/problems/no-leader".into())
    );
    assert!(answer.contains("retry-after: 1"), "{answer}");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_if_that_does_no_harm() {
    let stand = Stand::start(Wish::default()).await;
    stand.nodes[1].does(Does::Breaks);
    stand.nodes[2].does(Does::Breaks);
    let answer = stand.send(READING, "").await;
    assert_eq!(
        (status(&answer), body(&answer)),
        (200, "n1"),
        "the last one left"
    );

    stand.nodes[0].does(Does::Breaks);
    let answer = stand.send(KEYED, "all of it").await;
    assert_eq!(status(&answer), 200);
    let again = stand.nodes[1]
        .taken()
        .into_iter()
        .chain(stand.nodes[2].taken());
    let again = again.filter(|taken| taken.method == "POST").last().unwrap();
    assert_eq!(
        (&*again.body, again.headers["idempotency-key"].as_bytes()),
        (&b"all of it"[..], &b"k1"[..])
    );

    let before: usize = stand.asked().iter().sum();
    stand.nodes[0].does(Does::Breaks);
    let answer = stand.send(PLAIN, "once").await;
    assert_eq!(
        (status(&answer), kind(&answer)),
        (502, "/problems/outcome-unknown".into())
    );
    assert_eq!(
        stand.asked().iter().sum::<usize>(),
        before + 1,
        "it was sent once"
    );
}

#[tokio::test]
async fn a_visit_counts_once_though_it_is_only_a_look() {
    let mut stand = Stand::start(Wish::default()).await;
    for path in ["/hits/home", "/hits/home.svg", "/hits/home/badge.svg"] {
        for more in ["", "\nidempotency-key: k1"] {
            let before: usize = stand.asked().iter().sum();
            stand.nodes[0].does(Does::Breaks);
            let look = format!("GET {path} HTTP/1.1{more}");
            let answer = stand.send(&look, "").await;
            let told = (status(&answer), kind(&answer));
            assert_eq!(told, (502, "/problems/outcome-unknown".into()), "{look}");
            assert_eq!(stand.asked().iter().sum::<usize>(), before + 1, "{look}");
        }
    }
    // What surely did nothing goes to another.
    stand.nodes[0].does(problem("no-leader"));
    assert_eq!(
        status(&stand.send("GET /hits/home HTTP/1.1", "").await),
        200
    );
    stand.nodes[0].kill().await;
    assert_eq!(
        status(&stand.send("GET /hits/home HTTP/1.1", "").await),
        200
    );
}

#[tokio::test]
async fn a_slow_answer_leaves_its_node_in_rotation() {
    let stand = Stand::start(Wish::default()).await;
    let (events, fed) = mpsc::unbounded_channel();
    stand.nodes[0].does(Does::Streams(fed));
    let mut stream = stand.open(PLAIN, "x").await;
    stand.nodes[0].pause();
    // Longer than one question may take, shorter than the silence of a dead one.
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    stand.knows(3).await;
    stand.nodes[0].resume();
    events.send(Bytes::from_static(b"still here")).unwrap();
    read_until(&mut stream, "still here").await;
    stand.knows(3).await;
}

#[tokio::test]
async fn a_node_that_has_done_nothing_gives_way_to_another() {
    let stand = Stand::start(Wish::default()).await;
    for kind in ["no-leader", "stopping", "outvoted", "removed", "behind"] {
        stand.nodes[0].does(problem(kind));
        let answer = stand.send(PLAIN, "x").await;
        assert_eq!(status(&answer), 200, "{kind}");
        assert_ne!(body(&answer), "n1");
    }
    // It is busy: asking another would only move the load.
    stand.nodes[0].does(problem("busy"));
    let answer = stand.send(PLAIN, "x").await;
    assert_eq!(
        (status(&answer), kind(&answer)),
        (503, "/problems/busy".into())
    );
    // It does not know what came of it.
    stand.nodes[0].does(problem("outcome-unknown"));
    let answer = stand.send(PLAIN, "x").await;
    assert_eq!(
        (status(&answer), kind(&answer)),
        (503, "/problems/outcome-unknown".into())
    );
    stand.nodes[0].does(problem("outcome-unknown"));
    assert_eq!(status(&stand.send(KEYED, "x").await), 200);
    // What is no problem of the cluster is an answer like any other.
    stand.nodes[0].does(Does::Answers(503, "text/html", "<p>No</p>".into()));
    let answer = stand.send(PLAIN, "x").await;
    assert_eq!((status(&answer), body(&answer)), (503, "<p>No</p>"));
}

#[tokio::test]
async fn an_election_is_waited_for() {
    let stand = Stand::start(Wish::default()).await;
    for node in &stand.nodes {
        node.does(problem("no-leader"));
        node.does(problem("no-leader"));
    }
    let answer = stand.send(PLAIN, "x").await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(stand.asked().iter().sum::<usize>(), 7);
}

#[tokio::test]
async fn a_node_that_stands_still_is_given_up_within_its_silence() {
    let stand = Stand::start(Wish::default()).await;
    let (events, fed) = mpsc::unbounded_channel();
    stand.nodes[1].does(Does::Streams(fed));
    let mut streams = Vec::new();
    // One of the two followers has the stream.
    while stand.nodes[1].taken().is_empty() {
        streams.push(stand.open("GET /v1/events HTTP/1.1", "").await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut stream = streams.pop().unwrap();
    events.send(Bytes::from_static(b"id: 1\n\n")).unwrap();
    read_until(&mut stream, "id: 1").await;

    stand.nodes[1].pause();
    stand.nodes[0].pause();
    let (reading, keyed, plain) = tokio::join!(
        stand.send(READING, ""),
        stand.send(KEYED, "x"),
        stand.send(PLAIN, "x")
    );
    assert_eq!((status(&reading), status(&keyed)), (200, 200));
    assert_eq!(
        (status(&plain), kind(&plain)),
        (502, "/problems/outcome-unknown".into())
    );
    is_closed(&mut stream).await;
    stand.knows(1).await;
}
