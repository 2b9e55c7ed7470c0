//! The table of `up --status`.

use std::fmt::Write;
use std::time::Duration;

use api::Client;
use api::types::{Cluster, Node as Member, NodeRole};
use tokio::time::interval;

use super::plan::{Node, Plan};
use super::proxies::Proxy;
use super::screen::{Screen, State};

/// How often the table is drawn anew.
const PERIOD: Duration = Duration::from_secs(1);

/// A cluster that does not answer in this time is shown as it is: not answering.
const ASK_TIMEOUT: Duration = Duration::from_millis(700);

/// Draws the table until it is aborted.
pub async fn follow(plan: &Plan, proxies: &[Proxy], client: &Client, screen: &Screen) {
    let client = client.with_deadline(ASK_TIMEOUT);
    let mut ticks = interval(PERIOD);
    loop {
        ticks.tick().await;
        let cluster = client.cluster().await.ok();
        screen.draw(table(
            (&plan.nodes, proxies),
            &screen.states(),
            cluster.as_ref(),
            &screen.recent(),
        ));
    }
}

fn table(
    (nodes, proxies): (&[Node], &[Proxy]),
    states: &[State],
    cluster: Option<&Cluster>,
    recent: &[String],
) -> String {
    let mut text = format!(
        "{}\n{}\n",
        headline(cluster),
        row(["NODE", "PROCESS", "ROLE", "INDEX", "ADDRESS"])
    );
    for (node, state) in nodes.iter().zip(states) {
        let member = cluster.and_then(|cluster| cluster.nodes.iter().find(|m| m.name == node.name));
        let index = member
            .map(|member| member.applied.to_string())
            .unwrap_or_default();
        let role = member.map(role).unwrap_or_default();
        let cells = [&node.name, &process(*state), &role, &index, &node.url()];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", row(cells.map(String::as_str)));
    }
    for proxy in proxies {
        let state = states.get(proxy.place).copied().unwrap_or(State::Waiting);
        let cells = [&proxy.name, &*process(state), "proxy", "", &*proxy.url()];
        let _ = writeln!(text, "{}", row(cells));
    }
    for line in recent {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn headline(cluster: Option<&Cluster>) -> String {
    match cluster {
        Some(Cluster {
            leader: Some(leader),
            term,
            committed,
            ..
        }) => {
            format!(
                "{leader} leads in term {term}; entries committed: {committed}. Ctrl-C stops all."
            )
        }
        Some(_) => "No node leads: an election is under way, or too few nodes run.".to_owned(),
        None => "No node answers yet.".to_owned(),
    }
}

fn row(cells: [&str; 5]) -> String {
    let [node, process, role, index, address] = cells;
    format!("{node:<6}{process:<18}{role:<12}{index:>10}  {address}")
}

fn process(state: State) -> String {
    match state {
        State::Waiting => "waiting".to_owned(),
        State::Running(id) => format!("runs ({id})"),
        State::Down => "died, restarting".to_owned(),
        State::Stopping => "stopping".to_owned(),
        State::Stopped => "stopped".to_owned(),
    }
}

fn role(member: &Member) -> String {
    let role = match member.role {
        NodeRole::Leader => "leader",
        NodeRole::Follower => "follower",
        NodeRole::Candidate => "candidate",
        NodeRole::Learner => "learner",
    };
    if member.healthy {
        role.to_owned()
    } else {
        "unreachable".to_owned()
    }
}
