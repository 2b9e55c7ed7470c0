//! What is said of a change, and that nothing is said of none.

use std::collections::BTreeMap;

use super::{Is, Led, Line, Peer, View};

fn view(led: Led, second: Is) -> View {
    let name = "n2".to_owned();
    View {
        led,
        majority_lost: false,
        peers: BTreeMap::from([(7, Peer { name, is: second })]),
        members: vec![("n1".to_owned(), true), ("n2".to_owned(), true)],
    }
}

fn by(name: &str, term: u64) -> Led {
    let name = name.to_owned();
    Led::By { name, term }
}

fn said(before: &View, now: &View) -> Vec<String> {
    let text = |line: Line| match line {
        Line::Info(text) => format!("INFO {text}"),
        Line::Warn(text) => format!("WARN {text}"),
    };
    now.since(before).into_iter().map(text).collect()
}

#[test]
fn what_does_not_change_is_not_said_again() {
    for is in [Is::Awaited, Is::Answering, Is::Silent, Is::Elsewhere] {
        let mut same = view(Led::ByNobody, is);
        same.majority_lost = true;
        assert!(said(&same, &same).is_empty());
    }
}

#[test]
fn each_change_is_one_line_with_names() {
    let well = view(by("n2", 3), Is::Answering);
    let start = said(&View::default(), &well);
    assert_eq!(
        start,
        ["INFO the members: n1, n2", "INFO n2 leads (term 3)"]
    );
    let lost = view(Led::ByNobody, Is::Silent);
    assert_eq!(
        said(&well, &lost),
        [
            "WARN n2 is not heard any more: nobody leads",
            "WARN n2 has not answered for 2 s",
        ]
    );
    let leads = view(Led::Here { term: 4 }, Is::Silent);
    assert_eq!(said(&lost, &leads), ["INFO this node leads (term 4)"]);
    let back = view(Led::Here { term: 4 }, Is::Answering);
    assert_eq!(said(&leads, &back), ["INFO n2 answers again"]);
    let mut joined = back.clone();
    joined.members.push(("n3".to_owned(), false));
    assert_eq!(
        said(&back, &joined),
        ["INFO the members: n1, n2; without a vote yet: n3"]
    );
    let mut alone = back.clone();
    alone.majority_lost = true;
    assert!(said(&back, &alone)[0].starts_with("WARN a majority does not answer this leader"));
    assert_eq!(
        said(&alone, &back),
        ["INFO a majority answers this leader again"]
    );
    // One that leads no more has lost more than its majority.
    assert_eq!(said(&alone, &well), ["INFO n2 leads (term 3)"]);
    let elsewhere = view(Led::Here { term: 4 }, Is::Elsewhere);
    let left = said(&back, &elsewhere);
    assert!(left[0].starts_with("WARN at the address of n2 is a node of another cluster"));
}
