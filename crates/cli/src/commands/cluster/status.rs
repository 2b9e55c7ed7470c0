//! `consorcio cluster status`: who is alive, who leads, how far each has come.

use std::time::Duration;

use api::types::{Cluster, Node, NodeRole};
use jiff::Timestamp;
use tokio::time::interval;

use crate::commands::output::{Cell, Frames, Output, Style, cell, one_line};
use crate::commands::session::Session;
use crate::failure::{Exit, Failure, Outcome};

/// How often `--watch` asks.
const PERIOD: Duration = Duration::from_secs(1);

/// Digits of a hash that are enough to see whether two are equal.
const HASH_CHARS: usize = 8;

/// Shows the cluster once.
pub async fn once(session: &mut Session) -> Outcome {
    let cluster = session.client.cluster().await?;
    if session.out.json {
        session.out.json(&cluster)?;
    } else {
        session.out.line(&headline(&cluster))?;
        let rows: Vec<_> = cluster.nodes.iter().map(long_row).collect();
        let heads: Vec<_> = HEADS.into_iter().chain(MORE_HEADS).collect();
        session.out.table(&heads, &rows, "")?;
    }
    if cluster.leader.is_some() {
        return Ok(());
    }
    let message = "no node leads: fewer than half can be reached, or an election is under way";
    Err(Failure {
        exit: Exit::Unreachable,
        message: message.to_owned(),
    })
}

/// Shows the cluster again and again until Ctrl-C: a table in place on a terminal, a line each time
/// elsewhere.
pub async fn watch(session: &mut Session) -> Outcome {
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let (mut ticks, mut frames) = (interval(PERIOD), Frames::new());
    loop {
        let looked = async {
            ticks.tick().await;
            session.client.with_deadline(PERIOD * 3).cluster().await
        };
        let cluster = tokio::select! {
            cluster = looked => cluster,
            interrupted = &mut interrupted => return interrupted.map_err(Failure::failed),
        };
        match cluster {
            Ok(cluster) if session.out.json => session.out.json(&cluster)?,
            Ok(cluster) if frames.in_place() => {
                frames.draw(session.out, &table(session.out, &cluster))?
            }
            Ok(cluster) => session.out.line(&line(&cluster))?,
            Err(error) if frames.in_place() && !session.out.json => {
                frames.draw(session.out, &(one_line(&error.to_string()) + "\n"))?;
            }
            Err(error) => eprintln!("consorcio: {error}"),
        }
    }
}

fn headline(cluster: &Cluster) -> String {
    let leader = cluster.leader.as_deref().unwrap_or("nobody");
    let (term, committed) = (cluster.term, cluster.committed);
    format!(
        "{leader} leads in term {term}; {committed} entries are committed; {} answered",
        cluster.node
    )
}

fn table(out: Output, cluster: &Cluster) -> String {
    let rows: Vec<_> = cluster.nodes.iter().map(row).collect();
    format!(
        "{}\n{}",
        one_line(&headline(cluster)),
        out.lay(&HEADS, &rows)
    )
}

const HEADS: [&str; 12] = [
    "NODE",
    "ROLE",
    "ALIVE",
    "TERM",
    "VOTED FOR",
    "LAST",
    "COMMITTED",
    "APPLIED",
    "PURGED",
    "LAG",
    "HEARD",
    "ANSWERS IN",
];

const MORE_HEADS: [&str; 4] = ["SNAPSHOT", "STATE", "HTTP", "PEERS"];

fn row(node: &Node) -> Vec<Cell> {
    let alive = alive(node);
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let heard = node.last_contact_ms.map(|ms| format!("{ms} ms ago"));
    let answers = node.round_trip_us.map(|us| format!("{us} µs"));
    vec![
        cell(&node.name).style(Style::Bold),
        cell(role(node.role)),
        cell(alive.0).style(alive.1),
        cell(node.term).right(),
        cell(node.voted_for.as_deref().unwrap_or_default()),
        cell(node.last_log).right(),
        cell(node.committed).right(),
        cell(node.applied).right(),
        cell(node.purged).right(),
        cell(number(node.lag)).right(),
        cell(heard.unwrap_or_default()).right(),
        cell(answers.unwrap_or_default()).right(),
    ]
}

fn long_row(node: &Node) -> Vec<Cell> {
    let hash: String = node.state_hash.chars().take(HASH_CHARS).collect();
    let hash_style = if node.differs { Style::Red } else { Style::Dim };
    let more = [
        cell(node.snapshot).right(),
        cell(hash).style(hash_style),
        cell(&node.http),
        cell(&node.peer),
    ];
    row(node).into_iter().chain(more).collect()
}

/// The cluster in one line, for logs.
fn line(cluster: &Cluster) -> String {
    let node = |node: &Node| {
        let lag = node.lag.map(|lag| format!(", lag {lag}"));
        let state = match alive(node).0 {
            "yes" => role(node.role),
            "differs" => "differs",
            _ => "away",
        };
        let heard = node
            .last_contact_ms
            .map(|ms| format!(", heard {ms} ms ago"));
        let answers = node.round_trip_us.map(|us| format!(", answers in {us} µs"));
        let more: String = [lag, heard, answers].into_iter().flatten().collect();
        let (name, applied) = (&node.name, node.applied);
        format!("{name} {state} at {applied}{more}")
    };
    let nodes: Vec<String> = cluster.nodes.iter().map(node).collect();
    let leader = cluster.leader.as_deref().unwrap_or("nobody");
    format!(
        "{:.0} term {}: {leader} leads, {} committed | {}",
        Timestamp::now(),
        cluster.term,
        cluster.committed,
        nodes.join(" | ")
    )
}

fn alive(node: &Node) -> (&'static str, Style) {
    match (node.differs, node.healthy) {
        (true, _) => ("differs", Style::Red),
        (false, true) => ("yes", Style::Green),
        (false, false) => ("no", Style::Red),
    }
}

fn role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Leader => "leader",
        NodeRole::Follower => "follower",
        NodeRole::Candidate => "candidate",
        NodeRole::Learner => "learner",
    }
}
