//! Clients that write, read, retry and give up, and tell the history what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Action, Actor, Outcome, Proposal, RequestId};
use engine::{Consistency, Position, ReadError, Served, WriteError};
use openraft_rt::AsyncRuntime;

use super::Storming;
use super::history::{Once, held, value_of};
use super::linear::{Held, What};
use crate::cluster::{Reading, delete_action, deleted, put_action, written};
use crate::context::{NodeId, lock};
use crate::dice::Dice;
use crate::runtime::SimRuntime;
use crate::task::JoinHandle;

/// Keys that all clients write and read.
const SHARED: [&str; 2] = ["shared-0", "shared-1"];

/// A key that is removed again and again.
const FICKLE: &str = "fickle";

/// Pause before a refused write is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Longest pause of a client between two operations.
const PAUSE_MAX: Duration = Duration::from_millis(150);

/// How long a client waits for an operation, retries included, before it gives up: some give up
/// before an election is over, some outlast two.
const PATIENCE: std::ops::Range<Duration> = Duration::from_millis(300)..Duration::from_secs(7);

/// One value in so many is large, so that logs fill up.
const LARGE_ONE_IN: u64 = 10;

/// Bytes of a large value, at most.
const LARGE_BYTES: u64 = 10_000;

/// Bytes of the others, at most.
const SMALL_BYTES: u64 = 200;

/// The clients of a storm.
pub(super) struct Clients {
    tasks: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Clients {
    /// Lets so many clients work.
    pub(super) fn open(storming: &Storming, count: u64) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let client = |number| Client {
            storming: storming.clone(),
            dice: Dice::new(storming.sim().seed(), 0x3000 + number),
            number,
            stopping: stopping.clone(),
            seen: 0,
        };
        let tasks = (0..count).map(|number| SimRuntime::spawn(client(number).run()));
        Clients {
            tasks: tasks.collect(),
            stopping: stopping.clone(),
        }
    }

    /// Lets them finish what they have begun.
    pub(super) async fn close(self) {
        self.stopping.store(true, Ordering::Relaxed);
        for task in self.tasks {
            // What a client panics with is in the world's list.
            drop(task.await);
        }
    }
}

/// How an attempt to write ended.
enum Attempt {
    Done(Box<Served<Outcome>>),
    /// Certainly nothing was done.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// How a write ended.
enum Written {
    /// With this version, in the state at this index; for the first time there, if it is `fresh`.
    Done {
        version: i64,
        index: u64,
        fresh: bool,
    },
    Refused,
    Unknown,
}

struct Client {
    storming: Storming,
    dice: Dice,
    number: u64,
    stopping: Arc<AtomicBool>,
    /// The newest index this session has seen.
    seen: u64,
}

impl Client {
    async fn run(mut self) {
        for turn in 0.. {
            if self.stopping.load(Ordering::Relaxed) {
                return;
            }
            self.operate(&format!("c{}-{turn}", self.number)).await;
            self.storming.book.count(|counts| counts.operations += 1);
            let pause = self.dice.within(&(Duration::ZERO..PAUSE_MAX));
            SimRuntime::sleep(pause).await;
        }
    }

    /// One operation, whose name is unique.
    async fn operate(&mut self, name: &str) {
        let shared = *self.dice.pick(&SHARED);
        match self.dice.below(12) {
            0 | 1 => self.write_once(name, None).await,
            2 => self.write_once(name, Some(name)).await,
            3 | 4 => self.put(shared, Some(name)).await,
            5 => self.put(shared, None).await,
            6 => self.put(FICKLE, Some(name)).await,
            7 => self.delete(FICKLE, name).await,
            8 => self.get(FICKLE, Consistency::Linearizable).await,
            9 => self.get(shared, Consistency::Session(self.seen)).await,
            10 if self.dice.one_in(3) => self.get(shared, Consistency::Stale).await,
            _ => self.get(shared, Consistency::Linearizable).await,
        }
    }

    /// Writes a key that nobody else writes.
    async fn write_once(&mut self, key: &str, request: Option<&str>) {
        let mark = self.storming.book.instant();
        self.storming.history.once(key, Once::Maybe);
        match self.write(self.put_action(key, mark), request).await {
            Written::Done { version, .. } => {
                if version != 1 {
                    self.violate(format!("the only write of {key} made version {version}"));
                }
                self.storming.history.once(key, Once::Acknowledged);
            }
            Written::Refused => self.storming.history.once(key, Once::Refused),
            Written::Unknown => {}
        }
    }

    async fn put(&mut self, key: &str, request: Option<&str>) {
        let value = self.storming.book.instant();
        let what = |version| What::Put { value, version };
        let begun = self.storming.history.began(key, what(None));
        let written = self.write(self.put_action(key, value), request).await;
        let history = &self.storming.history;
        match written {
            Written::Done {
                version,
                index,
                fresh,
            } => {
                history.ended(key, begun, Some(what(Some(version))));
                history.wrote(key, index, version, fresh);
            }
            Written::Refused => history.ended(key, begun, None),
            Written::Unknown => {}
        }
    }

