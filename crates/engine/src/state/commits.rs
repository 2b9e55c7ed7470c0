//! Commits behind the log: the log is the durability, so a commit may wait for company.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Fault;
use openraft_rt::{AsyncRuntime, Instant as _};

use super::store::{self, Store};
use super::{State, blocking};
use crate::env::{Disk, Env, File};
use crate::node::InstantOf;

/// How long an applied entry may wait for its commit when no reader asks for it. A commit costs
/// the same for one command as for thousands, and the log already has them.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// The same while commits take long, because many keys change: what changes often is then written
/// less often.
const COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(2);

/// Commits take one part in so many of the time, unless readers ask for more.
const COMMIT_SHARE: u32 = 8;

/// Rows that are written in one go, while commands wait: a few milliseconds.
const ROWS_AT_ONCE: usize = 2_000;

/// Rows are written before a commit so many times as were there when it began. What changes in the
/// meantime is written again, and what changes faster than that is left to the commit.
const WRITTEN_BEFORE: usize = 3;

/// The write-ahead log is moved into the database past this size: large enough that pages which
/// change often are moved once, small enough to bound disk use and the time of a start.
const WAL_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// When the last commit ended, and how long it took.
struct Last<E: Env> {
    ended: InstantOf<E>,
    took: Duration,
}

impl<E: Env> State<E> {
    /// Commits behind the log until the state is dropped, or cannot be committed any more.
    pub(super) async fn keep_committing(self) {
        let shared = Arc::downgrade(&self.shared);
        drop(self);
        let mut last = Last::<E> {
            ended: InstantOf::<E>::now(),
            took: Duration::ZERO,
        };
        loop {
            let Some(state) = shared.upgrade().map(|shared| State { shared }) else {
                return;
            };
            let waiting = state.shared.dirty.notified();
            E::Runtime::select2(waiting, E::Runtime::sleep(Duration::from_secs(1))).await;
            state.wait_for_company(&last).await;
            let begun = InstantOf::<E>::now();
            match state.commit().await {
                Ok(()) => {}
                Err(Fault::DiskFull) => {
                    state.shared.dirty.notify_one();
                    // However many readers wait for it: they cannot make room.
                    state.wait_for_room().await;
                }
                Err(fault) => return state.shared.failure.note(fault.to_string()),
            }
            let ended = InstantOf::<E>::now();
            let took = ended - begun;
            last = Last { ended, took };
        }
    }

    /// Lets entries come together for a commit, until a reader or their size asks for it. Even then
    /// commits leave half of the time to others.
    async fn wait_for_company(&self, last: &Last<E>) {
        let pause = last.took * COMMIT_SHARE;
        let pause = pause.clamp(COMMIT_INTERVAL, COMMIT_INTERVAL_MAX);
        let hurry = self.shared.hurry.notified();
        E::Runtime::select2(hurry, E::Runtime::sleep(pause)).await;
        let rested = InstantOf::<E>::now() - last.ended;
        if let Some(rest) = last.took.min(COMMIT_INTERVAL).checked_sub(rested) {
            E::Runtime::sleep(rest).await;
        }
    }

    /// Refuses what is new, and lets time pass before something is tried again. Said once: the log
    /// may be on the same disk.
    pub(super) async fn wait_for_room(&self) {
        if self.shared.room.swap(false, Ordering::Relaxed) {
            tracing::warn!("the disk is full: the state waits for space");
        }
        E::Runtime::sleep(FULL_RETRY).await;
    }

    async fn commit(&self) -> Result<(), Fault> {
        self.write_ahead().await?;
        self.with_store(Store::commit).await?;
        if !self.shared.room.swap(true, Ordering::Relaxed) {
            tracing::info!("there is room on the disk again");
        }
        if self.wal_bytes().await > WAL_MAX_BYTES {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Writes most of what has changed in the replicated store, a little at a time, with commands
    /// in between, until the commit has little left to write.
    async fn write_ahead(&self) -> Result<(), Fault> {
        let mut left = self.shared.memory.unwritten();
        let mut allowed = WRITTEN_BEFORE * left;
        while left > ROWS_AT_ONCE && allowed > 0 {
            let write = |store: &mut Store| store.write_some(ROWS_AT_ONCE);
            left = self.with_store(write).await?;
            allowed = allowed.saturating_sub(ROWS_AT_ONCE);
        }
        Ok(())
    }

    /// Most of the work on a connection of its own, beside the writer; then the little that is
    /// left by the writer, because only then can SQLite begin the write-ahead log anew.
    async fn checkpoint(&self) -> Result<(), Fault> {
        let readers = Arc::clone(&self.shared.readers);
        blocking::<E, _>(move || readers.run(store::checkpoint)).await?;
        self.write_ahead().await?;
        self.with_store(Store::checkpoint).await.map(|_| ())
    }

    async fn wal_bytes(&self) -> u64 {
        let readers = Arc::clone(&self.shared.readers);
        let mut path = store::path(&self.shared.data).into_os_string();
        path.push("-wal");
        let length = move || {
            let file = readers.disk().open(Path::new(&path), false)?;
            file.len()
        };
        match E::Runtime::spawn_blocking(length).await {
            Ok(Ok(length)) => length,
            // No such file means nothing to move.
            Ok(Err(_)) | Err(_) => 0,
        }
    }
}
