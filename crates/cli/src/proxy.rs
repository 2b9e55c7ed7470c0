//! `consorcio proxy`: all front doors and no data, before the nodes of a cluster.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use ::proxy::{Admits, Config, Door as Spoken, Limits, Listeners, Port};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::failure::{Failure, Outcome};
use crate::serve::{listen, networks, stop};
use crate::settings::{Door, check_apart, share_of_processors};
use crate::{files, logging};

/// Connections that wait to be accepted: all of an assembly may come in the same moment.
const BACKLOG: u32 = 4_096;

const EXAMPLES: &str = "\
Examples:
  consorcio proxy --nodes http://127.0.0.1:8081,http://127.0.0.1:8082 --redis off
  consorcio proxy --nodes norte.lan:8080,sur.lan:8080 --http 0.0.0.0:80
  consorcio proxy --nodes sur.lan:8080 --redis 0.0.0.0:6379 --redis-reads 0.0.0.0:6380
  consorcio proxy --nodes sur.lan:8080 --lottery 0.0.0.0:12345 --lottery-allow 10.0.0.0/8

What goes where:
  HTTP          changes to the leader, readings to the followers, evenly
  Redis         to the leader; --redis-reads is a second port, which leads to the followers
  gRPC          to all nodes, evenly, a connection at a time
  agencies      to the leader

Any node of the cluster will do for --nodes: the others are learnt from it, and who leads. One that
belongs to another cluster than most of those that are named is left alone. A node that is killed
is left out at once, one that falls silent within two seconds; one slow answer changes nothing. An
HTTP request goes to another node then, if nothing of it was sent, if the node says that it has done
nothing, if it only reads (/hits counts, and so does not), or if it has an Idempotency-Key. A
connection of another protocol is closed, and the client's next one goes to a node that lives.

A proxy keeps nothing: run two of them, on two machines, and tell clients of both. The nodes see
the proxy's address as that of all its clients: start them with --trust-forwarded-for if nobody
else can reach their HTTP port, and let their --lottery-allow name the proxy.
/health/live, /health/ready and /metrics tell of the proxy itself.";

/// Lead clients to the nodes of a cluster: all front doors, no data.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Nodes of the cluster, any of them; the others are learnt.
    #[arg(
        long,
        value_name = "URL,…",
        env = "CONSORCIO_NODES",
        required = true,
        value_delimiter = ',',
        value_parser = ::proxy::node
    )]
    nodes: Vec<Arc<str>>,

    /// Address where browsers, clients and scripts are served.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "CONSORCIO_HTTP"
    )]
    http: SocketAddr,

    /// Address where Redis clients are served, or off.
    #[arg(
        long,
        value_name = "ADDRESS|off",
        default_value = "127.0.0.1:6379",
        env = "CONSORCIO_REDIS"
    )]
    redis: Door,

    /// Address where Redis clients that only read are served, or off.
    #[arg(
        long,
        value_name = "ADDRESS|off",
        default_value = "off",
        env = "CONSORCIO_REDIS_READS"
    )]
    redis_reads: Door,

    /// Networks whose Redis clients may connect, with commas between them, or any.
    #[arg(
        long,
        value_name = "NETWORK,…",
        default_value = "any",
        env = "CONSORCIO_REDIS_ALLOW"
    )]
    redis_allow: String,

    /// Lead Redis clients of other machines also to nodes that serve their own machine alone, and
    /// so ask nobody for a password.
    #[arg(long, env = "CONSORCIO_REDIS_WITHOUT_PASSWORD")]
    redis_without_password: bool,

    /// Address where gRPC clients are served, or off.
    #[arg(
        long,
        value_name = "ADDRESS|off",
        default_value = "127.0.0.1:50051",
        env = "CONSORCIO_GRPC"
    )]
    grpc: Door,

    /// Lead gRPC clients of other machines also to nodes that serve their own machine alone, and so
    /// answer those who are not signed in.
    #[arg(long, env = "CONSORCIO_GRPC_WITHOUT_SESSION")]
    grpc_without_session: bool,

    /// Address where the lottery's agencies are served, or off.
    #[arg(
        long,
        value_name = "ADDRESS|off",
        default_value = "127.0.0.1:12345",
        env = "CONSORCIO_LOTTERY"
    )]
    lottery: Door,

    /// Networks whose agencies may connect: 10.0.0.0/8,192.168.1.7, or any. By default this machine
    /// alone.
    #[arg(
        long,
        value_name = "NETWORK,…",
        default_value = "",
        hide_default_value = true,
        env = "CONSORCIO_LOTTERY_ALLOW"
    )]
    lottery_allow: String,

    /// Pass on what X-Forwarded-For says, because another proxy before this one writes it.
    #[arg(long, env = "CONSORCIO_TRUST_FORWARDED_FOR")]
    trust_forwarded_for: bool,

    /// Threads; by default one for each processor.
    #[arg(long, value_name = "COUNT", env = "CONSORCIO_THREADS")]
    threads: Option<NonZeroUsize>,

    /// Write logs as JSON, one object a line.
    #[arg(long, env = "CONSORCIO_LOG_JSON")]
    log_json: bool,

    /// What is logged: error, warn, info, debug or trace, also by module.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "CONSORCIO_LOG"
    )]
    log: String,

    /// Stop when standard input ends: whoever started this proxy is gone.
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Runs a proxy until it is told to stop.
pub fn run(args: Args) -> Outcome {
    let ports = ports(&args)?;
    logging::start(&args.log, args.log_json)?;
    files::raise_limit();
    let threads = args.threads.unwrap_or_else(|| share_of_processors(1));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.get())
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(lead(args, ports));
    runtime.shutdown_timeout(stop::LINGER);
    result
}

