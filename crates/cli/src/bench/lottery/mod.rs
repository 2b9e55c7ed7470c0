//! A lottery from the first packet to the last winner: agencies in parallel, each with one packet
//! under way, a connection for each packet.

mod agencies;

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::json;

use super::consorcio::Consorcio;
use super::process::Scratch;
use super::report::{Cell, Report, median};
use super::system::{NODES, System as _};
use agencies::{Agencies, Figures};

/// `consorcio bench lottery`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bets of a batch; several sizes are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "63,10,1")]
    batch: Vec<usize>,
    /// Bets of all agencies
    #[arg(long, default_value_t = 78_697)]
    bets: u64,
    /// Agencies, each a thread
    #[arg(long, default_value_t = 5)]
    agencies: u32,
    /// How often each size is measured; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also measure the draw of a lottery of so many bets, and the memory of a node with it
    #[arg(long, default_value_t = 1_000_000)]
    many: u64,
    /// Which nodes the agencies send to
    #[arg(long, value_enum, default_value_t = Target::All)]
    to: Target,
    /// Keep a connection for all packets of an agency
    #[arg(long)]
    keep: bool,
}

/// Which nodes the agencies send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// All to the leader
    Leader,
    /// Evenly to all nodes, the first to the leader
    All,
}

/// Bets of a batch while a great many are stored.
const LARGEST_BATCH: usize = 63;

const MIB: f64 = 1024.0 * 1024.0;

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let mut rows = Vec::new();
    for &size in &args.batch {
        let agencies = Agencies::new(args.agencies, args.bets, size)?;
        let mut rounds = Vec::new();
        for _ in 0..args.rounds {
            rounds.push(measure(&cluster, &agencies, args)?);
        }
        rows.push(row(args.bets, size, &rounds, Cell::Missing));
    }
    // What was stored before must not count: a cluster of its own.
    drop(cluster);
    if args.many > 0 {
        rows.push(many(args, scratch)?);
    }
    Ok(Report {
        title: format!("A lottery with {} agencies, {NODES} nodes", args.agencies),
        setting: setting(args, scratch),
        columns: vec![
            "bets",
            "batch",
            "bets/s",
            "first packet to last winner s",
            "draw and winners ms",
            "winners",
            "MiB a node",
        ],
        rows,
    })
}

fn many(args: &Args, scratch: &Scratch) -> anyhow::Result<Vec<Cell>> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let agencies = Agencies::new(args.agencies, args.many, LARGEST_BATCH)?;
    let figures = measure(&cluster, &agencies, args)?;
    let mut largest = 0;
    for node in 0..NODES {
        largest = largest.max(cluster.node(node).resident_bytes()?);
    }
    let memory = Cell::Number(largest as f64 / MIB, 0);
    Ok(row(args.many, LARGEST_BATCH, &[figures], memory))
}

fn measure(cluster: &Consorcio, agencies: &Agencies, args: &Args) -> anyhow::Result<Figures> {
    let lottery = json!({"name": "Para medir", "agencies": args.agencies});
    let opened = cluster
        .http(0)?
        .json("POST", "/v1/lotteries", &lottery.to_string())?;
    let lottery = opened["id"].as_i64().context("a lottery has an id")?;
    let addresses = addresses(cluster, args)?;
    agencies.wait_for(&addresses)?;
    let figures = agencies.run(&addresses, args.keep)?;
    let path = format!("/v1/lotteries/{lottery}");
    let stored = cluster.http(0)?.json("GET", &path, "")?["bets"].as_u64();
    anyhow::ensure!(
        stored == Some(agencies.bets()),
        "{stored:?} bets are stored"
    );
    Ok(figures)
}

/// Where the agencies send; the first is the leader.
fn addresses(cluster: &Consorcio, args: &Args) -> anyhow::Result<Vec<SocketAddr>> {
    let leader = cluster.leader()?;
    let count = match args.to {
        Target::Leader => 1,
        Target::All => NODES,
    };
    let nodes = (0..count).map(|place| (leader + place) % NODES);
    Ok(nodes.map(|node| cluster.lottery_address(node)).collect())
}

fn row(bets: u64, size: usize, rounds: &[Figures], memory: Cell) -> Vec<Cell> {
    let middle =
        |figure: fn(&Figures) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
    let seconds = middle(|figures| figures.all.as_secs_f64());
    let winners = rounds.first().map_or(0, |figures| figures.winners);
    vec![
        Cell::Number(bets as f64, 0),
        Cell::Number(size as f64, 0),
        Cell::Number(bets as f64 / seconds, 0),
        Cell::Number(seconds, 3),
        Cell::Number(middle(|figures| figures.draw.as_secs_f64()) * 1000.0, 1),
        Cell::Number(winners as f64, 0),
        memory,
    ]
}

fn setting(args: &Args, scratch: &Scratch) -> Vec<String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let to = match args.to {
        Target::Leader => "the leader",
        Target::All => "all nodes evenly, the first to the leader",
    };
    let connection = match args.keep {
        true => "one connection an agency",
        false => "a connection for each packet",
    };
    vec![
        format!("nodes and agencies on one machine, {processors} processors"),
        format!("data in {}", scratch.describe()),
        format!("every agency has one packet under way, {connection}, to {to}"),
        format!(
            "medians of {} rounds, each a lottery of its own",
            args.rounds
        ),
        "draw and winners: from the last closing to the last agency's winners".to_owned(),
    ]
}
