//! The state machine: applies commands one after the other, the same way on every replica.

use crate::command::{Command, Rejection, Reply};
use crate::event::Event;
use crate::sql::{Fault, Sql};

/// BLAKE3 chain over every applied command, its effects and its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateHash(pub [u8; 32]);

/// The part of the state that is kept in memory between commands. The engine loads it when it
/// opens the database and saves it whenever it commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The hash chain so far.
    pub hash: StateHash,
    /// Log time: the largest `at_ms` applied. Never goes back.
    pub clock_ms: i64,
}

/// What an applied command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub result: Result<Reply, Rejection>,
    /// What happened, if anything did.
    pub event: Option<Event>,
    /// True if this is the stored reply of an earlier command with the same request id.
    pub replayed: bool,
}

impl Machine {
    /// Makes the tables if they are missing and reads the machine's own row.
    pub fn load(_sql: &mut dyn Sql) -> Result<Self, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }

    /// Stores the machine's own row; the engine calls it before it commits.
    pub fn save(&self, _sql: &mut dyn Sql) -> Result<(), Fault> {
        Err(Fault::Corrupt("not written yet"))
    }

    /// Applies one command.
    pub fn apply(&mut self, _sql: &mut dyn Sql, _command: &Command) -> Result<Outcome, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}
