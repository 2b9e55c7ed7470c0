//! What clients saw: every operation with its outcome, and what must be true of them all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::book::Book;
use super::linear::{self, Held, Operation, Verdict, What};
use crate::cluster::Entry;
use crate::context::lock;

/// Operations of a history that are told when it cannot be ordered: those around the trouble.
const TOLD_MAX: usize = 12;

/// Bytes of a value before its filling: which write it is from.
const MARK_BYTES: usize = 8;

/// All clones are the same history.
#[derive(Clone)]
pub(crate) struct History {
    book: Book,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// Operations of keys that several clients use, except for reads that may be old.
    operations: BTreeMap<String, Vec<Option<Operation>>>,
    /// What was seen of a key at an index of the log.
    views: BTreeMap<String, Vec<View>>,
    /// What is known of keys that were written once.
    once: BTreeMap<String, Once>,
}

/// What is known of a key that one write alone was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// It was acknowledged: it is there, exactly once.
    Acknowledged,
    /// Nobody knows: it is there once or not at all.
    Maybe,
    /// It was refused: it is not there.
    Refused,
}

/// A write under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(usize);

/// What was seen at an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// A read of the state at exactly this index.
    Read { index: u64, held: Held },
    /// A write was in the state at this index; `fresh` if it was not in the state before.
    Wrote {
        index: u64,
        version: i64,
        fresh: bool,
    },
}

/// A value that tells from which write it is.
pub(crate) fn value_of(mark: u64, size_bytes: usize) -> Vec<u8> {
    let mut value = mark.to_be_bytes().to_vec();
    value.resize(size_bytes.max(MARK_BYTES), mark as u8);
    value
}

/// What an entry holds, in the checker's terms.
pub(crate) fn held(entry: Option<&Entry>) -> Held {
    let mark = |entry: &Entry| {
        let bytes = entry.value.first_chunk().copied();
        u64::from_be_bytes(bytes.unwrap_or_default())
    };
    entry.map_or(Held::default(), |entry| Held {
        version: entry.version,
        value: mark(entry),
    })
}

