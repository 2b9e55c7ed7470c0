//! Allowances of attempts, one for each key.
//!
//! An allowance refills evenly over a window. An attempt takes one before the password is looked
//! at and gives it back if the password was right, so many attempts at once cannot pass together.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Allowances kept at once, about 100 bytes each. When they are all in use, the fullest are
/// forgotten: those lose the least.
const KEPT_MAX: usize = 16_384;

/// An allowance of attempts for each key.
pub(crate) struct Limiter {
    allowance: u32,
    window: Duration,
    used: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Attempts that count, in thousandths.
    used_milli: u64,
    since: Instant,
}

impl Limiter {
    /// `allowance` attempts, refilled over `window`.
    pub fn new(allowance: u32, window: Duration) -> Self {
        Limiter {
            allowance,
            window,
            used: Mutex::new(HashMap::new()),
        }
    }

    /// Takes an attempt, or says how long to wait for the next one.
    pub fn take(&self, key: &str, now: Instant) -> Result<(), Duration> {
        let mut used = self.lock();
        let mut bucket = self.refilled(used.get(key), now);
        let allowed = u64::from(self.allowance) * 1000;
        if bucket.used_milli + 1000 > allowed {
            return Err(self.time_for(bucket.used_milli + 1000 - allowed));
        }
        bucket.used_milli += 1000;
        if used.len() >= KEPT_MAX && !used.contains_key(key) {
            self.forget_the_fullest(&mut used, now);
        }
        used.insert(key.to_owned(), bucket);
        Ok(())
    }

    /// Gives an attempt back.
    pub fn give_back(&self, key: &str, now: Instant) {
        let mut used = self.lock();
        let mut bucket = self.refilled(used.get(key), now);
        bucket.used_milli = bucket.used_milli.saturating_sub(1000);
        if bucket.used_milli == 0 {
            used.remove(key);
        } else {
            used.insert(key.to_owned(), bucket);
        }
    }

    fn refilled(&self, bucket: Option<&Bucket>, now: Instant) -> Bucket {
        let Some(bucket) = bucket else {
            return Bucket {
                used_milli: 0,
                since: now,
            };
        };
        let passed = now.saturating_duration_since(bucket.since).as_millis();
        let window = self.window.as_millis().max(1);
        let refill = passed * u128::from(self.allowance) * 1000 / window;
        let refill = u64::try_from(refill).unwrap_or(u64::MAX);
        Bucket {
            used_milli: bucket.used_milli.saturating_sub(refill),
            since: now,
        }
    }

    fn time_for(&self, milli: u64) -> Duration {
        let per_attempt = self.window / self.allowance.max(1);
        Duration::from_millis(per_attempt.as_millis() as u64 * milli / 1000).max(MIN_WAIT)
    }

    fn forget_the_fullest(&self, used: &mut HashMap<String, Bucket>, now: Instant) {
        used.retain(|_, bucket| self.refilled(Some(bucket), now).used_milli > 0);
        if used.len() >= KEPT_MAX {
            let mut counts: Vec<u64> = used.values().map(|bucket| bucket.used_milli).collect();
            let (_, median, _) = counts.select_nth_unstable(KEPT_MAX / 2);
            let median = *median;
            used.retain(|_, bucket| bucket.used_milli > median);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Bucket>> {
        self.used
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Never tells a client to come back at once.
const MIN_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_refills() {
        let limiter = Limiter::new(3, Duration::from_secs(300));
        let start = Instant::now();
        for _ in 0..3 {
            limiter.take("ana", start).unwrap();
        }
        assert_eq!(limiter.take("ana", start), Err(Duration::from_secs(100)));
        assert_eq!(limiter.take("luis", start), Ok(()));
        assert!(
            limiter
                .take("ana", start + Duration::from_secs(99))
                .is_err()
        );
        assert!(
            limiter
                .take("ana", start + Duration::from_secs(101))
                .is_ok()
        );
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let limiter = Limiter::new(1, Duration::from_secs(300));
        let now = Instant::now();
        for _ in 0..10 {
            limiter.take("ana", now).unwrap();
            limiter.give_back("ana", now);
        }
        assert_eq!(limiter.lock().len(), 0);
    }

    #[test]
    fn it_never_keeps_more_than_its_bound() {
        let limiter = Limiter::new(5, Duration::from_secs(300));
        let now = Instant::now();
        limiter.take("guessed", now).unwrap();
        limiter.take("guessed", now).unwrap();
        for name in 0..KEPT_MAX * 2 {
            limiter.take(&name.to_string(), now).unwrap();
            assert!(limiter.lock().len() <= KEPT_MAX);
        }
        assert!(
            limiter.lock().contains_key("guessed"),
            "the one with most attempts is kept"
        );
    }
}
