//! What is written down of a storm: its story, the first violation, and counts.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openraft_rt_sim::SimInstant;

use crate::context::lock;

/// Lines of the story that are kept: what led to a violation is near its end.
const LINES_MAX: usize = 60;

/// Something that must not happen, and what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was violated, in a sentence.
    pub what: String,
    /// The last lines of the story, with virtual time.
    pub story: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.story
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "violation: {}", self.what)
    }
}

/// All clones are the same book.
#[derive(Clone)]
pub(crate) struct Book {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    lines: VecDeque<String>,
    /// Print each line as it is written.
    aloud: bool,
    violation: Option<Violation>,
    counts: Counts,
    instants: u64,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) crashes: u64,
    pub(crate) snapshots: u64,
    pub(crate) simulated: Duration,
    pub(crate) faults: BTreeMap<&'static str, u64>,
}

impl Book {
    pub(crate) fn new(aloud: bool) -> Self {
        let inner = Inner {
            aloud,
            ..Inner::default()
        };
        Book {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Tells what happens.
    pub(crate) fn say(&self, line: impl fmt::Display) {
        let line = format!("{:>10.4} {line}", elapsed().as_secs_f64());
        let mut inner = self.inner();
        if inner.aloud {
            eprintln!("{line}");
        }
        if inner.lines.len() == LINES_MAX {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    /// Notes a violation; the first one counts.
    pub(crate) fn violate(&self, what: impl fmt::Display) {
        let mut inner = self.inner();
        if inner.violation.is_none() {
            inner.violation = Some(Violation {
                what: what.to_string(),
                story: inner.lines.iter().cloned().collect(),
            });
        }
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.inner().violation.clone()
    }

    pub(crate) fn is_violated(&self) -> bool {
        self.inner().violation.is_some()
    }

    /// The next instant of the clients' history: later than all before, also at the same time.
    pub(crate) fn instant(&self) -> u64 {
        let mut inner = self.inner();
        inner.instants += 1;
        inner.instants
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.inner().counts);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.inner().counts.clone()
    }
}

/// Virtual time since the world began; none has passed where there is no world.
pub(crate) fn elapsed() -> Duration {
    SimInstant::try_now().map_or(Duration::ZERO, |now| now.elapsed_since_start())
}
