//! `consorcio ring simulate`: one ring, from one seed.

use std::path::PathBuf;

use ring::simulator::{self, Churn, Plan, Summary};
use serde_json::{Value, json};

use super::super::output::{Cell, Output, Style, cell};
use super::figures::{Cost, broken, counted, decimal, grouped, merged, rounded, summary};
use super::paper::{self, Part};
use crate::failure::{Failure, Outcome};

/// Places on the circle of one simulation: some 650 bytes each.
const PLACES_MAX: u32 = 4_000_000;

const LONG: &str = "\
Simulate rings of up to millions of nodes, with the code that real nodes run

Discrete events from one seed: the same seed prints the same figures. Packets take 50 ms on average
(exponentially distributed), 500 ms without an answer are a death, and after every step what Zave
proved of the protocol is checked: every member has a live successor, and at least r + 1 members are
skipped by no successor list.

A ring is founded whole; with --fail a part of it dies at once, nothing is mended, and keys are
looked up: what the Chord paper's Table II measures. With --churn the ring mends itself while nodes
join and leave. With --paper the paper's own experiments are run, and its figures printed beside.";

const EXAMPLES: &str = "\
Examples:
  consorcio ring simulate --nodes 1000 --successors 20 --fail 0.5 --lookups 10000 --seed 1 --json
  consorcio ring simulate --nodes 1024 --successors 1        as Figure 10 counts: about ½ log₂ N
  consorcio ring simulate --nodes 1000000                    a million nodes in some 600 MiB
  consorcio ring simulate --nodes 100 --virtual 10           ten places on the circle a machine
  consorcio ring simulate --nodes 1000 --churn 0.2           a join and a departure every 5 s
  consorcio ring simulate --paper                            Figure 10, Table II, churn, load
  consorcio ring simulate --paper --only table-2 --plots plots

mean_path counts the nodes that a lookup visits as the paper does: the last is the one whose next
neighbour the owner is, or the owner itself if a successor list led to it from further back.
failed counts lookups that found nobody, or another than the owner.";

/// Which ring.
#[derive(clap::Args)]
#[command(long_about = LONG, after_help = EXAMPLES)]
pub struct Args {
    /// Machines
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(PLACES_MAX)))]
    nodes: u32,

    /// Places on the circle that each machine takes
    #[arg(
        long = "virtual",
        value_name = "V",
        default_value_t = 1,
        conflicts_with = "churn"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    virtual_nodes: u32,

    /// Successors that a node remembers
    #[arg(long, value_name = "R", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=ring::SUCCESSORS_MAX as i64))]
    successors: u8,

    /// The part of the machines that dies before the lookups, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = part)]
    fail: f64,

    /// Joins a second, and as many departures, while the ring mends itself
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "fail")]
    churn: Option<f64>,

    /// Those who depart say goodbye, instead of just being gone
    #[arg(long, requires = "churn")]
    goodbye: bool,

    /// Lookups of random keys by random nodes; with --churn one a second
    #[arg(long, value_name = "L", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    lookups: u64,

    /// From where all randomness comes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Run the experiments of the Chord paper and print its figures beside
    #[arg(long, conflicts_with_all = ["nodes", "virtual_nodes", "successors", "fail", "churn"])]
    paper: bool,

    /// Only these of the paper's experiments
    #[arg(
        long,
        value_enum,
        value_name = "WHAT,…",
        value_delimiter = ',',
        requires = "paper"
    )]
    only: Vec<Part>,

    /// Draw the paper's figures as SVG files in this directory
    #[arg(long, value_name = "DIR", requires = "paper")]
    plots: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    let out = Output::new(args.json);
    if args.paper {
        return paper::run(
            &out,
            &args.only,
            args.plots.as_deref(),
            args.lookups,
            args.seed,
        );
    }
    if args.nodes.saturating_mul(args.virtual_nodes) > PLACES_MAX {
        return Err(Failure::usage(format!(
            "--nodes times --virtual is at most {}",
            grouped(u64::from(PLACES_MAX))
        )));
    }
    match args.churn {
        Some(rate) => churn(&out, &args, rate),
        None => lookups(&out, &args),
    }
}

fn lookups(out: &Output, args: &Args) -> Outcome {
    let cost = Cost::begin();
    let plan = Plan {
        nodes: args.nodes,
        virtual_nodes: args.virtual_nodes,
        successors: usize::from(args.successors),
        fail: args.fail,
        lookups: args.lookups,
        seed: args.seed,
    };
    let outcome = plan.run();
    if out.json {
        let asked = json!({
            "nodes": args.nodes, "virtual": args.virtual_nodes, "successors": args.successors,
            "fail": args.fail, "lookups": args.lookups, "seed": args.seed, "died": outcome.died,
        });
        return out.json(&merged([asked, found(&outcome), spent(&cost)]));
    }
    let each = counted(u64::from(args.successors), "successor");
    let nodes = counted(u64::from(args.nodes), "node");
    let places = match args.virtual_nodes {
        1 => String::new(),
        places => format!(", {places} places on the circle"),
    };
    let died = grouped(u64::from(outcome.died));
    let seed = args.seed;
    out.line(&format!(
        "{nodes} with {each} each{places}; {died} died; seed {seed}"
    ))?;
    print(out, &outcome)?;
    out.line(&cost.sentence())
}

