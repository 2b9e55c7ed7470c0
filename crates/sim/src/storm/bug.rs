//! What a test of the tester puts between a node and those around it.

use std::fmt::Debug;

use domain::Proposal;
use engine::Consistency;

use crate::world::Sim;

/// A bug, made from outside: a storm in which there is one must end with a violation. What is not
/// overridden is as it should be.
pub trait Meddle: Debug + Send + Sync {
    /// How fresh a read really is that was asked to be so fresh.
    fn consistency(&self, asked: Consistency) -> Consistency {
        asked
    }

    /// What is really proposed.
    fn proposal(&self, proposal: Proposal) -> Proposal {
        proposal
    }

    /// What is wrong with the world; asked when the cluster has formed.
    fn world(&self, sim: &Sim) {
        let _ = sim;
    }
}
