//! What a naive store answers.

use bytes::Bytes;
use domain::store::{Kind, Read, StoreReply};

use super::lists::place;
use super::{Entry, Model, Thing, Tried, range};
use StoreReply::{Integer, Nil};

impl Model {
    pub(super) fn read(&self, read: &Read) -> Tried {
        Ok(match read {
            Read::Get { key } => match self.string(key)? {
                Some(text) => StoreReply::Bytes(text.into()),
                None => Nil,
            },
            Read::GetMany { keys } => {
                let get = |key| self.string(key).ok().flatten().map(Bytes::from);
                StoreReply::Values(keys.iter().map(get).collect())
            }
            Read::Part { key, start, end } => {
                let text = self.string(key)?.unwrap_or_default();
                // An end before the first byte means that byte, unless the range is empty anyhow.
                let end = match *start < 0 && start > end {
                    true => *end,
                    false => (*end).max(-(text.len() as i64)),
                };
                let part = range(*start, end, text.len());
                StoreReply::Bytes(Bytes::copy_from_slice(&text[part]))
            }
            Read::Exists { keys } => {
                let count = keys.iter().filter(|key| self.items.contains_key(*key));
                Integer(count.count() as i64)
            }
            Read::Kind { key } => self.items.get(key).map_or(Nil, |item| {
                StoreReply::Kind(match item.thing {
                    Thing::String(_) => Kind::String,
                    Thing::List(_) => Kind::List,
                    Thing::Hash(_) => Kind::Hash,
                    Thing::Set(_) => Kind::Set,
                    Thing::Journal(_) => Kind::Journal,
                })
            }),
            Read::Expiry { key } => self.items.get(key).map_or(Nil, |item| StoreReply::Expiry {
                at_ms: item.ends,
                now_ms: self.now_ms,
            }),
            Read::Version { key } => Integer(self.version(key)),
            Read::Keys { pattern } => {
                let matches = |key: &&Bytes| match &pattern[..] {
                    b"*" | b"k?" => true,
                    b"k[0-2]" => b"012".contains(&key[1]),
                    _ => false,
                };
                let found = self.items.keys().filter(matches);
                StoreReply::Values(found.map(|key| Some(key.clone())).collect())
            }
            _ => return self.read_collection(read),
        })
    }

    fn read_collection(&self, read: &Read) -> Tried {
        Ok(match read {
            Read::ListIndex { key, index } => {
                let items = self.list(key)?.unwrap_or_default();
                let place = place(*index, items.len());
                place.map_or(Nil, |place| StoreReply::Bytes(items[place].clone()))
            }
            Read::ListRange { key, start, stop } => {
                let items = self.list(key)?.unwrap_or_default();
                let part = range(*start, *stop, items.len());
                StoreReply::Values(items.range(part).cloned().map(Some).collect())
            }
            Read::HashAll { key } => {
                StoreReply::Pairs(self.hash(key)?.unwrap_or_default().into_iter().collect())
            }
            Read::HashGet { key, field } => {
                let found = self.hash(key)?.and_then(|mut hash| hash.remove(field));
                found.map_or(Nil, StoreReply::Bytes)
            }
            Read::SetMembers { key } => {
                let members = self.set(key)?.unwrap_or_default();
                StoreReply::Values(members.into_iter().map(Some).collect())
            }
            Read::JournalRange {
                key,
                from,
                to,
                reverse,
                limit,
            } => {
                let journal = self.journal(key)?.unwrap_or_default();
                let mut found = journal.entries;
                found.retain(|(_, id, _)| (from..=to).contains(&id));
                if *reverse {
                    found.reverse();
                }
                entries(found, *limit)
            }
            Read::JournalFrom { key, index, limit } => {
                let journal = self.journal(key)?.unwrap_or_default();
                let mut found = journal.entries;
                found.retain(|(at, _, _)| at >= index);
                entries(found, *limit)
            }
            other => panic!("the model does not know {other:?}"),
        })
    }
}

fn entries(found: Vec<Entry>, limit: u64) -> StoreReply {
    let found = found.into_iter().take(limit as usize);
    let entry = |(index, id, fields)| domain::store::Entry {
        index,
        id,
        term: 1,
        at_ms: 0,
        author: None,
        fields,
    };
    StoreReply::Entries(found.map(entry).collect())
}
