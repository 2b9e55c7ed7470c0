//! `consorcio up` and its children.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use api::Client;
use api::types::{Credentials, NodeRole};
use rustix::process::Signal;

use super::harness::{Turn, eventually, free_ports, is_alive, program, signal, turn};

/// A running `up`, which is gone with its children when the test is.
struct Up {
    child: Child,
    data: PathBuf,
    out: PathBuf,
    base: u16,
    dir: tempfile::TempDir,
    _turn: Turn,
}

impl Up {
    /// Starts a cluster and waits until it says that it is ready.
    async fn start(arguments: &[&str]) -> Self {
        let turn = turn();
        let dir = tempfile::tempdir().unwrap();
        let (data, out) = (dir.path().join("data"), dir.path().join("out"));
        // Proxies listen 100 above the nodes.
        let base = free_ports(150);
        let child = spawn(&data, &out, base, arguments);
        let up = Up {
            child,
            data,
            out,
            base,
            dir,
            _turn: turn,
        };
        up.ready().await;
        up
    }

    async fn ready(&self) {
        eventually("up is ready", async || {
            self.said().contains("Ready:").then_some(())
        })
        .await;
    }

    /// What it said on standard output and standard error.
    fn said(&self) -> String {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        read(&self.out) + &read(&self.out.with_extension("err"))
    }

    /// The process of a node, which notes its id in its data directory.
    fn pid(&self, node: &str) -> Option<u32> {
        std::fs::read_to_string(self.data.join(node).join("lock"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn pids(&self) -> Vec<u32> {
        ["n1", "n2", "n3"]
            .iter()
            .filter_map(|node| self.pid(node))
            .collect()
    }

    fn client(&self) -> Client {
        Client::builder()
            .endpoint(format!("http://127.0.0.1:{}", self.base))
            .build()
            .unwrap()
    }

    async fn ended(&mut self) -> ExitStatus {
        eventually("up ends", async || self.child.try_wait().unwrap()).await
    }

    /// Starts it again on the same data.
    async fn again(&mut self, arguments: &[&str]) {
        self.out = self.dir.path().join("again");
        self.child = spawn(&self.data, &self.out, self.base, arguments);
        self.ready().await;
    }

    /// What another `up` on the same data says and ends with.
    fn another(&self, arguments: &[&str]) -> (i32, String) {
        let output = program()
            .arg("up")
            .arg("--data")
            .arg(&self.data)
            .args(arguments)
            .output();
        let output = output.unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Its children end when it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what up said ---\n{}", self.said());
        }
    }
}

fn spawn(data: &Path, out: &Path, base: u16, arguments: &[&str]) -> Child {
    let ports = [0, 10, 20, 30, 40].map(|above| (base + above).to_string());
    let [http, peer, lottery, redis, grpc] = ports;
    let mut command = program();
    command
        .args(["up", "--http-port", &http, "--peer-port", &peer])
        .args(["--lottery-port", &lottery, "--redis-port", &redis])
        .args(["--grpc-port", &grpc, "--data"])
        .arg(data)
        .arg("--supervised")
        .args(arguments)
        .stdout(File::create(out).unwrap())
        .stderr(File::create(out.with_extension("err")).unwrap())
        // Its end tells it that the test is gone.
        .stdin(Stdio::piped())
        // A terminal sends Ctrl-C to a whole process group.
        .process_group(0);
    command.spawn().unwrap()
}

async fn all_gone(pids: &[u32]) {
    let gone = async || pids.iter().all(|pid| !is_alive(*pid)).then_some(());
    eventually("no process is left", gone).await;
}

#[tokio::test]
async fn ctrl_c_leaves_no_process_behind_and_a_second_up_goes_on() {
    let mut up = Up::start(&["--demo"]).await;
    let said = up.said();
    assert!(said.contains("n3  http://127.0.0.1:"), "{said}");
    let password = said.split("with the password ").nth(2).unwrap();
    let password = password.split_whitespace().next().unwrap().to_owned();
    let credentials = api::types::Credentials {
        name: "admin".into(),
        password,
    };
    let session = up.client().log_in(&credentials).await.unwrap();
    let posts = async |up: &Up| {
        let client = up.client().with_token(session.token.as_str());
        let areas = client.areas().await.unwrap().areas;
        areas.iter().map(|area| area.posts).sum::<i64>()
    };
    // Whole: the last that it does is to hide a post.
    eventually("the demonstration is there", async || {
        up.said()
            .contains("the demonstration is there")
            .then_some(())
    })
    .await;
    let before = posts(&up).await;

    let pids = up.pids();
    assert_eq!(pids.len(), 3);
    let group = rustix::process::Pid::from_raw(up.child.id() as i32).unwrap();
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    assert!(up.ended().await.success());
    all_gone(&pids).await;

    up.again(&[]).await;
    assert!(
        !up.said().contains("the password"),
        "a password is made and shown once"
    );
    let after = posts(&up).await;
    assert!(after >= before, "{before} posts were there, now {after}");
}

#[tokio::test]
async fn a_node_whose_data_are_lost_is_joined_anew() {
    let mut up = Up::start(&[]).await;
    signal(up.child.id(), Signal::TERM);
    assert!(up.ended().await.success());
    std::fs::remove_dir_all(up.data.join("n3")).unwrap();
    up.again(&[]).await;
    assert!(up.said().contains("3 nodes serve as one"), "{}", up.said());
    eventually("three vote again", async || {
        let nodes = up.client().cluster().await.ok()?.nodes;
        let well = nodes
            .iter()
            .all(|node| node.healthy && node.role != NodeRole::Learner);
        (nodes.len() == 3 && well).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_node_that_founded_the_cluster_begins_anew_in_its_own_process() {
    let up = Up::start(&[]).await;
    let (first, said) = (up.pid("n1").unwrap(), up.said());
    let (_, password) = said.split_once("with the password ").unwrap();
    let credentials = Credentials {
        name: "admin".to_owned(),
        password: password.split_whitespace().next().unwrap().to_owned(),
    };
    let session = up.client().log_in(&credentials).await.unwrap();
    let client = up.client().with_token(session.token.as_str());
    // Refused until the others, too, vote.
    let left = eventually("n1 begins anew", async || {
        let begun = client.rebuild_node("n1", false).await.ok()?;
        Some(begun.leaves)
    })
    .await;
    eventually("n1 votes under another id", async || {
        let nodes = up.client().cluster().await.ok()?.nodes;
        let well = |node: &api::types::Node| {
            node.healthy && node.role != NodeRole::Learner && node.id != left
        };
        (nodes.len() == 3 && nodes.iter().all(well)).then_some(())
    })
    .await;
    assert_eq!(up.pid("n1"), Some(first));
    assert!(is_alive(first));
    assert!(!up.said().contains("starting it again"), "{}", up.said());
}

#[tokio::test]
async fn a_node_that_dies_is_started_again_and_sigkill_of_up_leaves_nothing() {
    let mut up = Up::start(&[]).await;
    let second = up.pid("n2").unwrap();
    signal(second, Signal::KILL);
    eventually("n2 has another process", async || {
        up.pid("n2").filter(|pid| *pid != second && is_alive(*pid))
    })
    .await;
    eventually("all are healthy", async || {
        let nodes = up.client().cluster().await.ok()?.nodes;
        (nodes.len() == 3 && nodes.iter().all(|node| node.healthy)).then_some(())
    })
    .await;
    assert!(
        up.said()
            .contains("n2 was killed (SIGKILL); starting it again"),
        "{}",
        up.said()
    );

    let pids = up.pids();
    signal(up.child.id(), Signal::KILL);
    assert!(!up.ended().await.success());
    all_gone(&pids).await;
}

#[tokio::test]
async fn what_cannot_be_run_beside_it_is_refused_in_one_sentence() {
    let up = Up::start(&["--nodes", "1"]).await;
    let one_sentence = |text: &str| {
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        assert!(text.starts_with("consorcio: "), "{text}");
    };
    let (code, said) = up.another(&[]);
    assert!(
        said.contains(&format!("process {} uses it", up.child.id())),
        "{said}"
    );
    assert_eq!(code, 1);
    one_sentence(&said);

    let (code, said) = up.another(&["--http-port", "9"]);
    assert!(
        code == 2 && said.contains("know each other at the ports"),
        "{said}"
    );
    one_sentence(&said);

    let elsewhere = up.dir.path().join("elsewhere");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = up.base.to_string();
    let peer = taken.local_addr().unwrap().port().to_string();
    let output = program()
        .args([
            "up",
            "--nodes",
            "1",
            "--http-port",
            &port,
            "--peer-port",
            &peer,
            "--grpc-port",
            "0",
            "--lottery-port",
            "0",
            "--redis-port",
            "0",
            "--data",
        ])
        .arg(&elsewhere)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("{port} (HTTP of n1), {peer} (peers of n1)")),
        "{said}"
    );
    one_sentence(&said);
    assert!(!elsewhere.exists(), "nothing is left of it");
}

/// The process that was started with this word among its arguments.
fn process_with(argument: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word == argument)
    })
}

