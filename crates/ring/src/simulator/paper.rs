//! The paper's own experiments, with what it found beside what we find.
//!
//! Its simulator looks keys up iteratively, as ours does: a packet takes 50 ms on average, 500 ms
//! without an answer are a death, and nothing is mended while lookups are measured. Where it ran
//! one ring we run several, since which nodes die makes more difference than which keys are asked.

use super::lookups::{Outcome, Plan};
use super::summary::Histogram;

/// Nodes of Figure 10 as powers of 2, with the mean path where it is known to two digits.
pub const FIGURE_10: [(u32, Option<f64>); 12] = [
    (3, None),
    (4, None),
    (5, None),
    (6, None),
    (7, None),
    (8, None),
    (9, None),
    (10, Some(4.89)),
    (11, None),
    (12, None),
    (13, None),
    (14, Some(6.87)),
];

/// Table II: the part of 1,000 nodes that died, the mean path, the mean of timeouts.
pub const TABLE_2: [(f64, f64, f64); 6] = [
    (0.0, 3.84, 0.0),
    (0.1, 4.03, 0.60),
    (0.2, 4.22, 1.17),
    (0.3, 4.44, 2.02),
    (0.4, 4.69, 3.23),
    (0.5, 5.09, 5.10),
];

/// Nodes of Table II.
pub const TABLE_2_NODES: u32 = 1000;

/// Successors that its nodes remember: 2 log₂ N.
pub const TABLE_2_SUCCESSORS: usize = 20;

/// Rings that each row of Table II is measured on, each with as many lookups as the paper's one.
pub const TABLE_2_RINGS: u32 = 20;

/// What consistent hashing says of the keys on a machine with so many virtual nodes: the share of
/// the circle is Gamma-distributed, its shape their number. First and 99th percentile, of the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadLaw {
    /// Virtual nodes of a machine.
    pub virtual_nodes: u32,
    /// First percentile.
    pub p1: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Virtual nodes that are compared.
pub const LOAD_LAW: [LoadLaw; 5] = [
    LoadLaw::of(1, 0.010, 4.605),
    LoadLaw::of(2, 0.074, 3.319),
    LoadLaw::of(5, 0.256, 2.321),
    LoadLaw::of(10, 0.413, 1.878),
    LoadLaw::of(20, 0.554, 1.592),
];

impl LoadLaw {
    const fn of(virtual_nodes: u32, p1: f64, p99: f64) -> Self {
        LoadLaw {
            virtual_nodes,
            p1,
            p99,
        }
    }
}

/// A row of Figure 10.
#[derive(Clone, Debug)]
pub struct Figure10 {
    /// Nodes of a ring.
    pub nodes: u32,
    /// ½ log₂ of them.
    pub law: f64,
    /// What the paper found, where it is known.
    pub paper: Option<f64>,
    /// What we find.
    pub ours: Outcome,
}

/// A row of Table II.
#[derive(Clone, Debug)]
pub struct Table2 {
    /// The part of the nodes that died.
    pub fail: f64,
    /// The paper's mean path.
    pub paper_path: f64,
    /// The paper's mean of timeouts.
    pub paper_timeouts: f64,
    /// What we find, over all rings.
    pub ours: Outcome,
    /// The mean path of each ring.
    pub paths: Measured,
    /// The mean of timeouts of each ring.
    pub timeouts: Measured,
}

/// A mean that was measured on several rings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Measured {
    fn of(means: impl Iterator<Item = f64> + Clone) -> Self {
        Measured {
            least: means.clone().fold(f64::INFINITY, f64::min),
            greatest: means.fold(0.0, f64::max),
        }
    }
}

impl Figure10 {
    /// Measures rings of `2^exponent` nodes that have fingers and one successor, as many as make a
    /// small ring's accidents even out.
    pub fn measure(exponent: u32, paper: Option<f64>, lookups: u64, seed: u64) -> Self {
        let nodes = 1 << exponent;
        let rings = ((1 << 16) / nodes).clamp(4, 256);
        let plan = Plan {
            nodes,
            virtual_nodes: 1,
            successors: 1,
            fail: 0.0,
            lookups: lookups.div_ceil(u64::from(rings)),
            seed,
        };
        let mut ours = Outcome::default();
        each_ring(&plan, rings).for_each(|outcome| ours.merge(&outcome));
        Figure10 {
            nodes,
            law: f64::from(exponent) / 2.0,
            paper,
            ours,
        }
    }
}

impl Table2 {
    /// Measures one row.
    pub fn measure(row: (f64, f64, f64), lookups: u64, seed: u64) -> Self {
        let (fail, paper_path, paper_timeouts) = row;
        let plan = Plan {
            nodes: TABLE_2_NODES,
            virtual_nodes: 1,
            successors: TABLE_2_SUCCESSORS,
            fail,
            lookups,
            seed,
        };
        let outcomes: Vec<Outcome> = each_ring(&plan, TABLE_2_RINGS).collect();
        let mean = |of: fn(&Outcome) -> &Histogram| {
            Measured::of(outcomes.iter().map(move |o| of(o).summary().mean))
        };
        let mut ours = Outcome::default();
        outcomes.iter().for_each(|outcome| ours.merge(outcome));
        Table2 {
            fail,
            paper_path,
            paper_timeouts,
            ours,
            paths: mean(|outcome| &outcome.path),
            timeouts: mean(|outcome| &outcome.timeouts),
        }
    }
}

/// The same plan on rings with seeds of their own.
fn each_ring(plan: &Plan, rings: u32) -> impl Iterator<Item = Outcome> {
    (0..rings).map(|ring| {
        let seed = plan.seed.wrapping_add(u64::from(ring) << 32);
        Plan {
            seed,
            ..plan.clone()
        }
        .run()
    })
}
