//! Rounds that many share: one is under way, and the next takes all who came meanwhile.
//!
//! ```text
//!   round 1  ├────────────┤
//!   a ───────┘ b ──┐ c ──┐├────────────┤  round 2 answers b and c
//! ```
//!
//! Whoever joins is answered by a round that begins after it joined, never by the one under way:
//! that one may have looked before a write that the reader has already seen acknowledged.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Who waits for a round, and whether one is under way.
///
/// Each place belongs to a caller that waits for it, so there are no more of them than requests
/// that the front doors let in at once.
#[derive(Debug)]
pub(crate) struct Rounds<T> {
    line: Mutex<Line<T>>,
    begun: AtomicU64,
}

#[derive(Debug)]
struct Line<T> {
    driven: bool,
    waiting: Vec<oneshot::Sender<T>>,
}

/// The place of a caller in the next round.
pub(crate) struct Place<T> {
    /// Answered by that round; an error if it was given up.
    pub answer: oneshot::Receiver<T>,
    /// True if nobody drives the rounds: the caller must see to it that [`Rounds::drive`] is run.
    pub drives: bool,
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        let line = Line {
            driven: false,
            waiting: Vec::new(),
        };
        Rounds {
            line: Mutex::new(line),
            begun: AtomicU64::new(0),
        }
    }
}

impl<T: Clone> Rounds<T> {
    /// Takes a place in the next round.
    pub fn join(&self) -> Place<T> {
        let (sender, answer) = oneshot::channel();
        let mut line = self.line();
        line.waiting.push(sender);
        Place {
            answer,
            drives: !std::mem::replace(&mut line.driven, true),
        }
    }

    /// Makes one round after the other until nobody waits.
    pub async fn drive<F: Future<Output = T>>(&self, mut round: impl FnMut() -> F) {
        let driving = Driving(self);
        while let Some(waiting) = self.next() {
            let answer = round().await;
            for caller in waiting {
                // A caller that no longer waits has given up.
                drop(caller.send(answer.clone()));
            }
        }
        // Somebody else may drive by now.
        std::mem::forget(driving);
    }

    /// How many rounds have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// All who wait now; `None`, and nobody drives any more, if there is nobody.
    fn next(&self) -> Option<Vec<oneshot::Sender<T>>> {
        let mut line = self.line();
        line.waiting.retain(|caller| !caller.is_closed());
        if line.waiting.is_empty() {
            line.driven = false;
            return None;
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        Some(std::mem::take(&mut line.waiting))
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets everybody go when the rounds are given up half way, because the node stops.
struct Driving<'a, T: Clone>(&'a Rounds<T>);

impl<T: Clone> Drop for Driving<'_, T> {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.driven = false;
        line.waiting.clear();
    }
}
