//! Keeps one node running.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::child::{FirstStart, Launcher, Running};
use super::lines;
use super::plan::{Node, Plan};
use super::proxies::Proxy;
use super::screen::{Screen, State};
use crate::failure::{Exit, Failure, Outcome};

/// A node that died is started again after this long; each time in a row it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause before a new start.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A node that ran this long has not died in a row.
const STEADY: Duration = Duration::from_secs(30);

/// How often to look whether the first node has written the secret to join with.
const TOKEN_POLL: Duration = Duration::from_millis(50);

/// What a process is.
#[derive(Clone, Debug)]
pub enum Unit {
    Node(Node),
    Proxy(Proxy),
}

impl Unit {
    /// Its place on the screen.
    pub fn place(&self) -> usize {
        match self {
            Unit::Node(node) => node.place,
            Unit::Proxy(proxy) => proxy.place,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Unit::Node(node) => &node.name,
            Unit::Proxy(proxy) => &proxy.name,
        }
    }
}

/// Runs one node or proxy, again and again.
pub struct Keeper {
    unit: Unit,
    plan: Arc<Plan>,
    launcher: Arc<Launcher>,
    screen: Screen,
    stop: CancellationToken,
}

impl Keeper {
    pub fn new(
        unit: Unit,
        plan: Arc<Plan>,
        launcher: Arc<Launcher>,
        screen: Screen,
        stop: CancellationToken,
    ) -> Self {
        Keeper {
            unit,
            plan,
            launcher,
            screen,
            stop,
        }
    }

    /// Runs the node until `stop`. An error means that it cannot run at all.
    pub async fn run(self) -> Outcome {
        let mut pause = FIRST_PAUSE;
        while let Some(mut running) = self.start().await? {
            let began = Instant::now();
            let logs = tokio::spawn(self.show_output(&mut running));
            let status = tokio::select! {
                status = running.ended() => status,
                () = self.stop.cancelled() => {
                    self.end(running).await;
                    // What it still has to say about its end.
                    let _ = logs.await;
                    return Ok(());
                }
            };
            let _ = logs.await;
            if began.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            self.judge(status.map_err(Failure::failed)?, pause)?;
            if self.pass(pause).await.is_none() {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Shows what the node writes until it has ended: its logs, and what it says only once.
    fn show_output(&self, running: &mut Running) -> impl Future<Output = ()> + Send + use<> {
        let (place, screen) = (self.unit.place(), self.screen.clone());
        let (logs, words) = (running.logs.take(), running.words.take());
        async move {
            tokio::join!(
                lines::follow(logs, place, screen.clone()),
                lines::follow(words, place, screen.clone()),
            );
        }
    }

    /// Starts the process, once it can; `None` if all is to stop.
    async fn start(&self) -> Outcome<Option<Running>> {
        let founder = |node: &Node| self.plan.first_start && node.place == 0;
        let token_file = match &self.unit {
            Unit::Proxy(_) => None,
            Unit::Node(node) if founder(node) => None,
            Unit::Node(node) => {
                if node.fresh && self.wait_for_token().await.is_none() {
                    return Ok(None);
                }
                self.plan.token_file()
            }
        };
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        let started = match &self.unit {
            Unit::Proxy(proxy) => self.launcher.start_proxy(proxy),
            Unit::Node(node) => {
                let password = self.plan.generated_password.as_deref();
                let first = FirstStart {
                    join_file: token_file.as_deref(),
                    admin_password: password.filter(|_| founder(node)),
                    demo: self.plan.demo && node.place == 0,
                };
                self.launcher.start(node, &first)
            }
        };
        let running = started.map_err(|error| {
            let name = self.unit.name();
            Failure::failed(format!("cannot start a process for {name}: {error}"))
        })?;
        let id = running.id().unwrap_or(0);
        self.screen.set(self.unit.place(), State::Running(id));
        Ok(Some(running))
    }

    /// Waits until a node of the cluster has written the secret to join with.
    async fn wait_for_token(&self) -> Option<()> {
        while self.plan.token_file().is_none() {
            self.pass(TOKEN_POLL).await?;
        }
        Some(())
    }

    /// Lets time pass; `None` if all is to stop.
    async fn pass(&self, pause: Duration) -> Option<()> {
        tokio::select! {
            () = sleep(pause) => Some(()),
            () = self.stop.cancelled() => None,
        }
    }

    async fn end(&self, mut running: Running) {
        self.screen.set(self.unit.place(), State::Stopping);
        if !running.stop().await {
            self.screen
                .say(self.unit.place(), "did not stop in time and was killed");
        }
        self.screen.set(self.unit.place(), State::Stopped);
    }

    /// Says how the node ended, and whether another start can help.
    fn judge(&self, status: ExitStatus, pause: Duration) -> Outcome {
        let how = describe(status);
        self.screen.set(self.unit.place(), State::Down);
        if status.code() == Some(Exit::Usage as i32) {
            return Err(Failure::usage(format!(
                "{} {how}: see its last line",
                self.unit.name()
            )));
        }
        let seconds = pause.as_secs_f32();
        self.screen.say(
            self.unit.place(),
            &format!("{how}; starting it again in {seconds} s"),
        );
        Ok(())
    }
}

/// How a process ended, as the rest of a sentence.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "stopped".to_owned(),
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(9)) => "was killed (SIGKILL)".to_owned(),
        (None, Some(15)) => "was ended (SIGTERM)".to_owned(),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_described() {
        // The low seven bits of a wait status are the signal, the next byte the exit code.
        let cases = [
            (0, "stopped"),
            (9, "was killed (SIGKILL)"),
            (11, "was ended by signal 11"),
            (3 << 8, "failed with exit code 3"),
        ];
        for (raw, expected) in cases {
            assert_eq!(describe(ExitStatus::from_raw(raw)), expected);
        }
    }
}
