//! Three nodes and their front doors, as they tell of themselves.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use api::types::{Cluster, Doors, Node as Member, NodeRole};
use tokio::time::Instant;

use super::{Heard, KNOWN_MAX, Known, Purpose};

const SILENCE_MAX: Duration = Duration::from_secs(2);

fn member(name: &str) -> Member {
    Member {
        name: name.into(),
        id: String::new(),
        role: NodeRole::Follower,
        http: format!("http://{name}:1"),
        peer: String::new(),
        healthy: true,
        last_contact_ms: None,
        round_trip_us: None,
        term: 0,
        voted_for: None,
        last_log: 0,
        committed: 0,
        applied: 0,
        snapshot: 0,
        purged: 0,
        lag: None,
        state_hash: String::new(),
        differs: false,
        areas: Vec::new(),
        doors: Doors {
            redis: (name != "n3").then(|| format!("{name}:2")),
            ..Doors::default()
        },
    }
}

fn told(by: &str, leader: Option<&str>, term: u64) -> Cluster {
    Cluster {
        id: "ours".into(),
        node: by.into(),
        leader: leader.map(str::to_owned),
        term,
        committed: 0,
        applied: 0,
        state_hash: String::new(),
        ready: leader.is_some(),
        nodes: ["n1", "n2", "n3"].map(member).to_vec(),
    }
}

fn base(name: &str) -> Arc<str> {
    format!("{name}:1").into()
}

/// Three nodes that have answered; n2 leads.
fn three() -> (Known, Instant) {
    let (mut known, now) = (Known::default(), Instant::now());
    for name in ["n1", "n2", "n3"] {
        assert!(known.add(&base(name), true).is_some());
        let heard = known.heard(&base(name), &told(name, Some("n2"), 5), now);
        assert_eq!(heard, Heard::Ours);
    }
    (known, now)
}

/// Who is picked, one after the other, each without an end to its work.
fn picks(known: &Known, purpose: Purpose, count: usize) -> Vec<String> {
    let mut work = Vec::new();
    let mut names = Vec::new();
    for turn in 0..count {
        let picked = known.pick(purpose, &[], turn, |_| true).unwrap();
        work.push(picked.node.work());
        names.push(picked.node.base.trim_end_matches(":1").to_owned());
    }
    names
}

#[test]
fn changes_go_to_the_leader_and_readings_to_the_followers_evenly() {
    let (known, _) = three();
    assert_eq!(picks(&known, Purpose::Change, 3), ["n2", "n2", "n2"]);
    let mut readers = picks(&known, Purpose::Read, 10);
    readers.sort();
    assert_eq!(readers[..5], ["n1", "n1", "n1", "n1", "n1"]);
    assert_eq!(readers[5..], ["n3", "n3", "n3", "n3", "n3"]);
    let mut both = picks(&known, Purpose::Both, 9);
    both.sort();
    both.dedup();
    assert_eq!(both, ["n1", "n2", "n3"]);
}

#[test]
fn equals_without_work_take_turns() {
    let (known, _) = three();
    let mut names: Vec<String> = Vec::new();
    for turn in 0..6 {
        let picked = known.pick(Purpose::Both, &[], turn, |_| true).unwrap();
        names.push(picked.node.base.to_string());
    }
    assert_eq!(names, ["n1:1", "n2:1", "n3:1", "n1:1", "n2:1", "n3:1"]);
}

#[test]
fn without_its_favourites_a_purpose_takes_the_others() {
    let (known, _) = three();
    let tried = [base("n2")];
    let other = known.pick(Purpose::Change, &tried, 0, |_| true).unwrap();
    assert_ne!(*other.node.base, *base("n2"), "a follower sends it on");
    let tried = [base("n1"), base("n3")];
    let leader = known.pick(Purpose::Read, &tried, 0, |_| true).unwrap();
    assert_eq!(*leader.node.base, *base("n2"));
    let all = [base("n1"), base("n2"), base("n3")];
    assert!(known.pick(Purpose::Read, &all, 0, |_| true).is_none());
}

#[test]
fn who_has_no_such_door_is_not_picked() {
    let (known, _) = three();
    let redis = |doors: &Doors| doors.redis.is_some();
    for turn in 0..4 {
        let picked = known.pick(Purpose::Read, &[], turn, redis).unwrap();
        assert_eq!(picked.doors.redis.as_deref(), Some("n1:2"), "n3 has none");
    }
}

#[test]
fn the_newest_term_says_who_leads() {
    let (mut known, now) = three();
    known.heard(&base("n3"), &told("n3", Some("n3"), 6), now);
    assert_eq!(known.leader().map(String::as_str), Some("n3"));
    assert_eq!(picks(&known, Purpose::Change, 1), ["n3"]);
    known.heard(&base("n3"), &told("n3", None, 7), now);
    assert_eq!(picks(&known, Purpose::Read, 1), ["n1"], "n3 is not ready");
    assert_eq!(known.leader().map(String::as_str), Some("n2"));
}

