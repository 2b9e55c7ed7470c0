//! The rows in memory, found by name, and what of them the database has not got yet.

mod slot;

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Bound;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use self::slot::{Slot, State};
use super::Counters;
use super::rows::{self, Range};
use super::touched::Touched;

/// Clean rows are dropped past this. A million keys with values of 64 bytes fit, beside what a
/// node needs for the rest.
const MEMORY_MAX_BYTES: usize = 192 * 1024 * 1024;

/// What a row costs beyond its bytes: its slot, its place in the index, its allocation.
const ROW_OVERHEAD_BYTES: usize = 56;

/// The rows in memory.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    /// Slots that hold no row.
    free: Vec<u32>,
    /// Slots by the names of their rows.
    by_name: HashTable<u32>,
    hasher: FixedState,
    /// Key rows changed since the last commit. There may be very many, and hardly ever does anybody
    /// want a range of them.
    changed_keys: Vec<u32>,
    /// Names of the other rows changed since the last commit.
    changed: BTreeSet<Box<[u8]>>,
    /// Slots that may have to be written.
    queue: Vec<u32>,
    /// The part of them that is being written: sorted, the first at the end.
    writing: Vec<u32>,
    /// Raised with each commit: what was read from the database before may be old.
    generation: u64,
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

/// A changed row; `None` is a deleted one.
pub(crate) type Change<'t> = (&'t [u8], Option<&'t [u8]>);

