//! The replicated state: what openraft applies entries to, and what readers see.
//!
//! ```text
//!   apply ──▶ Store (one writer, open transaction) ──▶ outcomes, at once
//!                │ commit: every COMMIT_INTERVAL, or when a reader needs it
//!                ▼
//!   read ◀── Readers (their own connections, one committed state each)
//! ```
//!
//! The database is itself the snapshot: building one is a synced commit, and a copy is made only
//! when another node needs it.

mod commands;
mod commits;
mod keys;
pub mod readers;
mod signs;
pub mod store;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::store::{Memory, Touched};
use domain::{Event, Fault};
use futures_util::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::storage::{
    EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot, SnapshotMeta,
};
use openraft_rt::AsyncRuntime;
use tokio::sync::{Notify, broadcast};

use self::readers::Readers;
use self::store::{Applied, Standing, Store};
use crate::agreement::Trail;
use crate::env::{Disk, Env};
use crate::fault::Failure;
use crate::log::Log;
use crate::types::{Entry, LogId, Membership, StoredMembership, Types};

/// Entries applied in one stretch, between two answers.
const STRETCH_MAX_ENTRIES: usize = 64;

/// Commands applied on the spot: mostly about a millisecond's work, which no timer or heartbeat
/// misses.
const INLINE_MAX_COMMANDS: usize = 128;

/// Bytes of them: one command of the store may hold thousands of operations.
const INLINE_MAX_BYTES: usize = 64 * 1024;

/// How the names of files end that no later life needs.
const SCRATCH: &str = ".snapshot";

/// Batches of events that a watcher may fall behind before it is told that it missed some.
const EVENTS_MAX: usize = 1024;

/// Stretches whose touched keys a watcher may fall behind before it is told that it missed some:
/// a tenth of a second of a busy store, and a bound on what waits in memory.
const TOUCHED_MAX: usize = 128;

/// The state of one node. Clones are the same state.
pub struct State<E: Env> {
    shared: Arc<Shared<E>>,
}

struct Shared<E: Env> {
    data: PathBuf,
    log: Log<E>,
    store: Mutex<Store>,
    standing: Mutex<Standing>,
    /// Where the state stood lately.
    trail: Mutex<Trail>,
    /// Rung when `standing` moves.
    moved: Notify,
    /// Rung when something is applied and not committed.
    dirty: Notify,
    /// Rung when a reader waits for a commit.
    hurry: Notify,
    /// The last synced commit.
    durable: Mutex<Option<Meta>>,
    /// False while the disk is full.
    room: AtomicBool,
    /// Why nothing can be committed any more.
    failure: Failure,
    events: broadcast::Sender<Arc<[Event]>>,
    /// The store's rows in memory.
    memory: Memory,
    touched: broadcast::Sender<Arc<Touched>>,
    readers: Arc<Readers<E>>,
}

/// What openraft knows of a snapshot.
pub type Meta =
    openraft::type_config::alias::SnapshotMetaOf<Types<crate::production::TokioRuntime>>;

