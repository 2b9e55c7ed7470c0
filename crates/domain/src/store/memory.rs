//! Rows of the store in memory: those that commands have changed and the engine has not committed
//! yet, and as many others as there is room for.
//!
//! ```text
//!   command ──▶ Table ──save──▶ SQLite's open transaction ──commit──▶ what others see
//!                 ▲  dirty: newer than the last commit; written in order, all at once
//!                 │  clean: as the last commit has it; may be dropped at any time
//!   reader ───────┘  (Memory::look)
//! ```
//!
//! A row that commands change a hundred times between two commits is written once. The state hash
//! is made when a row changes here, so it does not depend on when commits happen. After a fault the
//! table is emptied and the log replayed, as the database is rolled back.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Counters;
use super::rows::{self, Range};
use super::touched::Touched;
use crate::sql::{Fault, Sql};

/// Clean rows are dropped past this. A million keys with values of 64 bytes fit, beside what a
/// node needs for the rest.
const MEMORY_MAX_BYTES: usize = 224 * 1024 * 1024;

/// What a row costs beyond its bytes: two allocations and its place in the table.
const ROW_OVERHEAD_BYTES: usize = 80;

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
        let mut table = self.change();
        table.index = index;
        if table.past.as_ref().is_some_and(|past| past.index <= index) {
            table.past = None;
        }
    }

    /// Whether touched keys are to be collected. Whoever wants to know says so first and looks at
    /// the state then: it misses nothing.
    pub fn watch(&self, watched: bool) {
        self.0.watched.store(watched, Ordering::SeqCst);
    }

    /// What commands have touched since the last time this was asked.
    pub fn take_touched(&self) -> Touched {
        std::mem::take(&mut self.change().touched)
    }

    /// Writes the changed rows to a database, in order.
    pub(crate) fn write(&self, sql: &mut dyn Sql) -> Result<(), Fault> {
        let table = self.look();
        if table.unwritten == 0 {
            return Ok(());
        }
        for (name, value) in table.dirty() {
            match value {
                Some(value) => sql.execute(PUT, &[name.into(), value.into()])?,
                None => sql.execute(DELETE, &[name.into()])?,
            };
        }
        drop(table);
        self.change().written();
        Ok(())
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
        let mut table = self.change();
        let mut before = std::mem::take(&mut *table);
        let past = before.past.take().unwrap_or_else(|| Box::new(before));
        table.generation = past.generation;
        table.reset(seed, now_ms, counters);
        table.past = (past.index > 0).then_some(past);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::SeqCst)
    }
}

const PUT: &str = "
    INSERT INTO store (name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const DELETE: &str = "DELETE FROM store WHERE name = ?1";

/// Two handles of a test are equal if what they hold is not what is compared.
impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}

/// The rows in memory.
#[derive(Debug)]
pub(crate) struct Table {
    slots: HashTable<Slot>,
    hasher: FixedState,
    /// Names of the rows that are newer than the last commit.
    dirty: BTreeSet<Box<[u8]>>,
    /// Changes since the last [`Table::written`].
    unwritten: u64,
    /// Raised with each write to the database: what was new before is there now.
    generation: u32,
    bytes: usize,
    /// Every key's row is here: what is not here does not exist.
    whole: bool,
    /// Every element of collections with larger ids is here.
    whole_after: u64,
    /// No key expires before this.
    pub next_expiry_ms: i64,
    /// How far the sweeper has come.
    pub swept: Swept,
    /// Log time as of the last command.
    pub now_ms: i64,
    /// The store's counters as of the last command.
    pub counters: Counters,
    /// Log index of the last entry applied.
    pub index: u64,
    /// Bytes answered and rows read for the entry at an index.
    pub spent: Spent,
    /// Keys touched and messages published, if somebody wants to know.
    pub touched: Touched,
    /// What readers see until the log has been applied again after a rollback.
    past: Option<Box<Table>>,
}

/// Where there is nothing left to sweep: rows before these names are gone, and none is made there
/// any more. Looking for them would take time for each that was deleted and is not committed yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Swept {
    /// Of keys to look at.
    pub expiries: Vec<u8>,
    /// Of things to be swept away.
    pub garbage: Vec<u8>,
    /// Of what belongs to the first of them.
    pub within: Vec<u8>,
}

