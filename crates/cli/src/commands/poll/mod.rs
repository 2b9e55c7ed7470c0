//! `consorcio poll`: ask, vote, count, and count again.

mod create;
mod show;
mod verify;
mod vote;

use super::{Common, with_session};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio poll create '¿Gatos o perros?' --options Gatos,Perros
  consorcio poll create '¿Ascensor?' --options Sí,No --list ana:600,beto:400 --quorum 50% \\
      --majority two-thirds --closes 3d
  consorcio poll vote 1 Gatos                 or by its number; again to change it; --blank
  consorcio poll watch 1                      how it stands, as it changes
  consorcio poll record 1 > record.json       every ballot, once the poll is closed
  consorcio poll verify record.json --code CODE   counts again, without asking any node

A poll is named by its number. This is not a secret ballot: whoever runs a node can see who voted
what, and the record shows the weight of each ballot, so that a weight which only one voter has (as
in ana:600,beto:400) tells everybody what that voter chose.";

/// Polls: ask, vote, count, and count again
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
    /// Open a poll
    Create(Box<create::Create>),
    /// The newest polls
    List {
        /// Those before this one
        #[arg(long, value_name = "POLL")]
        before: Option<i64>,
    },
    /// One poll: its options, its rules, and how it stands
    Show {
        /// The poll
        poll: i64,
    },
    /// Cast a ballot, or change it
    Vote(vote::Vote),
    /// Close a poll before its time (its author, administrators)
    Close {
        /// The poll
        poll: i64,
    },
    /// What a poll came to, or how it stands
    Result {
        /// The poll
        poll: i64,
    },
    /// Print the record of a closed poll: what `verify` counts again
    Record {
        /// The poll
        poll: i64,
    },
    /// The proof that the ballot with this code was counted, once the poll is closed
    Proof {
        /// The poll
        poll: i64,
        /// The code that the vote was given
        code: String,
    },
    /// Count a record again, without asking any node
    Verify(verify::Verify),
    /// Follow how a poll stands until it is closed
    Watch {
        /// The poll
        poll: i64,
        /// End after so many changes
        #[arg(long, value_name = "COUNT")]
        count: Option<u64>,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    if let Action::Verify(verify) = args.action {
        return verify.run(&args.common);
    }
    with_session(&args.common, async |session| match args.action {
        Action::Create(create) => create.run(session).await,
        Action::List { before } => show::list(session, before).await,
        Action::Show { poll } => show::show(session, poll).await,
        Action::Vote(vote) => vote.run(session).await,
        Action::Close { poll } => {
            session.client.close_poll(poll).await?;
            session.out.say(format!("Poll {poll} is closed."))
        }
        Action::Result { poll } => show::result(session, poll).await,
        Action::Record { poll } => session.out.json(&session.client.poll_record(poll).await?),
        Action::Proof { poll, code } => verify::proof(session, poll, &code).await,
        Action::Watch { poll, count } => show::watch(session, poll, count).await,
        // It has no session; see above.
        Action::Verify(_) => Ok(()),
    })
}