#[tokio::test]
async fn proxies_stand_beside_the_nodes_and_come_back_when_they_die() {
    let mut up = Up::start(&["--proxies", "2"]).await;
    let addresses = [100, 101].map(|above| format!("127.0.0.1:{}", up.base + above));
    let said = up.said();
    for (name, address) in ["p1", "p2"].iter().zip(&addresses) {
        assert!(
            said.contains(&format!("{name}  http://{address}")),
            "{said}"
        );
    }
    let [first, second] = addresses.each_ref().map(|address| {
        let client = Client::builder().endpoint(format!("http://{address}"));
        client.learn(false).build().unwrap()
    });
    assert_eq!(first.cluster().await.unwrap().nodes.len(), 3);
    let pid = process_with(&addresses[0]).expect("the first proxy");
    signal(pid, Signal::KILL);
    assert_eq!(second.cluster().await.unwrap().nodes.len(), 3);
    eventually("p1 has another process", async || {
        process_with(&addresses[0]).filter(|id| *id != pid && is_alive(*id))
    })
    .await;
    first.ready().await.unwrap();
    assert!(
        up.said()
            .contains("p1 was killed (SIGKILL); starting it again"),
        "{}",
        up.said()
    );

    let mut pids = up.pids();
    pids.extend(addresses.iter().filter_map(|address| process_with(address)));
    assert_eq!(pids.len(), 5);
    signal(up.child.id(), Signal::TERM);
    assert!(up.ended().await.success());
    all_gone(&pids).await;
}
