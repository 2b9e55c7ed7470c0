//! Polls that take their ballots from a list of the store.

use domain::store::{End, Operation, Read, StoreReply, Write};
use domain::{Action, Actor, Proposal};
use engine::Consistency;
use serde_json::{Value, json};

use crate::site::{Ask, Site, until};

/// Pushes items to a list, as a Redis client would.
async fn push(site: &Site, list: &str, items: &[String]) {
    let write = Write::ListPush {
        key: list.to_owned().into(),
        end: End::Tail,
        values: items.iter().map(|item| item.clone().into()).collect(),
        only_existing: false,
    };
    let proposal = Proposal {
        actor: Actor::Anonymous,
        request: None,
        action: Action::Store {
            conditions: Vec::new(),
            operations: vec![Operation::Write(write)],
        },
    };
    site.engine.write(proposal).await.unwrap();
}

/// What is in a list.
async fn items(site: &Site, list: &str) -> Vec<String> {
    let read = Read::ListRange {
        key: list.to_owned().into(),
        start: 0,
        stop: -1,
    };
    let served = site.engine.store(Consistency::Linearizable, vec![read]);
    match served.await.unwrap().value.remove(0) {
        Ok(StoreReply::Values(items)) => {
            let items = items.into_iter().flatten();
            items
                .map(|item| String::from_utf8(item.to_vec()).unwrap())
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

fn vote(voter: &str, vote: &str) -> String {
    format!(r#"{{"voter_id": "{voter}", "vote": "{vote}"}}"#)
}

fn asked(list: &str) -> Value {
    json!({
        "question": "¿Gatos o perros?", "options": ["Gatos", "Perros"],
        "voters": "anyone", "from_list": list,
    })
}

async fn poll(site: &Site, token: &str, list: &str) -> i64 {
    let made = site.post("/v1/polls", Some(token), &asked(list)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_i64().unwrap()
}

/// Ballots for the two options.
async fn tally(site: &Site, poll: i64) -> (i64, i64) {
    let seen = site.get(&format!("/v1/polls/{poll}"), None).await.json();
    let ballots = |place: usize| seen["tally"]["options"][place]["ballots"].as_i64().unwrap();
    (ballots(0), ballots(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn ballots_of_a_list_are_counted_once_and_can_be_changed() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    // What was pushed before waits.
    push(&site, "votes", &[vote("early", "b")]).await;
    let id = poll(&site, &ana, "votes").await;
    let many: Vec<String> = (0..600).map(|n| vote(&n.to_string(), "a")).collect();
    push(&site, "votes", &many).await;
    push(&site, "votes", &[vote("7", "Perros"), vote("early", "b")]).await;
    until("all are counted", || async {
        tally(&site, id).await == (599, 2)
    })
    .await;
    assert_eq!(items(&site, "votes").await, Vec::<String>::new());
    let seen = site.get(&format!("/v1/polls/{id}"), None).await.json();
    assert_eq!(seen["from_list"], "votes");
    // What is no ballot is put aside, and those behind it are counted.
    let odd = ["nonsense".to_owned(), vote("x", "c"), "{}".to_owned()];
    push(&site, "votes", &odd).await;
    push(&site, "votes", &[vote("last", "a")]).await;
    until("the last is counted", || async {
        tally(&site, id).await == (600, 2)
    })
    .await;
    assert_eq!(items(&site, "votes:refused").await, odd);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_belongs_to_one_poll_as_long_as_that_is_open() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let mut members = asked("votes");
    members["voters"] = json!("members");
    let refused = site.post("/v1/polls", Some(&ana), &members).await;
    refused.is_problem(422, "invalid");
    let refused = site.post("/v1/polls", Some(&ana), &asked("")).await;
    refused.is_problem(422, "invalid");
    let first = poll(&site, &ana, "votes").await;
    let refused = site.post("/v1/polls", Some(&ana), &asked("votes")).await;
    refused.is_problem(422, "invalid");
    assert!(refused.text().contains(&format!("poll {first} takes")));
    push(&site, "votes", &[vote("ana", "a")]).await;
    until("it is counted", || async {
        tally(&site, first).await == (1, 0)
    })
    .await;
    let path = format!("/v1/polls/{first}/close");
    let closed = site.send(Ask::new("POST", &path).token(Some(&ana))).await;
    assert_eq!(closed.status, 204);
    push(&site, "votes", &[vote("ana", "b")]).await;
    let second = poll(&site, &ana, "votes").await;
    until("the other counts it", || async {
        tally(&site, second).await == (0, 1)
    })
    .await;
    assert_eq!(tally(&site, first).await, (1, 0));
    site.stop().await;
}

/// A key that is no list, before or behind the poll, loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_stops_the_counting_and_loses_nothing() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let set = Write::HashPut {
        key: "votes:refused".into(),
        pairs: vec![("f".into(), "v".into())],
    };
    let write = |write| Proposal {
        actor: Actor::Anonymous,
        request: None,
        action: Action::Store {
            conditions: Vec::new(),
            operations: vec![Operation::Write(write)],
        },
    };
    site.engine.write(write(set)).await.unwrap();
    let id = poll(&site, &ana, "votes").await;
    push(&site, "votes", &[vote("ana", "a")]).await;
    let other = poll(&site, &ana, "others").await;
    push(&site, "others", &[vote("ana", "a")]).await;
    until("the other is counted", || async {
        tally(&site, other).await == (1, 0)
    })
    .await;
    assert_eq!(tally(&site, id).await, (0, 0));
    assert_eq!(items(&site, "votes").await.len(), 1);
    let keys = vec!["votes:refused".into()];
    site.engine
        .write(write(Write::Delete { keys }))
        .await
        .unwrap();
    until("it is counted", || async {
        tally(&site, id).await == (1, 0)
    })
    .await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_never_empty_does_not_keep_the_others_waiting() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let busy = poll(&site, &ana, "busy").await;
    let other = poll(&site, &ana, "other").await;
    let many: Vec<String> = (0..2_000).map(|n| vote(&n.to_string(), "a")).collect();
    push(&site, "busy", &many).await;
    push(&site, "busy", &many).await;
    until("the busy list is being counted", || async {
        tally(&site, busy).await.0 > 0
    })
    .await;
    push(&site, "other", &[vote("ana", "b")]).await;
    until("the other poll has its turn", || async {
        if items(&site, "busy").await.len() < 2_000 {
            push(&site, "busy", &many).await;
        }
        tally(&site, other).await == (0, 1)
    })
    .await;
    site.stop().await;
}
