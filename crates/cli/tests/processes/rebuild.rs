//! Nodes whose data are wrong or damaged, and that begin anew when they are told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::json;

use super::harness::{Cluster, Server, eventually, run, stderr, stdout};
use super::load::Load;

/// Posts to see acknowledged before and after.
const SIGN_OF_LIFE: usize = 40;

/// A session of the administrator, with a configuration directory of its own.
struct Operator {
    config: PathBuf,
    server: String,
}

impl Operator {
    fn sign_in(cluster: &Cluster, at: usize) -> Self {
        let operator = Operator {
            config: cluster.dir.path().join("config"),
            server: cluster.nodes[at].url(),
        };
        let login = operator.run(&["account", "login", "admin"]);
        assert!(login.status.success(), "{}", stderr(&login));
        operator
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.config, &self.server, arguments)
    }

    fn rebuild(&self, arguments: &[&str]) -> Output {
        self.run(&[&["cluster", "rebuild"], arguments].concat())
    }

    fn refused(&self, arguments: &[&str], exit: i32, why: &str) {
        let output = self.rebuild(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

/// Changes a node's state behind its back: to it, there is somebody called `otro`.
fn tamper(data: &Path) {
    let other = rusqlite::Connection::open(data.join("state.db")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    let changed = other.execute("UPDATE accounts SET name_key = 'otro'", []);
    assert_eq!(changed.unwrap(), 1);
}

/// The directories in which something was put away.
fn put_away(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).unwrap().map(|entry| entry.unwrap());
    let named = |name: &str| name.starts_with("put-away-");
    let found = entries.filter(|entry| entry.file_name().to_str().is_some_and(named));
    found.map(|entry| entry.path()).collect()
}

async fn id_of(asked: &Server, name: &str) -> String {
    eventually("it has an id", async || {
        let status = asked.status().await?;
        let node = status.nodes.iter().find(|node| node.name == name)?;
        Some(node.id.clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_state_differs_begins_anew_when_it_is_told_to() {
    let cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let leader = cluster.leader().await;
    let (well, odd) = (&cluster.nodes[leader], &cluster.nodes[(leader + 1) % 3]);
    let third = &cluster.nodes[(leader + 2) % 3];
    let operator = Operator::sign_in(&cluster, leader);
    let (left, pid) = (id_of(well, &odd.name).await, odd.pid());
    tamper(&odd.data);
    let mut load = Load::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    let other = cluster.dir.path().join("other");
    let register = run(&other, &well.url(), &["account", "register", "otro"]);
    assert!(register.status.success(), "{}", stderr(&register));
    for other in [well, third] {
        eventually("it takes itself out", async || {
            let status = other.status().await?;
            let differs = |node: &api::types::Node| node.name == odd.name && node.differs;
            status.nodes.iter().any(differs).then_some(())
        })
        .await;
    }
    eventually("it knows and notes it", async || {
        odd.data.join("outvoted").exists().then_some(())
    })
    .await;
    operator.refused(&["n9"], 5, "n9");
    // Two at once would be too many.
    operator.refused(&[&third.name], 1, "2 are needed");

    let output = operator.rebuild(&[&odd.name, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&told["name"], &told["leaves"]),
        (&json!(odd.name), &json!(left))
    );
    assert_eq!(told["id"], json!(id_of(well, &odd.name).await));
    eprintln!("it was back after {} ms", told["took_ms"]);
    assert_eq!(odd.pid(), pid, "the process is the same, and began anew");
    let kept = put_away(&odd.data);
    assert_eq!(kept.len(), 1);
    assert!(kept[0].join("outvoted").exists() && kept[0].join("state.db").exists());
    cluster.all_ready().await;
    cluster.all_vote().await;
    load.goes_on(SIGN_OF_LIFE).await;
    load.stop().await;
    load.audit(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_start_begins_anew_at_its_next_start() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let operator = Operator::sign_in(&cluster, 0);
    let mut load = Load::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    let left = id_of(&cluster.nodes[0], "n3").await;
    let data = cluster.nodes[2].data.clone();
    let data_text = data.to_str().unwrap().to_owned();
    operator.refused(&["--data", &data_text], 1, "uses it");
    operator.refused(&["--data", "/no/such/directory"], 2, "not a directory");
    operator.refused(&[], 2, "<NAME");

    cluster.nodes[2].kill();
    fs::remove_file(data.join("identity")).unwrap();
    cluster.nodes[2].start(None);
    let status = eventually("it does not start", async || cluster.nodes[2].ended()).await;
    assert_eq!(status.code(), Some(1));
    let said = cluster.nodes[2].logged();
    assert!(
        said.contains("consorcio cluster rebuild --data DIR"),
        "{said}"
    );
    eventually("n3 is missed", async || {
        let status = cluster.nodes[0].status().await?;
        let missed = |node: &api::types::Node| node.name == "n3" && !node.healthy;
        status.nodes.iter().any(missed).then_some(())
    })
    .await;
    operator.refused(&["n3"], 1, "does not answer");
    let output = operator.rebuild(&["--data", &data_text]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("at its next start"),
        "{}",
        stdout(&output)
    );
    assert!(data.join("log").exists(), "nothing is put away before");

    cluster.nodes[2].start(None);
    cluster.all_ready().await;
    cluster.all_vote().await;
    assert_ne!(id_of(&cluster.nodes[0], "n3").await, left);
    assert_eq!(put_away(&data).len(), 1);
    assert!(!data.join("rebuild").exists());
    load.goes_on(SIGN_OF_LIFE).await;
    load.stop().await;
    load.audit(&cluster).await;
}
