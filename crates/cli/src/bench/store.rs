//! The store over the Redis protocol: reads and writes a second, with and without pipelines.
//!
//! Beside it, in the same run: etcd (three nodes) where one write is under way on each connection,
//! and Redis (one node, every write synced).

use std::net::SocketAddr;
use std::time::Duration;

use super::consorcio::Consorcio;
use super::etcd::Etcd;
use super::load::redis::Keys;
use super::load::{self, Measured, Operation, Until};
use super::process::Scratch;
use super::redis::Redis;
use super::report::{Cell, Report, median};
use super::system::{NODES, System as _, leader_first};

/// `consorcio bench store`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the clients do
    #[arg(long, value_enum, value_delimiter = ',', default_value = "set,get")]
    operations: Vec<Operation>,
    /// Connections; several counts are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// Requests under way on each connection; several depths are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pipeline: Vec<usize>,
    /// Different keys
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Nodes of Consorcio: three, or one alone
    #[arg(long, default_value_t = NODES)]
    nodes: usize,
    /// Which nodes the clients ask
    #[arg(long, value_enum, default_value_t = Target::All)]
    to: Target,
    /// Seconds of each measurement; one second before it is not counted
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many times everything is measured, taking turns; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Leave the others out
    #[arg(long)]
    alone: bool,
}

/// Which nodes the clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// All ask the leader
    Leader,
    /// All ask one follower
    Follower,
    /// Evenly all nodes, the first the leader
    All,
}

/// Before each measurement, so that a cold start is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// Connections and depth with which the keys are first written.
const FILL: (usize, usize) = (16, 16);

/// The systems of one run.
struct Systems {
    consorcio: Consorcio,
    redis: Option<Redis>,
    etcd: Option<Etcd>,
}

/// One line of the report.
struct Row {
    operation: Operation,
    clients: usize,
    pipeline: usize,
    system: String,
    rates: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let systems = Systems::start(args, scratch)?;
    systems.fill(args)?;
    let mut lines = Vec::new();
    for &operation in &args.operations {
        for &pipeline in &args.pipeline {
            for &clients in &args.clients {
                let mut rows = Vec::new();
                for _ in 0..args.rounds {
                    systems.round(args, operation, clients, pipeline, &mut rows)?;
                }
                let first = rows.first().map_or(0.0, |row| median(&row.rates));
                lines.extend(rows.iter().enumerate().map(|(place, row)| {
                    let ratio = (place > 0).then(|| first / median(&row.rates));
                    row.cells(ratio)
                }));
            }
        }
    }
    Ok(Report {
        title: format!(
            "The store over the Redis protocol, {} nodes, 64-byte values",
            args.nodes
        ),
        setting: setting(args, scratch),
        columns: vec![
            "what", "clients", "pipeline", "system", "a second", "p50 ms", "p99 ms", "ratio",
        ],
        rows: lines,
    })
}

fn setting(args: &Args, scratch: &Scratch) -> Vec<String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("nodes and load generator on one machine, {processors} processors"),
        format!(
            "data in {}; every write synced, on a majority",
            scratch.describe()
        ),
        format!("{} different keys", args.keys),
        format!(
            "medians of {} rounds of {} s, taking turns",
            args.rounds, args.seconds
        ),
    ]
}

impl Systems {
    fn start(args: &Args, scratch: &Scratch) -> anyhow::Result<Self> {
        let with_redis = !args.alone && Redis::version().is_some();
        let with_etcd = !args.alone && args.nodes == NODES && Etcd::version().is_some();
        Ok(Systems {
            consorcio: Consorcio::start(scratch, args.nodes)?,
            redis: with_redis.then(|| Redis::start(scratch)).transpose()?,
            etcd: with_etcd.then(|| Etcd::start(scratch)).transpose()?,
        })
    }

    /// Writes every key once, so that reads find them.
    fn fill(&self, args: &Args) -> anyhow::Result<()> {
        let until = Until::Done(args.keys);
        let (clients, depth) = FILL;
        let fill = |address| {
            drive(
                &[address],
                Operation::Set,
                args.keys,
                (clients, depth),
                until,
            )
        };
        fill(self.consorcio.redis_address(self.consorcio.leader()?))?;
        if let Some(redis) = &self.redis {
            fill(redis.address())?;
        }
        Ok(())
    }

    /// Measures each system once.
    fn round(
        &self,
        args: &Args,
        operation: Operation,
        clients: usize,
        pipeline: usize,
        rows: &mut Vec<Row>,
    ) -> anyhow::Result<()> {
        let measured = Duration::from_secs_f64(args.seconds);
        let until = Until::Elapsed {
            warm_up: WARM_UP,
            measured,
        };
        let load = |addresses: &[SocketAddr]| {
            drive(addresses, operation, args.keys, (clients, pipeline), until)
        };
        let mut found = vec![(self.consorcio.name(), load(&self.asked(args.to)?)?)];
        if let Some(redis) = &self.redis {
            found.push((redis.name(), load(&[redis.address()])?));
        }
        if let Some(etcd) = &self.etcd
            && (operation, pipeline) == (Operation::Set, 1)
        {
            let nodes = leader_first(etcd)?;
            found.push((etcd.name(), etcd.drive(operation, &nodes, clients, until)?));
        }
        for (place, (system, measured)) in found.into_iter().enumerate() {
            if rows.len() == place {
                rows.push(Row::new(operation, clients, pipeline, system));
            }
            rows[place].add(&measured);
        }
        Ok(())
    }

    fn asked(&self, to: Target) -> anyhow::Result<Vec<SocketAddr>> {
        let mut addresses: Vec<_> = (0..self.consorcio.addresses().len())
            .map(|node| self.consorcio.redis_address(node))
            .collect();
        addresses.rotate_left(self.consorcio.leader()?);
        match to {
            Target::Leader => addresses.truncate(1),
            Target::Follower if addresses.len() > 1 => addresses = vec![addresses[1]],
            Target::Follower | Target::All => {}
        }
        Ok(addresses)
    }
}

fn drive(
    addresses: &[SocketAddr],
    operation: Operation,
    keys: u64,
    (clients, depth): (usize, usize),
    until: Until,
) -> anyhow::Result<Measured> {
    let clients = (0..clients).map(|_| Keys::new(operation, keys)).collect();
    load::drive_deep(addresses, clients, depth, until)
}

impl Row {
    fn new(operation: Operation, clients: usize, pipeline: usize, system: String) -> Self {
        Row {
            operation,
            clients,
            pipeline,
            system,
            rates: Vec::new(),
            p50_ms: Vec::new(),
            p99_ms: Vec::new(),
        }
    }

    fn add(&mut self, measured: &Measured) {
        self.rates.push(measured.rate());
        self.p50_ms.push(measured.latency_ms(0.5));
        self.p99_ms.push(measured.latency_ms(0.99));
    }

    fn cells(&self, ratio: Option<f64>) -> Vec<Cell> {
        let what = match self.operation {
            Operation::Set => "SET",
            Operation::Get => "GET",
        };
        vec![
            Cell::Text(what.to_owned()),
            Cell::Number(self.clients as f64, 0),
            Cell::Number(self.pipeline as f64, 0),
            Cell::Text(self.system.clone()),
            Cell::Number(median(&self.rates), 0),
            Cell::Number(median(&self.p50_ms), 2),
            Cell::Number(median(&self.p99_ms), 2),
            ratio.map_or(Cell::Missing, |ratio| Cell::Number(ratio, 2)),
        ]
    }
}
