//! `consorcio serve`: one node.

mod compose;
mod data;
mod grpc;
pub mod listen;
mod lottery;
mod memory;
mod rebuild;
mod recover;
mod redis;
pub mod stop;

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory as _;
use server::{Allowed, RedisConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::failure::{Failure, Outcome};
use crate::settings::{self, Given, Settings};
use crate::{files, logging};

pub use data::{Data, TOKEN_FILE};
pub use listen::taken;
pub use lottery::networks;
pub use rebuild::{REBUILD_FILE, claim_stopped, order as order_rebuild};
pub use recover::recover;

const EXAMPLES: &str = "\
Examples:
  consorcio serve                                     a cluster of one, in ./data/n1
  consorcio serve --name sur --data /var/lib/consorcio \\
      --http 0.0.0.0:8080 --http-url http://sur.lan:8080 \\
      --peer 0.0.0.0:7070 --peer-address sur.lan:7070 --join consorcio://…
  consorcio serve --lottery 0.0.0.0:12345 --lottery-allow 10.0.0.0/8     agencies of a network
  consorcio serve --redis 0.0.0.0:6379 --redis-allow 10.0.0.0/8          Redis clients, with AUTH
  consorcio serve --grpc 0.0.0.0:50051                gRPC for other machines: with a session
  consorcio serve --config sur.toml --print-config    what holds in the end, and stop

Settings: defaults < file (TOML, the flags' names with '_') < environment < flags.
Secrets are not flags: CONSORCIO_ADMIN_PASSWORD and CONSORCIO_JOIN, or the name of a file that holds
them in CONSORCIO_ADMIN_PASSWORD_FILE and CONSORCIO_JOIN_FILE.
The node stops on SIGTERM or Ctrl-C: it hands over what it leads and finishes what it has begun.";

/// Run one node.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Read settings from this TOML file.
    #[arg(long, value_name = "FILE", env = "CONSORCIO_CONFIG")]
    config: Option<PathBuf>,

    /// Join the cluster whose `consorcio cluster token` this is, at the first start.
    #[arg(long, value_name = "URL")]
    join: Option<String>,

    /// Show the settings that hold, without the secrets, and stop.
    #[arg(long)]
    print_config: bool,

    /// Stop when standard input ends: whoever started this node is gone.
    #[arg(long, hide = true)]
    supervised: bool,

    #[command(flatten)]
    settings: Given,
}

/// How a node ended in good order.
enum End {
    Stopped,
    /// Its process is to start again, with what was put into its data directory for that.
    BeginsAnew,
}

/// Where a node is asked.
struct Doors {
    http: TcpListener,
    grpc: grpc::GrpcDoor,
    lottery: lottery::Doors,
    redis: redis::RedisDoor,
}

/// Runs a node until it is told to stop.
pub fn run(args: Args) -> Outcome {
    let flags = Given {
        join: args.join,
        ..args.settings
    };
    let settings = settings::load(flags, args.config.as_deref())?;
    let allowed = lottery::allowed(&settings)?;
    let redis = redis::config(&settings)?;
    if args.print_config {
        let shown = std::io::stdout().write_all(settings.shown().as_bytes());
        return shown.map_err(Failure::failed);
    }
    logging::start(&settings.log, settings.log_json)?;
    warn_of_unknown_variables();
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads.get())
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(serve(settings, allowed, redis, args.supervised));
    // What still blocks (a read of a slow disk) must not keep a stopped node alive.
    runtime.shutdown_timeout(stop::LINGER);
    match result? {
        End::Stopped => Ok(()),
        End::BeginsAnew => Err(Failure::failed(format!(
            "this node is to begin anew, and its process cannot: {}; start it again",
            engine::production::anew::begin_anew()
        ))),
    }
}

/// One line for all variables that look like settings and are none.
fn warn_of_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = settings::unknown(&crate::Program::command(), names);
    if !unknown.is_empty() {
        warn!(
            "the environment holds what is no setting: {}",
            unknown.join(", ")
        );
    }
}

/// A password that the administrator may not have is refused before a cluster is founded for it.
fn check_password(settings: &Settings, data: &Data) -> Outcome {
    match &settings.admin_password {
        Some(password) if data.is_new() && settings.join.is_none() => {
            server::check_password(password).map_err(Failure::usage)
        }
        Some(_) | None => Ok(()),
    }
}

async fn serve(
    mut settings: Settings,
    allowed: Allowed,
    redis: RedisConfig,
    supervised: bool,
) -> Outcome<End> {
    let data = Data::claim(&settings.data)?;
    if let Some(token) = rebuild::carry_out(&data)? {
        settings.join = Some(token);
    }
    if let Err(refused) = check_password(&settings, &data) {
        data.leave_as_found();
        return Err(refused);
    }
    let peer = listen::bind(settings.peer, "peers", "--peer").await?;
    let doors = Doors {
        http: listen::bind(settings.http, "HTTP", "--http").await?,
        grpc: grpc::GrpcDoor::open(&settings)?,
        lottery: lottery::Doors::open(&settings, allowed)?,
        redis: redis::RedisDoor::open(&settings, redis)?,
    };
    let stop = CancellationToken::new();
    stop::watch(stop.clone(), supervised)?;
    info!(name = settings.name, data = %settings.data.display(), "starting");
    let end = tokio::select! {
        ended = compose::compose(&settings, &data, peer, doors, stop) => ended?,
        never = memory::give_back() => match never {},
    };
    info!(name = settings.name, "stopped");
    Ok(end)
}
