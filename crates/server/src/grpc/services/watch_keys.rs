//! Following keys from a version on.
//!
//! ```text
//!   watch begins ─▶ what changed since: keys as they are, then removals ─▶ live: what is touched
//!                        ▲                                                      │ missed some
//!                        └──────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing is kept for a stream: what it missed is found in the state by the keys' versions. So a
//! slow reader is not cut, and gets of what it missed only the newest.

use std::collections::{BTreeMap, HashMap, VecDeque};

use api::grpc::v1;
use bytes::Bytes;
use domain::EventId;
use domain::store::{
    Changed, ChangedKey, ListChanged, ListRemoved, Read, Removed, RemovedKey, StoreReply, Touched,
    index_of, version_at,
};
use engine::{Consistency, KeyWatch, Missed, Served};
use futures_util::{StreamExt, stream};
use tonic::Status;

use super::alive::{Alive, Told};

use crate::app::{App, Caller, answers, now_ms};
use crate::grpc::answer::{Answer, Stream};
use crate::grpc::render::{store, time};
use crate::grpc::status::history_gone;
use crate::problem::Trouble;

/// Keys that were told while the stream caught up, so that they are not told twice: past this they
/// may be.
const TWICE_MAX: usize = 4_096;

/// Changes go out in messages of about so many bytes, and one value more at most: what a stream
/// holds for its reader does not grow with what changed, and a client takes messages of 4 MiB.
const MESSAGE_BYTES: usize = 256 * 1024;

/// What a change takes in a message beside its key and its value.
const CHANGE_OVERHEAD_BYTES: usize = 64;

/// Larger than the number of any command within its log entry.
const LAST_NUMBER: u32 = u16::MAX as u32;

/// What is followed.
#[derive(Clone, Debug)]
pub(super) enum Follow {
    /// One key.
    Key(Bytes),
    /// All keys that begin so.
    Prefix(Bytes),
}

impl Follow {
    fn prefix(&self) -> &Bytes {
        let (Follow::Key(prefix) | Follow::Prefix(prefix)) = self;
        prefix
    }

    fn wants(&self, key: &[u8]) -> bool {
        match self {
            Follow::Key(only) => key == only,
            Follow::Prefix(prefix) => key.starts_with(prefix),
        }
    }
}

/// Follows keys; what has changed since a version is told first.
pub(super) async fn follow(
    app: &App,
    caller: &Caller,
    which: Follow,
    since: Option<i64>,
) -> Result<Answer<Stream<v1::WatchKeysResponse>>, Trouble> {
    // First the watch, then the state: what changes in between is in one of them.
    let watch = app.engine.watch_keys();
    let Served { position, .. } = app.read_keys(caller, Vec::new()).await?;
    let now = end_of(position.index)?;
    let following = Following {
        alive: Alive::new(app, caller),
        watch,
        which,
        cursor: since.unwrap_or(now),
        floor: position.index.max(index_of(since.unwrap_or(0))),
        stage: match since {
            Some(_) => Stage::Changed(None),
            None => Stage::Live,
        },
        reached: now,
        told: HashMap::new(),
        waiting: VecDeque::new(),
        touched: VecDeque::new(),
        opened: since.is_some(),
    };
    let stream = stream::unfold(Some(following), Following::step).boxed();
    Ok(Answer::at(position, stream))
}

/// The last version that a log index can make.
fn end_of(index: u64) -> Result<i64, Trouble> {
    let number = LAST_NUMBER;
    version_at(EventId { index, number }).map_err(Trouble::internal)
}

/// A stream of changes.
struct Following {
    alive: Alive,
    watch: KeyWatch,
    which: Follow,
    /// Everything up to this version was told.
    cursor: i64,
    /// Read from a state that is at least here.
    floor: u64,
    stage: Stage,
    /// Where the cursor is once all that changed before is told.
    reached: i64,
    /// What was told while catching up and is newer than that.
    told: HashMap<Bytes, i64>,
    /// Changes of a page that are still to be told.
    waiting: VecDeque<v1::KeyChange>,
    /// Keys that were touched, with the versions of that, whose changes are still to be told.
    touched: VecDeque<(Bytes, i64)>,
    /// The client knows the cursor.
    opened: bool,
}

