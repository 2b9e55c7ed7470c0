//! Commits behind the log: the log is the durability, so a commit may wait for company.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Fault;
use openraft_rt::AsyncRuntime;

use super::store::{self, Store};
use super::{State, blocking};
use crate::env::{Disk, Env, File};

/// How long an applied entry may wait for its commit when no reader asks for it. A commit costs
/// the same for one command as for thousands, and the log already has them.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// The write-ahead log is moved into the database past this size: large enough that pages which
/// change often are moved once, small enough to bound disk use and the time of a start.
const WAL_MAX_BYTES: u64 = 32 * 1024 * 1024;

impl<E: Env> State<E> {
    /// Commits behind the log until the state is dropped, or cannot be committed any more.
    pub(super) async fn keep_committing(self) {
        let shared = Arc::downgrade(&self.shared);
        drop(self);
        loop {
            let Some(state) = shared.upgrade().map(|shared| State { shared }) else {
                return;
            };
            let waiting = state.shared.dirty.notified();
            E::Runtime::select2(waiting, E::Runtime::sleep(Duration::from_secs(1))).await;
            let hurry = state.shared.hurry.notified();
            E::Runtime::select2(hurry, E::Runtime::sleep(COMMIT_INTERVAL)).await;
            match state.commit().await {
                Ok(()) => {}
                Err(Fault::DiskFull) => {
                    state.shared.dirty.notify_one();
                    // However many readers wait for it: they cannot make room.
                    state.wait_for_room().await;
                }
                Err(fault) => return state.shared.failure.note(fault.to_string()),
            }
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
        self.with_store(Store::commit).await?;
        if !self.shared.room.swap(true, Ordering::Relaxed) {
            tracing::info!("there is room on the disk again");
        }
        if self.wal_bytes().await > WAL_MAX_BYTES {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Most of the work on a connection of its own, beside the writer; then the little that is
    /// left by the writer, because only then can SQLite begin the write-ahead log anew.
    async fn checkpoint(&self) -> Result<(), Fault> {
        let readers = Arc::clone(&self.shared.readers);
        blocking::<E, _>(move || readers.run(store::checkpoint)).await?;
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
