//! `consorcio up`: a whole cluster on this machine, one process per node.
//!
//! ```text
//!   up ──┬─ keep n1 ─ consorcio serve   a node that dies is started again
//!        ├─ keep n2 ─ consorcio serve
//!        ├─ keep n3 ─ consorcio serve
//!        └─ keep p1 ─ consorcio proxy   when `up` ends, however, their standard input ends too
//! ```

mod child;
mod keep;
mod lines;
mod plan;
mod proxies;
mod screen;
mod status;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Outcome};
use crate::serve::stop::watch_supervisor;
use child::Launcher;
use keep::{Keeper, Unit};
use plan::{Plan, Wish};
use screen::Screen;

const EXAMPLES: &str = "\
Examples:
  consorcio up                         three nodes: http://127.0.0.1:8080, :8081 and :8082
  consorcio up --demo                  the same, with something to read at the first start
  consorcio up --nodes 5 --data /tmp/trial --http-port 9080 --peer-port 9070
  consorcio up --proxies 2             and two proxies: http://127.0.0.1:8180 and :8181
  consorcio up --allow-drills          nodes that may be made to fail: consorcio drill --help
  consorcio up --status                a table that follows the cluster instead of logs

A second `up` on the same data goes on where the first one stopped. Ctrl-C stops all nodes.";

/// Run a cluster on this machine, one process per node.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How many nodes; 3 at the first start, as many as there are later.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=plan::NODES_MAX as i64))]
    nodes: Option<u16>,

    /// Directory with a directory for each node.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "data",
        env = "CONSORCIO_UP_DATA"
    )]
    data: PathBuf,

    /// Fill a new cluster with members, areas and posts of an invented association.
    #[arg(long)]
    demo: bool,

    /// Let the administrator make nodes fail on purpose (`consorcio drill`); --demo does, too.
    #[arg(long)]
    allow_drills: bool,

    /// HTTP port of the first node; the others have the next ones [default: 8080].
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,

    /// Port of the first node for its peers; the others have the next ones [default: 7070].
    #[arg(long, value_name = "PORT")]
    peer_port: Option<u16>,

    /// gRPC port of the first node; the others have the next ones; 0 serves none [default: 50051].
    #[arg(long, value_name = "PORT")]
    grpc_port: Option<u16>,

    /// Port of the first node for the lottery's agencies; the others have the next ones; 0 serves
    /// none [default: 12345].
    #[arg(long, value_name = "PORT")]
    lottery_port: Option<u16>,

    /// Port of the first node for Redis clients; the others have the next ones; 0 serves none
    /// [default: 6379].
    #[arg(long, value_name = "PORT")]
    redis_port: Option<u16>,

    /// Run so many proxies beside the nodes; their ports are 100 above those of the nodes.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=plan::NODES_MAX as i64)
    )]
    proxies: u8,

    /// Show a table that follows the cluster instead of the nodes' logs (on a terminal).
    #[arg(long)]
    status: bool,

    /// Stop when standard input ends: whoever started this is gone.
    #[arg(long, hide = true)]
    supervised: bool,

    /// Write logs as JSON, one object a line.
    #[arg(long)]
    log_json: bool,

    /// What the nodes log: error, warn, info, debug or trace, also by module.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "CONSORCIO_LOG"
    )]
    log: String,
}

/// Runs the cluster until it is told to stop.
pub fn run(args: Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(up(args))
}

async fn up(args: Args) -> Outcome {
    let wish = Wish {
        nodes: args.nodes,
        http_port: args.http_port,
        peer_port: args.peer_port,
        grpc_port: args.grpc_port,
        lottery_port: args.lottery_port,
        redis_port: args.redis_port,
    };
    let plan = Arc::new(Plan::make(&args.data, &wish, args.demo)?);
    let lock = plan.claim()?;
    let proxies = proxies::make(&plan, usize::from(args.proxies))?;
    let checked = match plan.check_ports().await {
        Ok(()) => proxies::check_ports(&proxies).await,
        busy => busy,
    };
    if let Err(busy) = checked {
        lock.leave_as_found();
        return Err(busy);
    }
    plan.remember()?;
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone(), args.supervised)?;
    let nodes = plan.nodes.iter().cloned().map(Unit::Node);
    let units: Vec<Unit> = nodes
        .chain(proxies.iter().cloned().map(Unit::Proxy))
        .collect();
    let names = units.iter().map(|unit| unit.name().to_owned()).collect();
    let screen = Screen::new(names, args.status, args.log_json)?;
    let mut launcher = Launcher::new(units.len(), &args.log, args.log_json, screen.colours())
        .map_err(|error| Failure::failed(format!("cannot find this program's file: {error}")))?;
    launcher.allow_drills = args.allow_drills || args.demo;
    let (launcher, mut keepers) = (Arc::new(launcher), JoinSet::new());
    for unit in units {
        let keeper = Keeper::new(
            unit,
            plan.clone(),
            launcher.clone(),
            screen.clone(),
            stop.clone(),
        );
        keepers.spawn(keeper.run());
    }
    let greeting = tokio::spawn(summary::greet(plan.clone(), proxies, screen.clone()));
    let outcome = wait_for_all(&mut keepers, &stop).await;
    greeting.abort();
    summary::part(&plan, &screen);
    screen.close();
    outcome
}

/// Waits until all nodes have stopped; the first that cannot run at all stops the others.
async fn wait_for_all(keepers: &mut JoinSet<Outcome>, stop: &CancellationToken) -> Outcome {
    let mut outcome = Ok(());
    while let Some(ended) = keepers.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(Failure::failed(error)));
        if ended.is_err() {
            stop.cancel();
        }
        outcome = outcome.and(ended);
    }
    outcome
}

/// SIGINT and SIGTERM stop the cluster. The nodes have process groups of their own, so Ctrl-C
/// reaches only this process.
fn stop_on_signals(stop: CancellationToken, supervised: bool) -> Outcome {
    let fail = |error| Failure::failed(format!("cannot watch for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(fail)?;
    let orphaned = CancellationToken::new();
    if supervised {
        watch_supervisor(orphaned.clone()).map_err(fail)?;
    }
    tokio::spawn(async move {
        tokio::select! {
            () = orphaned.cancelled() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