impl<E: Env> Clone for State<E> {
    fn clone(&self) -> Self {
        State {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// A snapshot as openraft passes it around.
pub enum SnapshotData<E: Env> {
    /// The state of a node as it is: copied when it is sent or installed, see [`State::copy`].
    Live(State<E>),
    /// A database received from the leader.
    Received(PathBuf),
}

impl<E: Env> State<E> {
    /// Opens the state of a data directory and starts the task that commits it.
    pub async fn open(env: &E, data: &Path, log: &Log<E>) -> Result<Self, Fault> {
        let path = store::path(data);
        let disk = env.disk().clone();
        let opening = path.clone();
        let (leftovers, scratch) = (disk.clone(), data.to_owned());
        let (store, durable) = blocking::<E, _>(move || {
            remove_scratch(&leftovers, &scratch);
            let mut store = Store::open(&disk, &opening)?;
            match store.commit_durably() {
                Ok(durable) => Ok((store, Some(durable))),
                // What is there can be read; the log is purged up to nothing of it yet.
                Err(Fault::DiskFull) => Ok((store, None)),
                Err(fault) => Err(fault),
            }
        })
        .await?;
        let mut trail = Trail::default();
        trail.note(&store.standing());
        let state = State {
            shared: Arc::new(Shared {
                data: data.to_owned(),
                log: log.clone(),
                standing: Mutex::new(store.standing()),
                trail: Mutex::new(trail),
                memory: store.memory().clone(),
                touched: broadcast::Sender::new(TOUCHED_MAX),
                store: Mutex::new(store),
                moved: Notify::new(),
                dirty: Notify::new(),
                hurry: Notify::new(),
                durable: Mutex::new(None),
                room: AtomicBool::new(durable.is_some()),
                failure: Failure::default(),
                events: broadcast::Sender::new(EVENTS_MAX),
                readers: Readers::new(env.clone(), path),
            }),
        };
        if let Some(durable) = durable {
            state.note_durable(durable);
        }
        drop(E::Runtime::spawn(state.clone().keep_committing()));
        Ok(state)
    }

    /// Where the state stands; cheap.
    pub fn standing(&self) -> Standing {
        lock(&self.shared.standing).clone()
    }

    /// The members as of the last applied entry. Waits while entries are being applied.
    pub fn membership(&self) -> Membership {
        lock(&self.shared.store).membership().membership().clone()
    }

    /// True if nothing was applied since the state was installed from a snapshot.
    pub async fn is_as_installed(&self) -> Result<bool, Fault> {
        self.with_store(|store| store.is_as_installed()).await
    }

    /// False while the disk is full.
    pub fn has_room(&self) -> bool {
        self.shared.room.load(Ordering::Relaxed)
    }

    /// The reading connections.
    pub fn readers(&self) -> &Arc<Readers<E>> {
        &self.shared.readers
    }

    /// Follows the events that are applied from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<[Event]>> {
        self.shared.events.subscribe()
    }

    /// Waits until readers see the entry at `index`.
    pub async fn visible(&self, index: u64) {
        loop {
            let moved = self.shared.moved.notified();
            let standing = self.standing();
            if standing
                .committed
                .is_some_and(|committed| committed.index >= index)
            {
                return;
            }
            if standing
                .applied
                .is_some_and(|applied| applied.index >= index)
            {
                self.shared.hurry.notify_one();
            }
            moved.await;
        }
    }

    /// Commits what is applied, and syncs it: the last thing before a stop.
    pub async fn close(&self) -> Result<(), Fault> {
        let durable = self.with_store(Store::commit_durably).await?;
        self.note_durable(durable);
        Ok(())
    }

    /// Copies the state as it is now into a file of its own for sending.
    pub async fn copy(&self, to: PathBuf) -> Result<Meta, Fault> {
        self.with_store(|store| store.commit()).await?;
        let readers = Arc::clone(&self.shared.readers);
        let copied = blocking::<E, _>(move || {
            let disk = readers.disk().clone();
            readers.run(|connection| store::copy(&disk, connection, &to))
        });
        copied.await.map(meta)
    }

    /// Where files of snapshots under way are kept. Those of an earlier life are removed when the
    /// state is opened.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.shared.data.join(format!("{name}{SCRATCH}"))
    }

    /// Applies a few short commands on the spot. They touch pages in memory and take less time than
    /// handing them to another thread and back; while the store is busy (a commit) that is done,
    /// and for commands that may take long: timers and heartbeats run on this thread.
    fn apply_inline(&self, entries: &[Entry]) -> Option<Result<Applied, Fault>> {
        let bytes = entries
            .iter()
            .map(crate::log::frame::size_of)
            .sum::<usize>();
        let count = entries.iter().map(commands).sum::<usize>();
        if count > INLINE_MAX_COMMANDS || bytes > INLINE_MAX_BYTES {
            return None;
        }
        let mut store = self.shared.store.try_lock().ok()?;
        let applied = store.apply_quick(entries)?;
        Some(self.shared.with(&mut store, |_| applied))
    }

    /// Applies entries; waits while the disk is full. That there is room again only a commit shows.
    async fn apply_stretch(&self, entries: Arc<[Entry]>) -> Result<Applied, Fault> {
        loop {
            let applied = match self.apply_inline(&entries) {
                Some(applied) => applied,
                None => {
                    let stretch = Arc::clone(&entries);
                    self.with_store(move |store| store.apply(&stretch)).await
                }
            };
            if !matches!(applied, Err(Fault::DiskFull)) {
                self.shared.dirty.notify_one();
                return applied;
            }
            self.wait_for_room().await;
        }
    }

    /// Runs work that must come to its end; waits while the disk is full. To openraft every other
    /// fault is the end of the node.
    async fn persist<T, W>(&self, work: impl Fn() -> W) -> io::Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> Result<T, Fault> + Send + 'static,
    {
        loop {
            match self.with_store(work()).await {
                Err(Fault::DiskFull) => self.wait_for_room().await,
                ended => return ended.map_err(fatal),
            }
        }
    }

    /// Runs blocking work on the store and notes where the state stands afterwards.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(&self.shared);
        blocking::<E, _>(move || shared.with(&mut lock(&shared.store), work)).await
    }

    /// Removes a database that is of no use any more; nobody waits for that.
    pub(crate) fn remove_later(&self, path: PathBuf) {
        let disk = self.shared.readers.disk().clone();
        let remove = move || store::remove_database(&disk, &path);
        drop(E::Runtime::spawn_blocking(remove));
    }

