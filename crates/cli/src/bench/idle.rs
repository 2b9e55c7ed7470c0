//! A node that does nothing: the memory it holds, and how soon it is ready after its start.

use std::time::Duration;

use super::consorcio::Consorcio;
use super::interrupt;
use super::posts;
use super::process::Scratch;
use super::report::{Cell, Report, median};
use super::system::{NODES, System as _};

/// `consorcio bench idle`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also measure the start of a node that holds so many posts
    #[arg(long, default_value_t = 0)]
    posts: u64,
    /// How often each start is measured; the median is shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// A node is left alone for so long before its memory is read.
const REST: Duration = Duration::from_secs(10);

const MIB: f64 = 1024.0 * 1024.0;

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let mut rows = vec![
        row(
            "start to ready, empty directory, ms",
            starts_empty(args, scratch)?,
            0,
        ),
        row(
            "memory of a single node at rest, MiB",
            memory(scratch, 1)?,
            1,
        ),
        row(
            "memory of a node of three at rest, MiB (the largest)",
            memory(scratch, NODES)?,
            1,
        ),
    ];
    if args.posts > 0 {
        rows.extend(with_posts(args, scratch)?);
    }
    Ok(Report {
        title: "A node at rest".to_owned(),
        setting: vec![
            format!("data in {}", scratch.describe()),
            format!(
                "starts: median of {}; memory: VmRSS after {REST:?} of rest",
                args.rounds
            ),
        ],
        columns: vec!["figure", "value"],
        rows,
    })
}

fn row(name: &str, figure: f64, decimals: usize) -> Vec<Cell> {
    vec![Cell::Text(name.to_owned()), Cell::Number(figure, decimals)]
}

fn starts_empty(args: &Args, scratch: &Scratch) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..args.rounds {
        times.push(Consorcio::begin(scratch, 1)?.1.as_secs_f64() * 1000.0);
    }
    Ok(median(&times))
}

/// The memory of the largest of so many nodes.
fn memory(scratch: &Scratch, nodes: usize) -> anyhow::Result<f64> {
    let cluster = Consorcio::start(scratch, nodes)?;
    interrupt::sleep(REST)?;
    let mut largest = 0;
    for node in 0..nodes {
        largest = largest.max(cluster.node(node).resident_bytes()?);
    }
    Ok(largest as f64 / MIB)
}

fn with_posts(args: &Args, scratch: &Scratch) -> anyhow::Result<Vec<Vec<Cell>>> {
    let mut cluster = Consorcio::start(scratch, 1)?;
    let areas = posts::make_areas(&cluster, posts::AREAS)?;
    posts::publish(&cluster, &areas, args.posts)?;
    let mut times = Vec::new();
    for _ in 0..args.rounds {
        times.push(restart(&mut cluster)?.as_secs_f64() * 1000.0);
    }
    interrupt::sleep(REST)?;
    let memory = cluster.node(0).resident_bytes()? as f64 / MIB;
    let posts = args.posts;
    Ok(vec![
        row(
            &format!("start to ready with {posts} posts, after SIGTERM, ms"),
            median(&times),
            0,
        ),
        row(
            &format!("start to ready with {posts} posts, after SIGKILL, ms"),
            killed(&mut cluster)?,
            0,
        ),
        row(
            &format!("memory of a single node with {posts} posts, MiB"),
            memory,
            1,
        ),
    ])
}

fn killed(cluster: &mut Consorcio) -> anyhow::Result<f64> {
    cluster.kill(0);
    Ok(cluster.start_again(0)?.as_secs_f64() * 1000.0)
}

/// Stops the only node and starts it; answers the time from start to ready.
pub fn restart(cluster: &mut Consorcio) -> anyhow::Result<Duration> {
    cluster.stop(0)?;
    cluster.start_again(0)
}
