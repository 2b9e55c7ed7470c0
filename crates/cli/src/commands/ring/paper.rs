//! The Chord paper's experiments: its figures beside ours, and as plots.

use std::path::Path;

use ring::simulator::{
    Churn, Churned, FIGURE_10, Figure10, LOAD_LAW, Load, LoadLaw, TABLE_2, TABLE_2_NODES,
    TABLE_2_RINGS, TABLE_2_SUCCESSORS, Table2, load,
};
use serde_json::{Map, Value, json};

use super::super::output::{Cell, Output, Style, cell};
use super::figures::{Cost, counted, decimal, grouped, merged, off, rounded};
use super::plot::Plot;
use super::plots;
use super::simulate::found;
use crate::failure::{Failure, Outcome};

/// An experiment of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// How the path grows with the ring
    #[value(name = "figure-10")]
    Figure10,
    /// Lookups when a part of the ring has just died
    #[value(name = "table-2")]
    Table2,
    /// Lookups while nodes come and go
    Churn,
    /// How evenly keys spread over machines
    Load,
}

const PARTS: [Part; 4] = [Part::Figure10, Part::Table2, Part::Churn, Part::Load];

/// Joins a second, and as many departures.
const CHURN_RATES: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// Machines and keys of the paper's Figures 8 and 9.
const LOAD_MACHINES: u32 = 10_000;
const LOAD_KEYS: u64 = 1_000_000;

/// The ring whose path lengths are drawn, as in the paper's Figure 10(b).
const DISTRIBUTION_NODES: u32 = 1 << 12;

/// One run of the experiments.
struct Paper<'a> {
    out: &'a Output,
    plots: Option<&'a Path>,
    lookups: u64,
    seed: u64,
    json: Map<String, Value>,
}

/// Runs the experiments, all unless some are named.
pub fn run(out: &Output, only: &[Part], plots: Option<&Path>, lookups: u64, seed: u64) -> Outcome {
    if let Some(dir) = plots {
        let cannot = |error| Failure::usage(format!("cannot make {}: {error}", dir.display()));
        std::fs::create_dir_all(dir).map_err(cannot)?;
    }
    let cost = Cost::begin();
    let mut paper = Paper {
        out,
        plots,
        lookups,
        seed,
        json: Map::new(),
    };
    for part in PARTS
        .iter()
        .filter(|part| only.is_empty() || only.contains(part))
    {
        match part {
            Part::Figure10 => paper.figure_10()?,
            Part::Table2 => paper.table_2()?,
            Part::Churn => paper.churn()?,
            Part::Load => paper.load()?,
        }
    }
    if out.json {
        let spent = json!({ "seconds": cost.seconds(), "memory_bytes": cost.memory_bytes() });
        return out.json(&merged([Value::Object(paper.json), spent]));
    }
    out.line(&cost.sentence())
}