fn churn(out: &Output, args: &Args, rate: f64) -> Outcome {
    let cost = Cost::begin();
    let plan = Churn {
        nodes: args.nodes,
        successors: usize::from(args.successors),
        rate,
        goodbye: args.goodbye,
        lookups: args.lookups,
        seed: args.seed,
    };
    let churned = plan.run();
    if out.json {
        let asked = json!({
            "nodes": args.nodes, "successors": args.successors, "churn": rate,
            "goodbye": args.goodbye, "lookups": args.lookups, "seed": args.seed,
            "joined": churned.joined, "departed": churned.departed,
            "simulated_seconds": rounded(churned.seconds), "nodes_at_end": churned.nodes,
            "healed": churned.healed,
        });
        return out.json(&merged([asked, found(&churned.outcome), spent(&cost)]));
    }
    let (nodes, seed) = (counted(u64::from(args.nodes), "node"), args.seed);
    let (joined, departed) = (grouped(churned.joined), grouped(churned.departed));
    let seconds = grouped(churned.seconds as u64);
    out.line(&format!(
        "{nodes}, {joined} joined and {departed} departed in {seconds} s; seed {seed}"
    ))?;
    print(out, &churned.outcome)?;
    out.line(match churned.healed {
        true => "Left alone afterwards, the ring became whole.",
        false => "Left alone afterwards, the ring did not become whole.",
    })?;
    out.line(&cost.sentence())
}

/// What came of lookups, as JSON.
pub fn found(outcome: &simulator::Outcome) -> Value {
    let counts = json!({
        "failed": outcome.failed(), "unanswered": outcome.unanswered, "wrong": outcome.wrong,
        "abandoned": outcome.abandoned, "packets": outcome.packets, "steps_checked": outcome.steps,
        "invariant_broken": broken(outcome.violation.as_ref()),
    });
    merged([
        summary("path", "", &outcome.path.summary()),
        summary("timeouts", "", &outcome.timeouts.summary()),
        summary("latency", "_ms", &outcome.latency_ms.summary()),
        counts,
    ])
}

fn spent(cost: &Cost) -> Value {
    json!({ "seconds": cost.seconds(), "memory_bytes": cost.memory_bytes() })
}

fn print(out: &Output, outcome: &simulator::Outcome) -> Outcome {
    let row = |what: &str, of: Summary| -> Vec<Cell> {
        let counts = [of.p1, of.p50, of.p90, of.p99, of.max];
        let counts = counts.map(|count| cell(grouped(count)).right());
        [cell(what), decimal(of.mean)]
            .into_iter()
            .chain(counts)
            .collect()
    };
    let rows = [
        row("nodes visited", outcome.path.summary()),
        row("timeouts", outcome.timeouts.summary()),
        row("milliseconds", outcome.latency_ms.summary()),
    ];
    out.table(
        &["A LOOKUP", "MEAN", "1 %", "50 %", "90 %", "99 %", "MOST"],
        &rows,
        "",
    )?;
    let lookups = counted(outcome.begun - outcome.abandoned, "lookup");
    let verdict = match outcome.failed() {
        0 => format!("All of {lookups} found the owner."),
        _ => format!(
            "Of {lookups} {} found nobody and {} another than the owner.",
            grouped(outcome.unanswered),
            grouped(outcome.wrong)
        ),
    };
    out.line(&verdict)?;
    if outcome.abandoned > 0 {
        let others = counted(outcome.abandoned, "other");
        out.line(&format!(
            "The node that began it went before the end of {others}."
        ))?;
    }
    match &outcome.violation {
        None => {
            let steps = counted(outcome.steps, "step");
            out.line(&format!(
                "What is proved of the protocol held after each of {steps}."
            ))
        }
        Some(violation) => {
            let seconds = violation.at_us / 1_000_000;
            let text = format!(
                "More died than the proof allows ({seconds} s): {}.",
                violation.broken
            );
            out.cells(&[cell(text).style(Style::Red)])
        }
    }
}

fn part(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    match (0.0..=1.0).contains(&number) {
        true => Ok(number),
        false => Err("it is not between 0 and 1".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    match (0.0..=1000.0).contains(&number) {
        true => Ok(number),
        false => Err("it is not between 0 and 1000".to_owned()),
    }
}
