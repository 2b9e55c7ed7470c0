//! Commands that wait until there is something: what they wait for, and for how long.

use std::time::Duration;

use bytes::Bytes;
use domain::store::{EntryId, Read, Write};

use super::shape::Shape;

/// A command that may have to wait.
#[derive(Clone, Debug)]
pub(crate) struct Blocking {
    /// How long; `None` is without end.
    pub timeout: Option<Duration>,
    /// For what.
    pub wanted: Wanted,
    /// What the answer looks like.
    pub shape: Shape,
}

/// What a client waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A write that takes an item from a list, which nobody else gets: `Nil` if there is none.
    Pop(Write),
    /// Entries of journals, which everybody gets who waits for them.
    Entries(Entries),
}

/// New entries of journals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// Journals, each with the last id that the client knows.
    pub streams: Vec<(Bytes, After)>,
    /// At most so many of each.
    pub limit: u64,
}

/// Where new entries begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// After this id.
    Id(EntryId),
    /// After the newest that there is when the command arrives (`$`).
    Newest,
}

impl Wanted {
    /// The keys whose change may bring it.
    pub fn keys(&self) -> Vec<Bytes> {
        match self {
            Wanted::Pop(Write::ListPopFirst { keys, .. }) => keys.clone(),
            Wanted::Pop(Write::ListMove { from, .. }) => vec![from.clone()],
            Wanted::Pop(_) => Vec::new(),
            Wanted::Entries(entries) => entries.keys(),
        }
    }
}

impl Entries {
    /// The journals' keys.
    pub fn keys(&self) -> Vec<Bytes> {
        self.streams.iter().map(|(key, _)| key.clone()).collect()
    }

    /// What asks for the entries that are there already, and the keys that are asked for.
    pub fn reads(&self) -> (Vec<Read>, Vec<Bytes>) {
        let known = self.streams.iter().filter_map(|(key, after)| match after {
            After::Id(id) => Some((key, id.next()?)),
            After::Newest => None,
        });
        let read = |(key, from): (&Bytes, EntryId)| {
            let range = Read::JournalRange {
                key: key.clone(),
                from,
                to: EntryId::MAX,
                reverse: false,
                limit: self.limit,
            };
            (range, key.clone())
        };
        known.map(read).unzip()
    }
}
