//! `consorcio drill`: makes nodes fail on purpose, and proves that nothing was lost.
//!
//! ```text
//!   schedule ──▶ run ──┬─▶ load      writes on every service, and the ledger of what was said
//!                      ├─▶ faults    begun at the nodes, one step after the other
//!                      └─▶ count     what every node holds afterwards, against the ledger
//!                              └─▶ report ──▶ text, JSON, HTML; its hash goes into a journal
//! ```

mod absent;
mod count;
mod html;
mod ledger;
mod load;
mod nodes;
mod report;
mod run;
mod schedule;
mod text;

use std::path::PathBuf;

use api::types::DrillFault;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::output::cell;
use super::session::Session;
use super::{Common, with_session};
use crate::failure::{Failure, Outcome};
use nodes::Nodes;
use schedule::{Schedule, Step, Target};

const EXAMPLES: &str = "\
Examples:
  consorcio drill run kill                        SIGKILL the leader while everything is in use
  consorcio drill run pause --on n2 --seconds 8   n2 stands still (SIGSTOP) and wakes up again
  consorcio drill run play-dead --on leader       alive, but nobody of the cluster hears it
  consorcio drill run partition --on n1 --peers n3
  consorcio drill run slow-disk --on all --delay-ms 50
  consorcio drill run wipe --on follower          its data are gone, and it comes back empty
  consorcio drill run corrupt --on n3             a byte of its log is flipped: it must notice
  consorcio drill run --schedule class.toml --report class.html
  consorcio drill show                            what fails now, and what has failed
  consorcio drill stop                            nothing fails on purpose any more

A schedule is a file of steps; times are seconds from the start of the load:
  [[step]]
  at = 2.0
  fault = \"kill\"          # kill, pause, play-dead, partition, slow-link, slow-disk, full-disk,
  on = \"leader\"           # clock-skew, wipe, corrupt; on leader, follower, random, all or a name
  seconds = 5

Only administrators, and only where nodes were started with --allow-drills (`up --demo` does). The
drill makes an area, a poll, keys and a journal of its own, and a lottery unless one is open. It
ends with 0 only if all that was acknowledged is there, once, in order, on every node.";

/// Make nodes fail on purpose, and prove that nothing was lost
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Use every service while something fails, and count afterwards
    Run(Box<Run>),
    /// What fails now at each node, and what has failed since it started
    Show,
    /// End what fails, at every node that can be reached
    Stop,
}

#[derive(clap::Args)]
struct Run {
    /// What fails
    #[arg(
        value_parser = fault_parser(),
        required_unless_present = "schedule",
        conflicts_with = "schedule"
    )]
    fault: Option<DrillFault>,

    /// Steps from a TOML file instead
    #[arg(long, value_name = "FILE")]
    schedule: Option<PathBuf>,

    /// Where: leader, follower, random, all, or a node's name
    #[arg(long, default_value = "leader", value_name = "NODE")]
    on: Target,

    /// How long it fails; the cluster itself ends it then. Kill, wipe and corrupt take no time
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,

    /// With partition and slow-link, the nodes at the other end
    #[arg(long, value_name = "NODE,…", value_delimiter = ',')]
    peers: Vec<String>,

    /// With slow-link and slow-disk, how much slower
    #[arg(long, value_name = "MS")]
    delay_ms: Option<u32>,

    /// With clock-skew, how far ahead, or behind
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    skew_ms: Option<i32>,

    /// Go on even where no majority would be left
    #[arg(long)]
    yes: bool,

    /// Writes a second on each service
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    rate: u32,

    /// Write the report to this file as well: .html, .json or text
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::Run(run) => run_drill(session, &run).await,
        Action::Show => show(session).await,
        Action::Stop => stop(session).await,
    })
}

/// Reads the name of a fault; `--help` tells what each does.
fn fault_parser() -> impl TypedValueParser<Value = DrillFault> {
    let names = DrillFault::ALL.map(|fault| PossibleValue::new(fault.name()).help(meaning(fault)));
    PossibleValuesParser::new(names).try_map(|name| {
        let mut all = DrillFault::ALL.into_iter();
        all.find(|fault| fault.name() == name)
            .ok_or("no such fault")
    })
}

