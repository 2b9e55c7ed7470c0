//! What many small numbers have in common.

/// How often each number occurred. For counts of hops and timeouts, which are small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

/// Mean and percentiles.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many numbers there were.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// One in a hundred is smaller.
    pub p1: u64,
    /// Half are smaller.
    pub p50: u64,
    /// One in ten is greater.
    pub p90: u64,
    /// One in a hundred is greater.
    pub p99: u64,
    /// The greatest.
    pub max: u64,
}

impl Histogram {
    /// Counts one more.
    pub fn add(&mut self, value: u64) {
        let index = value as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] += 1;
    }

    /// Counts all that another counted.
    pub fn merge(&mut self, other: &Histogram) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// How often each number occurred, from 0 on.
    pub fn counts(&self) -> &[u64] {
        &self.0
    }

    /// Mean and percentiles.
    pub fn summary(&self) -> Summary {
        let count: u64 = self.0.iter().sum();
        let values = self.0.iter().enumerate();
        let sum: u64 = values.map(|(value, count)| value as u64 * count).sum();
        Summary {
            count,
            mean: if count == 0 {
                0.0
            } else {
                sum as f64 / count as f64
            },
            p1: self.percentile(count, 1),
            p50: self.percentile(count, 50),
            p90: self.percentile(count, 90),
            p99: self.percentile(count, 99),
            max: self.0.iter().rposition(|count| *count > 0).unwrap_or(0) as u64,
        }
    }

    /// The smallest number that `percent` of a hundred do not exceed.
    fn percentile(&self, count: u64, percent: u64) -> u64 {
        let mut left = (count * percent).div_ceil(100).max(1);
        for (value, count) in self.0.iter().enumerate() {
            if *count >= left {
                return value as u64;
            }
            left -= count;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_percentiles() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.add(value));
        let summary = histogram.summary();
        assert_eq!(summary.mean, 50.5);
        assert_eq!(
            [summary.p1, summary.p50, summary.p99, summary.max],
            [1, 50, 99, 100]
        );
        assert_eq!(Histogram::default().summary(), Summary::default());
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!(twice.summary().mean, 50.5);
        assert_eq!(twice.counts()[7], 2);
    }
}
