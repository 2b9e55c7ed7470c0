//! Ballots while the leader is killed: the count is exact, and the record holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use api::Client;
use api::client::Consistency;
use api::types::{CastBallot, NewPoll, PollMajority, PollVoters};
use api::verify::{find, recount};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::harness::{Cluster, eventually};

/// Who votes at once.
const VOTERS: usize = 4;

/// Ballots to see acknowledged after each blow.
const SIGN_OF_LIFE: usize = 40;

/// Codes of acknowledged ballots with their choices, and how many may or may not have been cast.
#[derive(Default)]
struct Said {
    acknowledged: BTreeMap<String, i64>,
    unknown: usize,
}

fn poll() -> NewPoll {
    NewPoll {
        question: "¿Gatos o perros?".into(),
        options: vec!["Gatos".into(), "Perros".into()],
        voters: PollVoters::Anyone,
        list: Vec::new(),
        live: true,
        open_ballot: false,
        opens_at: None,
        closes_at: None,
        quorum: None,
        quorum_percent: None,
        majority: PollMajority::Simple,
    }
}

/// Casts a ballot of somebody new after the other.
async fn vote(
    client: Client,
    poll: i64,
    place: usize,
    said: Arc<Mutex<Said>>,
    stop: CancellationToken,
) {
    let mut number = 0;
    while !stop.is_cancelled() {
        number += 1;
        let secret = format!("votante-{place}-{number:010}");
        let ballot = CastBallot {
            choice: Some(1 + number % 2),
            code: secret.clone(),
            voter: Some(secret.clone()),
            ..CastBallot::default()
        };
        let outcome = client.vote(poll, &ballot).await;
        let mut said = said.lock().unwrap();
        match outcome {
            Ok(cast) => {
                assert!(!cast.changed, "{secret} was counted before");
                said.acknowledged.insert(secret, 1 + number % 2);
            }
            Err(_) => said.unknown += 1,
        }
    }
}

async fn goes_on(said: &Mutex<Said>) {
    let count = || said.lock().unwrap().acknowledged.len();
    let wanted = count() + SIGN_OF_LIFE;
    eventually("ballots are acknowledged", async || {
        (count() >= wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ballots_are_counted_exactly_though_the_leader_is_killed() {
    let mut cluster = Cluster::start(3).await;
    let admin = cluster
        .admin()
        .await
        .with_consistency(Consistency::Linearizable);
    let poll = admin.create_poll(&poll()).await.unwrap().id;
    let (said, stop) = (Arc::default(), CancellationToken::new());
    let mut voters = JoinSet::new();
    for place in 0..VOTERS {
        let client = admin.without_token();
        voters.spawn(vote(client, poll, place, Arc::clone(&said), stop.clone()));
    }
    goes_on(&said).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    goes_on(&said).await;
    cluster.nodes[leader].start(None);
    cluster.all_ready().await;
    goes_on(&said).await;
    stop.cancel();
    while let Some(voter) = voters.join_next().await {
        voter.unwrap();
    }
    admin.close_poll(poll).await.unwrap();
    let record = admin.poll_record(poll).await.unwrap();
    let counted = recount(&record);
    assert_eq!(counted.faults, Vec::<String>::new());
    let said = said.lock().unwrap();
    let cast = usize::try_from(counted.tally.total.ballots).unwrap();
    let known = said.acknowledged.len();
    assert!(
        (known..=known + said.unknown).contains(&cast),
        "{cast} of {known}"
    );
    for (code, choice) in &said.acknowledged {
        assert_eq!(find(&record, code)[0].1.choice, Some(*choice), "{code}");
    }
}
