//! How fresh a read must be.

use std::str::FromStr;
use std::time::Duration;

use domain::Query;
use engine::{Consistency, ReadError, Served};

use super::{App, Caller};
use crate::problem::Trouble;

/// How long a read that asked for nothing waits for the newest state before it takes what there is.
pub(super) const NEWEST_WAIT: Duration = Duration::from_millis(500);

/// What a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Every write acknowledged before the read began, on any node.
    Linearizable,
    /// At least what the client has seen.
    Session,
    /// Whatever this node has.
    Stale,
}

impl FromStr for Freshness {
    type Err = Trouble;

    fn from_str(text: &str) -> Result<Self, Trouble> {
        match text {
            "linearizable" => Ok(Freshness::Linearizable),
            "session" => Ok(Freshness::Session),
            "stale" => Ok(Freshness::Stale),
            _ => Err(Trouble::field(
                "consistency",
                "it is linearizable, session or stale",
            )),
        }
    }
}

impl App {
    /// Runs a query as fresh as the caller needs it.
    ///
    /// A caller that says what it has seen gets at least that (`session`). One that says nothing,
    /// for example a person with curl, gets the newest state if a leader answers at once, and
    /// otherwise what this node has: reads go on without a majority. So does one that asks for
    /// `session` by name and does not say what it has seen.
    pub async fn read<Q>(&self, caller: &Caller, query: Q) -> Result<Served<Q::Answer>, Trouble>
    where
        Q: Query + Clone,
    {
        let session = Consistency::Session(caller.floor());
        let consistency = match caller.freshness {
            Some(Freshness::Linearizable) => Consistency::Linearizable,
            // Not older than the session itself, which would be unknown then.
            Some(Freshness::Stale) => match caller.token {
                Some(token) => Consistency::Session(token.index),
                None => Consistency::Stale,
            },
            Some(Freshness::Session) | None if caller.seen.is_some() => session,
            Some(Freshness::Session) | None => return self.read_newest(session, query).await,
        };
        match self.engine.read(consistency, query.clone()).await {
            Err(ReadError::Behind { at, wanted }) => self
                .read_after_all(caller, query)
                .await
                .ok_or_else(|| ReadError::Behind { at, wanted }.into()),
            read => Ok(read?),
        }
    }

    /// What to answer if this node does not reach the state where the session began: it may never
    /// do so, because the token is another cluster's. The newest state knows.
    async fn read_after_all<Q: Query>(
        &self,
        caller: &Caller,
        query: Q,
    ) -> Option<Served<Q::Answer>> {
        let newest = self
            .engine
            .read(Consistency::Linearizable, query)
            .await
            .ok()?;
        (newest.position.index >= caller.seen.unwrap_or(0)).then_some(newest)
    }

    /// The newest state if a leader answers at once, and otherwise what is good enough.
    pub(super) async fn read_newest<Q>(
        &self,
        otherwise: Consistency,
        query: Q,
    ) -> Result<Served<Q::Answer>, Trouble>
    where
        Q: Query + Clone,
    {
        if self.engine.is_ready() {
            let newest = self.engine.read(Consistency::Linearizable, query.clone());
            match tokio::time::timeout(NEWEST_WAIT, newest).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(
                    error @ (ReadError::Failed(_)
                    | ReadError::Stopping
                    | ReadError::CannotGoOn
                    | ReadError::Outvoted
                    | ReadError::Removed),
                )) => {
                    return Err(error.into());
                }
                Ok(Err(
                    ReadError::Busy { .. }
                    | ReadError::NoLeader
                    | ReadError::Behind { .. }
                    | ReadError::DiskFull,
                ))
                | Err(_) => {}
            }
        }
        Ok(self.engine.read(otherwise, query).await?)
    }
}

impl Caller {
    /// The oldest state that may answer: what the client has seen, and where its session began.
    pub fn floor(&self) -> u64 {
        self.seen
            .unwrap_or(0)
            .max(self.token.map_or(0, |token| token.index))
    }
}
