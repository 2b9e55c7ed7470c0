//! The course of a drill: load, faults, recovery, count, verdict.

use std::time::{Duration, Instant};

use api::types::{Cluster, Drill, NewDrill};
use api::{Client, Error};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::absent::{Absent, id_of};
use super::count;
use super::ledger::{Counted, Fate, Ledger};
use super::load::{self, Places, Service, since};
use super::nodes::{Nodes, OneNode};
use super::report::{Effect, ElectionLine, FaultLine, NodeLine, Report, ServiceLine};
use super::schedule::{Schedule, Step};
use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// Where the seals of all drills are written down.
const SEALS: &str = "drills";

/// Load after the last fault is over, to see that all is as before.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// How long the nodes may take to be whole again: a restart, and a snapshot if need be.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

const GLANCE: Duration = Duration::from_millis(100);

/// Runs a drill and reports.
pub async fn run(session: &mut Session, schedule: &Schedule, rate: u32) -> Outcome<Report> {
    let client = session.client.clone();
    let nodes = Nodes::of(session).await?;
    may_begin(&nodes).await?;
    let cluster = client.cluster().await?;
    let (id, began) = (tag()?, Timestamp::now());
    let places = Places::make(&client, &id).await?;
    let (start, stop) = (Instant::now(), CancellationToken::new());
    let course = Course {
        client: &client,
        nodes: &nodes,
        schedule,
        start,
    };
    let load = begin_load(&client, &places, start, rate, &stop);
    session
        .out
        .say(format!("Drill {id}: every service is in use."))?;
    let ended = course.run(session).await;
    stop.cancel();
    let ledgers = load.join_all().await;
    let load_ms = since(start);
    let (faults, mut remarks) = match ended {
        Ok(ended) => ended,
        Err(failure) => {
            // A lottery that stays open would be the current one of every agency.
            let _ = close(&client, &places).await;
            clean_up(&client, &places, &ledgers).await;
            return Err(failure);
        }
    };
    session.out.say("Counting what every node holds.")?;
    close(&client, &places).await?;
    let nodes = Nodes::of(session).await?;
    let mut report = Report {
        id,
        cluster: cluster.id,
        begun_at: format!("{began:.3}"),
        load_ms,
        passed: false,
        failures: hashes_differ(&client, &nodes, &mut remarks).await,
        remarks: vec![],
        faults,
        elections: elections(&client, began).await,
        services: services(&ledgers, load_ms),
        longest_unavailability_ms: together(&ledgers).seen(load_ms).longest_gap_ms,
        acknowledged_each_second: each_second(&ledgers, load_ms),
        slowest_each_second_ms: slowest_each_second(&ledgers, load_ms),
        nodes: count_all(&nodes, &places, &ledgers, &mut remarks).await,
        seal: None,
        sealed_in: None,
    };
    if places.lottery.is_none() {
        remarks.push("a lottery is open, so no bets were placed".to_owned());
    }
    report.remarks = remarks;
    report.judge();
    clean_up(&client, &places, &ledgers).await;
    seal(&client, &mut report).await?;
    Ok(report)
}

/// All nodes answer, allow drills, and none fails already.
async fn may_begin(nodes: &Nodes) -> Outcome {
    for OneNode { name, client } in nodes.all() {
        let drills = client.drills().await?;
        if !drills.allowed {
            return Err(Failure::failed(format!(
                "{name} does not allow drills: start it with --allow-drills"
            )));
        }
        if let Some(Drill { id, .. }) = drills.running {
            return Err(Failure::failed(format!(
                "drill {id} lasts still at {name}: `consorcio drill stop` ends it"
            )));
        }
    }
    Ok(())
}

/// Eight hexadecimal digits.
fn tag() -> Outcome<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(Failure::failed)?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}

fn begin_load(
    client: &Client,
    places: &Places,
    start: Instant,
    rate: u32,
    stop: &CancellationToken,
) -> Load {
    let period = Duration::from_secs(1) / rate;
    let mut tasks = JoinSet::new();
    for service in places.services() {
        let (client, places, stop) = (client.clone(), places.clone(), stop.clone());
        tasks.spawn(async move {
            let ledger = load::drive(client, places, service, (start, period), stop).await;
            (service, ledger)
        });
    }
    Load(tasks)
}

struct Load(JoinSet<(Service, Ledger)>);

type Ledgers = Vec<(Service, Ledger)>;

impl Load {
    async fn join_all(self) -> Ledgers {
        let mut ledgers = self.0.join_all().await;
        ledgers.sort_by_key(|(service, _)| *service as u8);
        ledgers
    }
}

/// The faults of a drill while the load goes on.
struct Course<'a> {
    client: &'a Client,
    nodes: &'a Nodes,
    schedule: &'a Schedule,
    start: Instant,
}

