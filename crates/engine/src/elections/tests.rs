//! What is kept, and what is not told twice.

#![allow(clippy::unwrap_used)]

use super::file::{decode, encode};
use super::{Cause, ELECTIONS_MAX, Election, Happened, History};

fn election(term: u64, what: Happened) -> Election {
    Election {
        at_ms: 1_700_000_000_000,
        term,
        what,
    }
}

fn leads(term: u64, leader: &str, cause: Option<Cause>) -> Election {
    let leader = leader.to_owned();
    election(term, Happened::Leads { leader, cause })
}

fn voted(term: u64, candidate: &str) -> Election {
    let (candidate, cause) = (candidate.to_owned(), Cause::Silence { silent_ms: 300 });
    election(term, Happened::Voted { candidate, cause })
}

#[test]
fn what_is_told_again_is_noted_once() {
    let history = History::new(vec![leads(3, "n1", None)]);
    history.note(election(3, Happened::Started));
    history.note(leads(3, "n1", None));
    history.note(voted(4, "n2"));
    history.note(voted(4, "n2"));
    history.note(leads(4, "n2", history.cause(4)));
    history.note(election(4, Happened::Started));
    history.note(election(4, Happened::Started));
    let cause = Some(Cause::Silence { silent_ms: 300 });
    let expected = [
        leads(3, "n1", None),
        election(3, Happened::Started),
        voted(4, "n2"),
        leads(4, "n2", cause),
        election(4, Happened::Started),
        election(4, Happened::Started),
    ];
    assert_eq!(history.all(), expected);
    assert_eq!(history.cause(3), None);
}

#[test]
fn the_newest_are_kept() {
    let history = History::new(Vec::new());
    assert_eq!(history.unsaved(), None);
    for term in 1..=2 * ELECTIONS_MAX as u64 {
        history.note(leads(term, "n1", None));
    }
    let kept = history.unsaved().unwrap();
    assert_eq!(kept.len(), ELECTIONS_MAX);
    assert_eq!(kept.last().map(|last| last.term), Some(200));
    assert_eq!(history.unsaved(), None, "it is written once");
}

#[test]
fn a_file_reads_back_and_a_damaged_one_is_no_history() {
    let kept = vec![
        election(0, Happened::Started),
        election(1, Happened::Stood(Cause::Founded)),
        voted(2, "n2"),
        leads(2, "n2", Some(Cause::HandedOver { from: "n1".into() })),
    ];
    let bytes = encode(&kept).unwrap();
    assert_eq!(decode(&bytes), Some(kept));
    for cut in 0..bytes.len() {
        assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        assert_eq!(decode(&damaged), None, "damaged at {at}");
    }
}
