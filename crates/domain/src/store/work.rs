//! A command at work: what it sees are the rows with its own changes, and what it changes enters
//! the state hash and the table in memory.

use std::borrow::Cow;

use super::access::{Budget, Done, Front, Pair, Source, beyond_one, fetch, fetch_front};
use super::merge::{Wanted, merged};
use super::record::{Body, Ends, Head, Kind, Record};
use super::rows::{self, Garbage, Range};
use super::table::{Known, Table};
use super::{Counters, access};
use crate::context::Recorder;

/// A command at work.
pub(crate) struct Work<'w, 'c> {
    pub table: &'w mut Table,
    pub sql: &'w mut Recorder<'c>,
    pub counters: &'w mut Counters,
    pub budget: Budget,
    pub stamp: Place,
    /// Somebody wants to know which keys are touched.
    pub watched: bool,
    /// Rows changed so far.
    pub written: usize,
}

/// What a command knows of itself.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Log time in milliseconds since 1970.
    pub now_ms: i64,
    /// The version of whatever it changes.
    pub version: i64,
    pub term: u64,
    /// Who asks, if that is a member.
    pub author: Option<String>,
    pub entropy: [u8; 32],
    /// The number of the operation within the command.
    pub operation: u64,
}

impl Place {
    /// A random number, another one for each operation.
    pub fn random(&self) -> u64 {
        let hash = blake3::keyed_hash(&self.entropy, &self.operation.to_le_bytes());
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(number)
    }
}

/// The place of a key.
#[derive(Debug)]
pub(crate) struct Spot {
    /// Its row.
    pub name: Vec<u8>,
    /// Its slot, if the row is in memory. It stays while the key is not removed.
    slot: Option<u32>,
    /// What is stored there, also if its time has passed.
    pub old: Option<Old>,
}

/// What is stored under a key before a change, also if its time has passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Old {
    pub head: Head,
    /// The collection that its elements belong to.
    collection: Option<u64>,
    /// It has elements.
    filled: bool,
}

impl Source for Work<'_, '_> {
    fn now_ms(&self) -> i64 {
        self.stamp.now_ms
    }

    fn counters(&self) -> Counters {
        *self.counters
    }

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn row(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>> {
        self.budget.take_rows(1)?;
        if let Some(slot) = self.table.find(name) {
            let value = self.table.value(slot);
            self.budget.take_rows(value.map_or(0, beyond_one))?;
            return Ok(value.map(Cow::Borrowed));
        }
        if self.table.is_whole_for(name) {
            return Ok(None);
        }
        let value = fetch(self.sql, name)?;
        if let Some(value) = &value {
            self.budget.take_rows(beyond_one(value))?;
            self.table.keep(name, value);
        }
        Ok(value.map(Cow::Owned))
    }

    fn front(&mut self, name: &[u8]) -> Done<Option<Cow<'_, [u8]>>> {
        self.budget.take_rows(1)?;
        if let Some(slot) = self.table.find(name) {
            return Ok(self.table.value(slot).map(Cow::Borrowed));
        }
        if self.table.is_whole_for(name) {
            return Ok(None);
        }
        let Some(Front { bytes, whole }) = fetch_front(self.sql, name)? else {
            return Ok(None);
        };
        if whole {
            self.table.keep(name, &bytes);
        }
        Ok(Some(Cow::Owned(bytes)))
    }

    fn rows(&mut self, range: &Range, limit: usize, reverse: bool) -> Done<Vec<Pair>> {
        let mut wanted = Wanted::of(limit);
        wanted.reverse = reverse;
        self.range(range, wanted)
    }

    fn fronts(&mut self, range: &Range) -> Done<Vec<Pair>> {
        let mut wanted = Wanted::of(usize::MAX);
        wanted.fronts = true;
        // Whatever comes of it, all keys changed since the last commit are looked at.
        self.budget.take_rows(FRONTS_ROWS)?;
        self.range(range, wanted)
    }
}

/// Rows that a search for keys counts as at least: at most a thousand fit into a log entry.
const FRONTS_ROWS: usize = 1_000;