/// What the commands of one log entry have used up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Log index of the entry.
    pub index: u64,
    /// Bytes of answers.
    pub bytes: usize,
    /// Rows read and written.
    pub rows: usize,
}

#[derive(Debug)]
struct Slot {
    name: Box<[u8]>,
    /// `None`: the row was deleted.
    value: Option<Box<[u8]>>,
    dirty: bool,
    /// The database has no such row if this is the table's generation.
    new_in: u32,
}

/// What the table knows of a row.
pub(crate) enum Known<'t> {
    /// It is there.
    Row(&'t [u8]),
    /// There is no such row.
    Missing,
    /// The database knows.
    Unknown,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            slots: HashTable::new(),
            hasher: FixedState::with_seed(0),
            dirty: BTreeSet::new(),
            unwritten: 0,
            generation: 1,
            bytes: 0,
            whole: false,
            whole_after: u64::MAX,
            next_expiry_ms: i64::MIN,
            swept: Swept::default(),
            now_ms: 0,
            counters: Counters::default(),
            index: 0,
            spent: Spent::default(),
            touched: Touched::default(),
            past: None,
        }
    }
}

impl Table {
    /// What readers see.
    pub fn shown(&self) -> &Table {
        self.past.as_deref().unwrap_or(self)
    }

    /// Empties the table for a database with these counters. `seed` keeps clients from choosing
    /// keys that meet in the hash table.
    pub fn reset(&mut self, seed: u64, now_ms: i64, counters: Counters) {
        let touched = Touched {
            missed: true,
            ..Touched::default()
        };
        *self = Table {
            hasher: FixedState::with_seed(seed),
            whole: counters.keys == 0,
            whole_after: counters.ids,
            now_ms,
            counters,
            touched,
            // What was read before is not taken for current.
            generation: self.generation.wrapping_add(1).max(1),
            ..Table::default()
        };
    }

