//! Who is where.

use std::fmt;

use crate::Id;

/// How a peer is reached: a number that means something to the driver alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(pub u32);

/// A node as the others know it. Twelve bytes: a node remembers dozens of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The id in two halves, so that nothing is lost to alignment.
    high: u32,
    low: u32,
    address: Address,
}

/// Peers in the order of the circle.
pub type Peers = Box<[Peer]>;

impl Peer {
    /// A peer at a place, reached by an address.
    pub fn new(id: Id, address: Address) -> Self {
        Peer {
            high: (id.0 >> 32) as u32,
            low: id.0 as u32,
            address,
        }
    }

    /// Its place.
    pub fn id(&self) -> Id {
        Id(u64::from(self.high) << 32 | u64::from(self.low))
    }

    /// How it is reached.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id(), self.address.0)
    }
}
