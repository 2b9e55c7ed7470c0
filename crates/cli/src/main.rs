//! The `consorcio` program: a table of contents of its roles.

mod agency;
mod bench;
mod commands;
mod failure;
mod files;
mod interrupt;
mod logging;
mod proxy;
mod serve;
mod settings;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    account, area, cluster, drill, file, journal, kv, lottery, news, poll, ring, simulate,
};
use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  consorcio up --demo                       three nodes on this machine, with something to read
  consorcio serve --name sur --join URL     one more node, on another machine
  consorcio proxy --nodes URL,URL           one address for all nodes, without data
  consorcio account login ana               sign in; the password is asked for
  consorcio news list Obras --unread        what is new in an area
  consorcio lottery list                    the lotteries and what they drew
  consorcio file put acta.pdf               share a file; it is kept on several nodes
  consorcio cluster status --watch          who is alive, who leads
  consorcio drill run kill                  SIGKILL the leader, and prove that nothing is lost
  consorcio ring simulate --fail 0.5        a thousand nodes of a ring, half of them dead

Exit codes:
  0 done   1 refused or failed   2 wrong usage or configuration   3 no node can be reached or serve
  4 not signed in or not allowed   5 no such thing   6 a change may or may not have been made
  7 the nodes belong to another cluster than the one that is remembered

Every command explains itself: consorcio news --help, consorcio news post --help.";

/// A node makes and frees many small objects for each request, on every thread; this costs it half
/// as much as the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// News, agreed on by a few ordinary machines: losing one of them loses nothing.
#[derive(Parser)]
#[command(name = "consorcio", version, after_help = EXAMPLES, propagate_version = true)]
struct Program {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    Up(up::Args),
    Serve(Box<serve::Args>),
    Proxy(Box<proxy::Args>),
    Account(account::Args),
    Area(area::Args),
    News(news::Args),
    Poll(poll::Args),
    Cluster(cluster::Args),
    Drill(drill::Args),
    Kv(kv::Args),
    File(file::Args),
    Journal(journal::Args),
    Agency(agency::Args),
    Lottery(lottery::Args),
    Ring(ring::Args),
    Bench(bench::Args),
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    let outcome = match Program::parse().role {
        Role::Up(args) => up::run(args),
        Role::Serve(args) => serve::run(*args),
        Role::Proxy(args) => proxy::run(*args),
        Role::Account(args) => account::run(args),
        Role::Area(args) => area::run(args),
        Role::News(args) => news::run(args),
        Role::Poll(args) => poll::run(args),
        Role::Cluster(args) => cluster::run(args),
        Role::Drill(args) => drill::run(args),
        Role::Kv(args) => kv::run(args),
        Role::File(args) => file::run(args),
        Role::Journal(args) => journal::run(args),
        Role::Agency(args) => agency::run(args),
        Role::Lottery(args) => lottery::run(args),
        Role::Ring(args) => ring::run(args),
        Role::Simulate(args) => simulate::run(args),
        Role::Bench(args) => {
            bench::run(args).map_err(|error| Failure::failed(format!("{error:#}")))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("consorcio: {failure}");
            failure.code()
        }
    }
}