impl Work<'_, '_> {
    fn range(&mut self, range: &Range, mut wanted: Wanted) -> Done<Vec<Pair>> {
        wanted.allowance = self.budget.allowance();
        if wanted.allowance == 0 {
            self.budget.take_rows(1)?;
        }
        let found = merged(Some(self.table), self.sql, range, wanted)?;
        self.budget.take_range(&found, wanted.allowance)?;
        Ok(found)
    }

    /// Changes a row or makes it; `new` says that there was none.
    pub fn put(&mut self, name: &[u8], value: &[&[u8]], new: bool) {
        self.put_known(name, value, None, new);
    }

    /// The same where the slot is known.
    fn put_known(&mut self, name: &[u8], value: &[&[u8]], slot: Option<u32>, new: bool) {
        let slot = self.table.put(name, value, slot, new);
        self.sql.note_row(b"r", name.len(), self.table.row(slot));
        self.budget.decided = true;
        self.written += 1;
    }

    /// Deletes a row that there is.
    pub fn delete(&mut self, name: &[u8]) {
        self.sql.note_row(b"d", name.len(), name);
        self.table.delete(name);
        self.budget.decided = true;
        self.written += 1;
    }

    /// A number that was never given out.
    pub fn new_id(&mut self) -> u64 {
        self.counters.ids += 1;
        self.counters.ids
    }

    /// What is stored under a key, also if its time has passed.
    pub fn old(&mut self, key: &[u8]) -> Done<Option<Old>> {
        Ok(self.spot(key)?.old)
    }

    /// The place of a key, and what is stored there.
    pub fn spot(&mut self, key: &[u8]) -> Done<Spot> {
        access::check_key(key)?;
        let name = rows::key(self.counters.epoch, key);
        let slot = self.table.find(&name);
        let stored = match slot {
            Some(slot) => {
                self.budget.take_rows(1)?;
                self.table.value(slot).map(Cow::Borrowed)
            }
            None => self.front(&name)?,
        };
        let Some(stored) = stored else {
            let old = None;
            return Ok(Spot { name, slot, old });
        };
        let (head, _) = Head::of(&stored)?;
        let (mut collection, mut filled) = (None, false);
        if head.kind != Kind::String {
            let body = Record::of(&stored)?.body;
            (collection, filled) = (body.collection(), body.is_filled());
        }
        let old = Some(Old {
            head,
            collection,
            filled,
        });
        Ok(Spot { name, slot, old })
    }

    /// Stores a string under a key, over whatever there was.
    pub fn put_string(&mut self, key: &[u8], value: &[&[u8]], ends_ms: Option<i64>) -> Done<()> {
        let spot = self.spot(key)?;
        self.put_string_at(key, &spot, value, ends_ms);
        Ok(())
    }

    /// The same where the place is known.
    pub fn put_string_at(
        &mut self,
        key: &[u8],
        spot: &Spot,
        value: &[&[u8]],
        ends_ms: Option<i64>,
    ) {
        let head = self.replace(key, spot.old, Kind::String, ends_ms, None);
        let (head, length) = head.stored();
        let head = &head[..length];
        let (name, slot, new) = (&spot.name, spot.slot, spot.old.is_none());
        match value {
            [value] => self.put_known(name, &[head, value], slot, new),
            _ => self.put_known(name, &[head, &value.concat()], slot, new),
        }
    }

    /// Stores a collection's record under a key, over whatever there was.
    pub fn put_body(
        &mut self,
        key: &[u8],
        kind: Kind,
        body: Body,
        ends_ms: Option<i64>,
    ) -> Done<()> {
        let Spot { name, slot, old } = self.spot(key)?;
        let head = self.replace(key, old, kind, ends_ms, body.collection());
        let stored = Record { head, body }.stored();
        self.put_known(&name, &[&stored], slot, old.is_none());
        Ok(())
    }

    /// Gives a key another time to live, and leaves the rest as it is.
    pub fn put_ends(&mut self, key: &[u8], ends_ms: Option<i64>) -> Done<()> {
        let name = rows::key(self.counters.epoch, key);
        let Some(stored) = self.row(&name)? else {
            return Ok(());
        };
        let (mut head, at) = Head::of(&stored)?;
        let body = stored.get(at..).unwrap_or_default().to_vec();
        head.ends = self.changed_ends(key, head.ends, ends_ms);
        head.version = self.stamp.version;
        self.put_head(&name, &head, &body);
        self.touch(key);
        Ok(())
    }

