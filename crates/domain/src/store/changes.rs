//! What has changed since a version: how a watch of a key or a prefix resumes on any node.
//!
//! Every key knows when it last changed, so what has changed since is found by looking at the keys
//! watched; nothing is written for it. Keys that were removed are remembered for a while.

use bytes::Bytes;

use super::merge::{Wanted, merged};
use super::record::{Body, Head, Kind, Record};
use super::{access, rows};
use crate::machine;
use crate::query::Query;
use crate::sql::{Fault, Sql};

/// Keys that a page looks at, at most.
const LOOKED_AT_MAX: usize = 1_000;

/// What the keys of a page may cost, as [`access::cost`] counts it: a megabyte of long values
/// beside the short ones.
const PAGE_COST_MAX: usize = LOOKED_AT_MAX + 256;

/// Keys that changed after a version and still exist, in byte order.
#[derive(Clone, Debug)]
pub struct ListChanged {
    /// Only keys that begin so.
    pub prefix: Bytes,
    /// Only changes after this version; [`super::version_at`] makes one of a log index.
    pub since: i64,
    /// Continue after this key.
    pub after: Option<Bytes>,
    /// The clock of whoever asks.
    pub now_ms: i64,
}

/// A page of [`ListChanged`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What changed.
    pub keys: Vec<ChangedKey>,
    /// Where to go on, if that was not all. A page may be empty and not the last.
    pub next: Option<Bytes>,
}

/// A key that changed, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedKey {
    /// The key.
    pub key: Bytes,
    /// Version of its last change.
    pub version: i64,
    /// What it holds.
    pub kind: Kind,
    /// The string, if it holds one.
    pub value: Option<Bytes>,
    /// When it ends, in milliseconds since 1970.
    pub ends_at_ms: Option<i64>,
}

impl Query for ListChanged {
    type Answer = Changed;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let (clock_ms, counters) = machine::store_state(sql)?;
        let now_ms = self.now_ms.max(clock_ms);
        let (mut first, end) = rows::keys(counters.epoch, &self.prefix);
        if let Some(after) = &self.after {
            first = rows::key(counters.epoch, after);
            first.push(0);
        }
        let mut wanted = Wanted::of(LOOKED_AT_MAX);
        wanted.allowance = PAGE_COST_MAX;
        let found = merged(None, sql, &(first, end), wanted)?;
        let cost: usize = found.iter().map(|(_, stored)| access::cost(stored)).sum();
        let cut = found.len() == LOOKED_AT_MAX || cost > PAGE_COST_MAX;
        let next = match found.last() {
            Some((name, _)) if cut => Some(Bytes::copy_from_slice(rows::key_of(name)?)),
            _ => None,
        };
        let mut keys = Vec::new();
        for (name, stored) in &found {
            let (head, _) = Head::of(stored)?;
            if head.version > self.since && !head.has_ended(now_ms) {
                keys.push(changed(rows::key_of(name)?, stored)?);
            }
        }
        Ok(Changed { keys, next })
    }
}

fn changed(key: &[u8], stored: &[u8]) -> Result<ChangedKey, Fault> {
    let Record { head, body } = Record::of(stored)?;
    Ok(ChangedKey {
        key: Bytes::copy_from_slice(key),
        version: head.version,
        kind: head.kind,
        value: match body {
            Body::String(value) => Some(value),
            Body::List(_) | Body::Group(_) | Body::Journal(_) => None,
        },
        ends_at_ms: head.ends.map(|ends| ends.at_ms),
    })
}

/// Keys that were removed after a version and do not exist, in the order of their removal.
#[derive(Clone, Debug)]
pub struct ListRemoved {
    /// Only keys that begin so.
    pub prefix: Bytes,
    /// Only removals after this version.
    pub since: i64,
    /// Continue after this removal.
    pub after: Option<RemovedKey>,
}

/// A page of [`ListRemoved`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// What was removed.
    Some {
        /// In order.
        keys: Vec<RemovedKey>,
        /// Where to go on, if that was not all. A page may be empty and not the last.
        next: Option<RemovedKey>,
    },
    /// Removals after `since` have been forgotten: whatever is not found by [`ListChanged`] from 0
    /// on may have been removed.
    Gone {
        /// Removals after this version are known.
        oldest: i64,
    },
}

/// A key that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedKey {
    /// The key.
    pub key: Bytes,
    /// Version of the removal.
    pub version: i64,
}

impl Query for ListRemoved {
    type Answer = Removed;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let (_, counters) = machine::store_state(sql)?;
        if self.since < counters.floor {
            let oldest = counters.floor;
            return Ok(Removed::Gone { oldest });
        }
        let range = match &self.after {
            Some(removed) => rows::tombstones_after(removed.version, &removed.key),
            None => rows::tombstones(self.since.saturating_add(1)),
        };
        let found = merged(None, sql, &range, Wanted::of(LOOKED_AT_MAX))?;
        let mut keys = Vec::new();
        let mut last = None;
        for (name, _) in &found {
            let (version, key) = rows::removal_of(name)?;
            let key = Bytes::copy_from_slice(key);
            let exists = access::fetch(sql, &rows::key(counters.epoch, &key))?.is_some();
            let removed = RemovedKey { key, version };
            if removed.key.starts_with(&self.prefix) && !exists {
                keys.push(removed.clone());
            }
            last = Some(removed);
        }
        let next = last.filter(|_| found.len() == LOOKED_AT_MAX);
        Ok(Removed::Some { keys, next })
    }
}
