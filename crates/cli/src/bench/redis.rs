//! Redis itself, where it is installed: one node, which syncs every write before it answers.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::http::Http;
use super::process::{Process, Scratch, free_ports, wait_until};
use super::system::START_AT_MOST;

/// How long it may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server of Redis.
pub struct Redis {
    version: String,
    port: u16,
    // Held for its end: the process is killed when this is dropped.
    _process: Process,
}

impl Redis {
    /// Its version, if it is installed.
    pub fn version() -> Option<String> {
        let output = Command::new("redis-server")
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let word = text.split(' ').find_map(|word| word.strip_prefix("v="))?;
        Some(word.to_owned())
    }

    /// Starts one with an append-only file that is synced before each answer.
    pub fn start(scratch: &Scratch) -> anyhow::Result<Self> {
        let version = Redis::version().context("Redis is not installed")?;
        let dir = scratch.fresh_dir("redis")?;
        let port = free_ports(1)?[0];
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", "", "--daemonize", "no"])
            .arg("--dir")
            .arg(&dir);
        let process = [Process::start(&mut command, &dir.join("redis.log"))?];
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_until("Redis accepts connections", START_AT_MOST, &process, || {
            Ok(Http::connect(address, PATIENCE).is_ok())
        })?;
        let [process] = process;
        Ok(Redis {
            version,
            port,
            _process: process,
        })
    }

    /// Its name and how it is set up.
    pub fn name(&self) -> String {
        format!("redis {} always", self.version)
    }

    /// Where it takes its clients.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}
