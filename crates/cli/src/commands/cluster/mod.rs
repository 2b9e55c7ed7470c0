//! `consorcio cluster`: the nodes.

mod elections;
pub mod rebuild;
mod status;

use std::path::{Path, PathBuf};

use super::output::Output;
use super::session::Session;
use super::{Common, with_session};
use crate::failure::Outcome;
use crate::serve;

const EXAMPLES: &str = "\
Examples:
  consorcio cluster status --watch             who is alive, who leads, who lags
  consorcio cluster elections --limit 10       who led when, who voted for whom, and why
  consorcio cluster token                      what another machine needs to join (administrators)
  consorcio cluster remove n3                  take a node out for good (administrators)
  consorcio cluster rebuild n3                 n3 puts its data away and joins anew: what to do when
                                               its state differs (administrators)
  consorcio cluster rebuild --data data/n3     the same for a node that does not start
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
        /// Ask again every second, until Ctrl-C: a table in place on a terminal, a line each time
        /// elsewhere
        #[arg(long)]
        watch: bool,
    },
    /// Who stood for election when and why, who voted for whom, who led then
    ///
    /// Each node remembers its last 100 entries, also over a restart; times are those of its own
    /// clock. Newest first.
    Elections {
        /// What one node remembers
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// At most so many entries
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: usize,
    },
    /// The secret with which another node joins (administrators)
    Token,
    /// Take a node out of the cluster for good (administrators)
    Remove {
        /// The node's name
        name: String,
    },
    /// Have a node put its data away and join anew, because they are wrong or damaged
    /// (administrators)
    ///
    /// The node gets everything from the others, under another id, and takes its own place once it
    /// has caught up. What it had is kept in its data directory as `put-away-…` until the next
    /// time; nothing reads it, so it may be deleted. Refused if the voters that are left cannot
    /// take it in again.
    ///
    /// A node that runs is asked by its name, through any other. For one that does not start, say
    /// its data directory on its own machine; it begins anew at its next start, with `up` by
    /// itself.
    Rebuild(rebuild::Args),
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    match args.action {
        Action::Recover { data, .. } => recover(Output::new(args.common.json), &data),
        Action::Ask(ask) => with_session(&args.common, async |session| match ask {
            Ask::Status { watch: false } => status::once(session).await,
            Ask::Status { watch: true } => status::watch(session).await,
            Ask::Elections { node, limit } => {
                elections::show(session, node.as_deref(), limit).await
            }
            Ask::Token => token(session).await,
            Ask::Remove { name } => remove(session, &name).await,
            Ask::Rebuild(args) => rebuild::run(session, &args).await,
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

async fn token(session: &mut Session) -> Outcome {
    let token = session.client.join_token().await?;
    if session.out.json {
        session.out.json(&token)
    } else {
        session.out.line(&token.token)
    }
}
