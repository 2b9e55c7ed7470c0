//! Agencies that send their bets while nodes are killed: every one gets exactly its winners.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use api::Client;
use api::client::Consistency;
use api::types::{BetsStored, NewLottery};
use rustix::process::Signal;

use super::harness::{Cluster, Running, eventually, program, signal, stderr};

/// Agencies of a lottery.
const AGENCIES: u32 = 5;

/// Bets of all of them: enough to be under way when a node is killed.
const BETS: u64 = 20_000;

/// The number that is drawn.
const DRAWN: &str = "7574";

/// How many lotteries, each with a node that is killed.
fn rounds() -> u64 {
    std::env::var("CONSORCIO_TEST_KILLS").map_or(1, |text| text.parse().unwrap())
}

fn sample(dir: &Path, bets: u64, seed: u64) {
    let output = program()
        .args(["lottery", "sample", "--agencies", &AGENCIES.to_string()])
        .args([
            "--bets",
            &bets.to_string(),
            "--seed",
            &seed.to_string(),
            "--out",
        ])
        .arg(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// The same client, which sees what the agencies did through any node.
fn exact(client: &Client) -> Client {
    client.clone().with_consistency(Consistency::Linearizable)
}

/// Opens a lottery; answers its id.
async fn open(client: &Client) -> i64 {
    let lottery = NewLottery {
        name: "De Navidad".to_owned(),
        agencies: AGENCIES,
        rule: None,
        commitment: None,
        source: None,
    };
    client.open_lottery(&lottery).await.unwrap().id
}

/// The agency's program, that asks the nodes in an order of its own.
fn agency(cluster: &Cluster, dir: &Path, number: u32) -> Command {
    let mut servers: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| node.lottery.to_string())
        .collect();
    let place = number as usize % servers.len();
    servers.rotate_left(place);
    let mut command = program();
    command
        .args([
            "agency",
            "--agency",
            &number.to_string(),
            "--server",
            &servers.join(","),
        ])
        .args([
            "--retry-sleep",
            "20ms",
            "--retry-sleep-max",
            "200ms",
            "--file",
        ])
        .arg(dir.join(format!("agency-{number}.csv")))
        .arg("--receipts")
        .arg(receipts(dir, number))
        .stderr(File::create(said(dir, number)).unwrap())
        .stdout(Stdio::null());
    command
}

/// Where an agency keeps its receipts.
fn receipts(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("receipts-{number}.json"))
}

/// The bets of the receipts in an agency's file, and the leaves they name.
fn receipted(dir: &Path, number: u32) -> (i64, Vec<BetsStored>) {
    let text = std::fs::read_to_string(receipts(dir, number)).unwrap();
    let kept: Vec<BetsStored> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let bets = kept.iter().map(|kept| i64::from(kept.count)).sum();
    (bets, kept)
}

/// Where an agency logs.
fn said(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("agency-{number}.log"))
}

/// Waits for an agency's end; answers what it said.
async fn ended(child: &mut Child, dir: &Path, number: u32) -> String {
    let status = eventually("the agency ends", async || child.try_wait().unwrap()).await;
    let said = std::fs::read_to_string(said(dir, number)).unwrap();
    assert!(status.success(), "{said}");
    said
}

/// Waits for an agency's end; answers how many winners it was told of.
async fn winners_told(child: &mut Child, dir: &Path, number: u32) -> usize {
    let said = ended(child, dir, number).await;
    let told = "action: consulta_ganadores | result: success | cant_ganadores: ";
    let (_, count) = said.split_once(told).unwrap_or_else(|| panic!("{said}"));
    count.trim().parse().unwrap()
}

