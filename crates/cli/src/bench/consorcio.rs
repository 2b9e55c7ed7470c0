//! This program's own nodes, each a process of the same binary.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::http::Http;
use super::load::{self, Measured, Operation, Until, grpc, http};
use super::process::{Process, Scratch, free_ports, wait_until};
use super::system::{START_AT_MOST, SingleWrite, System};
use crate::serve::TOKEN_FILE;
use crate::settings;

/// How long one answer may take around a measurement.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Of a cluster that lives for minutes on the loopback interface.
const PASSWORD: &str = "solo para medir";

/// A cluster of this program.
pub struct Consorcio {
    dir: PathBuf,
    http_ports: Vec<u16>,
    peer_ports: Vec<u16>,
    lottery_ports: Vec<u16>,
    redis_ports: Vec<u16>,
    grpc_ports: Vec<u16>,
    nodes: Vec<Process>,
    /// The administrator's session.
    token: String,
    protocol: Protocol,
}

/// Over which protocol keys are written and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// REST, with a session
    #[default]
    Http,
    /// gRPC, as etcd is asked; without a session, as it is allowed on this machine
    Grpc,
}

impl Protocol {
    /// Its name, for the report.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Http => "HTTP",
            Protocol::Grpc => "gRPC",
        }
    }
}

impl Consorcio {
    /// Starts so many nodes, in an empty directory.
    pub fn start(scratch: &Scratch, count: usize) -> anyhow::Result<Self> {
        let (mut cluster, _) = Consorcio::begin(scratch, count)?;
        cluster.log_in()?;
        if count > 1 {
            cluster.join_the_others(count)?;
        }
        Ok(cluster)
    }

    /// Starts the first of so many nodes; answers also how long it took until it was ready.
    pub fn begin(scratch: &Scratch, count: usize) -> anyhow::Result<(Self, Duration)> {
        let mut ports = free_ports(count * 5)?;
        let mut next = || ports.split_off(ports.len() - count);
        let mut cluster = Consorcio {
            dir: scratch.fresh_dir("consorcio")?,
            http_ports: next(),
            peer_ports: next(),
            lottery_ports: next(),
            redis_ports: next(),
            grpc_ports: next(),
            nodes: Vec::new(),
            token: String::new(),
            protocol: Protocol::default(),
        };
        cluster.nodes.push(cluster.start_node(0, None)?);
        let ready = cluster.wait_until_ready(0)?;
        Ok((cluster, ready))
    }

    /// Has keys written and read over this protocol from now on.
    pub fn speaking(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    fn log_in(&mut self) -> anyhow::Result<()> {
        self.secret()?;
        let credentials = json!({"name": "admin", "password": PASSWORD}).to_string();
        let mut http = Http::connect(self.address(0), PATIENCE)?;
        let session = http.json("POST", "/v1/sessions", &credentials)?;
        self.token = session["token"]
            .as_str()
            .context("a session has a token")?
            .to_owned();
        Ok(())
    }

    fn join_the_others(&mut self, count: usize) -> anyhow::Result<()> {
        let secret = self.secret()?;
        for node in 1..count {
            self.nodes.push(self.start_node(node, Some(&secret))?);
        }
        self.wait_until_whole()
    }

    /// The secret with which others join. The first node writes it down when the administrator is
    /// made, which is a little after it is ready.
    fn secret(&self) -> anyhow::Result<String> {
        let file = self.data_dir(0).join(TOKEN_FILE);
        wait_until(
            "the administrator is made",
            START_AT_MOST,
            &self.nodes[..1],
            || Ok(file.exists()),
        )?;
        Ok(std::fs::read_to_string(file)?.trim().to_owned())
    }

    fn start_node(&self, node: usize, join: Option<&str>) -> anyhow::Result<Process> {
        let name = format!("n{}", node + 1);
        let local = |port| local(port).to_string();
        let mut command = Command::new(std::env::current_exe()?);
        // Settings of whoever measures must not reach the nodes.
        command.env_clear();
        command
            .args(["serve", "--supervised", "--log", "warn", "--name", &name])
            .arg("--data")
            .arg(self.data_dir(node))
            .args(["--http", &local(self.http_ports[node])])
            .args(["--peer", &local(self.peer_ports[node])])
            .args([
                "--threads",
                &settings::share_of_processors(self.http_ports.len()).to_string(),
            ])
            .args(["--lottery", &local(self.lottery_ports[node])])
            .args(["--redis", &local(self.redis_ports[node])])
            .args(["--grpc", &local(self.grpc_ports[node])])
            .env("CONSORCIO_ADMIN_PASSWORD", PASSWORD)
            .envs(join.map(|secret| ("CONSORCIO_JOIN", secret)));
        Process::start(&mut command, &self.dir.join(format!("{name}.log")))
    }

    /// Waits until a node says that it can serve; answers how long that took.
    fn wait_until_ready(&self, node: usize) -> anyhow::Result<Duration> {
        wait_until(
            "the node is ready",
            START_AT_MOST,
            &self.nodes[node..=node],
            || {
                let mut http = Http::connect(self.address(node), PATIENCE)?;
                let (status, _) = http.request("GET", "/health/ready", "", b"")?;
                Ok(status == 200)
            },
        )
    }

    fn wait_until_whole(&self) -> anyhow::Result<()> {
        wait_until(
            "every node votes and follows one leader",
            START_AT_MOST,
            &self.nodes,
            || {
                let seen: Result<Vec<_>, _> =
                    (0..self.nodes.len()).map(|n| self.status(n)).collect();
                let seen = seen?;
                let leader = &seen[0]["leader"];
                Ok(leader.is_string() && seen.iter().all(|status| self.is_whole(status, leader)))
            },
        )?;
        Ok(())
    }

    fn is_whole(&self, status: &Value, leader: &Value) -> bool {
        let nodes = status["nodes"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let votes = |node: &Value| node["healthy"] == true && node["role"] != "learner";
        status["leader"] == *leader
            && status["ready"] == true
            && nodes.len() == self.nodes.len()
            && nodes.iter().all(votes)
    }

    fn status(&self, node: usize) -> anyhow::Result<Value> {
        Http::connect(self.address(node), PATIENCE)?.json("GET", "/v1/cluster", "")
    }

    /// Where a node takes its clients.
    pub fn address(&self, node: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.http_ports[node]))
    }

