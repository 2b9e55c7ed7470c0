//! `consorcio kv`: the replicated store.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;

use super::session::Session;
use super::{Common, with_session};
use crate::failure::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  consorcio kv put saludo 'hola a todos'
  consorcio kv get saludo
  consorcio kv put plano.pdf --file plano.pdf
  consorcio kv delete saludo";

/// More than the store takes, so that the server can say so; a larger input is not read to its end.
const VALUE_READ_MAX_BYTES: u64 = 1024 * 1024;

/// The replicated store: values under keys
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
    /// Print what is stored under a key, byte for byte
    Get {
        /// The key
        key: String,
    },
    /// Store a value under a key: the argument, a file, or standard input
    Put {
        /// The key
        key: String,
        /// The value
        #[arg(conflicts_with = "file")]
        value: Option<String>,
        /// Read the value from this file
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Remove a key
    Delete {
        /// The key
        key: String,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::Get { key } => get(session, &key).await,
        Action::Put { key, value, file } => put(session, &key, read_value(value, file)?).await,
        Action::Delete { key } => delete(session, &key).await,
    })
}

async fn get(session: &mut Session, key: &str) -> Outcome {
    let Some(entry) = session.client.get_key(key.as_bytes()).await? else {
        let message = format!("there is no key {key:?}");
        return Err(Failure {
            exit: Exit::NotFound,
            message,
        });
    };
    if !session.out.json {
        return session.out.raw(&entry.value);
    }
    let value = std::str::from_utf8(&entry.value).map_err(|_| {
        Failure::failed("the value is not UTF-8 text, so it has no JSON: leave --json out")
    })?;
    let shown = serde_json::json!({ "key": key, "value": value, "version": entry.version });
    session.out.json(&shown)
}

async fn put(session: &mut Session, key: &str, value: Bytes) -> Outcome {
    let stored = session.client.put_key(key.as_bytes(), value).await?;
    if session.out.json {
        return session.out.json(&stored);
    }
    session
        .out
        .line(&format!("Stored {key}, version {}.", stored.version))
}

async fn delete(session: &mut Session, key: &str) -> Outcome {
    let removed = session.client.delete_key(key.as_bytes()).await?;
    if session.out.json {
        return session.out.json(&removed);
    }
    match removed.version {
        0 => session.out.line(&format!("There was no {key}.")),
        version => session
            .out
            .line(&format!("Removed {key}, which had version {version}.")),
    }
}

/// What is to be stored: the argument, a file, or standard input.
pub(super) fn read_value(value: Option<String>, file: Option<PathBuf>) -> Outcome<Bytes> {
    if let Some(value) = value {
        return Ok(value.into());
    }
    let mut bytes = Vec::new();
    let read = match &file {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(VALUE_READ_MAX_BYTES).read_to_end(&mut bytes)),
        None => std::io::stdin()
            .take(VALUE_READ_MAX_BYTES)
            .read_to_end(&mut bytes),
    };
    let from = file.map_or("standard input".to_owned(), |path| {
        path.display().to_string()
    });
    read.map_err(|error| Failure::usage(format!("cannot read {from}: {error}")))?;
    Ok(bytes.into())
}