/// Changed rows in order.
pub(crate) type Changes<'t> = Box<dyn DoubleEndedIterator<Item = Change<'t>> + 't>;

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
            slots: Vec::new(),
            free: Vec::new(),
            by_name: HashTable::new(),
            hasher: FixedState::with_seed(0),
            changed_keys: Vec::new(),
            changed: BTreeSet::new(),
            queue: Vec::new(),
            writing: Vec::new(),
            generation: 0,
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

    /// All commands up to this log index have been applied.
    pub fn reached(&mut self, index: u64) {
        self.index = index;
        if self.past.as_ref().is_some_and(|past| past.index <= index) {
            self.past = None;
        }
    }

    /// Empties the table for a database with these counters, and shows readers the old one until
    /// the new one has come as far. `seed` keeps clients from choosing keys that meet in the hash
    /// table; `watched` says whether somebody follows, who has missed messages then.
    pub fn begin_again(&mut self, seed: u64, now_ms: i64, counters: Counters, watched: bool) {
        let mut before = std::mem::take(self);
        let past = before.past.take().unwrap_or_else(|| Box::new(before));
        *self = Table {
            hasher: FixedState::with_seed(seed),
            whole: counters.keys == 0 && counters.garbage == 0,
            whole_after: counters.ids,
            // What was read before is not taken for current.
            generation: past.generation + 1,
            now_ms,
            counters,
            touched: Touched {
                missed: true,
                messages_missed: watched,
                ..Touched::default()
            },
            past: (past.index > 0).then_some(past),
            ..Table::default()
        };
    }

    /// Empties the table after a fault: nobody may see the half of a command.
    pub fn clear(&mut self) {
        *self = Table {
            generation: self.generation + 1,
            ..Table::default()
        };
    }

    pub fn get(&self, name: &[u8]) -> Known<'_> {
        match self.find(name) {
            Some(slot) => self.value(slot).map_or(Known::Missing, Known::Row),
            None if self.is_whole_for(name) => Known::Missing,
            None => Known::Unknown,
        }
    }

    /// The slot of a row that is in memory, or was deleted since the last commit.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.find_hashed(hash, name)
    }

    /// The value in a slot; `None` if it was deleted.
    pub fn value(&self, slot: u32) -> Option<&[u8]> {
        let slot = self.slots.get(slot as usize)?;
        matches!(slot.state, State::Clean | State::Changed).then(|| slot.value())
    }

    /// True if a row that is not in memory does not exist.
    pub fn is_whole_for(&self, name: &[u8]) -> bool {
        match name.first() {
            Some(b'k') => self.whole,
            Some(b'e') => rows::collection_of(name).is_some_and(|id| id > self.whole_after),
            _ => false,
        }
    }

    /// Changes a row or makes it; the value comes in parts. `known` is its slot, if the caller has
    /// just found it, and `new` says that there was no such row. Answers the slot.
    pub fn put(&mut self, name: &[u8], value: &[&[u8]], known: Option<u32>, new: bool) -> u32 {
        let length = name.len() + value.iter().map(|part| part.len()).sum::<usize>();
        let hash = self.hasher.hash_one(name);
        let found = known.or_else(|| self.find_hashed(hash, name));
        let Some(slot) = found else {
            self.bytes += length + ROW_OVERHEAD_BYTES;
            let mut bytes = Vec::with_capacity(length);
            bytes.extend_from_slice(name);
            value.iter().for_each(|part| bytes.extend_from_slice(part));
            let slot = Slot::of(bytes, name.len(), hash, State::Changed, new);
            let slot = self.insert(hash, slot);
            self.note_change(slot, true);
            return slot;
        };
        let row = &mut self.slots[slot as usize];
        self.bytes += length;
        self.bytes -= row.bytes.len();
        row.overwrite(value, length);
        let was_clean = row.state == State::Clean;
        row.state = State::Changed;
        self.note_change(slot, was_clean);
        slot
    }

    /// A row's name and its value behind it.
    pub fn row(&self, slot: u32) -> &[u8] {
        self.slots.get(slot as usize).map_or(&[], |row| &row.bytes)
    }

    /// Deletes a row that there is.
    pub fn delete(&mut self, name: &[u8]) {
        let hash = self.hasher.hash_one(name);
        match self.find_hashed(hash, name) {
            Some(slot) if self.slots[slot as usize].new && !is_key(name) => {
                self.changed.remove(name);
                self.remove(slot);
            }
            Some(slot) => {
                let old = &mut self.slots[slot as usize];
                self.bytes -= old.value().len();
                old.bytes = old.name().into();
                let was_clean = old.state == State::Clean;
                old.state = State::Deleted;
                self.note_change(slot, was_clean);
            }
            None => {
                self.bytes += name.len() + ROW_OVERHEAD_BYTES;
                let slot = Slot::of(name.to_vec(), name.len(), hash, State::Deleted, false);
                let slot = self.insert(hash, slot);
                self.note_change(slot, true);
            }
        }
    }

    /// Keeps a row as the database has it, if there is room: none is made before the next commit,
    /// and none may come while everybody only reads.
    pub fn keep(&mut self, name: &[u8], value: &[u8]) {
        let hash = self.hasher.hash_one(name);
        let bytes = self.bytes + name.len() + value.len() + ROW_OVERHEAD_BYTES;
        if bytes <= MEMORY_MAX_BYTES && self.find_hashed(hash, name).is_none() {
            let bytes = [name, value].concat();
            self.bytes += bytes.len() + ROW_OVERHEAD_BYTES;
            let slot = Slot::of(bytes, name.len(), hash, State::Clean, false);
            self.insert(hash, slot);
        }
    }

    /// The changed rows of a range, in order; `None` are deleted ones.
    pub fn changed_in<'t>(&'t self, range: &Range) -> Changes<'t> {
        let (from, to) = range;
        if is_key(from) {
            return Box::new(self.changed_keys_in(range).into_iter());
        }
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = match from < to {
            true => (Bound::Included(from), Bound::Excluded(to)),
            // The standard library panics at a range that ends before it begins.
            false => (Bound::Excluded(&[]), Bound::Included(&[])),
        };
        let names = self.changed.range::<[u8], _>(bounds);
        Box::new(names.map(|name| {
            let value = self.find(name).and_then(|slot| self.value(slot));
            (&**name, value)
        }))
    }

    fn changed_keys_in(&self, (from, to): &Range) -> Vec<Change<'_>> {
        let slots = self.changed_keys.iter().map(|slot| *slot as usize);
        let rows = slots.filter_map(|slot| {
            let row = self.slots.get(slot)?;
            let value = (row.state == State::Changed).then(|| row.value());
            let wanted = **from <= *row.name() && *row.name() < **to;
            (wanted && row.state != State::Free).then(|| (row.name(), value))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|(name, _)| *name);
        rows
    }

    /// How many changes have not been written yet; some may be counted that need not be.
    pub fn unwritten_count(&self) -> usize {
        self.writing.len() + self.queue.len()
    }

    /// The next slots to be written, in the order of their names. What changes once it has been
    /// written has its turn when all others have.
    pub fn next_unwritten(&mut self, count: usize) -> Vec<u32> {
        if self.writing.is_empty() {
            self.writing = std::mem::take(&mut self.queue);
            let slots = &self.slots;
            let name = |slot: &u32| slots.get(*slot as usize).map(Slot::name);
            self.writing.sort_unstable_by(|a, b| name(b).cmp(&name(a)));
        }
        let left = self.writing.len().saturating_sub(count);
        let mut next = self.writing.split_off(left);
        next.reverse();
        // Whoever asks for all means those that have changed meanwhile, too.
        if next.len() < count && !self.queue.is_empty() {
            next.extend(self.next_unwritten(count - next.len()));
        }
        next
    }

    /// What is to be written of a slot, if anything: `None` is to be deleted.
    pub fn unwritten(&self, slot: u32) -> Option<Change<'_>> {
        let row = self.slots.get(slot as usize)?;
        match row.state {
            _ if !row.unwritten => None,
            State::Changed => Some((row.name(), Some(row.value()))),
            // The database never had it.
            State::Deleted if row.new => None,
            State::Deleted => Some((row.name(), None)),
            State::Free | State::Clean => None,
        }
    }

    /// Slots have been written to the database, in a transaction that is still open.
    pub fn written(&mut self, slots: &[u32]) {
        for slot in slots {
            if let Some(row) = self.slots.get_mut(*slot as usize) {
                row.unwritten = false;
                row.new &= row.state == State::Deleted;
            }
        }
    }

    /// The transaction has been committed: what was written is clean. If something has changed
    /// since it was written, everything stays as it is.
    pub fn committed(&mut self) -> (BTreeSet<Box<[u8]>>, Vec<u32>) {
        if self.unwritten_count() > 0 {
            return Default::default();
        }
        self.generation += 1;
        let keys = std::mem::take(&mut self.changed_keys);
        keys.iter().for_each(|slot| self.cleaned(*slot));
        let others = std::mem::take(&mut self.changed);
        for name in &others {
            if let Some(slot) = self.find(name) {
                self.cleaned(slot);
            }
        }
        self.make_room();
        (others, keys)
    }

    /// How often has been committed: what is read from the database is current as long as this
    /// number stays.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn cleaned(&mut self, slot: u32) {
        let Some(row) = self.slots.get_mut(slot as usize) else {
            return;
        };
        match row.state {
            // Keys and elements are asked for one by one; the others only in ranges, and seldom.
            State::Changed if matches!(row.bytes.first(), Some(b'k' | b'e')) => {
                row.state = State::Clean;
            }
            State::Changed | State::Deleted => self.remove(slot),
            State::Free | State::Clean => {}
        }
    }

    /// Drops clean rows until an eighth of the room is free. Which ones is left to their hashes:
    /// to follow who was used when would cost more with every read than it saves.
    fn make_room(&mut self) {
        if self.bytes <= MEMORY_MAX_BYTES {
            return;
        }
        let goal = MEMORY_MAX_BYTES / 8 * 7;
        let turn = (self.generation % 4) as u32;
        for slot in 0..self.slots.len() {
            let row = &self.slots[slot];
            if row.state == State::Clean && row.hash % 4 == turn && self.bytes > goal {
                self.remove(slot as u32);
            }
        }
        self.whole = false;
        self.whole_after = self.counters.ids;
    }

    /// Notes that a row is newer than the last commit, and than what was written.
    fn note_change(&mut self, slot: u32, first: bool) {
        let Some(row) = self.slots.get_mut(slot as usize) else {
            return;
        };
        if !row.unwritten {
            row.unwritten = true;
            self.queue.push(slot);
        }
        if first && is_key(&row.bytes) {
            self.changed_keys.push(slot);
        } else if first {
            self.changed.insert(row.name().into());
        }
    }

    fn find_hashed(&self, hash: u64, name: &[u8]) -> Option<u32> {
        let same = |slot: &u32| {
            let row = &self.slots[*slot as usize];
            row.hash == hash as u32 && row.name() == name
        };
        self.by_name.find(hash, same).copied()
    }

    fn insert(&mut self, hash: u64, row: Slot) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = row;
                slot
            }
            None => {
                self.slots.push(row);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |slot: &u32| hasher.hash_one(slots[*slot as usize].name());
        self.by_name.insert_unique(hash, slot, rehash);
        slot
    }

    fn remove(&mut self, slot: u32) {
        let row = &mut self.slots[slot as usize];
        let hash = self.hasher.hash_one(row.name());
        self.bytes -= row.bytes.len() + ROW_OVERHEAD_BYTES;
        row.bytes = Box::default();
        (row.name_length, row.state) = (0, State::Free);
        (row.new, row.unwritten) = (false, false);
        if let Ok(entry) = self.by_name.find_entry(hash, |found| *found == slot) {
            entry.remove();
        }
        self.free.push(slot);
    }
}

fn is_key(name: &[u8]) -> bool {
    name.first() == Some(&b'k')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_read_is_not_kept_without_bound() {
        let mut table = Table::default();
        let value = vec![7; 1024 * 1024];
        for number in 0_u32..300 {
            table.keep(&number.to_be_bytes(), &value);
        }
        assert!(table.bytes <= MEMORY_MAX_BYTES);
        let kept = (0_u32..300).filter(|number| table.find(&number.to_be_bytes()).is_some());
        assert_eq!(kept.count(), 191);
        // What commands write has a place in any case.
        table.put(b"new", &[&value], None, true);
        assert!(table.find(b"new").is_some());
    }
}
