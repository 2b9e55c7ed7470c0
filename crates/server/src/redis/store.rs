//! Between the door and the engine: what is asked of the store, and what went wrong in words that a
//! Redis client understands.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::store::{Answer, Condition, Executed, Operation, Read};
use domain::{Action, Actor, Proposal, Rejection, Reply, RequestId};
use engine::{Consistency, Engine, KeyWatch, ReadError, Served, WriteError};

/// The store as the door sees it. Clones are the same store.
#[derive(Clone)]
pub(super) struct Store {
    engine: Engine,
    /// The log index of the newest write that was acknowledged through this door. Whoever comes in
    /// by it sees that: the connections of a pool are one client, and know nothing of each other.
    acknowledged: Arc<AtomicU64>,
}

/// The line of an error: a word in capitals, and a sentence.
pub(super) type Line = Cow<'static, str>;

/// What became of a command.
#[derive(Debug)]
pub(super) enum Written {
    /// All operations were tried.
    Done(Vec<Answer>),
    /// A watched key had changed: nothing was tried.
    Moved,
}

/// Why a command has no outcome that is known.
#[derive(Debug)]
pub(super) struct NotWritten {
    /// What to tell.
    pub line: Line,
    /// False if nothing was done, and never will be.
    pub in_doubt: bool,
    /// Whether it may go better soon.
    pub passing: bool,
}

impl Store {
    pub fn new(engine: Engine) -> Self {
        Store {
            engine,
            acknowledged: Arc::default(),
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads of one state, which has all writes that this door has acknowledged.
    pub async fn read(&self, reads: &[Read]) -> Result<Vec<Answer>, Line> {
        let index = self.acknowledged.load(Ordering::Acquire);
        if let Some(looked) = self.engine.store_now(index, reads) {
            return Ok(looked.answers);
        }
        let consistency = Consistency::Session(index);
        let read = self.engine.store(consistency, reads.to_vec()).await;
        Ok(read.map_err(unread)?.value)
    }

    /// Has operations done as one command. Answers also where that stands in the log.
    pub async fn write(
        &self,
        operations: Vec<Operation>,
        conditions: Vec<Condition>,
        request: Option<RequestId>,
    ) -> Result<(Written, u64), NotWritten> {
        let proposal = Proposal {
            // An id is for this door's own retries: a client of Redis has none to try again with.
            actor: Actor::Door,
            request,
            action: Action::Store {
                conditions,
                operations,
            },
        };
        let served = self.engine.write(proposal).await;
        let Served { value, position } = served.map_err(NotWritten::from)?;
        self.acknowledged
            .fetch_max(position.index, Ordering::AcqRel);
        let written = match value.result {
            Ok(Reply::Store(Executed::Done { results, .. })) => Written::Done(results),
            Ok(Reply::Store(Executed::Moved { .. })) => Written::Moved,
            Ok(_) => {
                return Err(NotWritten::refused(
                    "ERR internal error: an odd reply".into(),
                ));
            }
            Err(rejection) => return Err(NotWritten::refused(rejected(&rejection))),
        };
        Ok((written, position.index))
    }

    /// Follows the keys that are touched and the messages that are told.
    pub fn watch(&self) -> KeyWatch {
        self.engine.watch_keys()
    }
}

impl NotWritten {
    /// Nothing was done.
    pub fn refused(line: Line) -> Self {
        NotWritten {
            line,
            in_doubt: false,
            passing: false,
        }
    }
}

impl From<WriteError> for NotWritten {
    fn from(error: WriteError) -> Self {
        let code = match error {
            WriteError::Busy { .. } => "BUSY",
            WriteError::NoLeader
            | WriteError::Stopping
            | WriteError::Outvoted
            | WriteError::Removed
            | WriteError::CannotGoOn => "CLUSTERDOWN",
            WriteError::OutcomeUnknown => "UNKNOWNOUTCOME",
            WriteError::TooLarge { .. } => "ERR",
            WriteError::DiskFull => "MISCONF",
        };
        NotWritten {
            line: format!("{code} {error}").into(),
            in_doubt: error == WriteError::OutcomeUnknown,
            passing: matches!(
                error,
                WriteError::Busy { .. } | WriteError::NoLeader | WriteError::OutcomeUnknown
            ),
        }
    }
}

fn unread(error: ReadError) -> Line {
    let code = match error {
        ReadError::Busy { .. } => "BUSY",
        ReadError::Behind { .. } => "TRYAGAIN",
        ReadError::NoLeader
        | ReadError::Stopping
        | ReadError::Outvoted
        | ReadError::Removed
        | ReadError::CannotGoOn => "CLUSTERDOWN",
        ReadError::DiskFull => "MISCONF",
        ReadError::Failed(_) => "ERR",
    };
    format!("{code} {error}").into()
}

fn rejected(rejection: &Rejection) -> Line {
    match rejection {
        Rejection::Invalid { field, reason } => format!("ERR {field}: {reason}").into(),
        other => format!("ERR refused: {other:?}").into(),
    }
}
