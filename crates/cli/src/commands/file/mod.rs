//! `consorcio file`: share files, find them, and get them back.

mod get;
mod kinds;
mod progress;
mod put;
mod show;

use api::client::{FileName, FilesQuery};

use super::session::Session;
use super::{Common, with_session};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio file put acta.pdf                          under its own name
  consorcio file put acta.pdf actas/enero.pdf --tag acta --tag 2026 --area Obras
  consorcio file put notas.txt --private               only for yourself
  consorcio file get actas/enero.pdf                   goes on where an earlier try broke off
  consorcio file get actas/enero.pdf -                 to standard output
  consorcio file find '*.pdf'                          or a part of the name
  consorcio file list --tag acta --owner ana
  consorcio file info actas/enero.pdf --chunks         which nodes have which bytes
  consorcio file mv actas/enero.pdf actas/2026-01.pdf
  consorcio file rm actas/enero.pdf

A file is kept on three nodes, or on all if there are fewer, unless --copies says otherwise. What is
private is seen by nobody else through Consorcio, but it is not encrypted on the nodes' disks.";

/// Files: share them, find them, and get them back
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
    /// Put a file, or replace your own of that name
    Put(put::Put),
    /// Get a file; what an earlier try got is not got again
    Get(get::Get),
    /// The files there are, newest first: those that are shared, and your private ones
    List(List),
    /// Files by a part of their name, or by a pattern such as '*.pdf'
    Find {
        /// A part of the name in upper or lower case; with *, ? or [ a pattern for the whole
        pattern: String,
        #[command(flatten)]
        list: List,
    },
    /// What is known of a file
    Info {
        #[command(flatten)]
        which: Which,
        /// Say which nodes have which of its bytes
        #[arg(long)]
        chunks: bool,
    },
    /// Remove a file (its owner, administrators)
    Rm(Which),
    /// Give a file another name (its owner, administrators)
    Mv {
        #[command(flatten)]
        which: Which,
        /// Its name from now on
        to: String,
    },
    /// How much room files take, and how much there is
    Usage,
}

#[derive(clap::Args)]
struct Which {
    /// The file's name
    name: String,
    /// Your private file of that name
    #[arg(long)]
    private: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only files with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only files of this member
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Which {
    fn file(&self) -> FileName {
        FileName {
            name: self.name.clone(),
            private: self.private,
        }
    }
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::Put(args) => put::run(session, args).await,
        Action::Get(args) => get::run(session, args).await,
        Action::List(args) => list(session, None, args).await,
        Action::Find { pattern, list } => self::list(session, Some(pattern), list).await,
        Action::Info { which, chunks } => show::info(session, &which.file(), chunks).await,
        Action::Rm(which) => remove(session, &which.file()).await,
        Action::Mv { which, to } => rename(session, &which.file(), &to).await,
        Action::Usage => show::usage(session).await,
    })
}

/// Page after page, until there are enough or no more.
async fn list(session: &mut Session, pattern: Option<String>, list: List) -> Outcome {
    let mut query = FilesQuery {
        pattern,
        tag: list.tag,
        owner: list.owner,
        before: None,
        limit: Some(list.limit.min(domain::files::queries::FILES_PAGE_MAX)),
    };
    let mut files = Vec::new();
    loop {
        let page = session.client.files(&query).await?;
        files.extend(page.files);
        query.before = page.next;
        if query.before.is_none() || files.len() >= list.limit as usize {
            files.truncate(list.limit as usize);
            return show::list(session, &files);
        }
    }
}

async fn remove(session: &mut Session, file: &FileName) -> Outcome {
    session.client.remove_file(file).await?;
    session.out.say(format!("Removed {}.", file.name))
}

async fn rename(session: &mut Session, file: &FileName, to: &str) -> Outcome {
    session.client.rename_file(file, to).await?;
    session.out.say(format!("{} is now {to}.", file.name))
}
