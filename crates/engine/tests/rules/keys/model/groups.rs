//! Hashes, sets and journals.

use domain::store::{EntryId, NewId, StoreError, StoreReply, Trim, Write};

use super::{Journal, Model, Thing, Tried, integer};
use StoreReply::{Integer, Nil};

impl Model {
    pub(super) fn write_group(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::HashPut { key, pairs } => {
                if pairs.is_empty() {
                    return Err(StoreError::NothingGiven);
                }
                let mut hash = self.hash(key)?.unwrap_or_default();
                let before = hash.len();
                hash.extend(pairs.iter().cloned());
                let added = hash.len() - before;
                self.put(key, Thing::Hash(hash), version);
                Ok(Integer(added as i64))
            }
            Write::HashPutNew { key, field, value } => {
                let mut hash = self.hash(key)?.unwrap_or_default();
                if hash.contains_key(field) {
                    return Ok(Integer(0));
                }
                hash.insert(field.clone(), value.clone());
                self.put(key, Thing::Hash(hash), version);
                Ok(Integer(1))
            }
            Write::HashDelete { key, fields } => {
                let mut hash = self.hash(key)?.unwrap_or_default();
                let removed = fields.iter().filter(|field| hash.remove(*field).is_some());
                let removed = removed.count() as i64;
                if removed > 0 {
                    self.put(key, Thing::Hash(hash), version);
                }
                Ok(Integer(removed))
            }
            Write::HashAdd { key, field, by } => {
                let mut hash = self.hash(key)?.unwrap_or_default();
                let number = match hash.get(field) {
                    Some(text) => integer(text).ok_or(StoreError::HashNotAnInteger)?,
                    None => 0,
                };
                let number = number.checked_add(*by).ok_or(StoreError::Overflow)?;
                hash.insert(field.clone(), number.to_string().into());
                self.put(key, Thing::Hash(hash), version);
                Ok(Integer(number))
            }
            _ => self.write_set(write, version),
        }
    }

    fn write_set(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::SetAdd { key, members } => {
                if members.is_empty() {
                    return Err(StoreError::NothingGiven);
                }
                let mut set = self.set(key)?.unwrap_or_default();
                let added = members.iter().filter(|one| set.insert((*one).clone()));
                let added = added.count() as i64;
                if added > 0 {
                    self.put(key, Thing::Set(set), version);
                }
                Ok(Integer(added))
            }
            Write::SetRemove { key, members } => {
                let mut set = self.set(key)?.unwrap_or_default();
                let removed = members.iter().filter(|one| set.remove(*one)).count() as i64;
                if removed > 0 {
                    self.put(key, Thing::Set(set), version);
                }
                Ok(Integer(removed))
            }
            Write::SetMove { from, to, member } => {
                let Some(mut source) = self.set(from)? else {
                    return Ok(Integer(0));
                };
                self.set(to)?;
                if !source.contains(member) {
                    return Ok(Integer(0));
                }
                if from != to {
                    source.remove(member);
                    self.put(from, Thing::Set(source), version);
                    let mut target = self.set(to)?.unwrap_or_default();
                    target.insert(member.clone());
                    self.put(to, Thing::Set(target), version);
                }
                Ok(Integer(1))
            }
            _ => self.write_journal(write, version),
        }
    }

    pub(super) fn write_journal(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::JournalAppend {
                key,
                id,
                fields,
                create,
                trim,
            } => {
                if fields.is_empty() {
                    return Err(StoreError::NothingGiven);
                }
                let found = self.journal(key)?;
                if found.is_none() && !create {
                    return Ok(Nil);
                }
                let mut journal = found.unwrap_or_default();
                let id = new_id(*id, journal.last_id, self.now_ms)?;
                journal.newest += 1;
                journal.last_id = id;
                let index = journal.newest;
                journal.entries.push((index, id, fields.clone()));
                if let Some(trim) = trim {
                    journal.trim(*trim);
                }
                self.put(key, Thing::Journal(journal), version);
                Ok(StoreReply::EntryId { id, index })
            }
            Write::JournalTrim { key, trim } => {
                let Some(mut journal) = self.journal(key)? else {
                    return Ok(Integer(0));
                };
                let dropped = journal.trim(*trim);
                if dropped > 0 {
                    self.put(key, Thing::Journal(journal), version);
                }
                Ok(Integer(dropped))
            }
            Write::JournalDelete { key, ids } => {
                let Some(mut journal) = self.journal(key)? else {
                    return Ok(Integer(0));
                };
                let before = journal.entries.len();
                journal.entries.retain(|(_, id, _)| !ids.contains(id));
                let removed = (before - journal.entries.len()) as i64;
                if removed > 0 {
                    self.put(key, Thing::Journal(journal), version);
                }
                Ok(Integer(removed))
            }
            other => panic!("the model does not know {other:?}"),
        }
    }
}

impl Journal {
    fn trim(&mut self, trim: Trim) -> i64 {
        let before = self.entries.len();
        match trim {
            Trim::Newest(kept) => {
                let dropped = before.saturating_sub(kept as usize);
                self.entries.drain(..dropped);
            }
            Trim::From(from) => self.entries.retain(|(_, id, _)| *id >= from),
        }
        (before - self.entries.len()) as i64
    }
}

fn new_id(wanted: NewId, last: EntryId, now_ms: i64) -> Result<EntryId, StoreError> {
    let id = match wanted {
        NewId::Auto | NewId::At(_) => {
            let ms = match wanted {
                NewId::At(ms) => ms,
                _ => (now_ms as u64).max(last.ms),
            };
            let seq = if ms == last.ms { last.seq + 1 } else { 0 };
            EntryId { ms, seq }
        }
        NewId::Exact(id) => id,
    };
    match id {
        EntryId::MIN if wanted == NewId::Exact(id) => Err(StoreError::EntryIdZero),
        id if id <= last => Err(StoreError::EntryIdTooSmall),
        id => Ok(id),
    }
}
