//! Reads without a command: from the database, or from what a node has applied and not committed.

use super::access::{Budget, Halt, Looker, Pair};
use super::execute::{broken, read};
use super::memory::Memory;
use super::operation::Read;
use super::reply::Answer;
use crate::machine;
use crate::query::Query;
use crate::sql::{Fault, Sql};

/// Rows that a query may read of the database: half a second at most.
const ASKED_ROWS_MAX: usize = 50_000;

/// Bytes that a query's answers may have.
const ASKED_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Rows that a reader may read while commands wait: about a millisecond.
const LOOKED_ROWS_MAX: usize = 1_000;

/// Reads, answered all from one state, each with an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is asked.
    pub reads: Vec<Read>,
    /// The clock of whoever asks, in milliseconds since 1970: what ends before it is gone, also if
    /// log time stands still.
    pub now_ms: i64,
}

impl Query for Ask {
    type Answer = Vec<Answer>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let (clock_ms, counters) = machine::store_state(sql)?;
        let mut looker = Looker {
            table: None,
            sql: Some(sql),
            now_ms: self.now_ms.max(clock_ms),
            counters,
            budget: Budget::of_query(ASKED_ROWS_MAX, ASKED_MAX_BYTES, false),
            fetched: Vec::new(),
        };
        match answers(&mut looker, &self.reads) {
            Ok(answers) => Ok(answers),
            Err(halt) => Err(broken(halt)),
        }
    }
}

/// What was found in a node's memory.
#[derive(Debug)]
pub struct Looked {
    /// The answers, one for each read.
    pub answers: Vec<Answer>,
    /// Log index of the newest entry that they know of.
    pub index: u64,
}

impl Memory {
    /// Answers from memory alone, if all that is asked for is there and the state has reached
    /// `index`.
    pub fn look_up(&self, reads: &[Read], now_ms: i64, index: u64) -> Option<Looked> {
        let guard = self.look();
        let table = guard.shown();
        if table.index < index {
            return None;
        }
        let mut looker = Looker {
            table: Some(table),
            sql: None,
            now_ms: now_ms.max(table.now_ms),
            counters: table.counters,
            budget: Budget::of_query(LOOKED_ROWS_MAX, ASKED_MAX_BYTES, true),
            fetched: Vec::new(),
        };
        let answers = answers(&mut looker, reads).ok()?;
        Some(Looked {
            answers,
            index: table.index,
        })
    }

    /// Answers from memory and the database behind it, if that takes little time: commands wait
    /// meanwhile. `None` if the state has not reached `index`, or if it is too much for that.
    ///
    /// `begin` opens a view of the database as it is by now; it is called while nothing can be
    /// committed, so that memory has all that is newer.
    pub fn look_through<S: Sql>(
        &self,
        ask: &Ask,
        index: u64,
        begin: impl FnOnce() -> Result<S, Fault>,
    ) -> Result<Option<Looked>, Fault> {
        let guard = self.look();
        let table = guard.shown();
        if table.index < index {
            return Ok(None);
        }
        let mut sql = begin()?;
        let mut looker = Looker {
            table: Some(table),
            sql: Some(&mut sql),
            now_ms: ask.now_ms.max(table.now_ms),
            counters: table.counters,
            budget: Budget::of_query(LOOKED_ROWS_MAX, ASKED_MAX_BYTES, true),
            fetched: Vec::new(),
        };
        let found = answers(&mut looker, &ask.reads);
        let (fetched, generation) = (looker.fetched, table.generation());
        let looked = |answers| Looked {
            answers,
            index: table.index,
        };
        let found = match found {
            Ok(answers) => Some(looked(answers)),
            Err(Halt::Elsewhere) => None,
            Err(halt) => return Err(broken(halt)),
        };
        drop(guard);
        self.keep(fetched, generation);
        Ok(found)
    }

    /// Keeps rows that came from the database, unless something was written there since, or the
    /// table is in use: readers wait for nobody who waits to change it.
    fn keep(&self, fetched: Vec<Pair>, generation: u64) {
        if fetched.is_empty() {
            return;
        }
        if let Some(mut table) = self.try_change()
            && table.generation() == generation
        {
            for (name, value) in fetched {
                table.keep(&name, &value);
            }
        }
    }
}

fn answers(looker: &mut Looker<'_>, reads: &[Read]) -> Result<Vec<Answer>, Halt> {
    let mut answers = Vec::with_capacity(reads.len());
    for operation in reads {
        answers.push(match read(looker, operation) {
            Ok(reply) => Ok(reply),
            Err(Halt::Error(error)) => Err(error),
            Err(halt) => return Err(halt),
        });
    }
    Ok(answers)
}