impl Course<'_> {
    /// Begins every step in its time and waits until all is over and whole again; Ctrl-C ends what
    /// fails, at once.
    async fn run(&self, session: &Session) -> Outcome<(Vec<FaultLine>, Vec<String>)> {
        let (mut faults, mut remarks) = (Vec::new(), Vec::new());
        let mut absent = Absent::default();
        let course = async {
            for step in &self.schedule.steps {
                self.wait_until(step.at).await;
                for line in self.begin(step).await? {
                    session.out.say(super::text::fault(&line))?;
                    absent.watch(self.client, self.start, faults.len(), &line, RECOVERY_MAX);
                    faults.push(line);
                }
            }
            self.wait_until(self.schedule.ends_at()).await;
            absent.all_back(&mut faults).await;
            if let Some(late) = self.whole_again().await {
                remarks.push(late);
            }
            tokio::time::sleep(AFTERWARDS).await;
            Outcome::Ok(())
        };
        let ended = tokio::select! {
            ended = course => ended,
            _ = tokio::signal::ctrl_c() => {
                Err(Failure::failed("interrupted: nothing fails on purpose any more"))
            }
        };
        if ended.is_err() {
            self.nodes.stop_all().await;
        }
        ended.map(|()| (faults, remarks))
    }

    async fn wait_until(&self, at: f64) {
        let at = self.start + Duration::from_secs_f64(at);
        tokio::time::sleep_until(at.into()).await;
    }

    async fn begin(&self, step: &Step) -> Outcome<Vec<FaultLine>> {
        let cluster = self.client.cluster().await?;
        let mut lines = Vec::new();
        for node in self.nodes.meant(&step.on, &cluster)? {
            let new = NewDrill {
                fault: step.fault,
                seconds: step.seconds,
                peers: step.peers.clone(),
                delay_ms: step.delay_ms,
                skew_ms: step.skew_ms,
                confirmed: self.schedule.confirmed,
            };
            let at_ms = since(self.start);
            let (outcome, reason) = match node.client.begin_drill(&new).await {
                Ok(_) => (Effect::Installed, None),
                Err(error @ (Error::OutcomeUnknown { .. } | Error::Unintelligible { .. })) => {
                    (Effect::Indeterminate, Some(error.to_string()))
                }
                Err(error) => (Effect::Skipped, Some(error.to_string())),
            };
            lines.push(FaultLine {
                at_ms,
                node: node.name.clone(),
                fault: new.fault,
                seconds: new.seconds,
                outcome,
                reason,
                leaves: id_of(&cluster, &node.name).filter(|_| step.fault.rebuilds()),
                back_after_ms: None,
            });
        }
        Ok(lines)
    }

    /// Waits until every node is healthy and has applied the same; says who is not, if it takes too
    /// long.
    async fn whole_again(&self) -> Option<String> {
        let deadline = Instant::now() + RECOVERY_MAX;
        let mut sick = String::new();
        while Instant::now() < deadline {
            if let Ok(cluster) = self.client.cluster().await {
                let names = |cluster: &Cluster| {
                    let nodes = cluster.nodes.iter().filter(|node| !node.healthy);
                    nodes.map(|node| node.name.clone()).collect::<Vec<_>>()
                };
                sick = names(&cluster).join(", ");
                if sick.is_empty() && cluster.leader.is_some() {
                    return None;
                }
            }
            tokio::time::sleep(GLANCE).await;
        }
        let waited = RECOVERY_MAX.as_secs();
        Some(format!(
            "{sick} did not come back within {waited} s and could not be counted"
        ))
    }
}

/// Ends what can be counted only when it is over.
async fn close(client: &Client, places: &Places) -> Outcome {
    client.close_poll(places.poll).await?;
    if let Some(lottery) = &places.lottery {
        client.close_agency(lottery, 1).await?;
    }
    Ok(())
}

/// Asks every node what it holds; each answers for itself, and for nothing older than the client
/// has seen.
async fn count_all(
    nodes: &Nodes,
    places: &Places,
    ledgers: &Ledgers,
    remarks: &mut Vec<String>,
) -> Vec<NodeLine> {
    let mut lines = Vec::new();
    for node in nodes.all() {
        let own = &node.client;
        let mut services = Vec::new();
        for (service, ledger) in ledgers {
            let counted = match count::there(own, places, *service, ledger).await {
                Ok(there) => Some(Counted::of(ledger, &there)),
                Err(error) => {
                    let (node, service) = (&node.name, service.name());
                    remarks.push(format!(
                        "the {service} of {node} could not be read: {error}"
                    ));
                    None
                }
            };
            services.push((service.name(), counted));
        }
        let cluster = own.cluster().await.ok();
        lines.push(NodeLine {
            node: node.name.clone(),
            services,
            applied: cluster.as_ref().map_or(0, |cluster| cluster.applied),
            state_hash: cluster.map_or(String::new(), |cluster| cluster.state_hash),
        });
    }
    lines
}

