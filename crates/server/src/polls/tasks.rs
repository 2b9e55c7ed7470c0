//! The tasks behind polls: telling how they stand, and writing down that they are over.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::polls::RUNNING_MAX;
use domain::polls::queries::{ListDue, ListTallies, LiveTally};
use domain::polls::verdict::Tally;
use domain::{Action, Actor, Proposal};
use engine::{Consistency, Engine};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::{App, now_ms};

/// Between two looks at the tallies: a person sees no difference, and twenty rounds a second are
/// little work for a node and for its readers.
const ROUND: Duration = Duration::from_millis(50);

/// Between two looks for polls whose time is over. Until then they take no ballots either; this
/// is how late it is told.
const SETTLE_ROUND: Duration = Duration::from_secs(1);

/// Tells readers how open polls stand, until the node stops.
pub(crate) async fn follow_tallies(app: App, stopping: CancellationToken) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told::default();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = rounds.tick() => {}
        }
        if app.hub.tally_readers() == 0 {
            continue;
        }
        let changed = told.changed(&app.engine).await;
        if !changed.is_empty() {
            app.hub.tell_tallies(told.applied, changed);
        }
    }
}

/// What the readers know.
#[derive(Default)]
struct Told {
    /// The index up to which the state was looked at.
    applied: u64,
    /// The newest change that was seen, in log time.
    changed_at_ms: i64,
    tallies: BTreeMap<i64, Tally>,
}

impl Told {
    /// The tallies that differ from what was told before.
    async fn changed(&mut self, engine: &Engine) -> Vec<LiveTally> {
        let applied = engine.status().applied;
        if applied == self.applied {
            return Vec::new();
        }
        // Inclusive: more may have happened in the same millisecond.
        let query = ListTallies {
            since_ms: self.changed_at_ms,
        };
        let tallies = match engine.read(Consistency::Session(applied), query).await {
            Ok(served) => served,
            Err(error) => {
                tracing::debug!(%error, "tallies cannot be read; the next round tries again");
                return Vec::new();
            }
        };
        self.applied = tallies.position.index.max(applied);
        let mut tallies = tallies.value;
        tallies.retain(|live| self.tallies.get(&live.poll) != Some(&live.tally));
        // Those that are closed never come again.
        while self.tallies.len() > RUNNING_MAX as usize {
            self.tallies.pop_first();
        }
        for live in &tallies {
            self.changed_at_ms = self.changed_at_ms.max(live.changed_at_ms);
            self.tallies.insert(live.poll, live.tally.clone());
        }
        tallies
    }
}

/// Has the leader write down that polls are over, until the node stops.
pub(crate) async fn settle_due(app: App, stopping: CancellationToken) {
    let mut rounds = interval(SETTLE_ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = rounds.tick() => {}
        }
        let status = app.engine.status();
        if status.leader.as_deref() == Some(&*status.node) {
            settle(&app.engine).await;
        }
    }
}

async fn settle(engine: &Engine) {
    let due = ListDue { now_ms: now_ms() };
    let Ok(due) = engine.read(Consistency::Stale, due).await else {
        return;
    };
    for poll in due.value {
        let proposal = Proposal {
            actor: Actor::System,
            request: None,
            action: Action::SettlePoll { poll },
        };
        if let Err(error) = engine.write(proposal).await {
            tracing::debug!(%error, poll, "a poll that is over could not be settled yet");
            return;
        }
    }
}
