//! Storms over whole clusters: nothing that must not be, and the same twice from the same seed.

use std::collections::BTreeMap;

use sim::storm::{Report, Storm};

use crate::seeds::seeds;

/// Seeds of this test alone; the command line's test runs many more.
const SEEDS: u64 = 6;

/// Every fourth cluster has five nodes.
fn storm(seed: u64) -> Storm {
    Storm::new(seed, if seed % 4 == 3 { 5 } else { 3 })
}

fn pass(storm: &Storm) -> Report {
    let report = storm.run();
    if let Some(violation) = &report.violation {
        panic!(
            "seed {} over {} nodes\n{violation}",
            storm.seed, storm.nodes
        );
    }
    report
}

#[test]
fn storms_pass_without_a_violation() {
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    let mut looked_for = 0;
    for seed in seeds(SEEDS) {
        let started = std::time::Instant::now();
        let report = pass(&storm(seed));
        eprintln!(
            "seed {seed}: {} operations, {} elections, {} crashes, {} snapshots in {:?}, {:?}",
            report.operations,
            report.elections,
            report.crashes,
            report.snapshots,
            report.simulated,
            started.elapsed()
        );
        assert!(report.operations > 50, "seed {seed}: {report:?}");
        looked_for += report.looked_for;
        for (fault, count) in report.faults {
            *faults.entry(fault).or_default() += count;
        }
    }
    assert!(looked_for > 0, "no write was looked for on the disks");
    eprintln!("{faults:?}; {looked_for} writes looked for");
}

#[test]
fn a_storm_repeats_from_its_seed() {
    let twice = [pass(&storm(3)), pass(&storm(3))].map(|report| (report.trace, report.operations));
    assert_eq!(twice[0], twice[1]);
    assert_ne!(twice[0].0, pass(&storm(4)).trace);
}
