//! Bugs to be found: what a test of the tester puts between a node and those around it.

use domain::Proposal;
use engine::Consistency;

use crate::disk::Honesty;
use crate::world::Sim;

/// A bug, made from outside of the node. A storm in which there is one must end with a violation,
/// if not with each seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A sync is done only when the next one is asked for, so acknowledgements come before it.
    LateSync,
    /// Syncs do nothing.
    LyingSync,
    /// Syncs of databases do nothing, and the log is purged behind them all the same.
    LyingDatabase,
    /// A replica answers from what it has, whatever it is asked.
    StaleReads,
    /// Requests are not known again, so a retry is applied twice.
    ForgottenRequests,
    /// The transport delivers some frames twice.
    RepeatedFrames,
}

/// So many frames of a hundred come twice.
const REPEATED_PERCENT: u64 = 3;

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 6] = [
        Bug::LateSync,
        Bug::LyingSync,
        Bug::LyingDatabase,
        Bug::StaleReads,
        Bug::ForgottenRequests,
        Bug::RepeatedFrames,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Bug::LateSync => "late-sync",
            Bug::LyingSync => "lying-sync",
            Bug::LyingDatabase => "lying-database",
            Bug::StaleReads => "stale-reads",
            Bug::ForgottenRequests => "forgotten-requests",
            Bug::RepeatedFrames => "repeated-frames",
        }
    }

    /// The bug of this name.
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().find(|bug| bug.name() == name)
    }

    /// How fresh a read really is that was asked to be so fresh.
    pub(super) fn consistency(self, asked: Consistency) -> Consistency {
        match self {
            Bug::StaleReads => Consistency::Stale,
            _ => asked,
        }
    }

    /// What is really proposed.
    pub(super) fn proposal(self, proposal: Proposal) -> Proposal {
        match self {
            Bug::ForgottenRequests => Proposal {
                request: None,
                ..proposal
            },
            _ => proposal,
        }
    }

    /// What is wrong with the world, once the cluster has formed.
    pub(super) fn world(self, sim: &Sim) {
        let honesty = match self {
            Bug::LateSync => Honesty::Late,
            Bug::LyingSync => Honesty::Lying,
            Bug::LyingDatabase => Honesty::DatabasesLie,
            Bug::RepeatedFrames => return sim.network().set_repeating(REPEATED_PERCENT),
            Bug::StaleReads | Bug::ForgottenRequests => return,
        };
        for node in sim.nodes() {
            sim.disk(node).set_honesty(honesty);
        }
    }
}