impl Paper<'_> {
    fn figure_10(&mut self) -> Outcome {
        let measure =
            |(exponent, paper)| Figure10::measure(exponent, paper, self.lookups, self.seed);
        let rows: Vec<Figure10> = FIGURE_10.into_iter().map(measure).collect();
        let cells: Vec<_> = rows.iter().map(figure_10_cells).collect();
        self.table(
            "Figure 10: nodes that a lookup visits, against the size of the ring",
            &[
                "NODES",
                "½ LOG₂ N",
                "PAPER",
                "OURS",
                "OFF",
                "1 %",
                "99 %",
                "FAILED",
            ],
            &cells,
        )?;
        self.keep("figure_10", rows.iter().map(figure_10_json));
        self.draw("figure-10", &plots::figure_10(&rows))?;
        match rows.iter().find(|row| row.nodes == DISTRIBUTION_NODES) {
            Some(row) => self.draw("figure-10b", &plots::distribution(row)),
            None => Ok(()),
        }
    }

    fn table_2(&mut self) -> Outcome {
        let measure = |row| Table2::measure(row, self.lookups, self.seed);
        let rows: Vec<Table2> = TABLE_2.into_iter().map(measure).collect();
        let cells: Vec<_> = rows.iter().map(table_2_cells).collect();
        let nodes = grouped(u64::from(TABLE_2_NODES));
        self.table(
            &format!(
                "Table II: {nodes} nodes with {TABLE_2_SUCCESSORS} successors, a part of which \
                 dies at once; {TABLE_2_RINGS} rings"
            ),
            &[
                "DEAD",
                "PATH: PAPER",
                "OURS",
                "OFF",
                "1 %",
                "99 %",
                "TIMEOUTS: PAPER",
                "OURS",
                "OFF",
                "LEAST",
                "MOST",
                "1 %",
                "99 %",
                "FAILED",
            ],
            &cells,
        )?;
        self.say(TABLE_2_NOTE)?;
        self.keep("table_2", rows.iter().map(table_2_json));
        self.draw("table-2-path", &plots::table_2_path(&rows))?;
        self.draw("table-2-timeouts", &plots::table_2_timeouts(&rows))
    }

    fn churn(&mut self) -> Outcome {
        let measure = |rate| {
            let churn = Churn {
                nodes: TABLE_2_NODES,
                successors: TABLE_2_SUCCESSORS,
                rate,
                goodbye: false,
                lookups: self.lookups,
                seed: self.seed,
            };
            (rate, churn.run())
        };
        let rows: Vec<(f64, Churned)> = CHURN_RATES.into_iter().map(measure).collect();
        let cells: Vec<_> = rows.iter().map(churn_cells).collect();
        self.table(
            "Churn: 1,000 nodes that stabilise every 15 to 45 s, while others join and die",
            &[
                "JOINS/S", "JOINED", "DIED", "PATH", "1 %", "99 %", "TIMEOUTS", "99 %", "FAILED",
                "PROOF", "HEALED",
            ],
            &cells,
        )?;
        self.keep("churn", rows.iter().map(churn_json));
        self.draw("churn", &plots::churn(&rows))
    }

    fn load(&mut self) -> Outcome {
        let measure = |law: LoadLaw| {
            (
                law,
                load(LOAD_MACHINES, law.virtual_nodes, LOAD_KEYS, self.seed),
            )
        };
        let rows: Vec<(LoadLaw, Load)> = LOAD_LAW.into_iter().map(measure).collect();
        let cells: Vec<_> = rows.iter().map(load_cells).collect();
        self.table(
            "Load: a million keys on 10,000 machines with virtual nodes, as parts of the mean",
            &[
                "VIRTUAL",
                "1 %: LAW",
                "OURS",
                "99 %: LAW",
                "OURS",
                "OFF",
                "MOST",
            ],
            &cells,
        )?;
        self.keep("load", rows.iter().map(load_json));
        self.draw("load", &plots::load(&rows))
    }

    fn say(&self, text: &str) -> Outcome {
        if self.out.json {
            return Ok(());
        }
        self.out.text(text)?;
        self.out.line("")
    }

    fn table(&self, title: &str, heads: &[&str], rows: &[Vec<Cell>]) -> Outcome {
        if self.out.json {
            return Ok(());
        }
        self.out.cells(&[cell(title).style(Style::Bold)])?;
        self.out.table(heads, rows, "")?;
        self.out.line("")
    }

    fn keep(&mut self, name: &str, rows: impl Iterator<Item = Value>) {
        self.json.insert(name.to_owned(), rows.collect());
    }

    fn draw(&self, name: &str, plot: &Plot<'_>) -> Outcome {
        let Some(dir) = self.plots else {
            return Ok(());
        };
        let path = dir.join(format!("{name}.svg"));
        let cannot = |error| Failure::failed(format!("cannot write {}: {error}", path.display()));
        std::fs::write(&path, plot.svg()).map_err(cannot)
    }
}

/// Why our timeouts are fewer than the paper's where few nodes are dead.
const TABLE_2_NOTE: &str = "\
A node that is asked is dead with probability p, so a lookup that visits h nodes meets h p / (1 - p)
dead ones. With the paper's own paths that makes 0.45, 1.06, 1.90, 3.13 and 5.09; it counted on one
ring per row, and which nodes die there moves the mean: LEAST and MOST are those of our rings.";

fn percent(part: f64) -> Cell {
    cell(format!("{:.0} %", part * 100.0)).right()
}

