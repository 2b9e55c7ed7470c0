//! Whether what clients saw of one key can be put in an order: linearizability after Wing and Gong
//! ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of what was tried
//! ("Testing for Linearizability", 2017).
//!
//! The crates for this bring a benchmark suite and a drawing program along, and the command line
//! contains what is here; and a key with versions is a kind case: most orders are forced. The
//! search is bounded by states and not by time, so that it ends the same way on every machine.

use std::collections::BTreeSet;

/// States that a search may visit. A history of a storm takes a few more states than it has
/// operations.
const STATES_MAX: usize = 500_000;

/// What a key holds; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    /// 0 if the key does not exist.
    pub(crate) version: i64,
    /// Which write it is from; 0 if the key does not exist.
    pub(crate) value: u64,
}

/// An operation on a key, and what is known of its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Stored a value; the version that it was answered, `None` if nobody knows what came of it.
    Put { value: u64, version: Option<i64> },
    /// Removed the key; the version that it was answered.
    Delete { version: Option<i64> },
    /// Read it.
    Get(Held),
}

/// An operation between its call and its return. Instants are unique; one of unknown outcome never
/// returned, and may have happened at any time after its call, or not at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) call: u64,
    pub(crate) ret: Option<u64>,
    pub(crate) what: What,
}

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none. So many operations could be put in one, and none of those left can follow.
    Impossible { placed: usize, left: Vec<usize> },
    /// The bound was reached.
    Undecided,
}

/// Looks for an order of a history, whose operations are sorted by their calls.
pub(crate) fn check(history: &[Operation]) -> Verdict {
    let mut search = Search::new(history);
    let mut path: Vec<(Vec<usize>, usize, Held)> = Vec::new();
    let mut choices = search.choices();
    let mut best = (0, choices.clone());
    loop {
        if search.missing == 0 {
            return Verdict::Linearizable;
        }
        if search.seen.len() >= STATES_MAX {
            return Verdict::Undecided;
        }
        if let Some((chosen, before)) = search.advance(&mut choices) {
            path.push((std::mem::take(&mut choices), chosen, before));
            choices = search.choices();
            if path.len() > best.0 {
                best = (path.len(), choices.clone());
            }
        } else if let Some((rest, chosen, before)) = path.pop() {
            search.take_back(chosen, before);
            choices = rest;
        } else {
            let (placed, left) = best;
            return Verdict::Impossible { placed, left };
        }
    }
}