/// How far a stream has come.
enum Stage {
    /// Keys that changed, after this one.
    Changed(Option<Bytes>),
    /// Keys that were removed, after this one.
    Removed(Option<RemovedKey>),
    /// What happens now.
    Live,
}

/// What came while waiting.
enum Now {
    /// There may be something to tell.
    More,
    /// Nothing, for so long that a sign of life is due.
    Quiet,
}

impl Following {
    async fn step(
        following: Option<Self>,
    ) -> Option<(Result<v1::WatchKeysResponse, Status>, Option<Self>)> {
        let mut following = following?;
        match following.next().await {
            Ok(said) => Some((Ok(said), Some(following))),
            Err(status) => Some((Err(status), None)),
        }
    }

    async fn next(&mut self) -> Result<v1::WatchKeysResponse, Status> {
        loop {
            if let Some(said) = self.part().await? {
                return Ok(said);
            }
            match &self.stage {
                Stage::Changed(after) => {
                    let changes = self.changed(after.clone()).await?;
                    self.waiting.extend(changes);
                }
                Stage::Removed(after) => {
                    let changes = self.removed(after.clone()).await?;
                    self.waiting.extend(changes);
                }
                Stage::Live if self.opened => {
                    if let Now::Quiet = self.live().await? {
                        // A sign of life.
                        return Ok(self.said(Vec::new()));
                    }
                }
                Stage::Live => {
                    self.opened = true;
                    return Ok(self.said(Vec::new()));
                }
            }
        }
    }