fn count(number: u64) -> Cell {
    cell(grouped(number)).right()
}

fn figure_10_cells(row: &Figure10) -> Vec<Cell> {
    let path = row.ours.path.summary();
    vec![
        count(u64::from(row.nodes)),
        decimal(row.law),
        row.paper.map_or(cell("").right(), decimal),
        decimal(path.mean),
        row.paper
            .map_or(cell("").right(), |paper| off(path.mean, paper)),
        count(path.p1),
        count(path.p99),
        count(row.ours.failed()),
    ]
}

fn figure_10_json(row: &Figure10) -> Value {
    let about = json!({ "nodes": row.nodes, "half_log2": row.law, "paper_mean_path": row.paper });
    merged([about, found(&row.ours)])
}

fn table_2_cells(row: &Table2) -> Vec<Cell> {
    let (path, timeouts) = (row.ours.path.summary(), row.ours.timeouts.summary());
    vec![
        percent(row.fail),
        decimal(row.paper_path),
        decimal(path.mean),
        off(path.mean, row.paper_path),
        count(path.p1),
        count(path.p99),
        decimal(row.paper_timeouts),
        decimal(timeouts.mean),
        off(timeouts.mean, row.paper_timeouts),
        decimal(row.timeouts.least),
        decimal(row.timeouts.greatest),
        count(timeouts.p1),
        count(timeouts.p99),
        count(row.ours.failed()),
    ]
}

fn table_2_json(row: &Table2) -> Value {
    let about = json!({
        "fail": row.fail,
        "paper_mean_path": row.paper_path, "paper_mean_timeouts": row.paper_timeouts,
        "least_mean_path": rounded(row.paths.least),
        "most_mean_path": rounded(row.paths.greatest),
        "least_mean_timeouts": rounded(row.timeouts.least),
        "most_mean_timeouts": rounded(row.timeouts.greatest),
    });
    merged([about, found(&row.ours)])
}

fn churn_cells((rate, churned): &(f64, Churned)) -> Vec<Cell> {
    let outcome = &churned.outcome;
    let (path, timeouts) = (outcome.path.summary(), outcome.timeouts.summary());
    let held = if outcome.violation.is_none() {
        "held"
    } else {
        "BROKEN"
    };
    vec![
        decimal(*rate),
        count(churned.joined),
        count(churned.departed),
        decimal(path.mean),
        count(path.p1),
        count(path.p99),
        decimal(timeouts.mean),
        count(timeouts.p99),
        cell(format!(
            "{} of {}",
            outcome.failed(),
            counted(path.count, "lookup")
        ))
        .right(),
        cell(held),
        cell(if churned.healed { "yes" } else { "NO" }),
    ]
}

fn churn_json((rate, churned): &(f64, Churned)) -> Value {
    let about = json!({
        "rate": rate, "joined": churned.joined, "departed": churned.departed,
        "simulated_seconds": rounded(churned.seconds), "healed": churned.healed,
    });
    merged([about, found(&churned.outcome)])
}

/// First and 99th percentile of the keys on a machine, of the mean.
pub fn parts_of_mean(load: &Load) -> (f64, f64) {
    let mean = load.keys.mean;
    (load.keys.p1 as f64 / mean, load.keys.p99 as f64 / mean)
}

fn load_cells((law, load): &(LoadLaw, Load)) -> Vec<Cell> {
    let (p1, p99) = parts_of_mean(load);
    vec![
        count(u64::from(load.virtual_nodes)),
        decimal(law.p1),
        decimal(p1),
        decimal(law.p99),
        decimal(p99),
        off(p99, law.p99),
        decimal(load.keys.max as f64 / load.keys.mean),
    ]
}

fn load_json((law, load): &(LoadLaw, Load)) -> Value {
    let (p1, p99) = parts_of_mean(load);
    json!({
        "virtual": load.virtual_nodes, "mean_keys": rounded(load.keys.mean),
        "p1_of_mean": rounded(p1), "p99_of_mean": rounded(p99),
        "law_p1_of_mean": law.p1, "law_p99_of_mean": law.p99,
        "most_keys": load.keys.max,
    })
}
