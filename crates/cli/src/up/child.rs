//! The process of one node.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::plan::Node;
use super::proxies::Proxy;
use crate::settings::share_of_processors;

/// A node that was told to stop and has not after this long is killed. Longer than the node's own
/// patience, so that it can still say what it was waiting for.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// What all nodes have in common.
#[derive(Debug)]
pub struct Launcher {
    program: PathBuf,
    log: String,
    log_json: bool,
    colours: bool,
    threads: NonZeroUsize,
    /// Whether the nodes may be made to fail.
    pub allow_drills: bool,
}

/// A node that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Its end tells the node that this process is gone: nothing is ever written.
    _leash: Option<ChildStdin>,
    /// What it logs.
    pub logs: Option<ChildStderr>,
    /// What it says on standard output.
    pub words: Option<ChildStdout>,
}

/// What a node needs to know at its first start only.
#[derive(Clone, Debug, Default)]
pub struct FirstStart<'a> {
    pub join_file: Option<&'a Path>,
    pub admin_password: Option<&'a str>,
    pub demo: bool,
}

impl Launcher {
    /// For so many processes.
    pub fn new(count: usize, log: &str, log_json: bool, colours: bool) -> io::Result<Self> {
        // Asked once: after a rebuild the running file no longer has a name.
        let program = std::env::current_exe()?;
        Ok(Launcher {
            program,
            log: log.to_owned(),
            log_json,
            colours,
            threads: share_of_processors(count),
            allow_drills: false,
        })
    }

    /// Starts a node.
    pub fn start(&self, node: &Node, first: &FirstStart) -> io::Result<Running> {
        let mut command = self.command(self.arguments(node, first));
        if let Some(file) = first.join_file {
            command.env("CONSORCIO_JOIN_FILE", file);
        }
        if let Some(password) = first.admin_password {
            command.env("CONSORCIO_ADMIN_PASSWORD", password);
        }
        run(command)
    }

    /// Starts a proxy.
    pub fn start_proxy(&self, proxy: &Proxy) -> io::Result<Running> {
        let mut command = self.command(proxy.arguments(&self.log, self.log_json));
        // A port of one of them, which the others would want as well.
        command.env_remove("CONSORCIO_REDIS_READS");
        run(command)
    }

    fn command(&self, arguments: Vec<OsString>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on a terminal reaches this process alone, which stops the nodes in good order.
            .process_group(0)
            .kill_on_drop(true);
        // What concerns a single node must not leak from the user's environment into all of them.
        for name in [
            "CONSORCIO_CONFIG",
            "CONSORCIO_JOIN",
            "CONSORCIO_JOIN_FILE",
            "CONSORCIO_DEMO",
            "CONSORCIO_ECHO",
        ] {
            command.env_remove(name);
        }
        if std::env::var_os("CONSORCIO_THREADS").is_none() {
            command.env("CONSORCIO_THREADS", self.threads.to_string());
        }
        if self.colours {
            command.env("CLICOLOR_FORCE", "1");
        }
        command
    }

    fn arguments(&self, node: &Node, first: &FirstStart) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--supervised".into()];
        let mut flag = |name: &str, value: OsString| {
            arguments.push(name.into());
            arguments.push(value);
        };
        flag("--name", node.name.clone().into());
        flag("--data", node.data.clone().into());
        flag("--http", node.http.to_string().into());
        flag("--http-url", node.url().into());
        flag("--peer", node.peer.to_string().into());
        flag("--peer-address", node.peer.to_string().into());
        flag("--grpc", node.grpc.to_string().into());
        flag("--lottery", node.lottery.to_string().into());
        flag("--redis", node.redis.to_string().into());
        flag("--log", self.log.clone().into());
        arguments.push(format!("--log-json={}", self.log_json).into());
        arguments.push(format!("--demo={}", first.demo).into());
        arguments.push(format!("--allow-drills={}", self.allow_drills).into());
        arguments
    }
}

fn run(mut command: Command) -> io::Result<Running> {
    let mut child = command.spawn()?;
    let (_leash, logs, words) = (child.stdin.take(), child.stderr.take(), child.stdout.take());
    Ok(Running {
        child,
        _leash,
        logs,
        words,
    })
}

impl Running {
    /// Its process id, until it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop, and kills it if it does not. True if it stopped by itself.
    pub async fn stop(&mut self) -> bool {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        // It has not been waited for, so the id is still its own.
        if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
            return true;
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_ok() {
            return true;
        }
        // Killing and reaping a child of ours fails only if it is already gone.
        let _ = self.child.kill().await;
        false
    }
}
