//! Rows of the store in memory: those that commands have changed and the engine has not committed
//! yet, and as many others as there is room for.
//!
//! ```text
//!   command ──▶ Table ──save──▶ SQLite's open transaction ──commit──▶ what others see
//!                 ▲  changed: newer than the last commit; written in order, many at once
//!                 │  clean: as the last commit has it; may be dropped at any time
//!   reader ───────┘  (Memory::look_up, Memory::look_through)
//! ```
//!
//! A row that commands change a hundred times between two commits is written once. The state hash
//! is made when a row changes here, so it does not depend on when commits happen. After a fault the
//! table is emptied and the log replayed, as the database is rolled back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::Counters;
use super::table::Table;
use super::touched::Touched;
use crate::sql::{Fault, Sql};

/// The rows in memory, for one writer and many readers. Clones are the same memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    table: RwLock<Table>,
    /// Somebody wants to know which keys are touched.
    watched: AtomicBool,
}

impl Memory {
    /// For readers; commands wait meanwhile.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whoever has something to add that can as well be left out.
    pub(crate) fn try_change(&self) -> Option<RwLockWriteGuard<'_, Table>> {
        match self.0.table.try_write() {
            Ok(table) => Some(table),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// For the one that applies commands.
    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Log index of the last entry whose commands have all been applied.
    pub fn index(&self) -> u64 {
        self.look().shown().index
    }

    /// Notes that all commands up to this log index have been applied.
    pub fn reached(&self, index: u64) {
        self.change().reached(index);
    }

    /// How many changed rows are still to be written before a commit; a few may be counted that
    /// need not be.
    pub fn unwritten(&self) -> usize {
        self.look().unwritten_count()
    }

    /// True if a key's time may be over that is still there; the next command sweeps it away.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        let table = self.look();
        table.counters.keys > 0 && table.next_expiry_ms <= now_ms
    }

    /// Whether touched keys are to be collected. Whoever wants to know says so first and looks at
    /// the state then: it misses nothing. Answers whether they were until now.
    pub fn watch(&self, watched: bool) -> bool {
        self.0.watched.swap(watched, Ordering::SeqCst)
    }

    /// What commands have touched since the last time this was asked.
    pub fn take_touched(&self) -> Touched {
        std::mem::take(&mut self.change().touched)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::SeqCst)
    }

    /// Writes changed rows to a database, so many at most, in order; answers how many are left.
    pub(crate) fn write(&self, sql: &mut dyn Sql, count: usize) -> Result<usize, Fault> {
        let slots = self.change().next_unwritten(count);
        for slot in &slots {
            // Readers go on while the database works. Nobody changes a row meanwhile, but somebody
            // who waits to change something else would keep them out, so it is let go each time.
            let table = self.look();
            match table.unwritten(*slot) {
                Some((name, Some(value))) => sql.execute(PUT, &[name.into(), value.into()])?,
                Some((name, None)) => sql.execute(DELETE, &[name.into()])?,
                None => 0,
            };
        }
        let mut table = self.change();
        table.written(&slots);
        Ok(table.unwritten_count())
    }

    /// What was written has been committed.
    pub(crate) fn committed(&self) {
        let done = self.change().committed();
        // Freed when nobody waits for the table any more.
        drop(done);
    }

    /// Empties the memory for a database with these counters. Until what was applied is applied
    /// again, readers see what they saw before: nobody is told of the step back.
    pub(crate) fn reset(&self, seed: u64, now_ms: i64, counters: Counters) {
        let watched = self.is_watched();
        self.change().begin_again(seed, now_ms, counters, watched);
    }
}

const PUT: &str = "
    INSERT INTO store (name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const DELETE: &str = "DELETE FROM store WHERE name = ?1";

/// What is kept in memory follows from the rest of a machine.
impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}
