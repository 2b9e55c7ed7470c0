//! What the client knows of its own writes: the other side's books.

use serde::Serialize;

/// What became of a write, as far as whoever asked for it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    /// It may have been done.
    Unknown,
    /// It was not done.
    Refused,
}

/// One write.
#[derive(Clone, Debug)]
pub struct Entry {
    /// From 1, in the order in which they were asked for; each is asked for after the one before.
    pub number: u32,
    /// When, in milliseconds from the start of the load.
    pub asked_ms: u64,
    /// When its fate was known.
    pub answered_ms: u64,
    pub fate: Fate,
}

/// The writes on one service.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

/// What a service looked like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes of which nobody knows.
    pub unknown: usize,
    /// Writes that were refused.
    pub refused: usize,
    /// The longest time in which none was acknowledged.
    pub longest_gap_ms: u64,
    /// When that time began, from the start of the load.
    pub gap_began_ms: u64,
    /// From asking to the answer, the median of those that were acknowledged.
    pub median_ms: u64,
    /// The same, 99 of 100 were at least so fast.
    pub p99_ms: u64,
}

impl Ledger {
    fn of(&self, fate: &Fate) -> impl Iterator<Item = &Entry> {
        let fate = fate.clone();
        self.entries.iter().filter(move |entry| entry.fate == fate)
    }

    /// The numbers of the writes with this fate, in order.
    pub fn numbers(&self, fate: &Fate) -> Vec<u32> {
        self.of(fate).map(|entry| entry.number).collect()
    }

    /// What it looked like from outside, until `end_ms`.
    pub fn seen(&self, end_ms: u64) -> Seen {
        let mut last_ms = 0;
        let mut gap = (0, 0);
        let ends = self.of(&Fate::Acknowledged).map(|entry| entry.answered_ms);
        for at_ms in ends.chain([end_ms]) {
            let silent_ms = at_ms.saturating_sub(last_ms);
            if silent_ms > gap.0 {
                gap = (silent_ms, last_ms);
            }
            last_ms = at_ms;
        }
        let mut took: Vec<u64> = self
            .of(&Fate::Acknowledged)
            .map(|entry| entry.answered_ms - entry.asked_ms)
            .collect();
        took.sort_unstable();
        let quantile = |hundredths: usize| {
            let at = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
            took.get(at).copied().unwrap_or_default()
        };
        Seen {
            acknowledged: took.len(),
            unknown: self.of(&Fate::Unknown).count(),
            refused: self.of(&Fate::Refused).count(),
            longest_gap_ms: gap.0,
            gap_began_ms: gap.1,
            median_ms: quantile(50),
            p99_ms: quantile(99),
        }
    }
}

/// What a node holds of a service's writes, against the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Acknowledged writes that are there.
    pub present: usize,
    /// Acknowledged writes that are not: they were lost.
    pub missing: Vec<u32>,
    /// Writes that are there more than once.
    pub doubled: Vec<u32>,
    /// Writes that are there though they were refused, or never asked for.
    pub unasked: Vec<u32>,
    /// Acknowledged writes that stand before one that was acknowledged earlier.
    pub out_of_order: Vec<u32>,
    /// Writes with an unknown outcome that are there.
    pub unknown_present: usize,
}

impl Counted {
    /// Counts what is there, in the order in which it is there.
    pub fn of(ledger: &Ledger, there: &[u32]) -> Self {
        let acknowledged = ledger.numbers(&Fate::Acknowledged);
        let unknown = ledger.numbers(&Fate::Unknown);
        let mut sorted = there.to_vec();
        sorted.sort_unstable();
        let holds = |numbers: &[u32], number: &u32| numbers.binary_search(number).is_ok();
        let missing: Vec<u32> = acknowledged
            .iter()
            .filter(|number| !holds(&sorted, number))
            .copied()
            .collect();
        let mut doubled: Vec<u32> = sorted
            .windows(2)
            .filter_map(|two| (two[0] == two[1]).then_some(two[0]))
            .collect();
        doubled.dedup();
        sorted.dedup();
        let unasked = sorted
            .iter()
            .filter(|number| !holds(&acknowledged, number) && !holds(&unknown, number));
        let in_turn: Vec<u32> = there
            .iter()
            .filter(|number| holds(&acknowledged, number))
            .copied()
            .collect();
        let out_of_order = in_turn.windows(2).filter(|two| two[1] < two[0]);
        Counted {
            present: acknowledged.len() - missing.len(),
            unasked: unasked.copied().collect(),
            out_of_order: out_of_order.map(|two| two[1]).collect(),
            unknown_present: unknown.iter().filter(|n| holds(&sorted, n)).count(),
            missing,
            doubled,
        }
    }

    /// Whether nothing was lost, doubled, made up or mixed up.
    pub fn is_well(&self) -> bool {
        self.missing.is_empty()
            && self.doubled.is_empty()
            && self.unasked.is_empty()
            && self.out_of_order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(fates: &[(Fate, u64, u64)]) -> Ledger {
        let entries = (1..)
            .zip(fates)
            .map(|(number, (fate, asked, answered))| Entry {
                number,
                asked_ms: *asked,
                answered_ms: *answered,
                fate: fate.clone(),
            });
        Ledger {
            entries: entries.collect(),
        }
    }

    fn three() -> Ledger {
        ledger(&[
            (Fate::Acknowledged, 0, 10),
            (Fate::Acknowledged, 20, 50),
            (Fate::Unknown, 60, 900),
            (Fate::Refused, 910, 911),
            (Fate::Acknowledged, 920, 930),
        ])
    }

    #[test]
    fn what_is_there_once_and_in_order_is_well() {
        for there in [&[1, 2, 5][..], &[1, 2, 3, 5], &[1, 2, 5, 3]] {
            let counted = Counted::of(&three(), there);
            assert!(counted.is_well(), "{counted:?}");
            assert_eq!(counted.present, 3);
            assert_eq!(counted.unknown_present, there.len() - 3);
        }
    }

    #[test]
    fn what_is_lost_doubled_made_up_or_mixed_up_is_told() {
        let lost = Counted::of(&three(), &[1, 5]);
        assert_eq!((lost.missing, lost.present), (vec![2], 2));
        assert_eq!(Counted::of(&three(), &[1, 2, 2, 5]).doubled, [2]);
        assert_eq!(Counted::of(&three(), &[1, 2, 3, 3, 5]).doubled, [3]);
        assert_eq!(Counted::of(&three(), &[1, 2, 4, 5, 9]).unasked, [4, 9]);
        assert_eq!(Counted::of(&three(), &[2, 1, 5]).out_of_order, [1]);
    }

    #[test]
    fn the_longest_gap_may_be_the_first_or_the_last() {
        let seen = three().seen(1_000);
        assert_eq!((seen.longest_gap_ms, seen.gap_began_ms), (880, 50));
        assert_eq!((seen.acknowledged, seen.unknown, seen.refused), (3, 1, 1));
        assert_eq!((seen.median_ms, seen.p99_ms), (10, 30));
        assert_eq!(three().seen(5_000).longest_gap_ms, 4_070);
        assert_eq!(Ledger::default().seen(700).longest_gap_ms, 700);
    }
}