    /// Where a node serves the lottery's agencies.
    pub fn lottery_address(&self, node: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.lottery_ports[node]))
    }

    /// Where a node serves clients of Redis.
    pub fn redis_address(&self, node: usize) -> SocketAddr {
        local(self.redis_ports[node])
    }

    /// A connection with the administrator's session.
    pub fn http(&self, node: usize) -> anyhow::Result<Http> {
        Ok(Http::connect(self.address(node), PATIENCE)?.authorize(&self.token))
    }

    /// The administrator's session.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A node's process.
    pub fn node(&self, node: usize) -> &Process {
        &self.nodes[node]
    }

    /// The directory that holds all a node keeps.
    pub fn data_dir(&self, node: usize) -> PathBuf {
        self.dir.join(format!("n{}", node + 1))
    }

    /// Stops a node with SIGTERM.
    pub fn stop(&mut self, node: usize) -> anyhow::Result<()> {
        self.nodes[node].terminate()
    }

    /// Starts a stopped node again; answers how long it took until it was ready.
    pub fn start_again(&mut self, node: usize) -> anyhow::Result<Duration> {
        self.nodes[node] = self.start_node(node, None)?;
        self.wait_until_ready(node)
    }
}

impl System for Consorcio {
    fn name(&self) -> String {
        format!("consorcio {}", env!("CARGO_PKG_VERSION"))
    }

    fn leader(&self) -> anyhow::Result<usize> {
        let status = self.status(0)?;
        let leader = status["leader"]
            .as_str()
            .context("the cluster has no leader")?;
        let number: usize = leader.trim_start_matches('n').parse()?;
        Ok(number - 1)
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        (0..self.http_ports.len())
            .map(|node| self.address(node))
            .collect()
    }

    fn drive(
        &self,
        operation: Operation,
        nodes: &[usize],
        clients: usize,
        until: Until,
    ) -> anyhow::Result<Measured> {
        let ports = match self.protocol {
            Protocol::Http => &self.http_ports,
            Protocol::Grpc => &self.grpc_ports,
        };
        let asked: Vec<_> = nodes.iter().map(|node| local(ports[*node])).collect();
        match self.protocol {
            Protocol::Http => {
                let client = || http::Keys::new(operation, &self.token);
                load::drive(&asked, (0..clients).map(|_| client()).collect(), until)
            }
            Protocol::Grpc => {
                let client = || grpc::Keys::new(&grpc::CONSORCIO, operation);
                load::drive(&asked, (0..clients).map(|_| client()).collect(), until)
            }
        }
    }

    fn single_write(&self) -> SingleWrite {
        let token = self.token.clone();
        Arc::new(move |address, number, patience| {
            let path = format!("/v1/keys/{}", String::from_utf8_lossy(&load::key(number)));
            let mut http = Http::connect(address, patience)?.authorize(&token);
            let kind = "application/octet-stream";
            let (status, words) = http.request("PUT", &path, kind, &load::value(number))?;
            if !(200..300).contains(&status) {
                bail!("{status} {}", String::from_utf8_lossy(&words));
            }
            Ok(())
        })
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    fn restart(&mut self, node: usize) -> anyhow::Result<()> {
        self.nodes[node] = self.start_node(node, None)?;
        self.wait_until_whole()
    }
}

/// A port of this machine alone.
fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