    fn note_durable(&self, (applied, membership): (Option<LogId>, StoredMembership)) {
        *lock(&self.shared.durable) = applied.is_some().then(|| meta((applied, membership)));
    }
}

impl<E: Env> Shared<E> {
    /// Runs work on the store and notes where the state stands afterwards.
    fn with<T>(
        &self,
        store: &mut Store,
        work: impl FnOnce(&mut Store) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let result = work(store);
        if store.is_full() {
            self.hurry.notify_one();
        }
        // After a rollback the store is behind what was already answered; it catches up before
        // anything new is applied, and nobody is told of the step back.
        let now = store.standing();
        let mut standing = lock(&self.standing);
        if now.applied >= standing.applied {
            lock(&self.trail).note(&now);
            *standing = now;
        }
        drop(standing);
        self.moved.notify_waiters();
        result
    }
}

/// Removes what was left of snapshots when the node ended.
fn remove_scratch<D: Disk>(disk: &D, data: &Path) {
    for name in disk.list(data).unwrap_or_default() {
        // With a suffix of SQLite's behind it, or without.
        if name.contains(SCRATCH) {
            drop(disk.remove(&data.join(name)));
        }
    }
}

fn commands(entry: &Entry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(batch) => batch.proposals.len(),
        openraft::EntryPayload::Blank | openraft::EntryPayload::Membership(_) => 1,
    }
}

async fn blocking<E: Env, T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match E::Runtime::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Fault::Database(Box::new(error))),
    }
}

fn meta((applied, membership): (Option<LogId>, StoredMembership)) -> Meta {
    SnapshotMeta {
        last_log_id: applied,
        last_membership: membership,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A fault as openraft takes it: the node stops.
fn fatal(fault: Fault) -> io::Error {
    io::Error::other(fault.to_string())
}

impl<E: Env> RaftSnapshotBuilder<Types<E::Runtime>> for State<E> {
    type SnapshotData = SnapshotData<E>;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<E>> {
        let durable = self.persist(|| Store::commit_durably).await?;
        self.note_durable(durable.clone());
        Ok(Snapshot {
            meta: meta(durable),
            snapshot: SnapshotData::Live(self.clone()),
        })
    }
}

type SnapshotOf<E> = openraft::type_config::alias::SnapshotOf<
    Types<crate::production::TokioRuntime>,
    SnapshotData<E>,
>;

impl<E: Env> RaftStateMachine<Types<E::Runtime>> for State<E> {
    type SnapshotData = SnapshotData<E>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let store = lock(&self.shared.store);
        Ok((store.standing().applied, store.membership().clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types<E::Runtime>>>> + Unpin + OptionalSend,
    {
        let mut stretches = entries.ready_chunks(STRETCH_MAX_ENTRIES);
        while let Some(stretch) = stretches.next().await {
            let items = stretch.into_iter().collect::<io::Result<Vec<_>>>()?;
            let (entries, responders): (Vec<Entry>, Vec<_>) = items.into_iter().unzip();
            if let Some(last) = entries.last() {
                // A state ahead of its own log would look like a lost log after a crash.
                self.shared.log.durable_upto(last.log_id.index).await?;
            }
            let applied = self.apply_stretch(entries.into()).await.map_err(fatal)?;
            for (responder, outcomes) in responders.into_iter().zip(applied.outcomes) {
                if let Some(responder) = responder {
                    responder.send(outcomes);
                }
            }
            if !applied.events.is_empty() {
                // Nobody may be watching, which is fine.
                drop(self.shared.events.send(applied.events.into()));
            }
            self.shared.tell_touched();
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &Meta, snapshot: SnapshotData<E>) -> io::Result<()> {
        let path = match snapshot {
            SnapshotData::Received(path) => path,
            // Its own state, after a start: it is already there.
            SnapshotData::Live(source) if Arc::ptr_eq(&source.shared, &self.shared) => {
                return Ok(());
            }
            SnapshotData::Live(source) => {
                let path = self.scratch("install");
                source.copy(path.clone()).await.map_err(fatal)?;
                path
            }
        };
        let disk = self.shared.readers.disk().clone();
        let wanted = meta.last_log_id;
        let durable = self
            .persist(|| {
                let (disk, path) = (disk.clone(), path.clone());
                move |store: &mut Store| store.replace(&disk, &path, wanted)
            })
            .await?;
        self.remove_later(path);
        self.note_durable(durable);
        // The events on the way to here were not applied one by one: watchers read them from the
        // outbox.
        drop(self.shared.events.send(Arc::from([])));
        self.shared.tell_touched();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<E>>> {
        let meta = lock(&self.shared.durable).clone();
        Ok(meta.map(|meta| Snapshot {
            meta,
            snapshot: SnapshotData::Live(self.clone()),
        }))
    }
}
