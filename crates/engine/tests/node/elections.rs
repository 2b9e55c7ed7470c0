//! What nodes remember of their elections, and tell of themselves.

use std::time::{Duration, Instant};

use engine::{Cause, Election, Engine, Happened, Role};

use super::{leader, put, start, three, until};

/// What a node remembers of itself.
async fn own(node: &Engine) -> Vec<Election> {
    let name = node.status().node.to_string();
    of(node, &name).await.expect("it knows itself")
}

/// What a node remembers of itself, once its newest entry says who leads in the newest term.
async fn settled(node: &Engine) -> Vec<Election> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (remembered, term) = (own(node).await, node.status().term);
        let last = remembered.last().expect("it has started");
        if last.term == term && matches!(last.what, Happened::Leads { .. }) {
            return remembered;
        }
        assert!(Instant::now() < deadline, "in term {term}: {remembered:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a node is told by another.
async fn of(node: &Engine, name: &str) -> Option<Vec<Election>> {
    let all = node.elections().await;
    let found = all.into_iter().find(|known| known.node == name);
    found.expect("a member").elections
}

/// What happened in the newest term.
fn newest(elections: &[Election]) -> Vec<&Happened> {
    let term = elections.iter().map(|past| past.term).max();
    let of_term = elections.iter().filter(|past| Some(past.term) == term);
    of_term.map(|past| &past.what).collect()
}

fn leads(leader: &str, cause: Cause) -> Happened {
    let (leader, cause) = (leader.to_owned(), Some(cause));
    Happened::Leads { leader, cause }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founder_and_the_only_voter_lead_at_once_and_remember_it() {
    let data = tempfile::tempdir().unwrap();
    let node = start("n1", data.path(), None).await;
    until("it leads", || node.is_ready()).await;
    let founded = settled(&node).await;
    let what: Vec<&Happened> = founded.iter().map(|past| &past.what).collect();
    let expected = [
        &Happened::Started,
        &Happened::Stood(Cause::Founded),
        &leads("n1", Cause::Founded),
    ];
    assert_eq!(what, expected);
    node.stop().await;
    drop(node);

    let node = start("n1", data.path(), None).await;
    until("it leads again", || node.is_ready()).await;
    let now = settled(&node).await;
    assert_eq!(now[..3], founded, "a restart forgets nothing");
    assert_eq!(now[3].what, Happened::Started);
    assert_eq!(now[3].term, founded[2].term);
    assert_eq!(newest(&now)[0], &Happened::Stood(Cause::OnlyVoter));
    assert_eq!(newest(&now)[1], &leads("n1", Cause::OnlyVoter));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_is_told_from_a_silence() {
    let data = tempfile::tempdir().unwrap();
    let mut nodes = three(data.path()).await;
    let first = nodes.remove(leader(&nodes));
    let old = first.status().node.to_string();
    let before = first.status().term;
    first.stop().await;
    drop(first);
    until("another leads", || {
        let by = |node: &Engine| node.status().leader.clone().filter(|name| *name != old);
        nodes
            .iter()
            .all(|node| by(node).is_some() && node.is_ready())
    })
    .await;
    let leads_now = nodes[0].status().leader.clone().unwrap();
    let cause = Cause::HandedOver { from: old };
    for node in &nodes {
        let remembered = settled(node).await;
        let what = newest(&remembered);
        assert_eq!(what.last(), Some(&&leads(&leads_now, cause.clone())));
        let took_part = match *node.status().node == *leads_now {
            true => Happened::Stood(cause.clone()),
            false => Happened::Voted {
                candidate: leads_now.clone(),
                cause: cause.clone(),
            },
        };
        assert_eq!(what.first(), Some(&&took_part));
        assert!(remembered.iter().all(|past| past.at_ms > 1_700_000_000_000));
        assert!(node.status().term > before);
    }
    // Each tells the other, and nobody tells for the one that is gone.
    assert_eq!(
        of(&nodes[0], &nodes[1].status().node).await,
        Some(own(&nodes[1]).await)
    );
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_tells_how_far_it_is() {
    let data = tempfile::tempdir().unwrap();
    let nodes = three(data.path()).await;
    let leads = nodes[0].status().leader.clone().unwrap();
    let mut index = 0;
    for number in 0..5 {
        let written = nodes[number % 3].write(put("k", "v", None)).await.unwrap();
        index = written.position.index;
    }
    for node in &nodes {
        until("all are seen to have caught up", || {
            let status = node.status();
            status.nodes.iter().all(|other| {
                other.last_log == index
                    && other.committed == index
                    && other.applied == index
                    && other.lag == Some(0)
            })
        })
        .await;
        let status = node.status();
        for other in &status.nodes {
            assert_eq!(other.term, status.term);
            assert_eq!(other.voted_for.as_ref(), Some(&leads), "{other:?}");
            let is_leader = other.role == Role::Leader;
            assert_eq!(is_leader, other.name == leads);
            let own = *other.name == *status.node;
            assert_eq!(other.round_trip_us.is_none(), own);
            assert!(other.last_contact_ms.is_some());
            assert!(other.purged <= other.snapshot || other.snapshot == 0);
        }
    }
    for node in &nodes {
        node.stop().await;
    }
}
