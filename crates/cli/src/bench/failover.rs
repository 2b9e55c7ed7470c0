//! Failover: the leader is killed with SIGKILL, and the first write that is acknowledged after
//! that ends the outage.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::consorcio::Consorcio;
use super::etcd::Etcd;
use super::interrupt;
use super::process::Scratch;
use super::report::{Cell, Report, median, quantile};
use super::system::{NODES, SingleWrite, System};

/// `consorcio bench failover`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often the leader is killed
    #[arg(long, default_value_t = 20)]
    trials: usize,
    /// Leave etcd out
    #[arg(long)]
    alone: bool,
}

/// A write is tried on each node that is left so often; this is how exact the figure is.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// How long each try may take: many may be under way, since a node may hold them until it knows a
/// leader.
const TRY_AT_MOST: Duration = Duration::from_secs(10);

/// The longest outage that is waited for.
const OUTAGE_MAX: Duration = Duration::from_secs(60);

/// How long a whole cluster rests before the next kill, so that one trial does not disturb another.
const REST: Duration = Duration::from_secs(2);

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let mut rows = Vec::new();
    rows.push(measure(
        &mut Consorcio::start(scratch, NODES)?,
        args.trials,
    )?);
    if !args.alone && Etcd::version().is_some() {
        rows.push(measure(&mut Etcd::start(scratch)?, args.trials)?);
    }
    Ok(Report {
        title: "From SIGKILL of the leader to the first acknowledged write".to_owned(),
        setting: vec![
            format!(
                "{NODES} nodes on one machine, data in {}",
                scratch.describe()
            ),
            format!(
                "{} trials; a write is tried on each node every {TRY_EVERY:?}",
                args.trials
            ),
        ],
        columns: vec!["system", "median s", "p90 s", "max s"],
        rows,
    })
}

fn measure(system: &mut dyn System, trials: usize) -> anyhow::Result<Vec<Cell>> {
    let mut outages = Vec::new();
    for _ in 0..trials {
        interrupt::sleep(REST)?;
        outages.push(kill_leader(system)?.as_secs_f64());
    }
    Ok(vec![
        Cell::Text(system.name()),
        Cell::Number(median(&outages), 2),
        Cell::Number(quantile(&outages, 0.9), 2),
        Cell::Number(quantile(&outages, 1.0), 2),
    ])
}

/// One trial; the cluster is whole again afterwards.
fn kill_leader(system: &mut dyn System) -> anyhow::Result<Duration> {
    let write = system.single_write();
    let leader = system.leader()?;
    let mut addresses = system.addresses();
    write(addresses[leader], 0, TRY_AT_MOST).context("a write to a whole cluster")?;
    addresses.remove(leader);
    system.kill(leader);
    let outage = until_written(&addresses, &write)?;
    system.restart(leader)?;
    Ok(outage)
}

/// Tries to write from now on, and answers how long it took until one try was acknowledged.
fn until_written(addresses: &[SocketAddr], write: &SingleWrite) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let (send, receive) = mpsc::channel();
    let mut number = 0;
    while started.elapsed() < OUTAGE_MAX {
        interrupt::check()?;
        for &address in addresses {
            number += 1;
            let (write, send) = (write.clone(), send.clone());
            thread::spawn(move || {
                if write(address, number, TRY_AT_MOST).is_ok() {
                    let _ = send.send(started.elapsed());
                }
            });
        }
        if let Ok(outage) = receive.recv_timeout(TRY_EVERY) {
            return Ok(outage);
        }
    }
    anyhow::bail!("no write was acknowledged within {OUTAGE_MAX:?}")
}
