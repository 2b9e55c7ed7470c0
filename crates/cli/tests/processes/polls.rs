//! Polls from the command line, and ballots while the leader is killed: the count is exact, and the
//! record holds.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::{Arc, Mutex};

use api::Client;
use api::client::Consistency;
use api::types::{CastBallot, NewPoll, PollMajority, PollVoters};
use api::verify::{find, recount};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::harness::{Cluster, eventually, program, run, stderr, stdout};

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
        from_list: None,
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

/// Runs `consorcio poll create ¿Cuál?` as the administrator, with variables of the environment.
fn create(cluster: &Cluster, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    program()
        .env_remove("OPTION_A")
        .env_remove("OPTION_B")
        .envs(variables.iter().copied())
        .env("XDG_CONFIG_HOME", cluster.dir.path().join("config"))
        .env("CONSORCIO_SERVER", cluster.nodes[0].url())
        .args(["poll", "create", "¿Cuál?", "--json"])
        .args(arguments)
        .output()
        .unwrap()
}

/// A cluster of one node with the administrator signed in from the command line.
async fn signed_in() -> Cluster {
    let cluster = Cluster::start(1).await;
    consorcio(&cluster, &["account", "login", "admin"], true);
    cluster
}

/// Runs a command as the administrator, which must succeed or fail; answers what it printed.
fn consorcio(cluster: &Cluster, arguments: &[&str], succeeds: bool) -> String {
    let config = cluster.dir.path().join("config");
    let output = run(&config, &cluster.nodes[0].url(), arguments);
    let said = stderr(&output);
    assert_eq!(output.status.success(), succeeds, "{arguments:?}: {said}");
    stdout(&output) + &said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_takes_its_options_from_the_environment() {
    let cluster = signed_in().await;
    let both = [("OPTION_A", "Gatos"), ("OPTION_B", "Perros, y otros")];
    let options = |output: &Output| {
        assert!(output.status.success(), "{}", stderr(output));
        let made: serde_json::Value = serde_json::from_str(&stdout(output)).unwrap();
        let id = made["id"].to_string();
        let shown = consorcio(&cluster, &["poll", "show", &id, "--json"], true);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["options"].clone()
    };
    let made = create(&cluster, &both, &[]);
    let expected = serde_json::json!(["Gatos", "Perros, y otros"]);
    assert_eq!(options(&made), expected, "a comma there separates nothing");
    let made = create(&cluster, &both, &["--options", "Sí,No"]);
    assert_eq!(options(&made), serde_json::json!(["Sí", "No"]));
    let made = create(&cluster, &both, &["--option", "Sí", "--option", "No"]);
    assert_eq!(options(&made), serde_json::json!(["Sí", "No"]));
    for lacking in [&both[..1], &both[1..], &[]] {
        let refused = create(&cluster, lacking, &[]);
        assert_eq!(refused.status.code(), Some(2), "{lacking:?}");
        let said = stderr(&refused);
        assert!(said.contains("OPTION_A and OPTION_B"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_with_another_winner_is_not_verified() {
    let cluster = signed_in().await;
    let made = create(&cluster, &[], &["--options", "Gatos,Perros"]);
    assert!(made.status.success(), "{}", stderr(&made));
    consorcio(&cluster, &["poll", "vote", "1", "Gatos"], true);
    consorcio(&cluster, &["poll", "close", "1"], true);
    let record = consorcio(&cluster, &["poll", "record", "1"], true);
    let file = cluster.dir.path().join("record.json");
    let verify = |record: &str, holds| {
        std::fs::write(&file, record).unwrap();
        consorcio(&cluster, &["poll", "verify", file.to_str().unwrap()], holds)
    };
    let said = verify(&record, true);
    assert!(said.contains("Adopted: Gatos"), "{said}");
    let mut edited: serde_json::Value = serde_json::from_str(&record).unwrap();
    edited["result"]["winner"] = 2.into();
    let said = verify(&edited.to_string(), false);
    assert!(said.contains("the winner that it says"), "{said}");
    edited["receipts"][0]["choice"] = i64::MIN.into();
    let said = verify(&edited.to_string(), false);
    assert!(said.contains("no such option"), "{said}");
}
