//! Polls: how many durable ballots a second three nodes take, and how soon a ballot that was
//! acknowledged shows on the screens of all who watch.
//!
//! A ballot's way to the screens is measured with *probes*: one connection casts ballots for an
//! option of its own, one after the other, so the tally of that option says exactly which of them
//! a screen knows.

mod ballots;
mod watchers;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::consorcio::{Consorcio, PATIENCE};
use super::http::Http;
use super::interrupt;
use super::load::{self, Measured, Until};
use super::process::Scratch;
use super::report::{Cell, Report, quantile};
use super::streams::Progress;
use super::system::{NODES, System as _};
use ballots::{Caster, Voters};
use watchers::Watchers;

/// `consorcio bench polls`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Connections that vote, spread evenly over the nodes
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Who watches the poll, spread evenly over the nodes
    #[arg(long, default_value_t = 1000)]
    watchers: usize,
    /// Seconds of each measurement; one second before it is not counted
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Ballots a second whose way to the screens is measured
    #[arg(long, default_value_t = 20)]
    probes: u32,
}

/// Before each measurement, so that a cold start is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// A member's password; its hash costs the node as much as a real one's.
const PASSWORD: &str = "vota todo el rato";

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let mut rows = Vec::new();
    let anyone = vote(&cluster, args, poll(&cluster)?, Voters::New)?;
    rows.push(speed("each ballot a new voter's", &anyone));
    let members = Voters::Members(members(&cluster, args.clients)?);
    let changed = vote(&cluster, args, poll(&cluster)?, members)?;
    rows.push(speed("members who change theirs", &changed));
    let poll = poll(&cluster)?;
    let mut watchers = Watchers::open(&cluster, poll, args.watchers)?;
    let (late, _) = watch(&cluster, args, poll, &mut watchers, false)?;
    rows.push(lateness("to every screen, few ballots", &late));
    let (late, voted) = watch(&cluster, args, poll, &mut watchers, true)?;
    rows.push(lateness("to every screen, all vote", &late));
    if let Some(voted) = voted {
        rows.push(speed("each a new voter's, watched", &voted));
    }
    Ok(Report {
        title: format!("Polls: {NODES} nodes, every ballot synced on a majority"),
        setting: setting(args, scratch),
        columns: vec![
            "figure",
            "ballots/s",
            "p50 ms",
            "p99 ms",
            "max ms",
            "missed",
        ],
        rows,
    })
}

fn setting(args: &Args, scratch: &Scratch) -> Vec<String> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("nodes, voters and watchers on one machine, {processors} processors"),
        format!("data in {}", scratch.describe()),
        format!(
            "{} connections vote over HTTP for {} s, one ballot under way on each",
            args.clients, args.seconds
        ),
        format!(
            "{} watch the live tally; {} ballots a second are followed from their \
             acknowledgement to each of them",
            args.watchers, args.probes
        ),
    ]
}

/// Opens a poll for anyone; its third option is that of the probes.
fn poll(cluster: &Consorcio) -> anyhow::Result<i64> {
    let body = json!({
        "question": "¿Gatos o perros?",
        "options": ["Gatos", "Perros", "Sondas"],
        "voters": "anyone",
    });
    let made = cluster
        .http(0)?
        .json("POST", "/v1/polls", &body.to_string())?;
    made["id"].as_i64().context("a poll has an id")
}

/// Registers members, in turns on all nodes, each of which takes only so many from one address;
/// answers their sessions.
fn members(cluster: &Consorcio, count: usize) -> anyhow::Result<Vec<String>> {
    let mut tokens = Vec::new();
    for number in 0..count {
        interrupt::check()?;
        let mut http = Http::connect(cluster.address(number % NODES), PATIENCE)?;
        let credentials = json!({"name": format!("votante{number}"), "password": PASSWORD});
        let credentials = credentials.to_string();
        http.json("POST", "/v1/accounts", &credentials)?;
        let session = http.json("POST", "/v1/sessions", &credentials)?;
        tokens.push(session["token"].as_str().unwrap_or_default().to_owned());
    }
    Ok(tokens)
}

