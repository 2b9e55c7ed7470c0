//! `consorcio news`: posts.

mod change;
mod list;
mod watch;

use std::path::PathBuf;

use super::{Common, with_session};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio news list                         what is unread in the areas that the member follows
  consorcio news list Obras --newest          the last posts of an area
  consorcio news read Obras                   the unread posts in full, which are read then
  consorcio news post Obras --title 'Corte de agua' --text 'El jueves, de **9 a 12**.'
  consorcio news post Obras --title Acta --file acta.md
  consorcio news search 'corte agua'
  consorcio news watch --area Obras           new posts as they come, until Ctrl-C

An area is named by its name, in any case, or by its number.";

/// News: read, post, search, follow
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
    /// List the posts of an area, or what is unread in all that the member follows
    List(list::List),
    /// Show the unread posts of an area in full, and mark them read
    Read(list::Read),
    /// Show one post in full
    Show {
        /// The area
        area: String,
        /// The post's number
        post: i64,
    },
    /// Publish a post: --text, --file, or standard input
    Post {
        /// The area
        area: String,
        /// One line
        #[arg(long)]
        title: String,
        /// The text, in Markdown
        #[arg(long, conflicts_with = "file")]
        text: Option<String>,
        /// Read the text from this file
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Delete a post of one's own; a note stays in its place
    Delete {
        /// The area
        area: String,
        /// The post's number
        post: i64,
    },
    /// Hide a post, with a reason that is shown in its place (administrators)
    Hide {
        /// The area
        area: String,
        /// The post's number
        post: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Mark posts as read
    Mark(change::Which),
    /// Mark posts as unread
    Unmark(change::Which),
    /// Find posts that contain every word
    Search {
        /// The words; the last may be the beginning of one
        #[arg(required = true)]
        words: Vec<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Follow what happens, until Ctrl-C
    Watch(watch::Watch),
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::List(list) => list.run(session).await,
        Action::Read(read) => read.run(session).await,
        Action::Show { area, post } => list::show(session, &area, post).await,
        Action::Post {
            area,
            title,
            text,
            file,
        } => change::publish(session, &area, title, text, file).await,
        Action::Delete { area, post } => change::delete(session, &area, post).await,
        Action::Hide { area, post, reason } => change::hide(session, &area, post, reason).await,
        Action::Mark(which) => change::mark(session, &which, true).await,
        Action::Unmark(which) => change::mark(session, &which, false).await,
        Action::Search { words, limit } => list::search(session, &words.join(" "), limit).await,
        Action::Watch(watch) => watch.run(session).await,
    })
}
