//! The records of closed polls that this node keeps in memory.
//!
//! Anybody may ask for a page or a proof, also without a session, and each is cut out of the whole
//! record. A record never changes, so it is read once; and one at a time, so that many who ask at
//! once cost no more than one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::polls::BALLOTS_MAX;
use domain::polls::record::Record;

/// Records are kept while they have no more ballots together than one poll may have.
const KEPT_BALLOTS_MAX: usize = BALLOTS_MAX as usize;

/// At most this many records are kept: they are looked through one after the other.
const KEPT_MAX: usize = 100;

/// The records that were asked for last.
#[derive(Default)]
pub(crate) struct Records {
    /// The one that was asked for last is in front.
    kept: Mutex<VecDeque<(i64, Arc<Record>)>>,
    /// Held by whoever reads a record.
    reading: tokio::sync::Mutex<()>,
}

impl Records {
    /// The record of a poll, kept or else read by `read`, whose errors are not kept.
    pub async fn get<E>(
        &self,
        poll: i64,
        read: impl AsyncFnOnce() -> Result<Record, E>,
    ) -> Result<Arc<Record>, E> {
        if let Some(record) = self.find(poll) {
            return Ok(record);
        }
        let _reading = self.reading.lock().await;
        if let Some(record) = self.find(poll) {
            return Ok(record);
        }
        let record = Arc::new(read().await?);
        self.keep(poll, Arc::clone(&record));
        Ok(record)
    }

    fn find(&self, poll: i64) -> Option<Arc<Record>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == poll)?;
        let found = kept.remove(at)?;
        let record = Arc::clone(&found.1);
        kept.push_front(found);
        Some(record)
    }

    fn keep(&self, poll: i64, record: Arc<Record>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((poll, record));
        let mut ballots = 0;
        let fits = kept.iter().take(KEPT_MAX).take_while(|(_, record)| {
            ballots += record.ballots();
            ballots <= KEPT_BALLOTS_MAX
        });
        let fitting = fits.count().max(1);
        kept.truncate(fitting);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_record_is_read_once_and_the_oldest_go() {
        let (records, reads) = (Records::default(), AtomicUsize::new(0));
        let get = async |poll| {
            let read = async || {
                reads.fetch_add(1, Ordering::Relaxed);
                // All who ask at once wait here for the one that reads.
                tokio::task::yield_now().await;
                Ok::<_, ()>(Record::default())
            };
            records.get(poll, read).await.unwrap()
        };
        tokio::join!(get(1), get(1), get(1));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        for poll in 2..=KEPT_MAX as i64 {
            get(poll).await;
        }
        get(1).await;
        assert_eq!(reads.load(Ordering::Relaxed), KEPT_MAX, "1 is still there");
        get(0).await;
        get(1).await;
        assert_eq!(reads.load(Ordering::Relaxed), KEPT_MAX + 1);
        get(2).await;
        assert_eq!(reads.load(Ordering::Relaxed), KEPT_MAX + 2, "2 had gone");
    }

    #[tokio::test]
    async fn what_could_not_be_read_is_tried_again() {
        let records = Records::default();
        let failed = records.get(1, async || Err("no")).await;
        assert_eq!(failed.unwrap_err(), "no");
        let read = async || Ok::<_, ()>(Record::default());
        assert_eq!(records.get(1, read).await.unwrap().ballots(), 0);
    }
}