/// Has all connections vote.
fn vote(cluster: &Consorcio, args: &Args, poll: i64, voters: Voters) -> anyhow::Result<Measured> {
    let clients = (0..args.clients)
        .map(|number| Caster::new(poll, number, &voters))
        .collect();
    let mut addresses = cluster.addresses();
    addresses.rotate_left(cluster.leader()?);
    let measured = Duration::from_secs_f64(args.seconds);
    let until = Until::Elapsed {
        warm_up: WARM_UP,
        measured,
    };
    load::drive(&addresses, clients, until)
}

/// How late the probes were on the screens, in milliseconds, and how many are missing.
struct Late {
    ms: Vec<f64>,
    missed: usize,
}

/// Follows probes to the screens, with or without all others voting.
fn watch(
    cluster: &Consorcio,
    args: &Args,
    poll: i64,
    watchers: &mut Watchers,
    busy: bool,
) -> anyhow::Result<(Late, Option<Measured>)> {
    let progress = Progress::default();
    watchers.begin();
    let (acknowledged, voted) = thread::scope(|scope| {
        let probes = scope.spawn(|| {
            let outcome = probe(cluster, args, poll, &progress);
            progress.over.store(true, Ordering::Release);
            outcome
        });
        let voters = busy.then(|| scope.spawn(|| vote(cluster, args, poll, Voters::New)));
        watchers.follow(&progress)?;
        let died = |_| anyhow::anyhow!("a voter failed");
        let voted = voters.map(|voters| voters.join().map_err(died));
        let probes = probes.join().map_err(died)??;
        anyhow::Ok((probes, voted.transpose()?.transpose()?))
    })?;
    let mut late = Late {
        ms: Vec::new(),
        missed: 0,
    };
    for (sent, arrivals) in acknowledged.iter().zip(watchers.arrivals()) {
        // A tally may overtake the acknowledgement: that is not late at all.
        let ms = |at: &Instant| at.saturating_duration_since(*sent).as_secs_f64() * 1000.0;
        late.ms.extend(arrivals.iter().map(ms));
        late.missed += args.watchers.saturating_sub(arrivals.len());
    }
    Ok((late, voted))
}

/// Casts probes at a steady pace; answers when each was acknowledged.
fn probe(
    cluster: &Consorcio,
    args: &Args,
    poll: i64,
    progress: &Progress,
) -> anyhow::Result<Vec<Instant>> {
    let mut http = Http::connect(cluster.address(0), PATIENCE)?;
    let count = (f64::from(args.probes) * args.seconds) as u32;
    let salt = ballots::salt()?;
    let started = Instant::now() + WARM_UP;
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let due = started + Duration::from_secs(1) * number / args.probes;
        interrupt::sleep(due.saturating_duration_since(Instant::now()))?;
        let (path, body) = ballots::probe(poll, &salt, number);
        http.json("PUT", &path, &body)?;
        acknowledged.push(Instant::now());
        progress.acknowledged.fetch_add(1, Ordering::Release);
    }
    Ok(acknowledged)
}

fn speed(name: &str, measured: &Measured) -> Vec<Cell> {
    vec![
        Cell::Text(name.to_owned()),
        Cell::Number(measured.rate(), 0),
        Cell::Number(measured.latency_ms(0.5), 1),
        Cell::Number(measured.latency_ms(0.99), 1),
        Cell::Number(measured.latency_ms(1.0), 1),
        Cell::Missing,
    ]
}

fn lateness(name: &str, late: &Late) -> Vec<Cell> {
    vec![
        Cell::Text(name.to_owned()),
        Cell::Missing,
        Cell::Number(quantile(&late.ms, 0.5), 1),
        Cell::Number(quantile(&late.ms, 0.99), 1),
        Cell::Number(quantile(&late.ms, 1.0), 1),
        Cell::Number(late.missed as f64, 0),
    ]
}
