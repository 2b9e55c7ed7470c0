//! A lottery on a node whose disk is full. The system that this one replaces acknowledged 6,300
//! bets then and stored 2,879.

use std::path::Path;
use std::process::Output;

use api::client::Consistency;
use api::lottery_packets::Request;

use super::disk::SmallDisk;
use super::field::{Agency, REFUSED, STORED, open};
use super::harness::{Cluster, PASSWORD, Server, eventually, program, stderr};

/// Room for the log, the state and little more.
const DISK_MIB: u32 = 48;

/// Bets of the second agency's program.
const OWN_BETS: i64 = 100;

/// Runs the second agency's program to its end.
fn own_agency(node: &Server, dir: &Path) -> Output {
    let file = dir.join("agency-2.csv");
    let line = "Eva,Ñu,30904465,1999-03-17,7574\n";
    std::fs::write(&file, line.repeat(OWN_BETS as usize)).unwrap();
    let mut command = program();
    command
        .args([
            "agency",
            "--agency",
            "2",
            "--server",
            &node.lottery.to_string(),
        ])
        .args([
            "--retry-sleep",
            "10ms",
            "--retry-sleep-max",
            "20ms",
            "--file",
        ])
        .arg(file);
    command.output().unwrap()
}

/// What it cannot store it refuses as such, however far its state has come.
fn says_that_the_disk_is_full(node: &Server) {
    let credentials = format!("{{\"name\":\"admin\",\"password\":\"{PASSWORD}\"}}");
    let refused = node.raw("POST /v1/sessions HTTP/1.1", &credentials);
    assert!(refused.contains("/problems/disk-full"), "{refused}");
    let newest = node.raw("GET /v1/lotteries/1?consistency=linearizable HTTP/1.1", "");
    assert!(!newest.contains("/problems/behind"), "{newest}");
    let ready = node.raw("GET /health/ready HTTP/1.1", "");
    assert!(
        ready.contains(" 200 ") && ready.contains("\"disk_full\":true"),
        "{ready}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_whole_batches_and_takes_bets_again_when_there_is_room() {
    let mut mounted = true;
    let mut cluster = Cluster::prepared(1, |node| {
        node.disk = SmallDisk::mount(node.data.parent().unwrap(), DISK_MIB);
        mounted = node.disk.is_some();
    })
    .await;
    if !mounted {
        return;
    }
    let dir = cluster.dir.path().to_owned();
    let client = cluster.admin().await;
    let exact = client.clone().with_consistency(Consistency::Linearizable);
    open(&client).await;
    let node = &mut cluster.nodes[0];
    let mut agency = Agency::at(node.lottery);
    assert_eq!(agency.send(), STORED);
    // What readers are to see meanwhile must be committed before.
    let shown = exact.lottery("1").await.unwrap();
    assert_eq!(shown.lottery.bets, agency.bets());

    node.disk.as_ref().unwrap().fill();
    eventually("the disk is full", async || {
        (agency.send() == REFUSED).then_some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(agency.send(), REFUSED);
    }
    let refused = own_agency(node, &dir);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(
        said.contains("action: apuesta_enviada | result: fail | cantidad: 63"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(last.contains("nothing of it was stored"), "{said}");
    let log = node.logged();
    let told = "action: apuesta_recibida | result: fail | cantidad: 63";
    assert!(
        log.contains(told) && log.contains("no space is left"),
        "{log}"
    );
    // Who wants the newest state cannot have it, and does not make the node hurry in vain.
    let asked = Agency::at(node.lottery).ask(&Request::WinnersRequest { agency: 1 });
    assert_eq!(asked, None);
    let log = node.logged();
    let full = log.lines().filter(|line| line.contains("the disk is full"));
    assert!(full.count() <= 3, "{log}");
    let old = client.clone().with_consistency(Consistency::Stale);
    let shown = old.lottery("1").await.expect("reads go on");
    assert!(shown.lottery.bets <= agency.bets());
    // So is everything that would be written, and no node is said to be behind.
    says_that_the_disk_is_full(node);

    node.disk.as_ref().unwrap().make_room();
    eventually("bets are taken again", async || {
        (agency.send() == STORED).then_some(())
    })
    .await;
    let shown = exact.lottery("1").await.unwrap();
    assert_eq!(
        shown.lottery.bets,
        agency.bets(),
        "what was acknowledged, and no more"
    );
    // What is on the disk is the same.
    node.kill();
    node.start(None);
    node.ready().await;
    let shown = exact.lottery("1").await.unwrap();
    assert_eq!(shown.lottery.bets, agency.bets());
    let closed = agency.bets() as usize;
    exact.close_agency("1", 1).await.unwrap();
    let done = own_agency(node, &dir);
    assert!(done.status.success(), "{}", stderr(&done));
    let told = "action: consulta_ganadores | result: success | cant_ganadores: 100";
    assert!(stderr(&done).contains(told), "{}", stderr(&done));
    let mut winners = 0;
    let mut after = None;
    loop {
        let page = exact.winners("1", 1, after).await.unwrap();
        winners += page.documents.len();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(winners, closed);
}
