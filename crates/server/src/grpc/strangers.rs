//! Connections on which nobody has said yet who they are: they may not take the seats of those who
//! will.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The seats of strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    seated: Mutex<Seated>,
    /// At once, wherever they come from.
    max: usize,
    /// At once from one address.
    max_per_address: usize,
}

#[derive(Debug, Default)]
struct Seated {
    all: usize,
    /// One entry for each address with a seat, so never more than there are seats.
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's seat among the strangers, until it is known or closed.
#[derive(Debug)]
pub(super) struct Stranger {
    strangers: Arc<Strangers>,
    address: IpAddr,
    known: AtomicBool,
}

impl Strangers {
    /// So many seats.
    pub fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Strangers {
            seated: Mutex::default(),
            max,
            max_per_address,
        })
    }

    /// A seat for whoever connects from an address, if there is one.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Stranger> {
        let address = network(address);
        let mut seated = self.seated();
        let here = seated.by_address.get(&address).copied().unwrap_or(0);
        if seated.all >= self.max || here >= self.max_per_address {
            return None;
        }
        seated.all += 1;
        seated.by_address.insert(address, here + 1);
        Some(Stranger {
            strangers: Arc::clone(self),
            address,
            known: AtomicBool::new(false),
        })
    }

    fn leave(&self, address: IpAddr) {
        let mut seated = self.seated();
        seated.all = seated.all.saturating_sub(1);
        match seated.by_address.get_mut(&address) {
            Some(here) if *here > 1 => *here -= 1,
            _ => drop(seated.by_address.remove(&address)),
        }
    }

    /// Held for a few instructions, never across an `await`.
    fn seated(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stranger {
    /// Whoever is there has said who they are: the seat is free for others.
    pub fn is_known(&self) {
        if !self.known.swap(true, Ordering::Relaxed) {
            self.strangers.leave(self.address);
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.is_known();
    }
}

/// What counts as one address: of IPv6 a whole network of 64 bits, which is what one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_takes_its_share_and_all_of_them_theirs() {
        let strangers = Strangers::new(3, 2);
        let admit = |address: &str| strangers.admit(address.parse().unwrap());
        let (first, second) = (
            admit("10.0.0.1").unwrap(),
            admit("::ffff:10.0.0.1").unwrap(),
        );
        assert!(admit("10.0.0.1").is_none(), "its share");
        let third = admit("2001:db8::1").unwrap();
        assert!(admit("10.0.0.2").is_none(), "all seats");
        first.is_known();
        first.is_known();
        drop(first);
        let fourth = admit("2001:db8::2").unwrap();
        drop(second);
        assert!(admit("2001:db8::3").is_none(), "one network");
        drop((third, fourth));
        assert!(strangers.seated().by_address.is_empty());
    }
}
