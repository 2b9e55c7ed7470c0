//! etcd, where it is installed, with its own defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::Http;
use super::load::{self, Measured, Operation, Until, grpc};
use super::process::{Process, Scratch, free_ports, wait_until};
use super::system::{NODES, START_AT_MOST, SingleWrite, System};

/// How long its status may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A cluster of etcd.
pub struct Etcd {
    version: String,
    dir: PathBuf,
    client_ports: Vec<u16>,
    peer_ports: Vec<u16>,
    nodes: Vec<Process>,
}

impl Etcd {
    /// Its version, if it is installed.
    pub fn version() -> Option<String> {
        let output = Command::new("etcd").arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines()
            .next()?
            .strip_prefix("etcd Version: ")
            .map(str::to_owned)
    }

    /// Starts three nodes.
    pub fn start(scratch: &Scratch) -> anyhow::Result<Self> {
        let mut etcd = Etcd {
            version: Etcd::version().context("etcd is not installed")?,
            dir: scratch.fresh_dir("etcd")?,
            client_ports: free_ports(NODES)?,
            peer_ports: free_ports(NODES)?,
            nodes: Vec::new(),
        };
        for node in 0..NODES {
            let process = etcd.start_node(node)?;
            etcd.nodes.push(process);
        }
        etcd.wait_until_whole()?;
        Ok(etcd)
    }

    fn start_node(&self, node: usize) -> anyhow::Result<Process> {
        let client = format!("http://127.0.0.1:{}", self.client_ports[node]);
        let peer = |node: usize| format!("http://127.0.0.1:{}", self.peer_ports[node]);
        let cluster: Vec<_> = (0..NODES)
            .map(|node| format!("n{node}={}", peer(node)))
            .collect();
        let mut command = Command::new("etcd");
        command
            .args([
                "--name",
                &format!("n{node}"),
                "--initial-cluster-state",
                "new",
            ])
            .arg("--data-dir")
            .arg(self.dir.join(format!("n{node}")))
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args(["--listen-peer-urls", &peer(node)])
            .args(["--initial-advertise-peer-urls", &peer(node)])
            .args(["--initial-cluster", &cluster.join(",")]);
        Process::start(&mut command, &self.dir.join(format!("n{node}.log")))
    }

    fn wait_until_whole(&self) -> anyhow::Result<()> {
        wait_until(
            "every node of etcd follows one leader",
            START_AT_MOST,
            &self.nodes,
            || {
                let statuses: Result<Vec<_>, _> =
                    (0..NODES).map(|node| self.status(node)).collect();
                let statuses = statuses?;
                let leader = &statuses[0]["leader"];
                let same = statuses.iter().all(|status| status["leader"] == *leader);
                let indices: Vec<_> = statuses.iter().map(|status| &status["raftIndex"]).collect();
                Ok(same && leader.is_string() && indices.iter().all(|index| *index == indices[0]))
            },
        )?;
        Ok(())
    }

    fn status(&self, node: usize) -> anyhow::Result<Value> {
        let mut http = Http::connect(self.addresses()[node], PATIENCE)?;
        http.json("POST", "/v3/maintenance/status", "{}")
    }
}

impl System for Etcd {
    fn name(&self) -> String {
        format!("etcd {}", self.version)
    }

    fn leader(&self) -> anyhow::Result<usize> {
        for node in 0..NODES {
            let status = self.status(node)?;
            if status["leader"] == status["header"]["member_id"] {
                return Ok(node);
            }
        }
        anyhow::bail!("etcd has no leader")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.client_ports
            .iter()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], *port)))
            .collect()
    }

    fn drive(
        &self,
        operation: Operation,
        nodes: &[usize],
        clients: usize,
        until: Until,
    ) -> anyhow::Result<Measured> {
        let all = self.addresses();
        let asked: Vec<_> = nodes.iter().map(|node| all[*node]).collect();
        let client = || grpc::Keys::new(&grpc::ETCD, operation);
        load::drive(&asked, (0..clients).map(|_| client()).collect(), until)
    }

    fn single_write(&self) -> SingleWrite {
        Arc::new(|address, number, patience| {
            let key = STANDARD.encode(load::key(number));
            let value = STANDARD.encode(load::value(number));
            let body = json!({"key": key, "value": value}).to_string();
            Http::connect(address, patience)?.json("POST", "/v3/kv/put", &body)?;
            Ok(())
        })
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    fn restart(&mut self, node: usize) -> anyhow::Result<()> {
        self.nodes[node] = self.start_node(node)?;
        self.wait_until_whole()
    }
}
