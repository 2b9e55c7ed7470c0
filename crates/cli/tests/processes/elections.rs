//! The cluster as the command line shows it, before and after its leader is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use api::types::{Cluster as Status, ElectionCause, ElectionEvent, Elections};
use rustix::process::Signal;

use super::harness::{Cluster, Running, eventually, program, run, signal, stderr, stdout};

/// A command that goes on, with its output.
fn watching(config: &Path, server: &str, arguments: &[&str]) -> (Running, impl BufRead) {
    let child = program()
        .args(arguments)
        .env("XDG_CONFIG_HOME", config)
        .env("CONSORCIO_SERVER", server)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Running(child.unwrap());
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn next_line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_indexes_and_elections_are_shown_and_remembered() {
    let mut cluster = Cluster::start(3).await;
    let config = cluster.dir.path().join("config");
    let old = cluster.leader().await;
    let old_name = cluster.nodes[old].name.clone();
    let server = cluster.nodes[(old + 1) % 3].url();
    let shown = stdout(&run(&config, &server, &["cluster", "status"]));
    for head in [
        "VOTED FOR",
        "COMMITTED",
        "PURGED",
        "LAG",
        "ANSWERS IN",
        "PEERS",
    ] {
        assert!(shown.contains(head), "{head} is missing:\n{shown}");
    }

    let (mut child, mut lines) = watching(&config, &server, &["cluster", "status", "--watch"]);
    let line = next_line(&mut lines);
    assert!(line.contains(&format!(": {old_name} leads, ")), "{line}");
    assert!(line.contains(" | n3 ") && line.contains(", lag "), "{line}");
    assert_eq!(
        line.matches(" ms ago, answers in ").count(),
        2,
        "all others: {line}"
    );
    let again = next_line(&mut lines);
    assert!(!again.contains('\x1b'), "no terminal is steered: {again:?}");
    signal(child.id(), Signal::INT);
    assert!(child.wait().unwrap().success(), "Ctrl-C is how it ends");

    cluster.nodes[old].kill();
    let new = eventually("another leads", async || {
        Some(cluster.leader().await).filter(|new| *new != old)
    })
    .await;
    let new_name = cluster.nodes[new].name.clone();
    let elections = ["cluster", "elections", "--json", "--limit", "300"];
    let told = eventually("the new leader's election is told", async || {
        let output = run(&config, &server, &elections);
        let told: Elections = serde_json::from_slice(&output.stdout).ok()?;
        let silence = told.elections.iter().find(|past| {
            past.node == new_name
                && past.event == ElectionEvent::Leads
                && past.who.as_ref() == Some(&new_name)
                && past.cause == Some(ElectionCause::Silence)
        })?;
        assert!(silence.silent_ms >= Some(200), "{silence:?}");
        (told.silent == [old_name.clone()]).then_some(told)
    })
    .await;
    let voted = told.elections.iter().find(|past| {
        past.node != new_name
            && past.event == ElectionEvent::Voted
            && past.who.as_ref() == Some(&new_name)
    });
    assert!(voted.is_some(), "{told:#?}");
    let words = run(
        &config,
        &server,
        &["cluster", "elections", "--node", &new_name],
    );
    let words = stdout(&words);
    assert!(words.contains(&format!("{new_name} leads")), "{words}");
    assert!(words.contains("the leader was silent for "), "{words}");
    assert!(
        words.contains(&format!("Could not be asked: {old_name}.")),
        "{words}"
    );

    // A restart forgets nothing.
    cluster.nodes[new].kill();
    cluster.nodes[new].start(None);
    cluster.nodes[old].start(None);
    cluster.all_ready().await;
    let output = run(&config, &server, &elections);
    let after: Elections = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    for past in told.elections.iter().filter(|past| past.node == new_name) {
        assert!(after.elections.contains(past), "{past:?} in {after:#?}");
    }
    let json = ["cluster", "status", "--watch", "--json"];
    let (mut child, mut lines) = watching(&config, &server, &json);
    for _ in 0..2 {
        let status: Status = serde_json::from_str(&next_line(&mut lines)).unwrap();
        assert_eq!(status.nodes.len(), 3);
    }
    signal(child.id(), Signal::INT);
    assert!(child.wait().unwrap().success());
}
