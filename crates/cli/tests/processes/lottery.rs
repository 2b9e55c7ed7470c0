//! Lotteries from the command line, from their opening to the proof of their draw.

use std::path::Path;

use api::types::{Bet, NewBets};

use super::commands::User;
use super::harness::{Cluster, run, stdout};

/// Opens lotteries, draws them, and verifies what was drawn.
pub async fn lotteries(cluster: &Cluster, admin: &User, ana: &User) {
    fixed(cluster, admin, ana).await;
    verifiable(cluster, admin, ana).await;
    raffle(ana);
}

/// Has an agency's bets stored, as the lottery's own port would.
async fn bets(
    cluster: &Cluster,
    lottery: &str,
    agency: u32,
    numbers: &[u16],
) -> api::types::BetsStored {
    let client = cluster.admin().await;
    let bets = numbers.iter().map(|number| Bet {
        first_name: "Ana".to_owned(),
        last_name: "Pérez".to_owned(),
        document: format!("{agency}{number:04}"),
        birthdate: "1999-03-17".to_owned(),
        number: *number,
    });
    let batch = NewBets {
        agency,
        bets: bets.collect(),
    };
    client.store_bets(lottery, &batch).await.unwrap()
}

async fn fixed(cluster: &Cluster, admin: &User, ana: &User) {
    assert!(ana.ok(&["lottery", "list"]).contains("no lotteries yet"));
    assert_eq!(ana.fails(&["lottery", "show"]).0, 5);
    let open = ["lottery", "open", "Sorteo de mayo", "--agencies", "2"];
    assert_eq!(ana.fails(&open).0, 4);
    assert_eq!(admin.ok(&open), "Opened Sorteo de mayo (number 1).\n");
    bets(cluster, "1", 1, &[7574, 1]).await;
    let (code, said) = ana.fails(&["lottery", "winners", "1"]);
    assert!(code == 1 && said.contains("not been drawn yet"), "{said}");
    let (code, said) = admin.fails(&["lottery", "draw", "--number", "7"]);
    assert!(code == 1 && said.contains("still open: 2"), "{said}");
    assert_eq!(
        admin.ok(&["lottery", "close", "1"]),
        "Agency 1 has closed; 1 to go.\n"
    );
    assert_eq!(admin.fails(&["lottery", "close", "3"]).0, 5);
    let last = admin.ok(&["lottery", "close", "2"]);
    assert_eq!(last, "Agency 2 has closed; the number has been drawn.\n");
    assert_eq!(ana.ok(&["lottery", "winners", "1"]), "17574\n");
    assert_eq!(ana.ok(&["lottery", "winners", "2", "--lottery", "1"]), "");
    let list = ana.ok(&["lottery", "list"]);
    assert!(list.contains("drawn") && list.contains("7574"), "{list}");
}

async fn verifiable(cluster: &Cluster, admin: &User, ana: &User) {
    let dir = cluster.dir.path();
    let file = |name: &str| dir.join(name).display().to_string();
    let secret = file("secret");
    let open = [
        "lottery",
        "open",
        "Verano",
        "--agencies",
        "1",
        "--rule",
        "verifiable",
    ];
    assert_eq!(admin.fails(&open).0, 2);
    let more = ["--secret-file", &secret, "--source", "Gordo"];
    let said = admin.ok(&[&open[..], &more].concat());
    assert!(said.contains("Publish this now: "), "{said}");
    let answer = bets(cluster, "2", 1, &[1, 2, 3]).await;
    bets(cluster, "2", 1, &[4]).await;
    admin.ok(&["lottery", "close", "1"]);
    let draw = ["lottery", "draw", "--secret-file", &secret];
    assert_eq!(admin.fails(&draw).0, 1);
    let drawn = admin.json(&[&draw[..], &["--source-value", "66513"]].concat());

    let (kept, receipt) = (file("kept"), file("receipt"));
    std::fs::write(&kept, serde_json::to_vec(&answer).unwrap()).unwrap();
    ana.ok(&["lottery", "receipt", "1", "--out", &receipt]);
    let (whole, public) = (file("whole"), file("public"));
    assert_eq!(ana.fails(&["lottery", "record", "--bets"]).0, 4);
    admin.ok(&["lottery", "record", "--bets", "--out", &whole]);
    ana.ok(&["lottery", "record", "--out", &public]);
    let verdict = verified(dir, &[&whole, "--receipt", &kept, "--receipt", &receipt]);
    assert_eq!(verdict.matches("right").count(), 7, "{verdict}");
    let number = format!("{:04}", drawn["number"].as_u64().unwrap());
    assert!(verdict.contains(&number), "{verdict}");
    assert!(verified(dir, &[&public]).contains("not checked"));

    let forged = std::fs::read_to_string(&whole)
        .unwrap()
        .replace("10001", "10009");
    std::fs::write(&whole, forged).unwrap();
    let output = run(dir, "http://127.0.0.1:1", &["lottery", "verify", &whole]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("WRONG"));
}

/// What `verify` prints; there is no node at the address that it is given.
fn verified(dir: &Path, arguments: &[&str]) -> String {
    let arguments = [&["lottery", "verify"], arguments].concat();
    let output = run(dir, "http://127.0.0.1:1", &arguments);
    assert!(output.status.success(), "{output:?}");
    stdout(&output)
}

/// RFC 3797's own example.
fn raffle(ana: &User) {
    let sources = ["9319", "2,5,12,8,10", "9,18,26,34,41,45"];
    let command = ["lottery", "raffle", "--pool", "25", "--select", "10"];
    let selection = ana.json(&[&command[..], &sources].concat());
    let numbers = selection["selected"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers.map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [17, 7, 2, 16, 25, 23, 8, 24, 19, 13]);
}
