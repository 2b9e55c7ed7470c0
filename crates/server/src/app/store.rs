//! The store: reading and changing keys.

use domain::store::{Answer, Condition, Entry, Executed, Operation, Read, StoreError};
use domain::{Action, Reply};
use engine::{Consistency, Served};

use super::freshness::NEWEST_WAIT;
use super::{App, Caller, Freshness, Written, odd_reply};
use crate::problem::{Kind, Trouble};

impl App {
    /// Reads keys, all from one state, as fresh as the caller needs it. A session that comes along
    /// must count.
    pub async fn read_keys(
        &self,
        caller: &Caller,
        reads: Vec<Read>,
    ) -> Result<Served<Vec<Answer>>, Trouble> {
        if caller.token.is_some() {
            self.member(caller).await?;
        }
        let session = Consistency::Session(caller.floor());
        let consistency = match caller.freshness {
            Some(Freshness::Linearizable) => Consistency::Linearizable,
            Some(Freshness::Stale) => Consistency::Stale,
            Some(Freshness::Session) | None if caller.seen.is_some() => session,
            Some(Freshness::Session) | None => {
                let newest = self.engine.store(Consistency::Linearizable, reads.clone());
                match tokio::time::timeout(NEWEST_WAIT, newest).await {
                    Ok(Ok(answers)) => return Ok(answers),
                    // What is wrong with the node itself is wrong the second time too.
                    _ => session,
                }
            }
        };
        Ok(self.engine.store(consistency, reads).await?)
    }

    /// Reads a page of so many items, or of half as many until they fit into an answer: a page of
    /// long ones is shorter, and one always fits.
    pub async fn read_page(
        &self,
        caller: &Caller,
        mut limit: u64,
        reads: impl Fn(u64) -> Vec<Read> + Send + Sync,
    ) -> Result<Served<Vec<Answer>>, Trouble> {
        loop {
            let served = self.read_keys(caller, reads(limit)).await?;
            if limit <= 1 || !is_too_large(&served.value) {
                return Ok(served);
            }
            limit /= 2;
        }
    }

    /// Carries operations out with nothing in between; answers the version of what they changed.
    pub async fn change_keys(
        &self,
        caller: &Caller,
        conditions: Vec<Condition>,
        operations: Vec<Operation>,
    ) -> Result<(i64, Vec<Answer>, Written), Trouble> {
        let action = Action::Store {
            conditions,
            operations,
        };
        let written = self.write_unsigned(caller, action).await?;
        match &written.reply {
            Reply::Store(Executed::Done { version, results }) => {
                Ok((*version, results.clone(), written))
            }
            Reply::Store(Executed::Moved { condition, version }) => {
                let detail = format!(
                    "nothing was done: condition {condition} (from 0) does not hold, the version \
                     is {version}"
                );
                Err(Trouble::new(Kind::Moved, detail))
            }
            other => Err(odd_reply(other)),
        }
    }
}

/// A page of entries has at most so many bytes, or one entry: clients of gRPC take messages of
/// 4 MiB, and a page waits in memory for whoever reads it slowly.
const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// Cuts a page where it would be too long.
pub(crate) fn shorten(entries: &mut Vec<Entry>) {
    let mut bytes = 0;
    let fit = entries.iter().take_while(|entry| {
        let sizes = entry
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len());
        bytes += sizes.sum::<usize>();
        bytes <= PAGE_MAX_BYTES
    });
    entries.truncate(fit.count().max(1));
}

/// Whether something was not answered because it is too large.
pub(crate) fn is_too_large(answers: &[Answer]) -> bool {
    answers.contains(&Err(StoreError::TooLarge))
}

/// So many answers.
pub(crate) fn answers<const N: usize>(answers: Vec<Answer>) -> Result<[Answer; N], Trouble> {
    answers.try_into().map_err(|_| odd())
}

/// What the store answered to a question of ours has another form: a bug.
pub(crate) fn odd() -> Trouble {
    Trouble::internal("the store answered something else than was asked")
}
