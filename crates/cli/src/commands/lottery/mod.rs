//! `consorcio lottery`: lotteries from their opening to the proof of their draw.

mod change;
mod raffle;
mod record;
mod secret;
mod show;
mod verify;

use std::path::PathBuf;

use super::{Common, with_session};
use crate::agency::sample;
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:

A lottery, from its opening to its winners:
  consorcio lottery open 'Sorteo de mayo' --agencies 5     the number is 7574 unless --rule says
  (agencies send their bets: consorcio agency --help)
  consorcio lottery close 5                                an agency that will not come
  consorcio lottery winners 1                              once all agencies have closed

With the official number:
  consorcio lottery open 'Navidad' --agencies 5 --rule external
  consorcio lottery draw --number 1234

With a draw that anybody can recompute:
  consorcio lottery open 'Verano' --agencies 5 --rule verifiable --secret-file verano.secret \\
      --source 'last four digits of the first prize of the national lottery of 2 January'
  consorcio lottery draw --secret-file verano.secret --source-value 6651
  consorcio lottery record --bets --out verano.json && consorcio lottery verify verano.json

A lottery is named by its number with --lottery; without, the one that was opened last is meant.";

/// Lotteries: agencies, bets, draws, and their proof
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Action,
}

/// Which lottery.
#[derive(clap::Args)]
struct Which {
    /// Its number
    #[arg(long, value_name = "ID", default_value = "current")]
    lottery: String,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Open a lottery, which becomes the current one (administrators)
    Open(change::Open),
    /// All lotteries, the newest first
    List,
    /// A lottery and its agencies
    Show(Which),
    /// Close an agency: it sends no more bets (administrators)
    Close {
        /// The agency's number
        agency: u32,
        #[command(flatten)]
        which: Which,
    },
    /// Draw a lottery whose agencies have all closed (administrators)
    Draw(change::Draw),
    /// The documents of an agency's winners, one a line
    Winners {
        /// The agency's number
        agency: u32,
        #[command(flatten)]
        which: Which,
    },
    /// Write down all that is needed to recompute a draw
    Record(record::Args),
    /// Recompute a draw from its record, without asking anybody
    #[command(long_about = verify::LONG)]
    Verify(verify::Args),
    /// The receipt of a batch, with the proof that it takes part
    Receipt {
        /// Index of the batch's leaf, from 0, as the agency was told
        leaf: i64,
        #[command(flatten)]
        which: Which,
        /// Write it to this file, as JSON
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Select among members with numbers that were drawn in public (RFC 3797)
    #[command(long_about = raffle::LONG)]
    Raffle(raffle::Args),
    Sample(sample::Args),
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    let out = super::output::Output::new(args.common.json);
    match args.action {
        Action::Verify(args) => verify::run(&out, args),
        Action::Raffle(args) => raffle::run(&out, args),
        Action::Sample(args) => sample::run(&args),
        action => with_session(&args.common, async |session| match action {
            Action::Open(open) => change::open(session, open).await,
            Action::Draw(draw) => change::draw(session, draw).await,
            Action::Close { agency, which } => change::close(session, &which, agency).await,
            Action::List => show::list(session).await,
            Action::Show(which) => show::show(session, &which).await,
            Action::Winners { agency, which } => show::winners(session, &which, agency).await,
            Action::Record(args) => record::record(session, args).await,
            Action::Receipt { leaf, which, out } => {
                record::receipt(session, &which, leaf, out).await
            }
            Action::Verify(_) | Action::Raffle(_) | Action::Sample(_) => Ok(()),
        }),
    }
}
