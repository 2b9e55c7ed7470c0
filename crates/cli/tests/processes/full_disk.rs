//! A lottery on a node whose disk is full. The system that this one replaces acknowledged 6,300
//! bets then and stored 2,879.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use api::Client;
use api::client::Consistency;
use api::lottery_packets::{Answer, Bet, HEADER_BYTES, Request};
use api::types::NewLottery;

use super::disk::SmallDisk;
use super::harness::{Cluster, PATIENCE, Server, eventually, program, stderr};

/// Room for the log, the state and little more.
const DISK_MIB: u32 = 48;

/// Bets of a batch.
const BATCH: usize = 63;

/// What a node answers.
const STORED: Option<Answer> = Some(Answer::Store { stored: true });
const REFUSED: Option<Answer> = Some(Answer::Store { stored: false });

/// An agency of the field: the packets that know no request id.
struct Agency {
    stream: TcpStream,
    /// Batches that it was told are stored.
    stored: i64,
    next: u32,
}

impl Agency {
    fn of(node: &Server) -> Self {
        let stream = TcpStream::connect(node.lottery).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Agency {
            stream,
            stored: 0,
            next: 0,
        }
    }

    /// The answer; `None` if the node closed instead.
    fn ask(&mut self, request: &Request<'_>) -> Option<Answer> {
        let mut packet = Vec::new();
        request.render(&mut packet).unwrap();
        self.stream.write_all(&packet).unwrap();
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(header))];
        self.stream.read_exact(&mut body).unwrap();
        Some(Answer::parse(&body).unwrap())
    }

    /// Sends a batch of bets that nobody has sent before.
    fn send(&mut self) -> Option<Answer> {
        self.next += 1;
        let document = self.next.to_string();
        let bet = Bet {
            first_name: "Ana",
            last_name: "Paz",
            document: &document,
            birthdate: "1999-03-17",
            number: 7574,
        };
        let answer = self.ask(&Request::StoreBatch {
            agency: 1,
            bets: vec![bet; BATCH],
        });
        self.stored += i64::from(answer == STORED);
        answer
    }

    fn bets(&self) -> i64 {
        self.stored * BATCH as i64
    }
}

/// Opens a lottery of two agencies.
async fn open(client: &Client) {
    let lottery = NewLottery {
        name: "De Navidad".to_owned(),
        agencies: 2,
        rule: None,
        commitment: None,
        source: None,
    };
    client.open_lottery(&lottery).await.unwrap();
}

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
    let mut agency = Agency::of(node);
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
    let asked = Agency::of(node).ask(&Request::WinnersRequest { agency: 1 });
    assert_eq!(asked, None);
    let log = node.logged();
    let full = log.lines().filter(|line| line.contains("the disk is full"));
    assert!(full.count() <= 3, "{log}");
    let old = client.clone().with_consistency(Consistency::Stale);
    let shown = old.lottery("1").await.expect("reads go on");
    assert!(shown.lottery.bets <= agency.bets());

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
