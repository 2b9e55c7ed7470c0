//! Journals of the store.

use api::grpc::v1;
use api::grpc::v1::journals_server::Journals;
use bytes::Bytes;
use domain::store::{Entry, Journal, Read, StoreReply, Trim, Write};
use engine::{Consistency, KeyWatch, Missed, Served};
use futures_util::{StreamExt, stream};
use tonic::Status;

use super::alive::{Alive, Told};
use crate::app::{App, Caller, answers, is_too_large, odd, shorten};
use crate::grpc::answer::{Answer as Said, Stream, service};
use crate::grpc::render::{limit, store};
use crate::grpc::status::history_gone;
use crate::problem::Trouble;

/// Entries in a page that asks for no number, and those of a stream that come together.
const PAGE_DEFAULT: u32 = 100;

/// Entries in the longest page.
const PAGE_MAX: u32 = 1_000;

service!(Journals {
    append: v1::AppendRequest => v1::AppendResponse;
    read_journal: v1::ReadJournalRequest => v1::ReadJournalResponse;
    get_entry: v1::GetEntryRequest => v1::GetEntryResponse;
    get_journal: v1::GetJournalRequest => v1::GetJournalResponse;
    trim_journal: v1::TrimJournalRequest => v1::TrimJournalResponse;
    watch_journal: v1::WatchJournalRequest => Self::WatchJournalStream;
} type WatchJournalStream = Stream<v1::WatchJournalResponse>;);

async fn append(
    app: &App,
    caller: &Caller,
    ask: v1::AppendRequest,
) -> Result<Said<v1::AppendResponse>, Trouble> {
    if ask.fields.is_empty() {
        return Err(Trouble::field("fields", "an entry has one field at least"));
    }
    let operations = vec![store::append(ask)];
    let (_, results, written) = app.change_keys(caller, Vec::new(), operations).await?;
    let [appended] = answers(results)?;
    let StoreReply::EntryId { id, index } = appended? else {
        return Err(odd());
    };
    let done = v1::AppendResponse {
        index,
        id: id.to_string(),
    };
    Ok(Said::at(written.position, done).replayed(written.replayed))
}

fn entries_from(key: Bytes, index: u64, limit: u64) -> Read {
    Read::JournalFrom {
        key,
        index: index.max(1),
        limit,
    }
}

