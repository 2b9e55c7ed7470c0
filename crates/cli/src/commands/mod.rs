//! One-shot commands: each asks the cluster one thing through the client library.

pub mod account;
pub mod area;
pub mod cluster;
pub mod drill;
pub mod file;
pub mod journal;
pub mod kv;
mod logins;
pub mod lottery;
pub mod news;
mod output;
mod password;
pub mod poll;
pub mod ring;
mod session;
pub mod simulate;
mod when;

use std::time::Duration;

use clap::ValueEnum;

use crate::failure::{Failure, Outcome};
use session::{Session, hint};

/// Where a cluster is looked for if nobody says anything else.
const SERVER_DEFAULT: &str = "http://127.0.0.1:8080";

/// What every one-shot command takes.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// Nodes to ask, any of the cluster's will do; the others are learnt from them
    #[arg(
        long,
        global = true,
        value_name = "URL,…",
        env = "CONSORCIO_SERVER",
        default_value = SERVER_DEFAULT,
        value_delimiter = ',',
        help_heading = "Common options"
    )]
    server: Vec<String>,

    /// Print the API's JSON
    #[arg(long, global = true, help_heading = "Common options")]
    json: bool,

    /// Give up after so long
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        help_heading = "Common options"
    )]
    timeout: u64,

    /// Repeat a change whose outcome is unknown: the same id never acts twice
    #[arg(
        long,
        global = true,
        value_name = "ID",
        help_heading = "Common options"
    )]
    request_id: Option<String>,

    /// Forget what is remembered about these nodes: they are another cluster now
    #[arg(long, global = true, help_heading = "Common options")]
    new_cluster: bool,

    /// How fresh a reading must be
    #[arg(
        long,
        global = true,
        value_enum,
        hide_possible_values = true,
        value_name = "linearizable|session|stale",
        help_heading = "Common options"
    )]
    consistency: Option<Freshness>,
}

/// How fresh a reading must be.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Freshness {
    Linearizable,
    Session,
    Stale,
}

impl Common {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Runs a command with a session, and keeps what the session learnt.
fn with_session(common: &Common, command: impl AsyncFnOnce(&mut Session) -> Outcome) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let mut session = Session::open(common)?;
        let outcome = command(&mut session).await;
        let signed_in = session.client.token().is_some();
        let outcome = outcome.map_err(|failure| hint(failure, signed_in));
        let kept = session.keep().await;
        outcome.and(kept)
    })
}