    async fn delete(&mut self, key: &str, request: &str) {
        let what = |version| What::Delete { version };
        let begun = self.storming.history.began(key, what(None));
        let action = delete_action(key);
        let written = self.write(action, Some(request)).await;
        let history = &self.storming.history;
        match written {
            Written::Done { version, .. } => {
                history.ended(key, begun, Some(what(Some(version))));
            }
            Written::Refused => history.ended(key, begun, None),
            Written::Unknown => {}
        }
    }

    fn put_action(&self, key: &str, mark: u64) -> Action {
        let mut dice = Dice::new(self.storming.sim().seed() ^ mark, 0x4000);
        let large = dice.one_in(LARGE_ONE_IN);
        let size = dice.below(if large { LARGE_BYTES } else { SMALL_BYTES });
        put_action(key, value_of(mark, size as usize))
    }

    /// Writes on any node; with a request id again and again, until it is done or patience ends.
    async fn write(&mut self, action: Action, request: Option<&str>) -> Written {
        let patience = self.dice.within(&PATIENCE);
        let deadline = self.storming.sim().elapsed() + patience;
        let proposal = Proposal {
            actor: Actor::Anonymous,
            request: request.map(|key| RequestId {
                key: key.to_owned(),
                fingerprint: [7; 16],
            }),
            action,
        };
        let mut doubtful = false;
        loop {
            let now = self.storming.sim().elapsed();
            let left = deadline.saturating_sub(now);
            match self.attempt(proposal.clone(), left).await {
                Attempt::Done(served) => return self.done(&served, request.is_none()),
                Attempt::Refused => {}
                Attempt::Unknown if request.is_none() => return Written::Unknown,
                Attempt::Unknown => doubtful = true,
            }
            if left <= RETRY {
                return match doubtful {
                    true => Written::Unknown,
                    false => Written::Refused,
                };
            }
            SimRuntime::sleep(RETRY).await;
        }
    }

    fn done(&mut self, served: &Served<Outcome>, fresh: bool) -> Written {
        let index = served.position.index;
        self.seen = self.seen.max(index);
        let counted = |reply| written(reply).or_else(|| deleted(reply));
        let version = served.value.result.as_ref().ok().and_then(counted);
        match (version, &served.value.result) {
            (Some(version), _) => Written::Done {
                version,
                index,
                fresh,
            },
            (None, other) => {
                self.violate(format!("a write was answered with {other:?}"));
                Written::Unknown
            }
        }
    }

    async fn attempt(&mut self, proposal: Proposal, patience: Duration) -> Attempt {
        let node = self.any_node();
        let cluster = &self.storming.cluster;
        let Some(running) = cluster.running(node) else {
            return Attempt::Refused;
        };
        let proposal = match self.storming.bug {
            Some(bug) => bug.proposal(proposal),
            None => proposal,
        };
        let writing = cluster
            .sim
            .on(node, async move { running.write(proposal).await });
        let Ok(ended) = SimRuntime::timeout(patience, writing).await else {
            return Attempt::Unknown;
        };
        match ended {
            Ok(Ok(served)) => {
                let calm = lock(&self.storming.fleet).is_calm();
                let watch = &self.storming.watch;
                watch.acknowledged(cluster, &served.position, calm);
                Attempt::Done(Box::new(served))
            }
            Ok(Err(WriteError::OutcomeUnknown)) | Err(_) => Attempt::Unknown,
            Ok(Err(_)) => Attempt::Refused,
        }
    }

    async fn get(&mut self, key: &str, asked: Consistency) {
        let node = self.any_node();
        let call = self.storming.book.instant();
        let really = self
            .storming
            .bug
            .map_or(asked, |bug| bug.consistency(asked));
        let reading = self.storming.cluster.read(node, really, key);
        let patience = self.dice.within(&PATIENCE);
        let Ok((reading, position)) = SimRuntime::timeout(patience, reading).await else {
            return;
        };
        match (reading, position) {
            (Reading::Found(entry), Some(position)) => {
                let held = held(entry.as_ref());
                self.saw(node, key, asked, call, held, &position);
            }
            (Reading::Refused(ReadError::Failed(reason)), _) => {
                // A disk that loses its power in the middle of a read says so as well.
                self.storming
                    .book
                    .say(format!("{node} cannot read: {reason}"));
            }
            _ => {}
        }
    }

    fn saw(
        &mut self,
        node: NodeId,
        key: &str,
        asked: Consistency,
        call: u64,
        held: Held,
        position: &Position,
    ) {
        let history = &self.storming.history;
        history.saw(key, position.index, held);
        match asked {
            Consistency::Linearizable => history.read(key, call, held),
            Consistency::Session(seen) if position.index < seen => self.violate(format!(
                "{node} showed a session index {} after {seen}",
                position.index
            )),
            Consistency::Session(_) | Consistency::Stale => {}
        }
        // A read that may be old goes back where the session's own reads never do.
        if asked != Consistency::Stale {
            self.seen = self.seen.max(position.index);
        }
    }

    fn any_node(&mut self) -> NodeId {
        let nodes = self.storming.members();
        *self.dice.pick(&nodes)
    }

    fn violate(&self, what: String) {
        self.storming.book.violate(what);
    }
}
