//! What all nodes of a ring agree on.

/// A deadline that never comes.
pub const NEVER_US: u64 = u64::MAX;

/// Successors that a node may remember at most: the list travels in one message.
pub const SUCCESSORS_MAX: usize = 64;

/// How a ring is run. One value serves every node of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Successors that a node remembers: r. A ring survives any r - 1 deaths between two repairs,
    /// and is proved correct from r + 1 members on.
    pub successors: usize,
    /// Microseconds without an answer after which a peer counts as silent.
    pub timeout_us: u64,
    /// Silences in a row that make a neighbour dead. A lookup goes elsewhere after the first.
    pub patience: u8,
    /// Shortest time between two stabilisations of a node.
    pub stabilise_from_us: u64,
    /// Longest time between two; the time itself is drawn anew each time, so that nodes that
    /// started together do not stay together.
    pub stabilise_to_us: u64,
    /// Whether nodes mend their tables. The paper stops that to measure what failures do before
    /// anything is mended.
    pub repair: bool,
}

impl Default for Config {
    /// For a handful of machines on one network: a death is noticed within some two seconds.
    fn default() -> Self {
        Config {
            successors: 4,
            timeout_us: 500_000,
            patience: 2,
            stabilise_from_us: 500_000,
            stabilise_to_us: 1_500_000,
            repair: true,
        }
    }
}

impl Config {
    /// The paper's: 500 ms of silence are death, stabilisation every 15 to 45 s.
    pub fn of_the_paper(successors: usize) -> Self {
        Config {
            successors: successors.clamp(1, SUCCESSORS_MAX),
            timeout_us: 500_000,
            patience: 1,
            stabilise_from_us: 15_000_000,
            stabilise_to_us: 45_000_000,
            repair: true,
        }
    }
}
