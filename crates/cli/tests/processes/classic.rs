//! Agencies as the field knows them: settings in the environment, and lines in the log that scripts
//! look for, to the letter.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use api::Client;
use api::client::Consistency;
use rustix::process::Signal;

use super::field::{self, Agency, STORED};
use super::harness::{Cluster, Server, eventually, program, stderr};

/// The variables of one bet.
const BET: [(&str, &str); 5] = [
    ("NOMBRE", "Santiago Lionel"),
    ("APELLIDO", "Lorca"),
    ("DOCUMENTO", "30904465"),
    ("NACIMIENTO", "1999-03-17"),
    ("NUMERO", "7574"),
];

/// What a log line says after "action: ", line by line.
fn actions(log: &str) -> Vec<&str> {
    let said = log.lines().filter_map(|line| line.split_once("action: "));
    said.map(|(_, action)| action).collect()
}

/// Opens a lottery of two agencies; answers a client that sees what they did.
async fn open(cluster: &Cluster) -> Client {
    let client = cluster.admin().await;
    field::open(&client).await;
    client.with_consistency(Consistency::Linearizable)
}

/// An agency whose settings are in the classic variables.
fn classic(node: &Server) -> Command {
    let mut command = program();
    command
        .arg("agency")
        .env("CLI_ID", "1")
        .env("CLI_SERVER_ADDRESS", node.lottery.to_string())
        .env("CLI_LOG_LEVEL", "INFO");
    command
}

