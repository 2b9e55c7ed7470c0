//! Rings in storms: joins, deaths and goodbyes at any moment, from one seed each.
//!
//! After every step Zave's invariant must hold; after every calm each node must know what it ought
//! to, each lookup find the owner, and each broadcast reach everybody once. The second half tests
//! the tester: rings with a known fault must not get through.
//!
//! `CONSORCIO_RING_SEEDS=100000 cargo test --release -p ring --test storms` looks longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod storm;

use storm::{Caught, Storm};

/// Seeds that a run tries unless it is told another number.
const SEEDS: u64 = 300;

#[expect(
    clippy::disallowed_methods,
    reason = "how long to look is no part of a ring"
)]
fn seeds() -> std::ops::Range<u64> {
    let told = std::env::var("CONSORCIO_RING_SEEDS").ok();
    0..told.map_or(SEEDS, |count| count.parse().expect("a number of seeds"))
}

#[test]
fn rings_hold_in_storms() {
    for seed in seeds() {
        if let Err(caught) = Storm::new(seed).run() {
            panic!("seed {seed}: {caught:#?}");
        }
    }
}

#[test]
fn a_storm_repeats_from_its_seed() {
    for seed in 0..5 {
        let (first, second) = (Storm::new(seed).run(), Storm::new(seed).run());
        assert_eq!(first.unwrap(), second.unwrap(), "seed {seed}");
    }
    assert_ne!(Storm::new(1).run().unwrap(), Storm::new(2).run().unwrap());
}

/// Whether a fault is caught in one of the seeds, in this way.
fn is_caught(fault: faults::Fault, way: fn(&Caught) -> bool) -> bool {
    let mut runs = (0..SEEDS).filter_map(|seed| Storm::new(seed).with(fault).run().err());
    runs.any(|caught| way(&caught))
}

fn by_the_invariant(caught: &Caught) -> bool {
    matches!(caught, Caught::Violation(_))
}

fn by_not_mending(caught: &Caught) -> bool {
    matches!(caught, Caught::NotMended { .. })
}

#[test]
fn adopting_without_a_query_is_caught() {
    assert!(is_caught(faults::adopt_unqueried, by_the_invariant));
}

#[test]
fn copying_only_the_head_of_a_list_is_caught() {
    assert!(is_caught(faults::copy_the_head_only, by_the_invariant));
}

#[test]
fn forgetting_the_rest_of_a_list_is_caught() {
    assert!(is_caught(faults::forget_the_tail, by_the_invariant));
}

#[test]
fn a_list_that_skips_one_is_caught() {
    assert!(is_caught(faults::skip_the_second, by_the_invariant));
}

#[test]
fn never_notifying_is_caught() {
    assert!(is_caught(faults::never_notify, by_not_mending));
}
