//! A database in memory, its machine, and a log that gives every proposal its place.

use domain::{
    Actor, EventId, Fault, Machine, Outcome, Param, Proposal, Row, Sql, StateHash, Value,
};
use engine::sql::Sqlite;
use rusqlite::Connection;

use crate::random;

/// When the first command is stamped; each later one is [`STEP_MS`] after it.
pub const START_MS: i64 = 1_767_225_600_000;

/// Time between two commands: a history of some hundreds outlives sessions of an hour.
pub const STEP_MS: i64 = 20_000;

/// A replica without a network.
pub struct World {
    connection: Connection,
    pub machine: Machine,
    index: u64,
    /// Commands that the last commit holds.
    committed: u64,
}

impl World {
    /// An empty one.
    pub fn open() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("BEGIN").unwrap();
        let machine = Machine::load(&mut Sqlite::new(&connection)).unwrap();
        connection.execute_batch("COMMIT; BEGIN").unwrap();
        Self {
            connection,
            machine,
            index: 0,
            committed: 0,
        }
    }

    /// One with members and areas.
    pub fn begun() -> Self {
        let mut world = Self::open();
        for proposal in random::beginning() {
            world.apply(&proposal).result.unwrap();
        }
        world
    }

    pub fn sql(&self) -> Sqlite<'_> {
        Sqlite::new(&self.connection)
    }

    /// The next command of the log, with this proposal.
    pub fn place(&self, proposal: &Proposal) -> domain::Command {
        let index = self.index + 1;
        let position = EventId {
            index,
            number: (index % 3) as u32,
        };
        let at_ms = START_MS + index as i64 * STEP_MS;
        proposal.clone().place(position, 1, at_ms, [0; 32])
    }

    pub fn apply(&mut self, proposal: &Proposal) -> Outcome {
        let command = self.place(proposal);
        self.index += 1;
        self.machine
            .apply(&mut Sqlite::new(&self.connection), &command)
            .unwrap()
    }

    /// Applies an action of the node itself that must be accepted.
    pub fn system(&mut self, action: domain::Action) {
        self.apply(&Proposal {
            actor: Actor::System,
            request: None,
            action,
        })
        .result
        .unwrap();
    }

    pub fn commit(&mut self) {
        self.machine
            .save(&mut Sqlite::new(&self.connection))
            .unwrap();
        self.connection.execute_batch("COMMIT; BEGIN").unwrap();
        self.machine.committed();
        self.committed = self.index;
    }

    /// Writes some of what is kept in memory, as the engine does before it commits.
    pub fn flush_some(&mut self, rows: u64) {
        self.machine
            .save_some(&mut Sqlite::new(&self.connection), rows as usize)
            .unwrap();
    }

    /// Writes what is kept in memory, so that the database shows it.
    pub fn flush(&mut self) {
        self.machine
            .save(&mut Sqlite::new(&self.connection))
            .unwrap();
    }

    /// Loses what is not committed.
    pub fn roll_back(&mut self) {
        self.connection.execute_batch("ROLLBACK; BEGIN").unwrap();
        self.machine
            .reload(&mut Sqlite::new(&self.connection))
            .unwrap();
        self.index = self.committed;
    }

    /// Loses what is not committed and applies it again from the log.
    pub fn crash_and_catch_up(&mut self, log: &[Proposal]) {
        self.roll_back();
        for proposal in &log[self.index as usize..] {
            self.apply(proposal);
        }
    }

    /// Takes the machine's own row out of the database, for a comparison without it.
    pub fn forget_the_machine_row(&mut self) {
        self.connection.execute("DELETE FROM machine", []).unwrap();
    }

    /// Runs SQL of the test's own.
    pub fn run(&mut self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// The single number that some SQL answers.
    pub fn count(&self, sql: &'static str) -> i64 {
        match self.sql().query(sql, &[]).unwrap()[0].0[0] {
            Value::Int(count) => count,
            _ => panic!("not a number"),
        }
    }

    /// Goes on at a later place of the log.
    pub fn skip_to(&mut self, index: u64) {
        self.index = index;
    }

    /// Loads the machine again, as a restart would.
    pub fn restart(&mut self) {
        self.machine = Machine::load(&mut Sqlite::new(&self.connection)).unwrap();
    }

    pub fn hash(&self) -> StateHash {
        self.machine.hash
    }
}

/// A database whose disk is full after some writes.
pub struct Failing<'c> {
    sql: Sqlite<'c>,
    writes_left: u64,
}

impl<'c> Failing<'c> {
    pub fn after(sql: Sqlite<'c>, writes: u64) -> Self {
        Self {
            sql,
            writes_left: writes,
        }
    }

    fn write(&mut self) -> Result<&mut Sqlite<'c>, Fault> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or(Fault::DiskFull)?;
        Ok(&mut self.sql)
    }
}

impl Sql for Failing<'_> {
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault> {
        self.write()?.execute(sql, params)
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        self.sql.query(sql, params)
    }

    fn define(&mut self, sql: &str) -> Result<(), Fault> {
        self.write()?.define(sql)
    }

    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault> {
        self.write()?.index_document(document, words)
    }

    fn forget_document(&mut self, document: i64) -> Result<(), Fault> {
        self.write()?.forget_document(document)
    }

    fn find_documents(
        &mut self,
        words: &[String],
        prefix: bool,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>, Fault> {
        self.sql.find_documents(words, prefix, before, limit)
    }
}
