//! Writes or linearizable reads a second: three nodes, every write durable on a majority before it
//! is acknowledged, every read of all that was acknowledged before it began.

use std::time::Duration;

use super::consorcio::{Consorcio, Protocol};
use super::etcd::Etcd;
use super::load::{self, Measured, Operation, Until};
use super::process::Scratch;
use super::report::{Cell, Report, median};
use super::system::{NODES, System, leader_first};

/// `consorcio bench writes` and `consorcio bench reads`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Connections with one request under way each; several counts are measured in turn
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// Seconds of each measurement; one second before it is not counted
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many times everything is measured, taking turns; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Which nodes the clients ask
    #[arg(long, value_enum, default_value_t = Target::All)]
    to: Target,
    /// The protocol over which this program is asked; etcd speaks gRPC
    #[arg(long, value_enum, default_value_t = Protocol::Http)]
    over: Protocol,
    /// Leave etcd out
    #[arg(long)]
    alone: bool,
}

/// Which nodes the clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// All ask the leader
    Leader,
    /// Evenly all nodes, the first the leader
    All,
}

/// Before each measurement, so that a cold start is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// Connections with which the keys are first written.
const FILLERS: usize = 64;

/// What the rounds of one system with one count of clients came to.
#[derive(Default)]
struct Figures {
    rate: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    refused: u64,
}

/// Measures and reports.
pub fn run(operation: Operation, args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let systems = start(operation, args, scratch)?;
    let mut rows = Vec::new();
    for &clients in &args.clients {
        let mut figures: Vec<Figures> = systems.iter().map(|_| Figures::default()).collect();
        for _ in 0..args.rounds {
            for (system, figures) in systems.iter().zip(&mut figures) {
                figures.add(&measure(operation, system.as_ref(), clients, args)?);
            }
        }
        rows.extend(rows_of(clients, &systems, &figures));
    }
    Ok(Report {
        title: title(operation),
        setting: setting(args, scratch),
        columns: vec![
            "clients", "system", "a second", "p50 ms", "p99 ms", "refused", "ratio",
        ],
        rows,
    })
}

fn title(operation: Operation) -> String {
    let what = match operation {
        Operation::Set => "Writes a second, synced on a majority",
        Operation::Get => "Linearizable reads a second",
    };
    format!("{what}, {NODES} nodes, 64-byte values")
}

fn setting(args: &Args, scratch: &Scratch) -> Vec<String> {
    let to = match args.to {
        Target::Leader => "the leader",
        Target::All => "all nodes evenly, the first to the leader",
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("nodes and load generator on one machine, {processors} processors"),
        format!("data in {}", scratch.describe()),
        format!(
            "medians of {} rounds of {} s, taking turns",
            args.rounds, args.seconds
        ),
        format!("a client is a connection with one request under way, to {to}"),
        format!("over {}; etcd over gRPC", args.over.name()),
    ]
}

/// The systems; for readings with every key in them.
fn start(
    operation: Operation,
    args: &Args,
    scratch: &Scratch,
) -> anyhow::Result<Vec<Box<dyn System>>> {
    let mut systems: Vec<Box<dyn System>> = vec![Box::new(
        Consorcio::start(scratch, NODES)?.speaking(args.over),
    )];
    if !args.alone && Etcd::version().is_some() {
        systems.push(Box::new(Etcd::start(scratch)?));
    }
    if operation == Operation::Get {
        for system in &systems {
            let nodes = leader_first(system.as_ref())?;
            system.drive(Operation::Set, &nodes, FILLERS, Until::Done(load::KEYS))?;
        }
    }
    Ok(systems)
}

fn measure(
    operation: Operation,
    system: &dyn System,
    clients: usize,
    args: &Args,
) -> anyhow::Result<Measured> {
    let mut nodes = leader_first(system)?;
    if args.to == Target::Leader {
        nodes.truncate(1);
    }
    let measured = Duration::from_secs_f64(args.seconds);
    system.drive(
        operation,
        &nodes,
        clients,
        Until::Elapsed {
            warm_up: WARM_UP,
            measured,
        },
    )
}

impl Figures {
    fn add(&mut self, measured: &Measured) {
        self.rate.push(measured.rate());
        self.p50_ms.push(measured.latency_ms(0.5));
        self.p99_ms.push(measured.latency_ms(0.99));
        self.refused += measured.refused;
    }
}

/// One row for each system; the ratio is that of the first system to the row's.
fn rows_of(clients: usize, systems: &[Box<dyn System>], figures: &[Figures]) -> Vec<Vec<Cell>> {
    let rows = systems
        .iter()
        .zip(figures)
        .enumerate()
        .map(|(place, (system, row))| {
            let ratio = median(&figures[0].rate) / median(&row.rate);
            vec![
                Cell::Number(clients as f64, 0),
                Cell::Text(system.name()),
                Cell::Number(median(&row.rate), 0),
                Cell::Number(median(&row.p50_ms), 2),
                Cell::Number(median(&row.p99_ms), 2),
                Cell::Number(row.refused as f64, 0),
                if place == 0 {
                    Cell::Missing
                } else {
                    Cell::Number(ratio, 2)
                },
            ]
        });
    rows.collect()
}
