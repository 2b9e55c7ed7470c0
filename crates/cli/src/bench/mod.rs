//! `consorcio bench`: load and failure on this machine, with figures that can be quoted. Where
//! another system is installed it is measured beside, in the same run.
//!
//! ```text
//!   writes   writes a second, and how long each takes         beside etcd
//!   reads    linearizable reads a second                      beside etcd
//!   store    writes and reads over the Redis protocol       beside Redis and etcd
//!   blocked  clients that wait for a list's next element
//!   failover from SIGKILL of the leader to the next write     beside etcd
//!   sse      readers of the live feed: how late, how many missed
//!   idle     memory of a node that does nothing; start to ready
//!   lottery  from the first bet to the last winner
//!   news     bytes a post takes on disk; listing what is unread
//!   polls    ballots a second; from a ballot to the screens of all who watch
//!   files    a large file in and out, and many small ones     beside cp and sync
//! ```
//!
//! A measurement starts what it needs in a directory of its own and leaves nothing behind. Load
//! comes from one thread without a runtime ([`load`]), because it shares the machine with what it
//! measures.

mod blocked;
mod consorcio;
mod etcd;
mod failover;
mod files;
mod http;
mod idle;
mod load;
mod lottery;
mod news;
mod polls;
mod posts;
mod process;
mod rates;
mod redis;
mod report;
mod sse;
mod store;
mod streams;
mod system;

use std::path::PathBuf;

use crate::interrupt;

use load::Operation;

const EXAMPLES: &str = "\
Examples:
  consorcio bench writes                             1, 64 and 256 clients, beside etcd
  consorcio bench writes --clients 64 --seconds 2 --rounds 3 --alone
  consorcio bench reads --clients 64
  consorcio bench store --operations get --to follower --clients 64 --pipeline 1
  consorcio bench failover --trials 5 --json
  consorcio bench sse --readers 2000 --posts 20
  consorcio bench idle
  consorcio bench polls --clients 64 --watchers 1000
  consorcio bench lottery --batch 63 --many 0
  consorcio bench files --dir /srv/disk-to-measure
  consorcio bench news --posts 100000 --dir /srv/disk-to-measure

Measure a release build, on a machine that does nothing else. Everything that is started is stopped,
and its data removed, also on Ctrl-C.";

/// Load and failure on this machine, in figures
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Where the nodes keep their data: a directory on the disk to measure [default: the system's
    /// directory for temporary files]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Writes a second with few and many clients, beside etcd where it is installed
    Writes(rates::Args),
    /// Linearizable reads a second with few and many clients, beside etcd where it is installed
    Reads(rates::Args),
    /// Reads and writes a second over the Redis protocol, beside Redis and etcd
    Store(store::Args),
    /// Clients that wait for a list's next element: how soon one wakes after a push
    Blocked(blocked::Args),
    /// From SIGKILL of the leader to the first acknowledged write, beside etcd
    Failover(failover::Args),
    /// Readers of the live feed: how late a post arrives, and how many are missed
    Sse(sse::Args),
    /// Memory of a node that does nothing, and the time from start to ready
    Idle(idle::Args),
    /// Bytes a post takes on disk, and the time to list what is unread
    News(news::Args),
    /// Ballots a second, and how soon one shows on the screens of all who watch
    Polls(polls::Args),
    /// A lottery: from the first packet to the last winner, in batches of several sizes
    Lottery(lottery::Args),
    /// A large file into three nodes and out of them, beside cp and sync; many small files
    Files(files::Args),
}

/// Runs one measurement and prints its report. It fails if a system does not start, answers a
/// write with an error, or on Ctrl-C; what was started is stopped first.
pub fn run(args: Args) -> anyhow::Result<()> {
    interrupt::listen()?;
    crate::files::raise_limit();
    let scratch = process::Scratch::new(args.dir.as_deref())?;
    let mut report = match args.what {
        What::Writes(args) => rates::run(Operation::Set, &args, &scratch),
        What::Reads(args) => rates::run(Operation::Get, &args, &scratch),
        What::Store(args) => store::run(&args, &scratch),
        What::Blocked(args) => blocked::run(&args, &scratch),
        What::Failover(args) => failover::run(&args, &scratch),
        What::Sse(args) => sse::run(&args, &scratch),
        What::Idle(args) => idle::run(&args, &scratch),
        What::News(args) => news::run(&args, &scratch),
        What::Polls(args) => polls::run(&args, &scratch),
        What::Lottery(args) => lottery::run(&args, &scratch),
        What::Files(args) => files::run(&args, &scratch),
    }?;
    if cfg!(debug_assertions) {
        report
            .setting
            .push("a debug build, which is several times slower".to_owned());
    }
    report.print(args.json)
}
