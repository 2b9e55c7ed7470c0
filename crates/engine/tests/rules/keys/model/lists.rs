//! Lists.

use std::collections::VecDeque;

use bytes::Bytes;
use domain::store::{End, StoreError, StoreReply, Write};

use super::{Model, Thing, Tried, range};
use StoreReply::{Done, Integer, Nil};

impl Model {
    pub(super) fn write_list(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::ListPush {
                key,
                end,
                values,
                only_existing,
            } => {
                if values.is_empty() {
                    return Err(StoreError::NothingGiven);
                }
                let found = self.list(key)?;
                if found.is_none() && *only_existing {
                    return Ok(Integer(0));
                }
                let mut items = found.unwrap_or_default();
                for value in values {
                    push(&mut items, *end, value.clone());
                }
                let length = items.len() as i64;
                self.put(key, Thing::List(items), version);
                Ok(Integer(length))
            }
            Write::ListPop { key, end, count } => {
                let Some(mut items) = self.list(key)? else {
                    return Ok(Nil);
                };
                let taken = pop(&mut items, *end, count.unwrap_or(1));
                if !taken.is_empty() {
                    self.put(key, Thing::List(items), version);
                }
                Ok(match count {
                    Some(_) => StoreReply::Values(taken.into_iter().map(Some).collect()),
                    None => StoreReply::Bytes(taken[0].clone()),
                })
            }
            Write::ListPopFirst { keys, end, count } => {
                for key in keys {
                    if let Some(mut items) = self.list(key)? {
                        let taken = pop(&mut items, *end, *count);
                        self.put(key, Thing::List(items), version);
                        return Ok(StoreReply::Popped {
                            key: key.clone(),
                            items: taken,
                        });
                    }
                }
                Ok(Nil)
            }
            Write::ListSet { key, index, value } => {
                let mut items = self.list(key)?.ok_or(StoreError::NoSuchKey)?;
                let place = place(*index, items.len()).ok_or(StoreError::OutOfRange)?;
                items[place] = value.clone();
                self.put(key, Thing::List(items), version);
                Ok(Done)
            }
            _ => self.write_list_again(write, version),
        }
    }

    fn write_list_again(&mut self, write: &Write, version: i64) -> Tried {
        match write {
            Write::ListRemove { key, count, value } => {
                let Some(mut items) = self.list(key)? else {
                    return Ok(Integer(0));
                };
                let before = items.len();
                let mut left = if *count == 0 { i64::MAX } else { count.abs() };
                if *count < 0 {
                    items = items.into_iter().rev().collect();
                }
                items.retain(|item| {
                    let goes = item == value && left > 0;
                    left -= i64::from(goes);
                    !goes
                });
                if *count < 0 {
                    items = items.into_iter().rev().collect();
                }
                let removed = before - items.len();
                if removed > 0 {
                    self.put(key, Thing::List(items), version);
                }
                Ok(Integer(removed as i64))
            }
            Write::ListTrim { key, start, stop } => {
                if let Some(items) = self.list(key)? {
                    let kept = range(*start, *stop, items.len());
                    if kept.len() < items.len() {
                        let kept = items.range(kept).cloned().collect();
                        self.put(key, Thing::List(kept), version);
                    }
                }
                Ok(Done)
            }
            Write::ListMove {
                from,
                to,
                take,
                put,
            } => {
                let Some(mut items) = self.list(from)? else {
                    return Ok(Nil);
                };
                self.list(to)?;
                let item = pop(&mut items, *take, 1).remove(0);
                if from == to {
                    push(&mut items, *put, item.clone());
                    self.put(from, Thing::List(items), version);
                } else {
                    self.put(from, Thing::List(items), version);
                    let mut target = self.list(to)?.unwrap_or_default();
                    push(&mut target, *put, item.clone());
                    self.put(to, Thing::List(target), version);
                }
                Ok(StoreReply::Bytes(item))
            }
            _ => self.write_group(write, version),
        }
    }
}

fn push(items: &mut VecDeque<Bytes>, end: End, item: Bytes) {
    match end {
        End::Head => items.push_front(item),
        End::Tail => items.push_back(item),
    }
}

fn pop(items: &mut VecDeque<Bytes>, end: End, count: u64) -> Vec<Bytes> {
    let mut one = || match end {
        End::Head => items.pop_front(),
        End::Tail => items.pop_back(),
    };
    (0..count).map_while(|_| one()).collect()
}

pub(super) fn place(index: i64, length: usize) -> Option<usize> {
    let place = if index < 0 {
        length as i64 + index
    } else {
        index
    };
    (0..length as i64)
        .contains(&place)
        .then_some(place as usize)
}