fn refused(output: &Output, code: i32, says: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(says), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bet_comes_from_the_environment() {
    let cluster = Cluster::start(1).await;
    let client = open(&cluster).await;
    let node = &cluster.nodes[0];
    let one = "apuesta_enviada | result: success | dni: 30904465 | numero: 7574";
    // A second time it is the same bet.
    for _ in 0..2 {
        let output = classic(node).envs(BET).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(actions(&stderr(&output)), [one]);
        let shown = client.lottery("1").await.unwrap();
        assert_eq!((shown.lottery.bets, shown.lottery.open_agencies), (1, 2));
    }
    let log = node.logged();
    let stored = "apuesta_almacenada | result: success | dni: 30904465 | numero: 7574";
    assert!(actions(&log).contains(&stored), "{log}");

    let alone = classic(node).env("NOMBRE", "Ana").output().unwrap();
    refused(&alone, 2, "NOMBRE, APELLIDO, DOCUMENTO, NACIMIENTO, NUMERO");
    for (name, value, says) in [
        ("NUMERO", "10000", "the number is none from 0 to 9999"),
        ("NACIMIENTO", "1999-02-30", "it must be a date that exists"),
        ("APELLIDO", "Lo;rca", "the last name holds ';'"),
        ("CLI_ID", "0", "--agency"),
    ] {
        let mut command = classic(node);
        let output = command.envs(BET).env(name, value).output().unwrap();
        refused(&output, 2, says);
    }
    client.close_agency("1", 1).await.unwrap();
    let late = classic(node).envs(BET).env("NUMERO", "1").output().unwrap();
    refused(&late, 1, "nothing of it was stored");
    let fail = "apuesta_enviada | result: fail | cantidad: 1";
    assert_eq!(actions(&stderr(&late)), [fail]);
    let log = node.logged();
    let failed = "apuesta_recibida | result: fail | cantidad: 1";
    assert!(
        actions(&log).iter().any(|one| one.starts_with(failed)),
        "{log}"
    );
}

/// A file of so many bets, the first of which wins.
fn file(dir: &Path, bets: u32) -> std::path::PathBuf {
    let path = dir.join("agency-1.csv");
    let number = |document| if document == 1 { 7574 } else { 1 };
    let line = |document| format!("Ana,Paz,{document},1999-03-17,{}\n", number(document));
    std::fs::write(&path, (1..=bets).map(line).collect::<String>()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_told_of_batch_by_batch_and_bet_by_bet_for_those_who_ask() {
    let mut cluster = Cluster::start(1).await;
    let client = open(&cluster).await;
    client.close_agency("1", 2).await.unwrap();
    let path = file(cluster.dir.path(), 130);
    let agency = |level: &str| {
        let mut command = classic(&cluster.nodes[0]);
        command.env("CLI_BATCH_MAXAMOUNT", "63");
        command.args(["--log", level, "--file"]).arg(&path);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let sent = |count: u32| format!("apuesta_enviada | result: success | cantidad: {count}");
    let winners = "consulta_ganadores | result: success | cant_ganadores: 1".to_owned();
    let batches = [sent(63), sent(63), sent(4), winners];
    let said = agency("info");
    assert_eq!(actions(&said), batches);
    // The same file again: it is told of again, and stored once.
    let said = agency("debug");
    let (bets, others): (Vec<&str>, Vec<&str>) =
        actions(&said).iter().partition(|one| one.contains("dni: "));
    assert_eq!(others, batches);
    assert_eq!(bets.len(), 130);
    let first = "apuesta_enviada | result: success | dni: 1 | numero: 7574";
    assert_eq!(bets[0], first);
    assert_eq!(client.lottery("1").await.unwrap().lottery.bets, 130);

    let node = &mut cluster.nodes[0];
    let drawn = "sorteo | result: success";
    eventually("the draw is told of", async || {
        actions(&node.logged())
            .iter()
            .any(|one| one.starts_with(drawn))
            .then_some(())
    })
    .await;
    node.signal(Signal::TERM);
    eventually("the node stops", async || node.ended()).await;
    let log = node.logged();
    for line in [
        "apuesta_recibida | result: success | cantidad: 63",
        "apuesta_recibida | result: success | cantidad: 4",
        "shutdown | result: success",
    ] {
        assert!(
            actions(&log).iter().any(|one| one.starts_with(line)),
            "{line}: {log}"
        );
    }
}

/// Batches before the leader dies, and after.
const SOME: i64 = 300;

/// Sends batches to a door until it is told to stop; answers the bets and the longest wait.
fn send_until(shared: &Shared, door: SocketAddr) -> (i64, Duration) {
    let mut agency = Agency::at(door);
    let mut longest = Duration::ZERO;
    while !shared.stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        assert_eq!(agency.send(), STORED, "the door knows what became of it");
        longest = longest.max(asked.elapsed());
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    (agency.bets(), longest)
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicI64,
}

impl Shared {
    /// Waits for more answers.
    async fn goes_on(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + SOME;
        let there = async || (self.answered.load(Ordering::Relaxed) > enough).then_some(());
        eventually("batches are answered", there).await;
    }
}

/// The packets without an id can double when an agency sends them again after a lost answer. A door
/// whose node lives loses none: it proposes them to the next leader under an id of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_lost_with_the_leader_and_nothing_is_there_twice() {
    let mut cluster = Cluster::start(3).await;
    let client = open(&cluster).await;
    let leader = cluster.leader().await;
    let mut doomed = cluster.nodes.remove(leader);
    let shared = Arc::new(Shared::default());
    let senders = (0..4).map(|number| {
        let (shared, door) = (shared.clone(), cluster.nodes[number % 2].lottery);
        tokio::task::spawn_blocking(move || send_until(&shared, door))
    });
    let senders: Vec<_> = senders.collect();
    shared.goes_on().await;
    doomed.kill();
    shared.goes_on().await;
    shared.stop.store(true, Ordering::Relaxed);
    let (mut sent, mut longest) = (0, Duration::ZERO);
    for sender in senders {
        let (bets, wait) = sender.await.unwrap();
        (sent, longest) = (sent + bets, longest.max(wait));
    }
    assert_eq!(client.lottery("1").await.unwrap().lottery.bets, sent);
    eprintln!("the longest wait for an answer: {longest:?}");
}
