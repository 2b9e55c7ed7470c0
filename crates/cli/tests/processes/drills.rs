//! Drills on a real cluster: what fails on purpose, and the proof that nothing was lost.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::harness::{Cluster, run, stderr, stdout};

/// Signs the administrator in, with a configuration directory of its own.
fn sign_in(cluster: &Cluster, config: &Path) {
    let server = cluster.nodes[0].url();
    let output = run(config, &server, &["account", "login", "admin"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn drill(cluster: &Cluster, config: &Path, arguments: &[&str]) -> Output {
    let arguments = [&["drill"], arguments].concat();
    run(config, &cluster.nodes[1].url(), &arguments)
}

/// Runs a drill that must pass; answers its report.
fn passes(cluster: &Cluster, config: &Path, arguments: &[&str]) -> Value {
    let arguments = [&["run", "--json"], arguments].concat();
    let output = drill(cluster, config, &arguments);
    assert!(
        output.status.success(),
        "{}\n{}",
        stdout(&output),
        stderr(&output)
    );
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["passed"], true);
    assert_eq!(report["failures"], serde_json::json!([]));
    for service in report["services"].as_array().unwrap() {
        let acknowledged = service["acknowledged"].as_u64().unwrap();
        assert!(acknowledged > 20, "{service}");
    }
    for node in report["nodes"].as_array().unwrap() {
        for service in node["services"].as_array().unwrap() {
            assert!(service[1]["present"].as_u64().unwrap() > 20, "{node}");
        }
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_counts_what_every_node_holds_and_seals_its_report() {
    let cluster = Cluster::with(3, &[("CONSORCIO_ALLOW_DRILLS", "true")]).await;
    let config = cluster.dir.path().join("config");
    sign_in(&cluster, &config);
    let page = cluster.dir.path().join("report.html");
    let arguments = [
        "play-dead",
        "--seconds",
        "3",
        "--report",
        page.to_str().unwrap(),
    ];
    let report = passes(&cluster, &config, &arguments);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0]["outcome"], "installed");
    let gap = report["longest_unavailability_ms"].as_u64().unwrap();
    assert!(gap < 3_000, "the majority went on: {gap} ms");
    let services = report["services"].as_array().unwrap();
    assert_eq!(services.len(), 5, "no lottery was open, so there are bets");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("PASSED"),
        "{page}"
    );

    // The seal is in the journal, for this very report.
    let (journal, index) = (&report["sealed_in"][0], &report["sealed_in"][1]);
    assert_eq!((journal, index), (&Value::from("drills"), &Value::from(1)));
    let client = cluster.admin().await;
    let entry = client.entry(b"drills", 1).await.unwrap().entry;
    let sealed: Value = serde_json::from_str(&entry.data.unwrap()).unwrap();
    assert_eq!(sealed["blake3"], report["seal"]);
    assert_eq!(sealed["drill"], report["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_of_paused_slow_and_full_nodes_loses_nothing() {
    let cluster = Cluster::with(3, &[("CONSORCIO_ALLOW_DRILLS", "true")]).await;
    let config = cluster.dir.path().join("config");
    sign_in(&cluster, &config);
    let schedule = cluster.dir.path().join("class.toml");
    let steps = "
        [[step]]
        at = 1.0
        fault = 'slow-disk'
        on = 'all'
        seconds = 1
        delay_ms = 5
        [[step]]
        at = 3.0
        fault = 'pause'
        on = 'follower'
        seconds = 2
        [[step]]
        at = 6.5
        fault = 'full-disk'
        seconds = 3";
    std::fs::write(&schedule, steps).unwrap();
    let arguments = ["--schedule", schedule.to_str().unwrap(), "--rate", "10"];
    let report = passes(&cluster, &config, &arguments);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 5);
    for fault in faults {
        assert_eq!(fault["outcome"], "installed", "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_lose_their_data_or_a_byte_of_them_come_back_under_another_id() {
    let cluster = Cluster::with(3, &[("CONSORCIO_ALLOW_DRILLS", "true")]).await;
    let config = cluster.dir.path().join("config");
    sign_in(&cluster, &config);
    let schedule = cluster.dir.path().join("class.toml");
    // The last one is too many at once, and is refused.
    let steps = "
        [[step]]
        at = 1.0
        fault = 'wipe'
        on = 'leader'
        [[step]]
        at = 16.0
        fault = 'corrupt'
        on = 'n2'
        [[step]]
        at = 16.5
        fault = 'wipe'
        on = 'n3'";
    std::fs::write(&schedule, steps).unwrap();
    let arguments = ["--schedule", schedule.to_str().unwrap(), "--rate", "10"];
    let report = passes(&cluster, &config, &arguments);
    let [wipe, corrupt, refused] = report["faults"].as_array().unwrap().as_slice() else {
        panic!("three faults");
    };
    for fault in [wipe, corrupt] {
        assert_eq!(fault["outcome"], "installed", "{fault}");
        assert!(fault["back_after_ms"].as_u64().is_some(), "{fault}");
    }
    assert_eq!(refused["outcome"], "skipped", "{refused}");
    let gap = &report["longest_unavailability_ms"];
    eprintln!(
        "wiped and back after {} ms, damaged and back after {} ms, longest silence {gap} ms",
        wipe["back_after_ms"], corrupt["back_after_ms"]
    );
    assert!(
        gap.as_u64().unwrap() < 5_000,
        "the others went on: {gap} ms"
    );
    let logged = cluster.nodes[1].logged();
    for line in [
        "a byte of the log is flipped",
        "n2 cannot start: the log is damaged",
    ] {
        assert!(logged.contains(line), "{line:?} is not logged:\n{logged}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_flapping_partition_the_majority_goes_on() {
    let cluster = Cluster::with(3, &[("CONSORCIO_ALLOW_DRILLS", "true")]).await;
    let config = cluster.dir.path().join("config");
    sign_in(&cluster, &config);
    let schedule = cluster.dir.path().join("class.toml");
    // A second cut, a second whole: the same node is lost, comes back, and is lost again.
    let flaps = (0..6).map(|flap| {
        let at = 1.0 + 2.0 * f64::from(flap);
        format!("[[step]]\nat = {at}\nfault = 'play-dead'\non = 'n1'\nseconds = 1\n")
    });
    std::fs::write(&schedule, flaps.collect::<String>()).unwrap();
    let arguments = ["--schedule", schedule.to_str().unwrap(), "--rate", "20"];
    let report = passes(&cluster, &config, &arguments);
    for fault in report["faults"].as_array().unwrap() {
        assert_eq!(fault["outcome"], "installed", "{fault}");
    }
    let gap = report["longest_unavailability_ms"].as_u64().unwrap();
    eprintln!("six flaps, longest silence {gap} ms");
    assert!(gap < 3_000, "the majority went on: {gap} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_drilled_is_refused_in_a_sentence() {
    let cluster = Cluster::start(1).await;
    let (config, server) = (cluster.dir.path().join("config"), cluster.nodes[0].url());
    let drill = |arguments: &[&str]| run(&config, &server, &[&["drill"], arguments].concat());
    let refused = |arguments: &[&str], exit: i32, why: &str| {
        let output = drill(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(&["run", "kill"], 4, "sign in");
    sign_in(&cluster, &config);
    refused(&["run", "kill"], 1, "n1 does not allow drills");
    refused(&["run", "flood"], 2, "flood");
    refused(&["run"], 2, "<FAULT>");
    refused(&["run", "--schedule", "/no/such/file"], 2, "cannot read");
    let shown = stdout(&drill(&["show"]));
    assert!(shown.contains("not allowed"), "{shown}");
    assert!(drill(&["stop"]).status.success());
}
