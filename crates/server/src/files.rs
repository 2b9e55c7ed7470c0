//! The bytes of files, in and out: a chunk at a time, never a whole file.
//!
//! ```text
//!   body ─▶ mebibytes ─▶ engine: store_chunk, a few at once ─▶ the entry, if all of it is whole
//!   hashes of the entry ─▶ engine: fetch_chunk, one ahead ─▶ body
//! ```
//!
//! A file that breaks off, or is not what was announced, has no entry, and its chunks go by
//! themselves after a while.

mod conditions;
mod download;
mod ranges;
mod upload;

pub(crate) use conditions::{condition, matches_none};
pub(crate) use download::{Fetched, fetch};
pub(crate) use ranges::{Part, part};
pub(crate) use upload::{Stored, drain, store};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Trouble};

/// A file may take this long to arrive. What arrives without an entry is kept by the engine for
/// three hours; the largest file needs 2.3 MB a second.
pub(crate) const UPLOAD_TIME_MAX: Duration = Duration::from_secs(2 * 60 * 60);

const _: () = assert!(UPLOAD_TIME_MAX.as_secs() < engine::CHUNK_GRACE.as_secs());

/// Files that arrive at once on a node: each holds up to four mebibytes.
const UPLOADS_MAX: usize = 32;

/// Files that are sent at once by a node: each holds up to three mebibytes.
const DOWNLOADS_MAX: usize = 64;

/// How long a request waits for one of these places. A small file takes a few milliseconds.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// When to try again on a node where all places are taken.
const BUSY_MS: u64 = 2_000;

/// The places for files on their way.
pub(crate) struct Traffic {
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic {
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
        }
    }
}

impl Traffic {
    /// A place for a file that arrives.
    pub async fn upload(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        turn(&self.uploads).await
    }

    /// A place for a file that is sent.
    pub async fn download(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        turn(&self.downloads).await
    }
}

async fn turn(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Trouble> {
    let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(places).acquire_owned());
    match turn.await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => {
            let detail = "too many files are on their way on this node";
            Err(Trouble::new(Kind::Busy, detail).retry_after_ms(BUSY_MS))
        }
    }
}
