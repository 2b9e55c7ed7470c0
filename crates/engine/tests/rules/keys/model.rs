//! A store as one would write it without a database.

mod groups;
mod lists;
mod reads;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use domain::store::{
    Answer, Condition, Deadline, EntryId, ExpireWhen, Expiry, Operation, Read, StoreError,
    StoreReply, When, Write,
};

use super::well;

#[derive(Clone, Debug, PartialEq)]
enum Thing {
    String(Vec<u8>),
    List(VecDeque<Bytes>),
    Hash(BTreeMap<Bytes, Bytes>),
    Set(BTreeSet<Bytes>),
    Journal(Journal),
}

/// Index, id and fields.
type Entry = (u64, EntryId, Vec<(Bytes, Bytes)>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Journal {
    entries: Vec<Entry>,
    newest: u64,
    last_id: EntryId,
}

#[derive(Clone, Debug)]
struct Item {
    version: i64,
    ends: Option<i64>,
    thing: Thing,
}

/// What the store holds, and the time.
#[derive(Default)]
pub struct Model {
    items: BTreeMap<Bytes, Item>,
    pub now_ms: i64,
}

type Tried = Result<StoreReply, StoreError>;

use StoreReply::{Done, Integer, Nil};

fn flag(yes: bool) -> Tried {
    Ok(Integer(i64::from(yes)))
}

impl Model {
    /// Lets time pass; answers how many keys expired.
    pub fn pass_to(&mut self, now_ms: i64) -> usize {
        self.now_ms = now_ms;
        let before = self.items.len();
        self.items
            .retain(|_, item| item.ends.is_none_or(|ends| ends > now_ms));
        before - self.items.len()
    }

    pub fn version(&self, key: &Bytes) -> i64 {
        self.items.get(key).map_or(0, |item| item.version)
    }

    /// The first condition that does not hold, and the version that its key has.
    pub fn conditions(&self, conditions: &[Condition]) -> Option<(u32, i64)> {
        let mut numbered = (0..).zip(conditions);
        let moved = numbered.find(|(_, one)| self.version(&one.key) != one.version);
        moved.map(|(number, one)| (number, self.version(&one.key)))
    }

    /// Does an operation and compares the answer.
    pub fn check(&mut self, operation: &Operation, version: i64, answer: &Answer, at: &str) {
        match operation {
            Operation::Read(read) => self.check_read(read, answer, at),
            Operation::Write(Write::SetPop { key, count }) => {
                self.check_pop(key, *count, version, answer, at);
            }
            Operation::Write(write) => {
                let expected = self.write(write, version);
                assert_eq!(*answer, expected, "{at}: {write:?}");
            }
        }
    }

    /// Which members go is chance; that they were there is not.
    fn check_pop(
        &mut self,
        key: &Bytes,
        count: Option<u64>,
        version: i64,
        answer: &Answer,
        at: &str,
    ) {
        let members = match self.set(key) {
            Ok(members) => members.unwrap_or_default(),
            Err(error) => return assert_eq!(*answer, Err(error), "{at}"),
        };
        let taken: Vec<Bytes> = match well(answer, at) {
            Nil => vec![],
            StoreReply::Bytes(member) => vec![member],
            StoreReply::Values(taken) => taken.into_iter().flatten().collect(),
            other => panic!("{at}: {other:?}"),
        };
        let wanted = count.unwrap_or(1).min(members.len() as u64);
        assert_eq!(taken.len() as u64, wanted, "{at}");
        let mut left = members;
        for member in &taken {
            assert!(left.remove(member), "{at}: {member:?} was not there");
        }
        if !taken.is_empty() {
            self.put(key, Thing::Set(left), version);
        }
    }

    pub fn check_read(&self, read: &Read, answer: &Answer, at: &str) {
        let mut answer = answer.clone();
        // The order of hashes and sets is not promised.
        match &mut answer {
            Ok(StoreReply::Pairs(pairs)) => pairs.sort(),
            Ok(StoreReply::Values(values)) if matches!(read, Read::SetMembers { .. }) => {
                values.sort();
            }
            Ok(StoreReply::Entries(entries)) => {
                for entry in entries.iter_mut() {
                    assert!(entry.term == 1 && entry.author.is_none(), "{at}");
                    entry.at_ms = 0;
                }
            }
            _ => {}
        }
        assert_eq!(answer, self.read(read), "{at}: {read:?}");
    }

    fn write(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::Set {
                key,
                value,
                when,
                expiry,
                get,
            } => self.set_string(key, value, *when, *expiry, *get, version),
            Write::SetMany { pairs, only_new } => {
                if pairs.is_empty() {
                    return Err(StoreError::NothingGiven);
                }
                let taken = pairs.iter().any(|(key, _)| self.items.contains_key(key));
                if *only_new && taken {
                    return Ok(Integer(0));
                }
                for (key, value) in pairs {
                    self.items.remove(key);
                    self.put(key, Thing::String(value.to_vec()), version);
                }
                Ok(if *only_new { Integer(1) } else { Done })
            }
            Write::Append { key, value } => {
                let mut text = self.string(key)?.unwrap_or_default();
                text.extend_from_slice(value);
                let length = text.len() as i64;
                self.put(key, Thing::String(text), version);
                Ok(Integer(length))
            }
            Write::Patch { key, offset, value } => {
                let mut text = self.string(key)?.unwrap_or_default();
                let (from, to) = (*offset as usize, *offset as usize + value.len());
                if !value.is_empty() {
                    text.resize(text.len().max(to), 0);
                    text[from..to].copy_from_slice(value);
                    self.put(key, Thing::String(text.clone()), version);
                }
                Ok(Integer(text.len() as i64))
            }
            Write::Add { key, by } => {
                let number = match self.string(key)? {
                    Some(text) => integer(&text).ok_or(StoreError::NotAnInteger)?,
                    None => 0,
                };
                let number = number.checked_add(*by).ok_or(StoreError::Overflow)?;
                self.put(key, Thing::String(number.to_string().into()), version);
                Ok(Integer(number))
            }
            Write::GetDelete { key } => {
                let text = self.string(key)?;
                self.items.remove(key);
                Ok(text.map_or(Nil, |text| StoreReply::Bytes(text.into())))
            }
            Write::GetExpire { key, expiry } => self.get_expire(key, *expiry, version),
            _ => self.write_key(write, version),
        }
    }

    fn set_string(
        &mut self,
        key: &Bytes,
        value: &Bytes,
        when: When,
        expiry: Expiry,
        get: bool,
        version: i64,
    ) -> Tried {
        let old = match get {
            true => self.string(key)?.map(Bytes::from),
            false => None,
        };
        let found = self.items.get(key);
        let ends = match expiry {
            Expiry::None => None,
            Expiry::Keep => found.and_then(|item| item.ends),
            Expiry::Until(deadline) => Some(self.future(deadline)?),
        };
        let allowed = match when {
            When::Always => true,
            When::New => found.is_none(),
            When::Existing => found.is_some(),
        };
        if allowed {
            self.items.remove(key);
            self.put(key, Thing::String(value.to_vec()), version);
            self.end(key, ends, version);
        }
        Ok(match (get, allowed) {
            (true, _) => old.map_or(Nil, StoreReply::Bytes),
            (false, true) => Done,
            (false, false) => Nil,
        })
    }

    fn get_expire(&mut self, key: &Bytes, expiry: Expiry, version: i64) -> Tried {
        let ends = match expiry {
            Expiry::Until(deadline) => Some(self.future(deadline)?),
            Expiry::None | Expiry::Keep => None,
        };
        let Some(text) = self.string(key)? else {
            return Ok(Nil);
        };
        let had = self.items[key].ends;
        match expiry {
            Expiry::None if had.is_some() => self.end(key, None, version),
            Expiry::Until(_) => self.end(key, ends, version),
            Expiry::None | Expiry::Keep => {}
        }
        Ok(StoreReply::Bytes(text.into()))
    }

    fn write_key(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::Delete { keys } => {
                let removed = keys.iter().filter(|key| self.items.remove(*key).is_some());
                Ok(Integer(removed.count() as i64))
            }
            Write::Expire {
                key,
                deadline,
                when,
            } => {
                let at_ms = match *deadline {
                    Deadline::At(ms) => ms,
                    Deadline::In(ms) => self.now_ms + ms,
                };
                let Some(item) = self.items.get(key) else {
                    return Ok(Integer(0));
                };
                let allowed = match (when, item.ends) {
                    (ExpireWhen::Always, _) | (ExpireWhen::None, None) => true,
                    (ExpireWhen::Some, Some(_)) | (ExpireWhen::Earlier, None) => true,
                    (ExpireWhen::Later | ExpireWhen::SomeLater, Some(ends)) => at_ms > ends,
                    (ExpireWhen::Earlier | ExpireWhen::SomeEarlier, Some(ends)) => at_ms < ends,
                    _ => false,
                };
                if allowed {
                    self.end(key, Some(at_ms), version);
                }
                flag(allowed)
            }
            Write::Persist { key } => {
                let mortal = self.items.get(key).is_some_and(|item| item.ends.is_some());
                if mortal {
                    self.end(key, None, version);
                }
                flag(mortal)
            }
            Write::Rename { from, to, only_new } => {
                let Some(item) = self.items.get(from).cloned() else {
                    return Err(StoreError::NoSuchKey);
                };
                if *only_new && self.items.contains_key(to) {
                    return Ok(Integer(0));
                }
                if from != to {
                    self.items.remove(from);
                    self.items.insert(to.clone(), Item { version, ..item });
                }
                Ok(if *only_new { Integer(1) } else { Done })
            }
            Write::Flush => {
                self.items.clear();
                Ok(Done)
            }
            _ => self.write_list(write, version),
        }
    }

    /// Stores a thing with the time to live that its key has; an empty one vanishes.
    fn put(&mut self, key: &Bytes, thing: Thing, version: i64) {
        let empty = match &thing {
            Thing::String(_) | Thing::Journal(_) => false,
            Thing::List(items) => items.is_empty(),
            Thing::Hash(hash) => hash.is_empty(),
            Thing::Set(set) => set.is_empty(),
        };
        let ends = self.items.remove(key).and_then(|item| item.ends);
        if !empty {
            let item = Item {
                version,
                ends,
                thing,
            };
            self.items.insert(key.clone(), item);
        }
    }

    fn end(&mut self, key: &Bytes, ends: Option<i64>, version: i64) {
        if let Some(item) = self.items.get_mut(key) {
            (item.ends, item.version) = (ends, version);
        }
        self.pass_to(self.now_ms);
    }

    fn future(&self, deadline: Deadline) -> Result<i64, StoreError> {
        match deadline {
            Deadline::At(ms) if ms > 0 => Ok(ms),
            Deadline::In(ms) if ms > 0 => Ok(self.now_ms + ms),
            Deadline::At(_) | Deadline::In(_) => Err(StoreError::InvalidExpiry),
        }
    }

    fn string(&self, key: &Bytes) -> Result<Option<Vec<u8>>, StoreError> {
        match self.items.get(key).map(|item| &item.thing) {
            None => Ok(None),
            Some(Thing::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(StoreError::WrongType),
        }
    }

    fn list(&self, key: &Bytes) -> Result<Option<VecDeque<Bytes>>, StoreError> {
        match self.items.get(key).map(|item| &item.thing) {
            None => Ok(None),
            Some(Thing::List(items)) => Ok(Some(items.clone())),
            Some(_) => Err(StoreError::WrongType),
        }
    }

    fn hash(&self, key: &Bytes) -> Result<Option<BTreeMap<Bytes, Bytes>>, StoreError> {
        match self.items.get(key).map(|item| &item.thing) {
            None => Ok(None),
            Some(Thing::Hash(hash)) => Ok(Some(hash.clone())),
            Some(_) => Err(StoreError::WrongType),
        }
    }

    fn set(&self, key: &Bytes) -> Result<Option<BTreeSet<Bytes>>, StoreError> {
        match self.items.get(key).map(|item| &item.thing) {
            None => Ok(None),
            Some(Thing::Set(set)) => Ok(Some(set.clone())),
            Some(_) => Err(StoreError::WrongType),
        }
    }

    fn journal(&self, key: &Bytes) -> Result<Option<Journal>, StoreError> {
        match self.items.get(key).map(|item| &item.thing) {
            None => Ok(None),
            Some(Thing::Journal(journal)) => Ok(Some(journal.clone())),
            Some(_) => Err(StoreError::WrongType),
        }
    }
}

fn range(start: i64, stop: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let from_start = |place: i64| if place < 0 { length + place } else { place };
    let first = from_start(start).max(0);
    let end = (from_start(stop) + 1).min(length);
    if first < end {
        first as usize..end as usize
    } else {
        0..0
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}
