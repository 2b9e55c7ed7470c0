//! How much each area is asked for: counts that fade.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this time a request counts half.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// Areas counted at once: a client may ask for areas that do not exist, and those are dropped only
/// when the counts are next looked at.
const COUNTED_MAX: usize = 8_192;

/// Request counts per area, in thousandths.
#[derive(Default)]
pub(super) struct Demand {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    milli: BTreeMap<i64, u64>,
    decayed_at: Option<Instant>,
}

impl Demand {
    /// Counts a request.
    pub fn count(&self, area: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.milli.len() < COUNTED_MAX || counts.milli.contains_key(&area) {
            let milli = counts.milli.entry(area).or_default();
            *milli = milli.saturating_add(1000);
        }
    }

    /// The counts as they are worth now, in whole requests, of the areas that exist.
    pub fn decayed(&self, now: Instant, areas: &BTreeSet<i64>) -> BTreeMap<i64, u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let since = counts.decayed_at.replace(now);
        let passed = since.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let kept = 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64());
        counts.milli.retain(|area, milli| {
            *milli = (*milli as f64 * kept) as u64;
            *milli >= 500 && areas.contains(area)
        });
        counts
            .milli
            .iter()
            .map(|(area, milli)| (*area, milli.div_ceil(1000)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fade_by_half_each_minute_and_vanish() {
        let demand = Demand::default();
        let areas = BTreeSet::from([1]);
        let start = Instant::now();
        for _ in 0..80 {
            demand.count(1);
        }
        demand.count(99);
        assert_eq!(demand.decayed(start, &areas), BTreeMap::from([(1, 80)]));
        let minute = Duration::from_secs(60);
        assert_eq!(
            demand.decayed(start + minute, &areas),
            BTreeMap::from([(1, 40)])
        );
        assert_eq!(
            demand.decayed(start + minute * 2, &areas),
            BTreeMap::from([(1, 20)])
        );
        assert_eq!(demand.decayed(start + minute * 20, &areas), BTreeMap::new());
    }

    #[test]
    fn made_up_areas_cannot_fill_the_memory() {
        let demand = Demand::default();
        (0..COUNTED_MAX as i64 * 2).for_each(|area| demand.count(area));
        let all: BTreeSet<i64> = (0..COUNTED_MAX as i64 * 2).collect();
        assert_eq!(demand.decayed(Instant::now(), &all).len(), COUNTED_MAX);
    }
}