impl History {
    pub(crate) fn new(book: Book) -> Self {
        History {
            book,
            inner: Arc::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Notes a write that begins: until it returns nobody knows what comes of it.
    pub(crate) fn began(&self, key: &str, what: What) -> Begun {
        let call = self.book.instant();
        let ret = None;
        let operation = Some(Operation { call, ret, what });
        let mut inner = self.inner();
        let operations = inner.operations.entry(key.to_owned()).or_default();
        operations.push(operation);
        Begun(operations.len() - 1)
    }

    /// Notes how a write ended: with an answer, or as one that certainly was not made.
    pub(crate) fn ended(&self, key: &str, Begun(at): Begun, answered: Option<What>) {
        let ret = Some(self.book.instant());
        let mut inner = self.inner();
        let slot = inner
            .operations
            .get_mut(key)
            .and_then(|all| all.get_mut(at));
        if let Some(slot) = slot {
            let call = slot.map_or(0, |begun| begun.call);
            *slot = answered.map(|what| Operation { call, ret, what });
        }
    }

    /// Notes a read that began at `call` and is answered.
    pub(crate) fn read(&self, key: &str, call: u64, held: Held) {
        let operation = Operation {
            call,
            ret: Some(self.book.instant()),
            what: What::Get(held),
        };
        let mut inner = self.inner();
        let operations = inner.operations.entry(key.to_owned()).or_default();
        operations.push(Some(operation));
    }

    /// Notes what is found in the end.
    pub(crate) fn counted(&self, key: &str, call: u64, index: u64, held: Held) {
        let shared = self.inner().operations.contains_key(key);
        if shared {
            self.read(key, call, held);
            self.saw(key, index, held);
        }
    }

    /// Notes what a read saw at an index.
    pub(crate) fn saw(&self, key: &str, index: u64, held: Held) {
        let view = View::Read { index, held };
        self.inner()
            .views
            .entry(key.to_owned())
            .or_default()
            .push(view);
    }

    /// Notes that a write is in the state at an index.
    pub(crate) fn wrote(&self, key: &str, index: u64, version: i64, fresh: bool) {
        let view = View::Wrote {
            index,
            version,
            fresh,
        };
        self.inner()
            .views
            .entry(key.to_owned())
            .or_default()
            .push(view);
    }

    /// Notes what is known of a key that is written once.
    pub(crate) fn once(&self, key: &str, known: Once) {
        self.inner().once.insert(key.to_owned(), known);
    }

    /// Every key that was written.
    pub(crate) fn keys(&self) -> Vec<String> {
        let inner = self.inner();
        let shared = inner.operations.keys();
        shared.chain(inner.once.keys()).cloned().collect()
    }

    /// Checks all that has happened so far.
    pub(crate) fn check(&self) {
        self.check_views();
        self.check_order();
    }

    /// What is seen at the same index is the same, and at a later one not older. A key that was
    /// removed in between may start anew.
    fn check_views(&self) {
        let inner = self.inner();
        for (key, views) in &inner.views {
            let removed = inner.operations.get(key).is_some_and(|operations| {
                let mut all = operations.iter().flatten();
                all.any(|one| matches!(one.what, What::Delete { .. }))
            });
            if let Some((one, other)) = contradiction(views, removed) {
                self.book
                    .violate(format!("{key} is seen as {one:?} and as {other:?}"));
            }
        }
    }

    /// The operations of each key can be put in an order.
    fn check_order(&self) {
        let inner = self.inner();
        for (key, operations) in &inner.operations {
            let mut sorted: Vec<Operation> = operations.iter().flatten().copied().collect();
            sorted.sort_by_key(|one| one.call);
            match linear::check(&sorted) {
                Verdict::Linearizable => {}
                Verdict::Undecided => self.book.violate(format!(
                    "whether the history of {key} is linearizable cannot be decided in bounds"
                )),
                Verdict::Impossible { placed, left } => {
                    let told: Vec<String> = left
                        .iter()
                        .take(TOLD_MAX)
                        .map(|at| format!("\n    {:?}", sorted[*at]))
                        .collect();
                    self.book.violate(format!(
                        "the history of {key} is not linearizable: {placed} of {} operations can \
                         be put in an order, and then none of these can follow:{}",
                        sorted.len(),
                        told.concat()
                    ));
                }
            }
        }
    }

    /// Compares what a replica holds in the end with what is known of the keys written once.
    pub(crate) fn check_once(&self, node: &str, found: &BTreeMap<String, Held>) {
        for (key, known) in &self.inner().once {
            let version = found.get(key).map_or(0, |held| held.version);
            let fits = match known {
                Once::Acknowledged => version == 1,
                Once::Maybe => (0..=1).contains(&version),
                Once::Refused => version == 0,
            };
            if !fits {
                self.book.violate(format!(
                    "{node}: the write of {key} ({known:?}) was applied {version} times"
                ));
            }
        }
    }
}

/// Two views that cannot both be true.
fn contradiction(views: &[View], removed: bool) -> Option<(View, View)> {
    let mut sorted = views.to_vec();
    // What a read saw at an index includes what was written there.
    sorted.sort_by_key(|view| match *view {
        View::Wrote { index, version, .. } => (index, 0, version),
        View::Read { index, held } => (index, 1, held.version),
    });
    let mut newest: Option<(i64, View)> = None;
    let mut last_read: Option<(u64, Held, View)> = None;
    for view in sorted {
        let (version, fits) = match view {
            View::Read { index, held } => {
                if let Some((at, before, other)) = last_read
                    && at == index
                    && before != held
                {
                    return Some((other, view));
                }
                last_read = Some((index, held, view));
                (held.version, newest.is_none_or(|(v, _)| held.version >= v))
            }
            View::Wrote { version, fresh, .. } => {
                (version, !fresh || newest.is_none_or(|(v, _)| version > v))
            }
        };
        match newest {
            Some((_, other)) if !fits && !removed => return Some((other, view)),
            Some((known, _)) if known >= version => {}
            _ => newest = Some((version, view)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(index: u64, version: i64, value: u64) -> View {
        View::Read {
            index,
            held: Held { version, value },
        }
    }

    fn wrote(index: u64, version: i64, fresh: bool) -> View {
        View::Wrote {
            index,
            version,
            fresh,
        }
    }

    #[test]
    fn a_view_may_be_old_but_not_false() {
        let fine = [
            read(3, 1, 7),
            read(9, 2, 8),
            read(3, 1, 7),
            wrote(9, 2, true),
        ];
        assert_eq!(contradiction(&fine, false), None);
        let differ = [read(3, 1, 7), read(3, 1, 8)];
        assert!(contradiction(&differ, false).is_some());
        let back = [read(3, 2, 7), read(4, 1, 8)];
        assert!(contradiction(&back, false).is_some());
        assert!(contradiction(&back, true).is_none());
        let lacks = [wrote(3, 2, true), read(4, 1, 8)];
        assert!(contradiction(&lacks, false).is_some());
        let early = [read(2, 2, 8), wrote(3, 2, true)];
        assert!(contradiction(&early, false).is_some());
        let replayed = [read(2, 2, 8), wrote(3, 2, false)];
        assert!(contradiction(&replayed, false).is_none());
    }

    #[test]
    fn values_tell_their_write() {
        let entry = Entry {
            value: value_of(300, 2),
            version: 4,
        };
        let expected = Held {
            version: 4,
            value: 300,
        };
        assert_eq!(held(Some(&entry)), expected);
        assert_eq!(held(None), Held::default());
    }

    #[test]
    fn a_write_lost_doubled_or_made_in_spite_of_its_refusal_is_a_violation() {
        for (known, version, fits) in [
            (Once::Acknowledged, 1, true),
            (Once::Acknowledged, 0, false),
            (Once::Acknowledged, 2, false),
            (Once::Maybe, 0, true),
            (Once::Maybe, 2, false),
            (Once::Refused, 1, false),
        ] {
            let book = Book::new(false);
            let history = History::new(book.clone());
            history.once("k", known);
            let found = BTreeMap::from([("k".to_owned(), Held { version, value: 1 })]);
            history.check_once("n1", &found);
            assert_eq!(book.is_violated(), !fits, "{known:?} {version}");
        }
    }
}
