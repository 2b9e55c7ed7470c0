//! Tests of the tester: with a bug of each kind a storm must not pass. The bugs are outside of the
//! node, in its disk, its transport, or in what comes between it and its clients.

use std::sync::Arc;

use domain::Proposal;
use engine::Consistency;
use sim::storm::{Meddle, Report, Storm};
use sim::{Honesty, Sim};

/// A bug that does not show in so many storms is not found.
const SEEDS: u64 = 12;

/// Storms with a bug until one is caught; that one is caught again in the same way.
fn caught(bug: impl Meddle + 'static) -> String {
    let bug: Arc<dyn Meddle> = Arc::new(bug);
    let storm = |seed| Storm {
        meddle: Some(bug.clone()),
        ..Storm::new(seed, 3)
    };
    let found = (0..SEEDS).find_map(|seed| {
        let report = storm(seed).run();
        report.violation.is_some().then_some(report)
    });
    let Some(first) = found else {
        panic!("{bug:?} was not found in {SEEDS} storms");
    };
    let again = storm(first.seed).run();
    let told = |report: &Report| (report.violation.clone(), report.trace);
    assert_eq!(told(&first), told(&again), "it does not repeat");
    let violation = first.violation.unwrap();
    eprintln!("{bug:?}, seed {}: {}", first.seed, violation.what);
    assert!(!violation.story.is_empty());
    violation.what
}

/// Disks that are not what they say.
#[derive(Debug)]
struct Disks(Honesty);

impl Meddle for Disks {
    fn world(&self, sim: &Sim) {
        for node in sim.nodes() {
            sim.disk(node).set_honesty(self.0);
        }
    }
}

#[test]
fn acknowledging_before_the_sync_is_found() {
    caught(Disks(Honesty::Late));
}

#[test]
fn syncs_that_lie_are_found() {
    caught(Disks(Honesty::Lying));
}

#[test]
fn a_log_purged_behind_a_state_that_was_not_synced_is_found() {
    caught(Disks(Honesty::DatabasesLie));
}

/// A replica that answers from what it has, whatever it is asked.
#[derive(Debug)]
struct StaleReads;

impl Meddle for StaleReads {
    fn consistency(&self, _asked: Consistency) -> Consistency {
        Consistency::Stale
    }
}

#[test]
fn a_stale_read_instead_of_a_linearizable_one_is_found() {
    let what = caught(StaleReads);
    assert!(what.contains("linearizable") || what.contains("session"));
}

/// A store that does not know a request again.
#[derive(Debug)]
struct Forgetful;

impl Meddle for Forgetful {
    fn proposal(&self, proposal: Proposal) -> Proposal {
        Proposal {
            request: None,
            ..proposal
        }
    }
}

#[test]
fn a_retry_that_is_applied_twice_is_found() {
    caught(Forgetful);
}

/// A transport that delivers some frames twice.
#[derive(Debug)]
struct Repeating;

impl Meddle for Repeating {
    fn world(&self, sim: &Sim) {
        sim.network().set_repeating(3);
    }
}

#[test]
fn a_transport_that_repeats_frames_is_found() {
    caught(Repeating);
}