async fn read_journal(
    app: &App,
    caller: &Caller,
    ask: v1::ReadJournalRequest,
) -> Result<Said<v1::ReadJournalResponse>, Trouble> {
    let limit = limit(ask.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let reads = |limit| vec![entries_from(ask.journal.clone(), ask.from, limit)];
    let Served { value, position } = app.read_page(caller, limit.into(), reads).await?;
    let [found] = answers(value)?;
    let StoreReply::Entries(mut entries) = found? else {
        return Err(odd());
    };
    shorten(&mut entries);
    let entries = entries.into_iter().map(store::entry).collect();
    Ok(Said::at(position, v1::ReadJournalResponse { entries }))
}

async fn get_entry(
    app: &App,
    caller: &Caller,
    ask: v1::GetEntryRequest,
) -> Result<Said<v1::GetEntryResponse>, Trouble> {
    let reads = vec![entries_from(ask.journal, ask.index, 1)];
    let Served { value, position } = app.read_keys(caller, reads).await?;
    let [found] = answers(value)?;
    let StoreReply::Entries(entries) = found? else {
        return Err(odd());
    };
    let entry = entries.into_iter().find(|entry| entry.index == ask.index);
    let entry = entry.ok_or_else(|| Trouble::not_found("entry"))?;
    let entry = Some(store::entry(entry));
    Ok(Said::at(position, v1::GetEntryResponse { entry }))
}

async fn get_journal(
    app: &App,
    caller: &Caller,
    ask: v1::GetJournalRequest,
) -> Result<Said<v1::GetJournalResponse>, Trouble> {
    let reads = vec![Read::JournalInfo { key: ask.journal }];
    let Served { value, position } = app.read_keys(caller, reads).await?;
    let [found] = answers(value)?;
    match found? {
        StoreReply::Nil => Err(Trouble::not_found("journal")),
        StoreReply::Journal(journal) => {
            let shown = v1::GetJournalResponse {
                length: journal.length,
                oldest: journal.oldest,
                newest: journal.newest,
            };
            Ok(Said::at(position, shown))
        }
        _ => Err(odd()),
    }
}

async fn trim_journal(
    app: &App,
    caller: &Caller,
    ask: v1::TrimJournalRequest,
) -> Result<Said<v1::TrimJournalResponse>, Trouble> {
    let trim = Write::JournalTrim {
        key: ask.journal,
        trim: Trim::Newest(ask.keep_newest),
    };
    let (_, results, written) = app
        .change_keys(caller, Vec::new(), vec![trim.into()])
        .await?;
    let [trimmed] = answers(results)?;
    let StoreReply::Integer(dropped) = trimmed? else {
        return Err(odd());
    };
    let done = v1::TrimJournalResponse { dropped };
    Ok(Said::at(written.position, done).replayed(written.replayed))
}

async fn watch_journal(
    app: &App,
    caller: &Caller,
    ask: v1::WatchJournalRequest,
) -> Result<Said<Stream<v1::WatchJournalResponse>>, Trouble> {
    // First the watch, then the state: what is appended in between is in one of them.
    let watch = app.engine.watch_keys();
    let reads = vec![Read::JournalInfo {
        key: ask.journal.clone(),
    }];
    let Served { value, position } = app.read_keys(caller, reads).await?;
    let [found] = answers(value)?;
    let newest = match found? {
        StoreReply::Journal(journal) => journal.newest,
        _ => 0,
    };
    let following = Following {
        alive: Alive::new(app, caller),
        watch,
        key: ask.journal,
        next: match ask.from {
            0 => newest + 1,
            from => from,
        },
        floor: position.index,
        behind: true,
    };
    let stream = stream::unfold(Some(following), Following::step).boxed();
    Ok(Said::at(position, stream))
}

/// A stream of a journal's entries.
struct Following {
    alive: Alive,
    watch: KeyWatch,
    key: Bytes,
    /// The index of the entry that comes next.
    next: u64,
    /// Read from a state that is at least here.
    floor: u64,
    /// There may be more than was told.
    behind: bool,
}

impl Following {
    async fn step(
        following: Option<Self>,
    ) -> Option<(Result<v1::WatchJournalResponse, Status>, Option<Self>)> {
        let mut following = following?;
        match following.entries().await {
            Ok(entries) => {
                let entries = entries.into_iter().map(store::entry).collect();
                Some((Ok(v1::WatchJournalResponse { entries }), Some(following)))
            }
            Err(status) => Some((Err(status), None)),
        }
    }

    /// The next entries; none as a sign of life.
    async fn entries(&mut self) -> Result<Vec<Entry>, Status> {
        loop {
            if self.behind {
                let entries = self.read().await?;
                if let Some(last) = entries.last() {
                    self.next = last.index + 1;
                    return Ok(entries);
                }
                self.behind = false;
            }
            match self.alive.until(self.watch.next()).await? {
                Told::Alive => return Ok(Vec::new()),
                Told::This(Err(Missed)) => self.behind = true,
                Told::This(Ok(None)) => return Err(Alive::stopping()),
                Told::This(Ok(Some(touched))) => {
                    let ours = touched.keys.iter().rfind(|touched| touched.key == self.key);
                    if let Some(touched) = ours {
                        let index = domain::store::index_of(touched.version);
                        self.floor = self.floor.max(index);
                    }
                    self.behind = touched.missed || ours.is_some();
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<Entry>, Status> {
        let value = self.page().await?;
        let [journal, entries] = answers(value)?;
        let mut entries = match entries.map_err(Trouble::from)? {
            StoreReply::Entries(entries) => entries,
            _ => return Err(odd().into()),
        };
        shorten(&mut entries);
        match journal.map_err(Trouble::from)? {
            StoreReply::Journal(Journal { oldest, newest, .. })
                if oldest > self.next && newest >= self.next =>
            {
                Err(history_gone(oldest))
            }
            _ => Ok(entries),
        }
    }

    /// What there is and the next entries, fewer if they are long.
    async fn page(&mut self) -> Result<Vec<domain::store::Answer>, Status> {
        let mut limit = u64::from(PAGE_DEFAULT);
        loop {
            let key = self.key.clone();
            let reads = vec![
                Read::JournalInfo { key: key.clone() },
                entries_from(key, self.next, limit),
            ];
            let floor = Consistency::Session(self.floor);
            let looked = self.alive.app().engine.store(floor, reads).await;
            let Served { value, position } = looked.map_err(Trouble::from)?;
            self.floor = position.index;
            if limit == 1 || !is_too_large(&value) {
                return Ok(value);
            }
            limit /= 2;
        }
    }
}