struct Search<'a> {
    history: &'a [Operation],
    /// Values that were read: what is never read need not be told apart.
    read: BTreeSet<u64>,
    /// A bit for each operation that has its place.
    placed: Vec<u64>,
    held: Held,
    /// Operations that returned and have no place yet.
    missing: usize,
    seen: BTreeSet<(Vec<u64>, Held)>,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Operation]) -> Self {
        let read = |operation: &Operation| match operation.what {
            What::Get(held) => Some(held.value),
            _ => None,
        };
        Search {
            history,
            read: history.iter().filter_map(read).collect(),
            placed: vec![0; history.len().div_ceil(64)],
            held: Held::default(),
            missing: history.iter().filter(|one| one.ret.is_some()).count(),
            seen: BTreeSet::new(),
        }
    }

    fn is_placed(&self, at: usize) -> bool {
        self.placed[at / 64] & (1 << (at % 64)) != 0
    }

    /// The operations that may come next, the most promising last: those that were called before
    /// any other that is left returned. Of those that nobody knows of and nobody saw, one stands
    /// for all.
    fn choices(&self) -> Vec<usize> {
        let mut deadline = u64::MAX;
        let mut found = Vec::new();
        for (at, operation) in self.history.iter().enumerate() {
            if operation.call > deadline {
                break;
            }
            if !self.is_placed(at) {
                deadline = deadline.min(operation.ret.unwrap_or(u64::MAX));
                found.push(at);
            }
        }
        let (mut puts, mut deletes) = (0, 0);
        found.retain(|at| {
            let operation = &self.history[*at];
            match operation.what {
                _ if operation.call > deadline => return false,
                What::Put {
                    value,
                    version: None,
                } if !self.read.contains(&value) => puts += 1,
                What::Delete { version: None } => deletes += 1,
                _ => return true,
            }
            (puts <= 1 && self.is_unseen_put(*at)) || (deletes <= 1 && !self.is_unseen_put(*at))
        });
        found.sort_by_key(|at| std::cmp::Reverse(self.history[*at].ret.unwrap_or(u64::MAX)));
        found
    }

    fn is_unseen_put(&self, at: usize) -> bool {
        matches!(self.history[at].what, What::Put { .. })
    }

    /// Places the next choice that leads to something new; answers it and what was held before.
    fn advance(&mut self, choices: &mut Vec<usize>) -> Option<(usize, Held)> {
        while let Some(at) = choices.pop() {
            let Some(held) = self.after(self.history[at].what) else {
                continue;
            };
            self.placed[at / 64] |= 1 << (at % 64);
            if self.seen.insert((self.placed.clone(), held)) {
                self.missing -= usize::from(self.history[at].ret.is_some());
                return Some((at, std::mem::replace(&mut self.held, held)));
            }
            self.placed[at / 64] &= !(1 << (at % 64));
        }
        None
    }

    fn take_back(&mut self, at: usize, before: Held) {
        self.placed[at / 64] &= !(1 << (at % 64));
        self.missing += usize::from(self.history[at].ret.is_some());
        self.held = before;
    }

    /// What the key holds after an operation; `None` if it cannot have answered so.
    fn after(&self, what: What) -> Option<Held> {
        let held = self.held;
        match what {
            What::Get(seen) => (seen == held).then_some(held),
            What::Put { value, version } => {
                let next = held.version + 1;
                let value = if self.read.contains(&value) { value } else { 0 };
                let after = Held {
                    version: next,
                    value,
                };
                version.is_none_or(|told| told == next).then_some(after)
            }
            What::Delete { version } => version
                .is_none_or(|told| told == held.version)
                .then_some(Held::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    fn put(call: u64, ret: u64, value: u64, version: i64) -> Operation {
        let what = What::Put {
            value,
            version: Some(version),
        };
        Operation {
            call,
            ret: Some(ret),
            what,
        }
    }

    fn get(call: u64, ret: u64, version: i64, value: u64) -> Operation {
        Operation {
            call,
            ret: Some(ret),
            what: What::Get(Held { version, value }),
        }
    }

    fn lost_put(call: u64, value: u64) -> Operation {
        let what = What::Put {
            value,
            version: None,
        };
        Operation {
            call,
            ret: None,
            what,
        }
    }

    fn is_fine(history: &[Operation]) -> bool {
        check(history) == Verdict::Linearizable
    }

    #[test]
    fn reads_may_see_either_side_of_a_write_under_way_but_not_go_back() {
        assert!(is_fine(&[]));
        assert!(is_fine(&[
            put(1, 10, 7, 1),
            get(2, 3, 0, 0),
            get(4, 5, 1, 7)
        ]));
        assert!(!is_fine(&[
            put(1, 10, 7, 1),
            get(2, 3, 1, 7),
            get(4, 5, 0, 0)
        ]));
    }

    #[test]
    fn a_stale_read_is_impossible() {
        let history = [put(1, 2, 7, 1), put(3, 4, 8, 2), get(5, 6, 1, 7)];
        assert!(matches!(check(&history), Verdict::Impossible { placed: 2, left } if left == [2]));
    }

    #[test]
    fn a_write_of_unknown_outcome_happened_late_or_never() {
        assert!(is_fine(&[lost_put(1, 7), get(2, 3, 0, 0), get(4, 5, 1, 7)]));
        assert!(is_fine(&[lost_put(1, 7), put(2, 3, 8, 1), get(4, 5, 1, 8)]));
        assert!(is_fine(&[lost_put(1, 7), put(2, 3, 8, 2)]));
        assert!(!is_fine(&[lost_put(1, 7), put(2, 3, 8, 3)]));
        assert!(
            !is_fine(&[put(1, 2, 8, 2), lost_put(3, 7)]),
            "not before its call"
        );
    }

    #[test]
    fn a_write_applied_twice_is_impossible() {
        assert!(!is_fine(&[put(1, 2, 7, 1), get(3, 4, 2, 7)]));
        assert!(!is_fine(&[put(1, 2, 7, 1), put(3, 4, 8, 3)]));
    }

    #[test]
    fn a_lost_write_is_impossible() {
        assert!(!is_fine(&[put(1, 2, 7, 1), get(3, 4, 0, 0)]));
        assert!(!is_fine(&[put(1, 2, 7, 1), put(3, 4, 8, 1)]));
    }

    #[test]
    fn a_removal_starts_the_versions_anew() {
        let delete = |call, version| Operation {
            call,
            ret: Some(call + 1),
            what: What::Delete {
                version: Some(version),
            },
        };
        assert!(is_fine(&[put(1, 2, 7, 1), delete(3, 1), put(5, 6, 8, 1)]));
        assert!(!is_fine(&[put(1, 2, 7, 1), delete(3, 0)]));
    }

    #[test]
    fn many_writes_of_unknown_outcome_do_not_explode() {
        let lost = (0..60).map(|number| lost_put(number, 100 + number));
        let mut history: Vec<Operation> = lost.collect();
        let kept = (0..60).map(|n| put(100 + 2 * n, 101 + 2 * n, 500 + n, 2 * n as i64 + 2));
        history.extend(kept);
        assert!(is_fine(&history));
        history.push(get(1_000, 1_001, 200, 559));
        assert!(matches!(check(&history), Verdict::Impossible { .. }));
    }

    /// Tries every order, without any cleverness.
    fn brute(history: &[Operation], left: &[usize], held: Held) -> bool {
        if left.iter().all(|at| history[*at].ret.is_none()) {
            return true;
        }
        left.iter().any(|at| {
            let one = &history[*at];
            let early = left
                .iter()
                .any(|other| history[*other].ret.is_some_and(|ret| ret < one.call));
            let after = match one.what {
                _ if early => None,
                What::Get(seen) => (seen == held).then_some(held),
                What::Put { value, version } => version
                    .is_none_or(|told| told == held.version + 1)
                    .then_some(Held {
                        version: held.version + 1,
                        value,
                    }),
                What::Delete { version } => version
                    .is_none_or(|told| told == held.version)
                    .then_some(Held::default()),
            };
            let rest: Vec<usize> = left.iter().copied().filter(|other| other != at).collect();
            after.is_some_and(|held| brute(history, &rest, held))
        })
    }

    /// A few operations that overlap at random and answer what may or may not fit.
    fn any_history(dice: &mut Dice) -> Vec<Operation> {
        let count = 2 + dice.below(5);
        let mut instants: Vec<u64> = (0..2 * count).collect();
        for at in (1..instants.len()).rev() {
            instants.swap(at, dice.below(at as u64 + 1) as usize);
        }
        let mut history: Vec<Operation> = (0..count)
            .map(|number| {
                let pair = &instants[2 * number as usize..][..2];
                let known = !dice.one_in(4);
                let version = 1 + dice.below(3) as i64;
                let what = match dice.below(5) {
                    0 => What::Delete {
                        version: known.then_some(version - 1),
                    },
                    1 | 2 => What::Put {
                        value: number + 1,
                        version: known.then_some(version),
                    },
                    _ if dice.one_in(3) => What::Get(Held::default()),
                    _ => What::Get(Held {
                        version,
                        value: 1 + dice.below(count),
                    }),
                };
                let returned = known || matches!(what, What::Get(_));
                Operation {
                    call: pair[0].min(pair[1]),
                    ret: returned.then_some(pair[0].max(pair[1])),
                    what,
                }
            })
            .collect();
        history.sort_by_key(|one| one.call);
        history
    }

    #[test]
    fn agrees_with_trying_every_order() {
        let mut dice = Dice::new(1, 0);
        let mut fine = 0;
        for _ in 0..20_000 {
            let history = any_history(&mut dice);
            let all: Vec<usize> = (0..history.len()).collect();
            let expected = brute(&history, &all, Held::default());
            assert_eq!(is_fine(&history), expected, "{history:#?}");
            fine += u32::from(expected);
        }
        assert!((1_000..19_000).contains(&fine), "both kinds: {fine}");
    }
}