    /// The next message of what is still to be told, if there is anything.
    async fn part(&mut self) -> Result<Option<v1::WatchKeysResponse>, Status> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while bytes < MESSAGE_BYTES {
            let change = match self.waiting.pop_front() {
                Some(change) => Some(change),
                None => match self.touched.pop_front() {
                    Some((key, version)) => self.as_it_is(&key, version).await?,
                    None => break,
                },
            };
            bytes += change.as_ref().map_or(0, size);
            changes.extend(change);
        }
        Ok((!changes.is_empty()).then(|| self.said(changes)))
    }

    /// A message. The cursor stands behind all that is told with it: it comes with the last part.
    fn said(&self, changes: Vec<v1::KeyChange>) -> v1::WatchKeysResponse {
        let live = matches!(self.stage, Stage::Live);
        let whole = self.waiting.is_empty() && self.touched.is_empty();
        v1::WatchKeysResponse {
            changes,
            cursor: (live && whole).then_some(self.cursor),
        }
    }

    /// A page of keys as they are, of those that changed since the cursor.
    async fn changed(&mut self, after: Option<Bytes>) -> Result<Vec<v1::KeyChange>, Status> {
        let first = after.is_none();
        let query = ListChanged {
            prefix: self.which.prefix().clone(),
            since: self.cursor,
            after,
            now_ms: now_ms(),
        };
        let floor = Consistency::Session(self.floor);
        let read = self.alive.app().engine.read(floor, query).await;
        let Served { value, position } = read.map_err(Trouble::from)?;
        if first {
            self.reached = end_of(position.index)?.max(self.cursor);
        }
        let Changed { keys, next } = value;
        // Removals before everything are of no interest.
        let removed = match self.cursor {
            0 => self.catch_up(),
            _ => Stage::Removed(None),
        };
        self.stage = next.map_or(removed, |next| Stage::Changed(Some(next)));
        let wanted = keys.into_iter().filter(|key| self.which.wants(&key.key));
        let wanted: Vec<ChangedKey> = wanted.collect();
        for key in &wanted {
            if key.version > self.reached && self.told.len() < TWICE_MAX {
                self.told.insert(key.key.clone(), key.version);
            }
        }
        Ok(wanted.into_iter().map(change).collect())
    }

    /// A page of removals since the cursor.
    async fn removed(&mut self, after: Option<RemovedKey>) -> Result<Vec<v1::KeyChange>, Status> {
        let query = ListRemoved {
            prefix: self.which.prefix().clone(),
            since: self.cursor,
            after,
        };
        let floor = Consistency::Session(self.floor);
        let read = self.alive.app().engine.read(floor, query).await;
        let (keys, next) = match read.map_err(Trouble::from)?.value {
            Removed::Some { keys, next } => (keys, next),
            Removed::Gone { oldest } => return Err(history_gone(oldest)),
        };
        let wanted = keys
            .into_iter()
            .filter(|key| self.which.wants(&key.key) && key.version <= self.reached);
        let changes = wanted.map(|key| removal(key.key, key.version)).collect();
        self.stage = match next {
            Some(next) => Stage::Removed(Some(next)),
            None => self.catch_up(),
        };
        Ok(changes)
    }

    /// What changed before has been told.
    fn catch_up(&mut self) -> Stage {
        self.cursor = self.reached;
        self.opened = false;
        Stage::Live
    }

    /// Waits for what is touched next.
    async fn live(&mut self) -> Result<Now, Status> {
        match self.alive.until(self.watch.next()).await? {
            Told::Alive => return Ok(Now::Quiet),
            Told::This(Ok(None)) => return Err(Alive::stopping()),
            Told::This(Ok(Some(touched))) if !touched.missed => self.take(&touched),
            Told::This(Ok(Some(_)) | Err(Missed)) => {
                self.floor = self.floor.max(self.alive.app().engine.status().applied);
                self.stage = Stage::Changed(None);
            }
        }
        Ok(Now::More)
    }

    fn take(&mut self, touched: &Touched) {
        let mut newest: BTreeMap<&Bytes, i64> = BTreeMap::new();
        for touched in &touched.keys {
            let told = self.told.get(&touched.key).copied().unwrap_or(self.cursor);
            if self.which.wants(&touched.key) && touched.version > told {
                newest.insert(&touched.key, touched.version);
            }
        }
        let newest = newest
            .into_iter()
            .map(|(key, version)| (key.clone(), version));
        let mut newest: Vec<(Bytes, i64)> = newest.collect();
        newest.sort_by_key(|(_, version)| *version);
        self.touched.extend(newest);
        let last = touched.keys.iter().map(|touched| touched.version).max();
        let last = last.unwrap_or(0);
        self.floor = self.floor.max(index_of(last));
        self.cursor = self.cursor.max(last);
        // From here on the cursor alone tells what is new.
        self.told.retain(|_, version| *version > self.cursor);
    }

    /// A key as it is; `None` if it has changed again, which is told later.
    async fn as_it_is(&self, key: &Bytes, version: i64) -> Result<Option<v1::KeyChange>, Status> {
        let key = || key.clone();
        let reads = vec![
            Read::Version { key: key() },
            Read::Kind { key: key() },
            Read::Get { key: key() },
            Read::Expiry { key: key() },
        ];
        let floor = Consistency::Session(self.floor);
        let looked = self.alive.app().engine.store(floor, reads).await;
        let Served { value, .. } = looked.map_err(Trouble::from)?;
        let [now, kind, value, expiry] = answers(value)?;
        let (StoreReply::Integer(now), StoreReply::Kind(kind)) =
            (now.map_err(Trouble::from)?, kind.map_err(Trouble::from)?)
        else {
            return Ok(Some(removal(key(), version)));
        };
        if now != version {
            return Ok(None);
        }
        let value = match value {
            Ok(StoreReply::Bytes(value)) => Some(value),
            // Another kind of thing.
            _ => None,
        };
        let ends_at_ms = match expiry {
            Ok(StoreReply::Expiry { at_ms, .. }) => at_ms,
            _ => None,
        };
        Ok(Some(change(ChangedKey {
            key: key(),
            version,
            kind,
            value,
            ends_at_ms,
        })))
    }
}

fn size(change: &v1::KeyChange) -> usize {
    let value = change.value.as_ref().map_or(0, Bytes::len);
    change.key.len() + value + CHANGE_OVERHEAD_BYTES
}

fn change(key: ChangedKey) -> v1::KeyChange {
    v1::KeyChange {
        key: key.key,
        version: key.version,
        removed: false,
        kind: store::kind(key.kind).into(),
        value: key.value,
        expires_at: key.ends_at_ms.and_then(time),
    }
}

fn removal(key: Bytes, version: i64) -> v1::KeyChange {
    v1::KeyChange {
        key,
        version,
        removed: true,
        ..v1::KeyChange::default()
    }
}
