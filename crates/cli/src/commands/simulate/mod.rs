//! `consorcio simulate`: whole clusters in one thread each, tormented from a seed, with every step
//! looked at. What is simulated and what is checked is told in `sim::storm`.
//!
//! One seed passes at a time in a process, so there is a process for each job ([`crew`]); it is
//! this program again ([`worker`]), and what a seed does to it harms nobody else.

mod crew;
mod worker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use serde::Serialize;
use sim::storm::Bug;

use super::output::{Output, cell};
use crate::failure::{Failure, Outcome};
use crew::{Crew, Failed, Tally};

/// Seeds of a run unless it says how many.
const SEEDS: u64 = 200;

/// Jobs at most: each is a process, and no ordinary machine has more cores.
const JOBS_MAX: u64 = 256;

const EXAMPLES: &str = "\
Examples:
  consorcio simulate --seeds 200                     every fourth cluster has five nodes
  consorcio simulate --minutes 10 --nodes 5 --json   as many as fit into ten minutes
  consorcio simulate --seed 17 --nodes 3 --verbose   one of them, and what happens in it
  consorcio simulate --bug stale-reads               a planted bug, to see that it is found

Nothing is read or written on this machine: disks, network and clocks are simulated. A seed gives
the same run each time, so one with a violation can be run again.";

/// Whole clusters from seeds, in virtual time, under faults of all kinds
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How many seeds [default: 200, or 1 with --seed, or as many as fit into --minutes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,

    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Nodes of each cluster [default: five in every fourth, three in the others]
    #[arg(long, value_name = "3|5", value_parser = nodes)]
    nodes: Option<u32>,

    /// Begin no more seeds after so long
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    minutes: Option<u64>,

    /// Seeds at the same time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    jobs: Option<u64>,

    /// Plant a bug in every cluster, to see that it is found
    #[arg(long, value_name = "BUG", value_parser = bugs())]
    bug: Option<String>,

    /// Tell on standard error what happens in each cluster, one seed at a time
    #[arg(long, short)]
    verbose: bool,

    /// Print one line of JSON at the end
    #[arg(long)]
    json: bool,

    /// Take seeds from standard input: the part of the processes behind --jobs
    #[arg(long, hide = true)]
    worker: bool,
}

fn bugs() -> PossibleValuesParser {
    PossibleValuesParser::new(Bug::ALL.map(Bug::name))
}

fn nodes(text: &str) -> Result<u32, &'static str> {
    match text {
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("a cluster has 3 or 5 nodes"),
    }
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
struct Plan {
    first: u64,
    seeds: u64,
    nodes: Option<u32>,
    until: Option<Instant>,
    jobs: u64,
    bug: Option<Bug>,
    verbose: bool,
}

impl Plan {
    fn of(args: &Args) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let jobs = if args.verbose { 1 } else { cores };
        let seeds = match (args.minutes, args.seed) {
            (Some(_), _) => u64::MAX,
            (None, Some(_)) => 1,
            (None, None) => SEEDS,
        };
        let seeds = args.seeds.unwrap_or(seeds);
        let until = |minutes| Instant::now() + Duration::from_secs(60 * minutes);
        Plan {
            first: args.seed.unwrap_or(0),
            seeds,
            nodes: args.nodes,
            until: args.minutes.map(until),
            jobs: args.jobs.unwrap_or(jobs).min(JOBS_MAX).min(seeds),
            bug: args.bug.as_deref().and_then(Bug::named),
            verbose: args.verbose,
        }
    }

    /// Nodes of the cluster of a seed.
    fn nodes(&self, seed: u64) -> u32 {
        self.nodes.unwrap_or(if seed % 4 == 3 { 5 } else { 3 })
    }
}

/// The line of `--json`.
#[derive(Debug, Serialize)]
struct Summary {
    seeds: u64,
    violations: usize,
    operations: u64,
    elections: u64,
    crashes: u64,
    simulated_s: f64,
    elapsed_s: f64,
    seeds_per_second: f64,
    snapshots: u64,
    /// Acknowledged writes that were looked for on the disks of a majority.
    looked_for: u64,
    faults: BTreeMap<String, u64>,
    first_seed: u64,
    /// Of all that happened, in any order: equal for equal seeds of the same build.
    trace_hash: String,
    failed: Vec<Failed>,
}

/// Runs the seeds; fails if there was a violation.
pub fn run(args: Args) -> Outcome {
    if args.worker {
        return worker::run(args.verbose);
    }
    let plan = Plan::of(&args);
    let started = Instant::now();
    let tally = Crew::new(plan).run()?;
    let summary = summary(&plan, tally, started.elapsed());
    let output = Output::new(args.json);
    if args.json {
        output.json(&summary)?;
    } else {
        tell(&output, &summary)?;
    }
    verdict(&summary)
}

fn summary(plan: &Plan, tally: Tally, elapsed: Duration) -> Summary {
    let elapsed_s = elapsed.as_secs_f64();
    Summary {
        seeds: tally.seeds,
        violations: tally.failed.len(),
        operations: tally.operations,
        elections: tally.elections,
        crashes: tally.crashes,
        simulated_s: rounded(tally.simulated_s),
        elapsed_s: rounded(elapsed_s),
        seeds_per_second: rounded(tally.seeds as f64 / elapsed_s.max(f64::MIN_POSITIVE)),
        snapshots: tally.snapshots,
        looked_for: tally.looked_for,
        faults: tally.faults,
        first_seed: plan.first,
        trace_hash: format!("{:016x}", tally.trace),
        failed: tally.failed,
    }
}

/// To thousandths: more is noise.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

fn tell(output: &Output, summary: &Summary) -> Outcome {
    let figure = |name: &str, number: String| vec![cell(name), cell(number).right()];
    let rows = [
        figure("seeds", summary.seeds.to_string()),
        figure("violations", summary.violations.to_string()),
        figure("operations of clients", summary.operations.to_string()),
        figure("elections", summary.elections.to_string()),
        figure("crashes", summary.crashes.to_string()),
        figure("snapshots sent", summary.snapshots.to_string()),
        figure("writes looked for on disks", summary.looked_for.to_string()),
        figure("simulated seconds", format!("{:.0}", summary.simulated_s)),
        figure("elapsed seconds", format!("{:.1}", summary.elapsed_s)),
        figure("seeds a second", format!("{:.1}", summary.seeds_per_second)),
    ];
    let faults = summary.faults.iter();
    let faults = faults.map(|(fault, count)| figure(&format!("  {fault}"), count.to_string()));
    let rows: Vec<_> = rows.into_iter().chain(faults).collect();
    output.table(&["", ""], &rows, "")
}

fn verdict(summary: &Summary) -> Outcome {
    let Some(first) = summary.failed.first() else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "{} of {} seeds with a violation; the first again: {}",
        summary.violations,
        summary.seeds,
        first.again()
    )))
}