async fn lead(args: Args, wanted: Vec<Wanted>) -> Outcome {
    let http = listen::bind(args.http, "HTTP", "--http").await?;
    let opened: Outcome<Vec<Option<Port>>> = wanted.into_iter().map(Wanted::open).collect();
    let ports = opened?.into_iter().flatten().collect();
    let stop = CancellationToken::new();
    stop::watch(stop.clone(), args.supervised)?;
    info!(nodes = args.nodes.join(","), "starting");
    let config = Config {
        nodes: args.nodes,
        trust_forwarded_for: args.trust_forwarded_for,
        limits: Limits::default(),
    };
    let served = ::proxy::serve(config, Listeners { http, ports }, stop).await;
    served.map_err(|error| Failure::failed(format!("a front door failed: {error}")))?;
    info!("stopped");
    Ok(())
}

/// A port that is to be opened.
struct Wanted {
    spoken: Spoken,
    at: Door,
    what: &'static str,
    flag: &'static str,
    admits: Admits,
    trusts: bool,
}

impl Wanted {
    /// Says who gets in from other machines, where that is not the nodes' business alone.
    fn warn(&self) {
        let asks = matches!(
            self.spoken,
            Spoken::Redis | Spoken::RedisReads | Spoken::Grpc
        );
        let Some(address) = self.at.for_others().filter(|_| asks) else {
            return;
        };
        let what = self.what;
        match self.trusts {
            true => warn!(
                %address, what,
                "clients of other machines are also led to nodes that ask them for no password"
            ),
            false => info!(
                %address, what,
                "clients of other machines are led only to nodes that ask them who they are"
            ),
        }
    }

    /// Listens; `None` if the port is left out.
    fn open(self) -> Outcome<Option<Port>> {
        self.warn();
        let listener = listen::open(self.at, BACKLOG, self.what, self.flag)?;
        Ok(listener.map(|listener| Port {
            door: self.spoken,
            listener,
            admits: self.admits,
            trusts: self.trusts,
        }))
    }
}

fn ports(args: &Args) -> Outcome<Vec<Wanted>> {
    check_apart(&[
        ("http", Door::At(args.http)),
        ("redis", args.redis),
        ("redis-reads", args.redis_reads),
        ("grpc", args.grpc),
        ("lottery", args.lottery),
    ])?;
    if let Door::At(address) = args.lottery
        && !address.ip().is_loopback()
        && args.lottery_allow.is_empty()
    {
        return Err(Failure::usage(format!(
            "--lottery {address} can be reached from other machines: say with --lottery-allow \
             from which networks, or any"
        )));
    }
    let admits = |text: &str, flag: &str| -> Outcome<Admits> {
        let allowed = networks(text, flag)?;
        Ok(Arc::new(move |address| allowed.contains(address)))
    };
    let redis = admits(&args.redis_allow, "--redis-allow")?;
    let reading = Wanted {
        spoken: Spoken::RedisReads,
        at: args.redis_reads,
        what: "Redis clients that read",
        flag: "--redis-reads",
        admits: redis.clone(),
        trusts: args.redis_without_password,
    };
    let changing = Wanted {
        spoken: Spoken::Redis,
        at: args.redis,
        what: "Redis clients",
        flag: "--redis",
        admits: redis,
        trusts: args.redis_without_password,
    };
    let grpc = Wanted {
        spoken: Spoken::Grpc,
        at: args.grpc,
        what: "gRPC",
        flag: "--grpc",
        admits: Arc::new(|_| true),
        trusts: args.grpc_without_session,
    };
    let lottery = Wanted {
        spoken: Spoken::Lottery,
        at: args.lottery,
        what: "agencies",
        flag: "--lottery",
        admits: admits(&args.lottery_allow, "--lottery-allow")?,
        // The protocol knows no passwords: the networks say who may.
        trusts: true,
    };
    Ok(vec![changing, reading, grpc, lottery])
}