#[test]
fn a_refusal_ends_nothing_that_is_under_way_but_silence_does() {
    let (mut known, now) = three();
    let picked = known.pick(Purpose::Change, &[], 0, |_| true).unwrap();
    known.refused(&base("n2"));
    assert!(!picked.node.life.is_cancelled(), "it may be stopping");
    assert_ne!(picks(&known, Purpose::Change, 1), ["n2"]);
    let later = now + SILENCE_MAX / 2;
    assert!(!known.silent(&base("n2"), SILENCE_MAX, later));
    assert!(known.silent(&base("n2"), SILENCE_MAX, now + SILENCE_MAX));
    assert!(picked.node.life.is_cancelled());
    known.heard(
        &base("n2"),
        &told("n2", Some("n2"), 5),
        now + SILENCE_MAX * 2,
    );
    let back = known.pick(Purpose::Change, &[], 0, |_| true).unwrap();
    assert!(!back.node.life.is_cancelled(), "it is another life");
}

#[test]
fn another_cluster_is_not_taken_for_ours() {
    let (mut known, now) = three();
    let stranger = Cluster {
        id: "theirs".into(),
        ..told("n1", Some("n1"), 99)
    };
    assert_eq!(known.heard(&base("n1"), &stranger, now), Heard::Stranger);
    assert_eq!(known.leader().map(String::as_str), Some("n2"));
    assert_eq!(picks(&known, Purpose::Read, 2), ["n3", "n3"]);
}

#[test]
fn one_slow_answer_takes_no_node_out_of_rotation() {
    let (mut known, now) = three();
    let long = now + SILENCE_MAX * 5;
    for _ in 0..2 {
        assert!(!known.silent(&base("n1"), SILENCE_MAX, long));
        assert_eq!(known.nodes().len(), 3);
    }
    known.heard(&base("n1"), &told("n1", Some("n2"), 5), long);
    let later = long + SILENCE_MAX;
    for dead in [false, false, true] {
        assert_eq!(known.silent(&base("n1"), SILENCE_MAX, later), dead);
    }
    assert_eq!(known.nodes().len(), 2);
}

/// A node of another cluster, which has no other member.
fn stranger(name: &str) -> Cluster {
    let mut alone = told(name, Some(name), 99);
    alone.id = "theirs".into();
    alone.nodes.retain(|node| node.name == name);
    alone
}

/// Addresses that were named and have not answered.
fn named(names: &[&str]) -> (Known, Instant) {
    let mut known = Known::default();
    for name in names {
        known.add(&base(name), true);
    }
    (known, Instant::now())
}

#[test]
fn a_stranger_that_answers_first_is_not_taken_for_the_cluster() {
    let (mut known, now) = named(&["n1", "n2", "n3"]);
    let first = known.heard(&base("n1"), &stranger("n1"), now);
    assert_eq!((first, known.nodes().len()), (Heard::Undecided, 0));
    // It knows the third, which is down.
    let second = known.heard(&base("n2"), &told("n2", Some("n2"), 5), now);
    assert_eq!(second, Heard::Ours);
    let again = known.heard(&base("n1"), &stranger("n1"), now);
    assert_eq!((again, known.nodes().len()), (Heard::Stranger, 1));
}

#[test]
fn a_stranger_that_was_all_there_was_gives_way_to_the_majority() {
    let (mut known, now) = named(&["n1", "n2", "n3"]);
    known.refused(&base("n2"));
    known.refused(&base("n3"));
    let alone = known.heard(&base("n1"), &stranger("n1"), now);
    assert_eq!((alone, known.nodes().len()), (Heard::Ours, 1));
    let led = known.pick(Purpose::Change, &[], 0, |_| true).unwrap();
    let heard = known.heard(&base("n2"), &told("n2", Some("n2"), 5), now);
    assert_eq!(heard, Heard::Ours);
    assert!(led.node.life.is_cancelled());
    let again = known.heard(&base("n1"), &stranger("n1"), now);
    assert_eq!((again, known.nodes().len()), (Heard::Stranger, 1));
    // From here on whoever loses a disk is a stranger.
    for name in ["n2", "n3"] {
        assert_eq!(
            known.heard(&base(name), &stranger(name), now),
            Heard::Stranger
        );
    }
}

#[test]
fn one_that_answers_is_enough_if_it_knows_the_others_or_they_are_down() {
    let (mut known, now) = named(&["n1", "n2", "n3"]);
    let heard = known.heard(&base("n3"), &told("n3", Some("n2"), 5), now);
    assert_eq!(heard, Heard::Ours);

    let (mut known, now) = named(&["10.0.0.1", "10.0.0.2"]);
    let alias = base("10.0.0.1");
    let told = told("n1", Some("n2"), 5);
    assert_eq!(known.heard(&alias, &told, now), Heard::Undecided);
    known.refused(&base("10.0.0.2"));
    assert_eq!(known.heard(&alias, &told, now), Heard::Ours);
}

#[test]
fn a_node_with_two_addresses_counts_once() {
    let (mut known, now) = three();
    let alias: Arc<str> = "10.0.0.3:1".into();
    assert!(known.add(&alias, false).is_some());
    assert!(known.add(&alias, false).is_none());
    known.heard(&alias, &told("n3", Some("n2"), 5), now);
    assert_eq!(known.nodes().len(), 3);
    known.refused(&base("n3"));
    assert_eq!(known.nodes().len(), 3, "the other address takes its place");
    known.keep(&[]);
    assert_eq!(known.nodes().len(), 2, "it was learnt, not given");
}

#[test]
fn an_answer_cannot_make_it_grow_without_bound() {
    let mut known = Known::default();
    let added = (0..1000).filter(|n| known.add(&base(&n.to_string()), false).is_some());
    assert_eq!(added.count(), KNOWN_MAX);
}