fn meaning(fault: DrillFault) -> &'static str {
    match fault {
        DrillFault::Kill => "SIGKILL; whoever supervises the node starts it again",
        DrillFault::Pause => "SIGSTOP; it goes on by itself when the time is over",
        DrillFault::PlayDead => "Nothing comes through between it and any other node",
        DrillFault::Partition => "Nothing comes through between it and the nodes of --peers",
        DrillFault::SlowLink => "What it says to others, and they to it, takes longer",
        DrillFault::SlowDisk => "Its disk syncs more slowly",
        DrillFault::FullDisk => "Its log finds no room on the disk",
        DrillFault::ClockSkew => "Its clock is wrong",
        DrillFault::Wipe => "It loses its data at once, and joins anew; they are put away",
        DrillFault::Corrupt => {
            "A byte of its log is flipped, which it must notice at its next start"
        }
    }
}

async fn run_drill(session: &mut Session, run: &Run) -> Outcome {
    let schedule = run.schedule()?;
    let report = run::run(session, &schedule, run.rate).await?;
    if let Some(path) = &run.report {
        let written = std::fs::write(path, report.written_for(path)?);
        written.map_err(|error| {
            Failure::failed(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    match session.out.json {
        true => session.out.json(&report)?,
        false => session.out.text(&text::of(&report))?,
    }
    match report.passed {
        true => Ok(()),
        false => Err(Failure::failed("the drill did not pass")),
    }
}

impl Run {
    fn schedule(&self) -> Outcome<Schedule> {
        let Some(fault) = self.fault else {
            let path = self.schedule.as_deref().unwrap_or_else(|| "".as_ref());
            let mut schedule = Schedule::read(path)?;
            schedule.confirmed = self.yes;
            return Ok(schedule);
        };
        let step = Step {
            at: schedule::FIRST_AT,
            fault,
            on: self.on.clone(),
            seconds: self.seconds,
            peers: self.peers.clone(),
            delay_ms: self.delay_ms,
            skew_ms: self.skew_ms,
        };
        Ok(Schedule {
            steps: vec![step],
            confirmed: self.yes,
        })
    }
}

async fn show(session: &mut Session) -> Outcome {
    let nodes = Nodes::of(session).await?;
    let mut all = Vec::new();
    for node in nodes.all() {
        match node.client.drills().await {
            Ok(drills) => all.push(drills),
            Err(error) => eprintln!("consorcio: {}: {error}", node.name),
        }
    }
    if session.out.json {
        return session.out.json(&all);
    }
    let mut rows = Vec::new();
    for drills in &all {
        let (node, allowed) = (&drills.node, drills.allowed);
        if drills.running.is_none() && drills.past.is_empty() {
            let state = if allowed {
                "nothing yet"
            } else {
                "not allowed"
            };
            rows.push(vec![cell(node), cell(state), cell(""), cell(""), cell("")]);
        }
        for drill in drills.running.iter().chain(&drills.past) {
            let ended = drill.ended_at.as_deref().unwrap_or("lasts still");
            rows.push(vec![
                cell(node),
                cell(drill.fault.name()),
                cell(&drill.begun_at),
                cell(ended),
                cell(if drill.stopped { "stopped" } else { "" }),
            ]);
        }
    }
    let heads = ["NODE", "FAULT", "BEGAN", "ENDED", ""];
    session.out.table(&heads, &rows, "No node answered.")
}

async fn stop(session: &mut Session) -> Outcome {
    let nodes = Nodes::of(session).await?;
    let silent = nodes.stop_all().await;
    if silent.is_empty() {
        return session.out.say("Nothing fails on purpose any more.");
    }
    Err(Failure::failed(format!(
        "{} did not answer: what fails there ends by itself",
        silent.join(", ")
    )))
}
