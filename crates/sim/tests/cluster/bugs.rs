//! Tests of the tester: with a bug of each kind a storm must not pass, and it must be found by the
//! check that is there for it.

use sim::storm::{Bug, Report, Storm};

/// A bug that does not show in so many storms is not found.
const SEEDS: u64 = 12;

/// Storms with a bug until one is caught; that one is caught again in the same way. What was
/// violated must be told in one of these words.
fn is_caught(bug: Bug, words: &[&str]) {
    let storm = |seed| Storm {
        bug: Some(bug),
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
    let is_told = words.iter().any(|words| violation.what.contains(words));
    assert!(is_told, "{bug:?} was told as: {}", violation.what);
}

#[test]
fn acknowledging_before_the_sync_is_found() {
    is_caught(Bug::LateSync, &["had synced it"]);
}

#[test]
fn syncs_that_lie_are_found() {
    is_caught(Bug::LyingSync, &["had synced it"]);
}

#[test]
fn a_log_purged_behind_a_state_that_was_not_synced_is_found() {
    is_caught(Bug::LyingDatabase, &["does not start without a reason"]);
}

#[test]
fn a_stale_read_instead_of_a_linearizable_one_is_found() {
    is_caught(Bug::StaleReads, &["linearizable", "session"]);
}

#[test]
fn a_retry_that_is_applied_twice_is_found() {
    is_caught(Bug::ForgottenRequests, &["is not linearizable"]);
}

#[test]
fn a_transport_that_repeats_frames_is_found() {
    is_caught(
        Bug::RepeatedFrames,
        &["was applied 2 times", "did not settle"],
    );
}

#[test]
fn a_bug_has_a_name() {
    for bug in Bug::ALL {
        assert_eq!(Bug::named(bug.name()), Some(bug));
    }
    assert_eq!(Bug::named("none"), None);
}
