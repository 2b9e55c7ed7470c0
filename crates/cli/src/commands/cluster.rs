//! `consorcio cluster`: the nodes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::types::{Cluster, Node, NodeRole};
use tokio::time::interval;

use super::output::{Cell, Output, Style, cell};
use super::session::Session;
use super::{Common, with_session};
use crate::failure::{Exit, Failure, Outcome};
use crate::serve;

/// How often `--watch` asks.
const PERIOD: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  consorcio cluster status --watch             who is alive, who leads, who lags
  consorcio cluster token                      what another machine needs to join (administrators)
  consorcio cluster remove n3                  take a node out for good (administrators)
  consorcio cluster recover --force --data data/n1
                                               start over from one survivor when most are lost";

/// The cluster: who is alive, joining, leaving, starting over
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    #[command(flatten)]
    Ask(Ask),
    /// Make a new cluster of one from the data of a node, when most of the nodes are lost for good
    ///
    /// Only for a cluster that can never have a majority again. The node must not run. What the
    /// other nodes acknowledged and this one has not received is lost, and the other nodes must
    /// never be started again with their data: empty their directories and let them join anew.
    Recover {
        /// The surviving node's data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Yes, the other nodes are lost for good
        #[arg(long, required = true)]
        force: bool,
    },
}

/// What is asked of the running cluster.
#[derive(clap::Subcommand)]
enum Ask {
    /// Who is alive, who leads, how far each has come
    Status {
        /// Ask again every second, until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// The secret with which another node joins (administrators)
    Token,
    /// Take a node out of the cluster for good (administrators)
    Remove {
        /// The node's name
        name: String,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    match args.action {
        Action::Recover { data, .. } => recover(Output::new(args.common.json), &data),
        Action::Ask(ask) => with_session(&args.common, async |session| match ask {
            Ask::Status { watch: false } => status(session).await,
            Ask::Status { watch: true } => watch(session).await,
            Ask::Token => token(session).await,
            Ask::Remove { name } => remove(session, &name).await,
        }),
    }
}

fn recover(out: Output, data: &Path) -> Outcome {
    let recovered = serve::recover(data)?;
    if out.json {
        return out.json(&serde_json::json!({
            "name": recovered.name,
            "cluster": recovered.cluster,
            "last_index": recovered.last_index,
            "applied_index": recovered.applied_index,
            "left_behind": recovered.left_behind,
        }));
    }
    let (name, index) = (&recovered.name, recovered.last_index);
    out.line(&format!(
        "{name} is a new cluster of one, with all that it had up to entry {index}."
    ))?;
    out.line(&format!(
        "Start it as before. Left behind: {}. They are strangers now: empty their data \
         directories and let them join with the new `consorcio cluster token`.",
        recovered.left_behind.join(", ")
    ))
}

async fn remove(session: &mut Session, name: &str) -> Outcome {
    session.client.remove_node(name).await?;
    session.out.say(format!(
        "{name} is out: stop it for good and delete its data."
    ))
}

async fn status(session: &mut Session) -> Outcome {
    let cluster = session.client.cluster().await?;
    show(session.out, &cluster)?;
    if cluster.leader.is_some() {
        return Ok(());
    }
    let message = "no node leads: fewer than half can be reached, or an election is under way";
    Err(Failure {
        exit: Exit::Unreachable,
        message: message.to_owned(),
    })
}

async fn watch(session: &mut Session) -> Outcome {
    let mut ticks = interval(PERIOD);
    loop {
        ticks.tick().await;
        match session.client.with_deadline(PERIOD * 3).cluster().await {
            Ok(cluster) => {
                if !session.out.json {
                    session.out.clear()?;
                }
                show(session.out, &cluster)?;
            }
            Err(error) => eprintln!("consorcio: {error}"),
        }
    }
}

fn show(out: Output, cluster: &Cluster) -> Outcome {
    if out.json {
        return out.json(cluster);
    }
    let rows: Vec<_> = cluster.nodes.iter().map(row).collect();
    let leader = cluster.leader.as_deref().unwrap_or("nobody");
    let (term, committed) = (cluster.term, cluster.committed);
    out.line(&format!(
        "{leader} leads in term {term}; {committed} entries are committed; {} answered",
        cluster.node
    ))?;
    out.table(
        &[
            "NODE",
            "ROLE",
            "ALIVE",
            "INDEX",
            "STATE",
            "HTTP",
            "PEERS",
            "ANSWERS IN",
        ],
        &rows,
        "",
    )
}

fn row(node: &Node) -> Vec<Cell> {
    let alive = if node.differs {
        ("differs", Style::Red)
    } else if node.healthy {
        ("yes", Style::Green)
    } else {
        ("no", Style::Red)
    };
    let role = match node.role {
        NodeRole::Leader => "leader",
        NodeRole::Follower => "follower",
        NodeRole::Candidate => "candidate",
        NodeRole::Learner => "learner",
    };
    let answers = node
        .round_trip_us
        .map(|us| format!("{} µs", us))
        .unwrap_or_default();
    let short: String = node.state_hash.chars().take(8).collect();
    vec![
        cell(&node.name).style(Style::Bold),
        cell(role),
        cell(alive.0).style(alive.1),
        cell(node.applied).right(),
        cell(short).style(if node.differs { Style::Red } else { Style::Dim }),
        cell(&node.http),
        cell(&node.peer),
        cell(answers).right(),
    ]
}

async fn token(session: &mut Session) -> Outcome {
    let token = session.client.join_token().await?;
    if session.out.json {
        session.out.json(&token)
    } else {
        session.out.line(&token.token)
    }
}