    /// Gives a record that there is another head.
    pub fn put_head(&mut self, name: &[u8], head: &Head, body: &[u8]) {
        let (head, length) = head.stored();
        self.put(name, &[&head[..length], body], false);
    }

    /// Removes a key with all that it holds.
    pub fn remove(&mut self, key: &[u8], old: Old) -> Done<()> {
        self.forget(key, old)?;
        self.discard_elements(old);
        Ok(())
    }

    /// Removes a key whose elements are gone already, or live on under another one.
    pub fn forget(&mut self, key: &[u8], old: Old) -> Done<()> {
        let epoch = self.counters.epoch;
        self.delete(&rows::key(epoch, key));
        self.delete(&rows::birth(epoch, old.head.birth));
        self.changed_ends(key, old.head.ends, None);
        self.counters.keys -= 1;
        let tombstone = rows::tombstone(self.stamp.version, key);
        // One of this very command can only be in memory.
        if !matches!(self.table.get(&tombstone), Known::Row(_)) {
            self.put(&tombstone, &[], true);
            self.counters.tombstones += 1;
        }
        self.touch(key);
        Ok(())
    }

    /// Leaves something to the sweeper.
    pub fn discard(&mut self, garbage: Garbage) {
        let name = rows::garbage(self.new_id());
        self.put(&name, &[&garbage.stored()], true);
        self.counters.garbage += 1;
    }

    fn discard_elements(&mut self, old: Old) {
        if let (Some(collection), true) = (old.collection, old.filled) {
            self.discard(Garbage::Elements {
                collection,
                below: u64::MAX,
            });
        }
    }

    /// Deletes the elements of a stretch of places, each of which there is.
    pub fn delete_places(&mut self, collection: u64, from: u64, to: u64) {
        for place in from..to {
            self.delete(&rows::element(collection, place));
        }
    }

    /// Tells those who wait.
    pub fn touch(&mut self, key: &[u8]) {
        if self.watched {
            self.table.touched.key(key, self.stamp.version);
        }
    }

    /// The head of a record that takes the place of another, and all that follows from it but the
    /// record itself.
    fn replace(
        &mut self,
        key: &[u8],
        old: Option<Old>,
        kind: Kind,
        ends_ms: Option<i64>,
        collection: Option<u64>,
    ) -> Head {
        self.touch(key);
        if let Some(old) = old
            && old.collection != collection
        {
            self.discard_elements(old);
        }
        let birth = match old {
            Some(old) => old.head.birth,
            None => self.bear(key),
        };
        let ends = self.changed_ends(key, old.and_then(|old| old.head.ends), ends_ms);
        Head {
            kind,
            version: self.stamp.version,
            birth,
            ends,
        }
    }

    fn bear(&mut self, key: &[u8]) -> u64 {
        let number = self.new_id();
        let name = rows::birth(self.counters.epoch, number);
        self.put(&name, &[key], true);
        self.counters.keys += 1;
        number
    }

    /// Keeps the rows of expiry in step. A time to live that is prolonged costs nothing: the
    /// sweeper looks at the old time and comes back at the new one.
    fn changed_ends(&mut self, key: &[u8], old: Option<Ends>, at_ms: Option<i64>) -> Option<Ends> {
        let epoch = self.counters.epoch;
        if let (Some(old), Some(at_ms)) = (old, at_ms)
            && old.looked_at_ms <= at_ms
        {
            return Some(Ends { at_ms, ..old });
        }
        if let Some(old) = old {
            self.delete(&rows::expiry(old.looked_at_ms, epoch, key));
        }
        let at_ms = at_ms?;
        self.put(&rows::expiry(at_ms, epoch, key), &[], true);
        self.table.next_expiry_ms = self.table.next_expiry_ms.min(at_ms);
        Some(Ends {
            at_ms,
            looked_at_ms: at_ms,
        })
    }
}
