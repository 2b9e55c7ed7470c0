//! `consorcio ring`: the ring that files lie on.

mod figures;
mod paper;
mod plot;
mod plots;
mod simulate;

use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio ring simulate                                 1,000 nodes, 10,000 lookups
  consorcio ring simulate --fail 0.5                      half of them dead
  consorcio ring simulate --paper --plots plots           the Chord paper's figures beside ours

consorcio ring simulate --help says more.";

/// The ring that files lie on: Chord, and what it does under failure
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Simulate rings of up to millions of nodes, with the code that real nodes run
    Simulate(simulate::Args),
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    match args.action {
        Action::Simulate(args) => simulate::run(args),
    }
}