/// Waits until all healthy nodes have applied the same; their states must be equal then.
async fn hashes_differ(client: &Client, nodes: &Nodes, remarks: &mut Vec<String>) -> Vec<String> {
    let deadline = Instant::now() + RECOVERY_MAX;
    while Instant::now() < deadline {
        let mut states = Vec::new();
        for node in nodes.all() {
            if let Ok(cluster) = node.client.cluster().await {
                let differs = cluster.nodes.iter().any(|seen| seen.differs);
                states.push((cluster.applied, cluster.state_hash, differs));
            }
        }
        if states.iter().any(|(_, _, differs)| *differs) {
            return vec!["a node has taken itself out: its state differs".to_owned()];
        }
        let Some((applied, hash, _)) = states.first() else {
            break;
        };
        if states.iter().all(|(at, _, _)| at == applied) {
            let equal = states.iter().all(|(_, other, _)| other == hash);
            return match equal {
                true => vec![],
                false => vec![format!("the nodes' states differ at index {applied}")],
            };
        }
        tokio::time::sleep(GLANCE).await;
    }
    let index = client.index();
    remarks.push(format!(
        "the nodes did not come to rest at one index after {index}"
    ));
    vec![]
}

/// What the nodes remember of who led, since the drill began.
async fn elections(client: &Client, began: Timestamp) -> Vec<ElectionLine> {
    let Ok(elections) = client.elections().await else {
        return vec![];
    };
    let recent = elections.elections.into_iter().filter(|election| {
        let at: Option<Timestamp> = election.at.parse().ok();
        at.is_some_and(|at| at >= began)
    });
    let mut lines: Vec<ElectionLine> = recent
        .map(|election| ElectionLine {
            at: election.at,
            node: election.node,
            term: election.term,
            event: election.event,
            who: election.who,
            cause: election.cause,
        })
        .collect();
    lines.reverse();
    lines
}

fn services(ledgers: &Ledgers, load_ms: u64) -> Vec<ServiceLine> {
    let lines = ledgers.iter().map(|(service, ledger)| ServiceLine {
        service: service.name(),
        seen: ledger.seen(load_ms),
    });
    lines.collect()
}

/// The writes of all services, in the order of their answers.
fn together(ledgers: &Ledgers) -> Ledger {
    let entries = ledgers
        .iter()
        .flat_map(|(_, ledger)| ledger.entries.clone());
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|entry| entry.answered_ms);
    Ledger { entries }
}

fn each_second(ledgers: &Ledgers, load_ms: u64) -> Vec<u32> {
    let mut seconds = vec![0; seconds_of(load_ms)];
    for (_, ledger) in ledgers {
        for entry in &ledger.entries {
            let second = usize::try_from(entry.answered_ms / 1_000).unwrap_or(usize::MAX);
            if let Some(count) = seconds.get_mut(second)
                && entry.fate == Fate::Acknowledged
            {
                *count += 1;
            }
        }
    }
    seconds
}

fn slowest_each_second(ledgers: &Ledgers, load_ms: u64) -> Vec<u64> {
    let mut seconds = vec![0; seconds_of(load_ms)];
    for (_, ledger) in ledgers {
        for entry in &ledger.entries {
            let second = usize::try_from(entry.asked_ms / 1_000).unwrap_or(usize::MAX);
            if let Some(slowest) = seconds.get_mut(second) {
                *slowest = (*slowest).max(entry.answered_ms - entry.asked_ms);
            }
        }
    }
    seconds
}

fn seconds_of(load_ms: u64) -> usize {
    usize::try_from(load_ms / 1_000 + 1).unwrap_or(usize::MAX)
}

/// Removes what the drill made, but for the poll and the lottery, which are over. What cannot be
/// removed does no harm.
async fn clean_up(client: &Client, places: &Places, ledgers: &Ledgers) {
    let _ = client.remove_area(&places.area).await;
    let _ = client.delete_key(places.journal().as_bytes()).await;
    for (service, ledger) in ledgers {
        if *service == Service::Keys {
            for entry in &ledger.entries {
                let _ = client.delete_key(places.key(entry.number).as_bytes()).await;
            }
        }
    }
}

async fn seal(client: &Client, report: &mut Report) -> Outcome {
    let digest = report.digest()?;
    let entry = serde_json::json!({
        "drill": report.id,
        "begun_at": report.begun_at,
        "passed": report.passed,
        "blake3": digest,
    });
    let data = Bytes::from(entry.to_string());
    let appended = client.append(SEALS.as_bytes(), data).await?;
    report.seal = Some(digest);
    report.sealed_in = Some((SEALS.to_owned(), appended.index));
    Ok(())
}
