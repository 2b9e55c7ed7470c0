//! `consorcio cluster rebuild`: a node puts its data away and joins anew.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api::Client;
use api::types::{Cluster, Node, NodeRole};

use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};
use crate::serve;

/// How long a node may take to be back: a restart, and a snapshot of all there is.
const BACK_MAX: Duration = Duration::from_secs(300);

const GLANCE: Duration = Duration::from_millis(200);

/// Which node, and how.
#[derive(clap::Args)]
pub struct Args {
    /// The node's name; it must run, in service or out of it
    #[arg(required_unless_present = "data", conflicts_with = "data")]
    name: Option<String>,
    /// On the machine of a node that does not start: its data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Even if nobody can write until others are back
    #[arg(long)]
    yes: bool,
    /// Do not wait until it is back
    #[arg(long, conflicts_with = "data")]
    no_wait: bool,
}

/// Runs the command.
pub async fn run(session: &mut Session, args: &Args) -> Outcome {
    match (&args.name, &args.data) {
        (Some(name), _) => running(session, name, args).await,
        (None, Some(data)) => stopped(session, data, args.yes).await,
        (None, None) => Err(Failure::usage("which node is meant is missing")),
    }
}

async fn running(session: &mut Session, name: &str, args: &Args) -> Outcome {
    let begun = Instant::now();
    let left = session.client.rebuild_node(name, args.yes).await?.leaves;
    session.out.say(format!(
        "{name} leaves its id {left}, puts its data away and joins anew."
    ))?;
    if args.no_wait {
        return told(session, name, &left, None);
    }
    let back = wait_until_back(&session.client, name, &left, BACK_MAX).await;
    let Some(id) = back else {
        let waited = BACK_MAX.as_secs();
        return Err(Failure::failed(format!(
            "{name} is not back after {waited} s: its log tells why"
        )));
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    session.out.say(format!(
        "{name} is back after {}.{} s: it votes under the id {id}.",
        took_ms / 1_000,
        took_ms % 1_000 / 100
    ))?;
    told(session, name, &left, Some((id.as_str(), took_ms)))
}

fn told(session: &Session, name: &str, left: &str, back: Option<(&str, u64)>) -> Outcome {
    if !session.out.json {
        return Ok(());
    }
    session.out.json(&serde_json::json!({
        "name": name,
        "leaves": left,
        "id": back.map(|(id, _)| id),
        "took_ms": back.map(|(_, took_ms)| took_ms),
    }))
}

/// Waits until a node of this name votes under another id, and answers it.
pub async fn wait_until_back(
    client: &Client,
    name: &str,
    left: &str,
    at_most: Duration,
) -> Option<String> {
    let deadline = Instant::now() + at_most;
    while Instant::now() < deadline {
        // Whoever is asked may be the one that is away.
        if let Ok(cluster) = client.cluster().await
            && let Some(node) = successor(&cluster, name, left)
        {
            return Some(node.id.clone());
        }
        tokio::time::sleep(GLANCE).await;
    }
    None
}

/// The node that took the place of the one that left.
fn successor<'a>(cluster: &'a Cluster, name: &str, left: &str) -> Option<&'a Node> {
    let gone = cluster.nodes.iter().all(|node| node.id != left);
    let mut nodes = cluster.nodes.iter().filter(|_| gone);
    nodes.find(|node| node.name == name && node.role != NodeRole::Learner && node.healthy)
}

async fn stopped(session: &mut Session, dir: &Path, confirmed: bool) -> Outcome {
    let cluster = session.client.cluster().await?;
    let token = session.client.join_token().await?.token;
    let (data, owner) = serve::claim_stopped(dir).await?;
    if owner.cluster.as_ref().is_some_and(|id| *id != cluster.id) {
        return Err(Failure::usage(format!(
            "the node in {} belongs to another cluster than the one that was asked",
            dir.display()
        )));
    }
    may_go(&cluster, owner.id.as_deref(), confirmed)?;
    serve::order_rebuild(&data, &token)?;
    let name = owner.name.as_deref().unwrap_or("the node");
    session.out.say(format!(
        "{name} puts its data away and joins anew at its next start: start it as before."
    ))?;
    if session.out.json {
        return session.out.json(&serde_json::json!({
            "name": owner.name,
            "leaves": owner.id,
        }));
    }
    Ok(())
}

/// Whether the voters that are healthy without the node are a majority. It is stopped, but its vote
/// and what it holds are gone for good only now.
fn may_go(cluster: &Cluster, id: Option<&str>, confirmed: bool) -> Outcome {
    let voters = || {
        let nodes = cluster.nodes.iter();
        nodes.filter(|node| node.role != NodeRole::Learner)
    };
    let others = || voters().filter(|node| Some(node.id.as_str()) != id);
    let needed = voters().count() / 2 + 1;
    let left = others().filter(|node| node.healthy).count();
    match () {
        () if left >= needed => Ok(()),
        () if others().count() < needed => Err(Failure::failed(format!(
            "too few voters are left without it to take anybody in: {} of {} are needed",
            needed,
            voters().count()
        ))),
        () if confirmed => Ok(()),
        () => Err(Failure::failed(format!(
            "without it {left} healthy voters are left, and {needed} are needed to take it in \
             again; with --yes it waits for others to come back"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, id: &str, role: NodeRole, healthy: bool) -> Node {
        Node {
            name: name.to_owned(),
            id: id.to_owned(),
            role,
            healthy,
            http: String::new(),
            peer: String::new(),
            last_contact_ms: None,
            round_trip_us: None,
            term: 1,
            voted_for: None,
            last_log: 0,
            committed: 0,
            applied: 0,
            snapshot: 0,
            purged: 0,
            lag: None,
            state_hash: String::new(),
            differs: false,
            areas: vec![],
            doors: Default::default(),
        }
    }

    fn cluster(nodes: Vec<Node>) -> Cluster {
        Cluster {
            id: String::new(),
            node: "n1".to_owned(),
            leader: None,
            term: 1,
            committed: 0,
            applied: 0,
            state_hash: String::new(),
            ready: true,
            nodes,
        }
    }

    #[test]
    fn a_node_is_back_once_it_votes_in_place_of_the_one_that_left() {
        use NodeRole::{Follower, Learner};
        let others = || vec![node("n1", "1", Follower, true)];
        let with = |more: Vec<Node>| cluster([others(), more].concat());
        let found = |cluster: &Cluster| successor(cluster, "n2", "2").map(|node| node.id.clone());
        let old = node("n2", "2", Follower, true);
        assert_eq!(found(&with(vec![old.clone()])), None);
        let joining = node("n2", "3", Learner, true);
        assert_eq!(found(&with(vec![old, joining.clone()])), None);
        assert_eq!(found(&with(vec![joining])), None);
        let back = with(vec![node("n2", "3", Follower, true)]);
        assert_eq!(found(&back).as_deref(), Some("3"));
    }

    #[test]
    fn a_stopped_node_goes_only_if_a_majority_can_take_it_in_again() {
        use NodeRole::Follower;
        let three = |second| {
            cluster(vec![
                node("n1", "1", Follower, true),
                node("n2", "2", Follower, second),
                node("n3", "3", Follower, false),
            ])
        };
        assert!(may_go(&three(true), Some("3"), false).is_ok());
        assert!(may_go(&three(false), Some("3"), false).is_err());
        assert!(may_go(&three(false), Some("3"), true).is_ok());
        let two = cluster(vec![
            node("n1", "1", Follower, true),
            node("n2", "2", Follower, false),
        ]);
        assert!(may_go(&two, Some("2"), true).is_err());
    }
}
