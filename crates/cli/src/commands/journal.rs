//! `consorcio journal`: entries that are only appended, and read by their index.

use std::path::PathBuf;
use std::time::Duration;

use api::client::Error;
use api::types::{Journal, JournalEntry, JournalEntryShown};
use bytes::Bytes;

use super::output::{Cell, Style, cell};
use super::session::Session;
use super::{Common, kv, when, with_session};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio journal append acta 'Se abre la sesión'      its index is answered
  consorcio journal append acta --file minuta.txt
  consorcio journal read acta 1                          one entry: term, time, author, data
  consorcio journal range acta --from 10 --limit 5
  consorcio journal tail acta --follow                   the newest, and what comes from now on
  consorcio journal trim acta --keep 1000
  consorcio journal list

The first entry of a journal has index 1; no index is ever used twice, also not after a trim.
Redis clients see a journal as a stream (XADD, XRANGE): what they append may have other fields than
`data`.";

/// How often `tail --follow` looks for more.
const FOLLOW_PERIOD: Duration = Duration::from_millis(500);

/// Journals: entries that are only appended, and read by their index
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
    /// Append an entry: the argument, a file, or standard input
    Append {
        /// The journal's name; it begins with its first entry
        name: String,
        /// What the entry says
        #[arg(conflicts_with = "file")]
        data: Option<String>,
        /// Read what it says from this file
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// One entry: its term, time, author and data, and which node answered
    Read {
        /// The journal's name
        name: String,
        /// The entry's index, from 1
        index: u64,
    },
    /// Entries from an index on, oldest first
    Range {
        /// The journal's name
        name: String,
        /// The first index that is wanted
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        from: u64,
        /// At most so many entries; all if it is not said
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// The newest entries, oldest first
    Tail {
        /// The journal's name
        name: String,
        /// How many
        #[arg(
            long,
            short = 'n',
            default_value_t = 10,
            value_parser = clap::value_parser!(u64).range(1..=PAGE_MAX)
        )]
        count: u64,
        /// Go on with what is appended from now on
        #[arg(long, short)]
        follow: bool,
    },
    /// Drop all entries but the newest ones
    Trim {
        /// The journal's name
        name: String,
        /// How many stay
        #[arg(long, value_name = "COUNT")]
        keep: u64,
    },
    /// The names of all journals
    List,
}

/// Entries in the longest page.
const PAGE_MAX: u64 = 1_000;

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::Append { name, data, file } => {
            append(session, &name, kv::read_value(data, file)?).await
        }
        Action::Read { name, index } => read(session, &name, index).await,
        Action::Range { name, from, limit } => range(session, &name, from, limit).await,
        Action::Tail {
            name,
            count,
            follow,
        } => tail(session, &name, count, follow).await,
        Action::Trim { name, keep } => trim(session, &name, keep).await,
        Action::List => list(session).await,
    })
}

async fn append(session: &mut Session, name: &str, data: Bytes) -> Outcome {
    let appended = session.client.append(name.as_bytes(), data).await?;
    if session.out.json {
        return session.out.json(&appended);
    }
    let index = appended.index;
    session
        .out
        .line(&format!("Appended entry {index} to {name}."))
}

async fn read(session: &mut Session, name: &str, index: u64) -> Outcome {
    let shown = session.client.entry(name.as_bytes(), index).await?;
    if session.out.json {
        return session.out.json(&shown);
    }
    let JournalEntryShown { node, entry } = shown;
    let author = entry.author.as_deref().unwrap_or("nobody signed in");
    let (index, term, at) = (entry.index, entry.term, when::local(&entry.at));
    session.out.line(&format!("index   {index}"))?;
    session.out.line(&format!("term    {term}"))?;
    session.out.line(&format!("time    {at}"))?;
    session.out.line(&format!("author  {author}"))?;
    session.out.line(&format!("node    {node}"))?;
    match &entry.data {
        Some(data) => session.out.text(&format!("data    {data}")),
        None => session.out.line(&format!("fields  {}", said(&entry))),
    }
}

async fn range(session: &mut Session, name: &str, from: u64, limit: Option<u64>) -> Outcome {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut next = Some(from);
    let mut empty = true;
    while let Some(from) = next.filter(|_| left > 0) {
        let limit = Some(left.min(PAGE_MAX));
        let page = session.client.entries(name.as_bytes(), from, limit).await?;
        left = left.saturating_sub(page.entries.len() as u64);
        empty &= page.entries.is_empty();
        next = page.next;
        show(session, &page)?;
    }
    match empty {
        true => session
            .out
            .say(format!("{name} has no entries from there on.")),
        false => Ok(()),
    }
}

async fn tail(session: &mut Session, name: &str, count: u64, follow: bool) -> Outcome {
    let newest = session.client.newest_entries(name.as_bytes(), count).await;
    let seen = match newest {
        Ok(page) => {
            show(session, &page)?;
            page.newest
        }
        // It may still be to come.
        Err(error) if follow && error.status() == Some(404) => 0,
        Err(error) => return Err(error.into()),
    };
    match follow {
        true => go_on(session, name, seen).await,
        false => Ok(()),
    }
}

/// Shows what is appended after an index, as it comes.
async fn go_on(session: &mut Session, name: &str, mut seen: u64) -> Outcome {
    loop {
        tokio::time::sleep(FOLLOW_PERIOD).await;
        let more = session.client.entries(name.as_bytes(), seen + 1, None);
        match more.await {
            Ok(page) => {
                show(session, &page)?;
                seen = page.entries.last().map_or(seen, |entry| entry.index);
            }
            Err(error) if error.status() == Some(404) => {}
            Err(error @ (Error::Unreachable { .. } | Error::Unavailable(_))) => {
                eprintln!("consorcio: {error}; trying on");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn trim(session: &mut Session, name: &str, keep: u64) -> Outcome {
    let trimmed = session.client.trim(name.as_bytes(), keep).await?;
    if session.out.json {
        return session.out.json(&trimmed);
    }
    let dropped = trimmed.dropped;
    session
        .out
        .line(&format!("Dropped {dropped} entries of {name}."))
}

/// Names as they come, one a line: a large store is looked through page by page.
async fn list(session: &mut Session) -> Outcome {
    let mut after = None;
    loop {
        let page = session.client.journals(after).await?;
        for journal in &page.journals {
            match session.out.json {
                true => session.out.json(journal)?,
                false => session.out.line(&journal.name)?,
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Entries, one a line.
fn show(session: &Session, page: &Journal) -> Outcome {
    for entry in &page.entries {
        match session.out.json {
            true => session.out.json(entry)?,
            false => session.out.cells(&row(entry))?,
        }
    }
    Ok(())
}

fn row(entry: &JournalEntry) -> [Cell; 4] {
    let author = entry.author.as_deref().unwrap_or("-");
    [
        cell(entry.index).style(Style::Bold),
        cell(when::local(&entry.at)).style(Style::Dim),
        cell(author).style(Style::Dim),
        cell(said(entry)),
    ]
}

/// What an entry says, in a line.
fn said(entry: &JournalEntry) -> String {
    let field = |field: &api::types::JournalField| {
        let how = if field.base64 { " (base64)" } else { "" };
        format!("{}={}{how}", field.name, field.value)
    };
    match &entry.data {
        Some(data) => data.clone(),
        None => entry.fields.iter().map(field).collect::<Vec<_>>().join(" "),
    }
}