/// The documents of a file that are on the number, and how many bets it has.
fn expected(dir: &Path, number: u32) -> (Vec<String>, i64) {
    let text = std::fs::read_to_string(dir.join(format!("agency-{number}.csv"))).unwrap();
    let won = |line: &&str| line.rsplit(',').next() == Some(DRAWN);
    // Names may hold commas; the last three fields do not.
    let document = |line: &str| line.rsplit(',').nth(2).unwrap().to_owned();
    (
        text.lines().filter(won).map(document).collect(),
        text.lines().count() as i64,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_agency_gets_exactly_its_winners_while_nodes_are_killed() {
    let mut cluster = Cluster::start(3).await;
    let client = exact(&cluster.admin().await);
    for round in 0..rounds() {
        let dir = cluster.dir.path().join(format!("bets-{round}"));
        sample(&dir, BETS, round);
        let lottery = open(&client).await.to_string();
        let mut agencies: Vec<Running> = (1..=AGENCIES)
            .map(|number| Running(agency(&cluster, &dir, number).spawn().unwrap()))
            .collect();
        let some = BETS as i64 / 10;
        eventually("bets are on their way", async || {
            let shown = client.lottery(&lottery).await.ok()?;
            let begun = shown.by_agency.len() == AGENCIES as usize;
            (begun && shown.lottery.bets > some).then_some(())
        })
        .await;
        // Whatever is opened after it, these agencies mean the lottery that they began with.
        let next = open(&client).await.to_string();
        let victim = getrandom::u32().unwrap() as usize % cluster.nodes.len();
        cluster.nodes[victim].kill();
        cluster.nodes[victim].start(None);
        for (agency, number) in agencies.iter_mut().zip(1..) {
            let (winners, bets) = expected(&dir, number);
            assert_eq!(
                winners_told(agency, &dir, number).await,
                winners.len(),
                "agency {number}"
            );
            let page = client.winners(&lottery, number, None).await.unwrap();
            assert_eq!(page.documents, winners, "agency {number}");
            let shown = client.lottery(&lottery).await.unwrap();
            let stored = shown
                .by_agency
                .iter()
                .find(|one| one.agency == number)
                .unwrap();
            assert_eq!(stored.bets, bets, "agency {number}");
            let (receipted, kept) = receipted(&dir, number);
            assert_eq!(receipted, bets, "agency {number}");
            let last = kept.last().unwrap();
            let known = client
                .lottery_receipt(&lottery, last.leaf_index)
                .await
                .unwrap();
            assert_eq!(known.batch.leaf, last.leaf, "agency {number}");
        }
        let untouched = client.lottery(&next).await.unwrap();
        assert_eq!(untouched.lottery.bets, 0);
        assert_eq!(untouched.lottery.open_agencies, AGENCIES);
        cluster.all_ready().await;
    }
    super::load::same_state(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agency_that_was_stopped_goes_on_where_it_was() {
    let cluster = Cluster::start(1).await;
    let client = exact(&cluster.admin().await);
    let dir = cluster.dir.path().join("bets");
    sample(&dir, BETS, 7);
    let lottery = open(&client).await.to_string();
    let bets = async || client.lottery(&lottery).await.unwrap().lottery.bets;
    let (_, all) = expected(&dir, 1);
    let small = |mut command: Command| {
        let child = command.args(["--batch-size", "5"]).spawn();
        Running(child.unwrap())
    };
    let mut child = small(agency(&cluster, &dir, 1));
    eventually("bets are on their way", async || {
        (bets().await > 100).then_some(())
    })
    .await;
    signal(child.id(), Signal::TERM);
    let said = ended(&mut child, &dir, 1).await;
    assert!(
        said.contains("action: shutdown | result: success"),
        "{said}"
    );
    let stored = bets().await;
    assert!(
        stored < all,
        "it was stopped in the middle: {stored} of {all}"
    );

    let mut child = small(agency(&cluster, &dir, 1));
    eventually("all bets are there", async || {
        (bets().await >= all).then_some(())
    })
    .await;
    for number in 2..=AGENCIES {
        client.close_agency(&lottery, number).await.unwrap();
    }
    let (winners, _) = expected(&dir, 1);
    assert_eq!(winners_told(&mut child, &dir, 1).await, winners.len());
    assert_eq!(bets().await, all, "nothing is there twice");
}
