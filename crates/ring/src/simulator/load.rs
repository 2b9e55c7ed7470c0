//! How evenly keys spread over machines: the paper's Figures 8 and 9.

use super::summary::{Histogram, Summary};
use super::world::World;
use crate::{Dice, Id};

/// Keys on machines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Places on the circle that each machine takes.
    pub virtual_nodes: u32,
    /// Keys for a machine.
    pub keys: Summary,
}

/// Spreads `keys` random keys over `machines` machines with so many virtual nodes each.
pub fn load(machines: u32, virtual_nodes: u32, keys: u64, seed: u64) -> Load {
    let mut dice = Dice::new(seed);
    let circle = World::random_circle(&mut dice, machines.saturating_mul(virtual_nodes));
    let mut held = vec![0u64; machines as usize];
    for _ in 0..keys {
        if let Some(owner) = circle.owner(Id(dice.any())) {
            held[(owner.address().0 / virtual_nodes) as usize] += 1;
        }
    }
    let mut histogram = Histogram::default();
    held.into_iter().for_each(|keys| histogram.add(keys));
    Load {
        virtual_nodes,
        keys: histogram.summary(),
    }
}
