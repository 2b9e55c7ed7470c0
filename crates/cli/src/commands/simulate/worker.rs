//! One process of a simulation: takes seeds from standard input and answers a line of JSON for
//! each.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use sim::storm::{Bug, Report, Storm};

use crate::failure::{Failure, Outcome};

/// A seed to be run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub seed: u64,
    pub nodes: u32,
    /// The name of a bug to be found.
    pub bug: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub seed: u64,
    pub violation: Option<Told>,
    pub operations: u64,
    pub elections: u64,
    pub crashes: u64,
    pub snapshots: u64,
    pub looked_for: u64,
    pub faults: BTreeMap<String, u64>,
    pub simulated_s: f64,
    pub trace: u64,
}

/// A violation, and what came before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub what: String,
    pub story: Vec<String>,
}

impl Done {
    fn of(report: Report) -> Self {
        Done {
            seed: report.seed,
            violation: report.violation.map(|violation| Told {
                what: violation.what,
                story: violation.story,
            }),
            operations: report.operations,
            elections: report.elections,
            crashes: report.crashes,
            snapshots: report.snapshots,
            looked_for: report.looked_for,
            faults: report
                .faults
                .into_iter()
                .map(|(fault, count)| (fault.to_owned(), count))
                .collect(),
            simulated_s: report.simulated.as_secs_f64(),
            trace: report.trace.0,
        }
    }
}

/// Runs seeds until there are no more.
pub fn run(aloud: bool) -> Outcome {
    for line in io::stdin().lock().lines() {
        let line = line.map_err(Failure::failed)?;
        let Job { seed, nodes, bug } = serde_json::from_str(&line).map_err(Failure::usage)?;
        if aloud {
            eprintln!("seed {seed}, {nodes} nodes");
        }
        let storm = Storm {
            bug: bug.as_deref().and_then(Bug::named),
            aloud,
            ..Storm::new(seed, nodes)
        };
        let done = serde_json::to_string(&Done::of(storm.run())).map_err(Failure::failed)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{done}")
            .and_then(|()| out.flush())
            .map_err(Failure::failed)?;
    }
    Ok(())
}
