//! Places on the circle.

use std::fmt;

/// Bits of an id: the paper's m. Even a million nodes share a place by chance in one ring of forty
/// million, and a node whose id is taken is refused and takes another.
pub const BITS: u32 = u64::BITS;

/// A place on the circle of 2⁶⁴, of a node or of a key. Distances go clockwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl Id {
    /// Where `name` lies: the first bits of its BLAKE3.
    pub fn of(name: &[u8]) -> Id {
        Id::start_of(blake3::hash(name).as_bytes())
    }

    /// Where the virtual node `number` of `machine` lies. A machine takes as many places as it
    /// deserves load; each is a node of its own.
    pub fn of_virtual(machine: &[u8], number: u32) -> Id {
        let mut hasher = blake3::Hasher::new_derive_key("consorcio ring 1 virtual node");
        hasher.update(&number.to_be_bytes());
        hasher.update(machine);
        Id::start_of(hasher.finalize().as_bytes())
    }

    /// The place that a hash means: its first bits.
    pub fn start_of(hash: &[u8; 32]) -> Id {
        let [a, b, c, d, e, f, g, h, ..] = *hash;
        Id(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// How far it is from here to `to`, clockwise.
    pub fn distance_to(self, to: Id) -> u64 {
        to.0.wrapping_sub(self.0)
    }

    /// The place `distance` further.
    pub fn plus(self, distance: u64) -> Id {
        Id(self.0.wrapping_add(distance))
    }

    /// Whether it lies strictly between two places. From a place round to itself lies all the rest.
    pub fn is_between(self, from: Id, to: Id) -> bool {
        let distance = from.distance_to(self);
        let span = from.distance_to(to);
        distance != 0 && (span == 0 || distance < span)
    }

    /// Whether it lies in `(after, until]`: whether the node at `until` owns it when the node
    /// before is at `after`. From a place round to itself lies everything.
    pub fn is_within(self, after: Id, until: Id) -> bool {
        self == until || self.is_between(after, until)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circle_wraps() {
        let (low, middle, high) = (Id(10), Id(1 << 63), Id(u64::MAX - 10));
        assert!(middle.is_between(low, high) && !middle.is_between(high, low));
        assert!(Id(3).is_between(high, low) && !Id(3).is_between(low, high));
        assert!(!low.is_between(low, high) && !high.is_between(low, high));
        assert!(high.is_within(low, high) && !low.is_within(low, high));
        assert_eq!(high.distance_to(low), 21);
    }

    #[test]
    fn from_a_place_to_itself_is_the_whole_circle() {
        let (here, there) = (Id(7), Id(8));
        assert!(there.is_between(here, here) && there.is_within(here, here));
        assert!(!here.is_between(here, here), "but not the place itself");
        assert!(
            here.is_within(here, here),
            "a node alone owns its own place"
        );
    }

    #[test]
    fn names_have_their_place() {
        assert_eq!(Id::of(b"acta"), Id::of(b"acta"));
        assert_ne!(Id::of(b"acta"), Id::of(b"actas"));
        assert_ne!(Id::of_virtual(b"norte", 0), Id::of_virtual(b"norte", 1));
        assert_ne!(Id::of_virtual(b"norte", 0), Id::of_virtual(b"sur", 0));
    }
}