    pub fn get(&self, name: &[u8]) -> Known<'_> {
        let found = self.slots.find(self.hash(name), |slot| *slot.name == *name);
        match found {
            Some(slot) => slot.value.as_deref().map_or(Known::Missing, Known::Row),
            None if self.is_whole_for(name) => Known::Missing,
            None => Known::Unknown,
        }
    }

    /// Changes a row or makes it. `new` says that there was none.
    pub fn put(&mut self, name: &[u8], value: Box<[u8]>, new: bool) {
        self.unwritten += 1;
        self.bytes += value.len();
        let generation = self.generation;
        let hasher = &self.hasher;
        let hash = hasher.hash_one(name);
        let same = |slot: &Slot| *slot.name == *name;
        match self
            .slots
            .entry(hash, same, |slot| hasher.hash_one(&*slot.name))
        {
            Entry::Occupied(mut entry) => {
                let slot = entry.get_mut();
                self.bytes -= slot.value.as_ref().map_or(0, |old| old.len());
                slot.value = Some(value);
                if !slot.dirty {
                    slot.dirty = true;
                    self.dirty.insert(name.into());
                }
            }
            Entry::Vacant(entry) => {
                self.bytes += name.len() + ROW_OVERHEAD_BYTES;
                self.dirty.insert(name.into());
                entry.insert(Slot {
                    name: name.into(),
                    value: Some(value),
                    dirty: true,
                    new_in: if new { generation } else { 0 },
                });
            }
        }
    }

    /// Deletes a row that there is.
    pub fn delete(&mut self, name: &[u8]) {
        self.unwritten += 1;
        let generation = self.generation;
        let hasher = &self.hasher;
        let hash = hasher.hash_one(name);
        let same = |slot: &Slot| *slot.name == *name;
        match self
            .slots
            .entry(hash, same, |slot| hasher.hash_one(&*slot.name))
        {
            Entry::Occupied(entry) if entry.get().new_in == generation => {
                let (slot, _) = entry.remove();
                self.bytes -= slot.bytes();
                self.dirty.remove(name);
            }
            Entry::Occupied(mut entry) => {
                let slot = entry.get_mut();
                self.bytes -= slot.value.take().map_or(0, |old| old.len());
                if !slot.dirty {
                    slot.dirty = true;
                    self.dirty.insert(name.into());
                }
            }
            Entry::Vacant(entry) => {
                self.bytes += name.len() + ROW_OVERHEAD_BYTES;
                self.dirty.insert(name.into());
                entry.insert(Slot {
                    name: name.into(),
                    value: None,
                    dirty: true,
                    new_in: 0,
                });
            }
        }
    }

    /// Keeps a row as the database has it.
    pub fn keep(&mut self, name: &[u8], value: &[u8]) {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(name);
        let same = |slot: &Slot| *slot.name == *name;
        let entry = self
            .slots
            .entry(hash, same, |slot| hasher.hash_one(&*slot.name));
        if let Entry::Vacant(entry) = entry {
            self.bytes += name.len() + value.len() + ROW_OVERHEAD_BYTES;
            entry.insert(Slot {
                name: name.into(),
                value: Some(value.into()),
                dirty: false,
                new_in: 0,
            });
        }
    }

    /// The changed rows of a range, in order; `None` are deleted ones.
    pub fn dirty_in<'t>(
        &'t self,
        (from, to): &Range,
    ) -> impl DoubleEndedIterator<Item = (&'t [u8], Option<&'t [u8]>)> + use<'t> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = match from < to {
            true => (Bound::Included(from), Bound::Excluded(to)),
            // The standard library panics at a range that ends before it begins.
            false => (Bound::Excluded(&[]), Bound::Included(&[])),
        };
        let names = self.dirty.range::<[u8], _>(bounds);
        names.map(|name| (&**name, self.value(name)))
    }

    /// Everything that is newer than the last commit, in order.
    pub fn dirty(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.dirty.iter().map(|name| (&**name, self.value(name)))
    }

    /// The changed rows have been written to the database, in a transaction that is still open.
    pub fn written(&mut self) {
        self.unwritten = 0;
        self.generation = self.generation.wrapping_add(1).max(1);
    }

    /// The transaction has been committed: what was written is clean. If something has changed
    /// since it was written, everything stays as it is and will be written again.
    pub fn committed(&mut self) -> BTreeSet<Box<[u8]>> {
        if self.unwritten > 0 {
            return BTreeSet::new();
        }
        let done = std::mem::take(&mut self.dirty);
        for name in &done {
            let hash = self.hash(name);
            let same = |slot: &Slot| slot.name == *name;
            let Ok(mut entry) = self.slots.find_entry(hash, same) else {
                continue;
            };
            if entry.get().is_worth_keeping() {
                entry.get_mut().dirty = false;
            } else {
                let (slot, _) = entry.remove();
                self.bytes -= slot.bytes();
            }
        }
        self.make_room();
        done
    }

    /// How often the rows have been written: what is read from the database is current as long as
    /// this number stays.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Drops clean rows until an eighth of the room is free. Which ones is left to their hashes:
    /// to follow who was used when would cost more with every read than it saves.
    fn make_room(&mut self) {
        if self.bytes <= MEMORY_MAX_BYTES {
            return;
        }
        let mut surplus = self.bytes - MEMORY_MAX_BYTES / 8 * 7;
        let (hasher, turn) = (&self.hasher, u64::from(self.generation) % 4);
        let mut freed = 0;
        self.slots.retain(|slot| {
            let drop = !slot.dirty && surplus > 0 && hasher.hash_one(&*slot.name) >> 40 & 3 == turn;
            if drop {
                surplus = surplus.saturating_sub(slot.bytes());
                freed += slot.bytes();
            }
            !drop
        });
        self.bytes -= freed;
        self.whole = false;
        self.whole_after = self.counters.ids;
    }

    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.slots.find(self.hash(name), |slot| *slot.name == *name);
        found.and_then(|slot| slot.value.as_deref())
    }

    fn is_whole_for(&self, name: &[u8]) -> bool {
        match name.first() {
            Some(b'k') => self.whole,
            Some(b'e') => rows::collection_of(name).is_some_and(|id| id > self.whole_after),
            _ => false,
        }
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |value| value.len());
        self.name.len() + value + ROW_OVERHEAD_BYTES
    }

    /// Keys and elements are asked for one by one; the others only in ranges, and seldom.
    fn is_worth_keeping(&self) -> bool {
        self.value.is_some() && matches!(self.name.first(), Some(b'k' | b'e'))
    }
}
