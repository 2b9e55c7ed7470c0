//! How long to leave an endpoint alone after it failed.

use std::time::Duration;

/// The pause after the first failure: about one round trip on a busy local network, so that a
/// failover of a fraction of a second is not slept through.
const FIRST: Duration = Duration::from_millis(50);

/// The longest pause: a client notices within a second that a node is back.
const LONGEST: Duration = Duration::from_secs(1);

/// The pause after `failures` in a row (1 is the first): it doubles each time up to [`LONGEST`],
/// and a random half of it is taken off so that clients do not come back in step.
pub(super) fn pause(failures: u32) -> Duration {
    jitter(ceiling(failures), random())
}

/// `count` random bits of a kind that need not be secret.
fn random() -> u32 {
    // Without a random source the clients merely lose their jitter.
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

fn ceiling(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Between half of `ceiling` and all of it.
fn jitter(ceiling: Duration, random: u32) -> Duration {
    let share = f64::from(random) / f64::from(u32::MAX);
    ceiling.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let ceilings: Vec<u128> = (0..8).map(|n| ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [50, 50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(ceiling(u32::MAX), LONGEST);
    }

    #[test]
    fn jitter_takes_off_at_most_half() {
        assert_eq!(jitter(LONGEST, 0), LONGEST / 2);
        assert_eq!(jitter(LONGEST, u32::MAX), LONGEST);
        for _ in 0..100 {
            let pause = pause(5);
            assert!(pause >= Duration::from_millis(400) && pause <= Duration::from_millis(800));
        }
    }
}
