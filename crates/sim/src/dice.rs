//! Decisions drawn from a seed.

use std::ops::Range;
use std::time::Duration;

/// A stream of decisions: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014). Each part of a world has a stream of its own, so that one more decision in
/// one part does not change those of another.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream named `purpose` of a seed.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Dice { state: seed };
        dice.state = dice.next() ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        dice.next();
        dice
    }

    /// The next 64 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "dice never end, so there is no Option to answer"
    )]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if there is none. (The bias of the remainder does not matter
    /// here.)
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A duration of the range.
    pub fn within(&mut self, range: &Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        range.start + Duration::from_nanos(self.below(width))
    }

    /// One of the choices, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = self.below(choices.len() as u64);
        &choices[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_seed_are_repeatable_and_differ() {
        let draw = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.next(), dice.next(), dice.next()]
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut dice = Dice::new(7, 0);
        let range = Duration::from_millis(2)..Duration::from_millis(3);
        for _ in 0..1_000 {
            assert!(dice.below(10) < 10);
            assert!(range.contains(&dice.within(&range)));
        }
        assert_eq!(dice.below(0), 0);
        assert_eq!(
            dice.within(&(Duration::ZERO..Duration::ZERO)),
            Duration::ZERO
        );
    }
}
