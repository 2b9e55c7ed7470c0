//! Ends open streams with their sessions: a request finds out by itself whether its session still
//! counts, but a stream has been let in long ago.
//!
//! A logout is a command that every node applies, so each looks at its own state, and asks once
//! for all its streams.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::accounts::{Standing, WhoIs};
use domain::{Fault, Query, Sql};
use engine::{Consistency, Served};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Caller, no_standing, now_ms};
use crate::problem::Trouble;

/// Between two looks: with the time until a node has applied and committed a logout, a stream
/// outlives its session by less than a second.
const ROUND: Duration = Duration::from_millis(500);

/// BLAKE3 of a session's token.
type TokenHash = [u8; 32];

/// Why each session is over, once it is.
type Watched = BTreeMap<TokenHash, watch::Sender<Option<Trouble>>>;

/// The sessions of the streams that are open here; there are no more of them than streams.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Watched>);

/// The session of a stream, if it has one.
pub(crate) struct Session(Option<watch::Receiver<Option<Trouble>>>);

impl Sessions {
    /// Watches the session of a caller, which this node has found to count already: one that it
    /// has not heard of yet would be taken for one that is over.
    pub fn watch(&self, caller: &Caller) -> Session {
        let watched = |hash| self.lock().entry(hash).or_default().subscribe();
        Session(caller.token.map(|token| watched(token.hash)))
    }

    /// Forgets those that no stream watches any more, and answers the others.
    fn watched(&self) -> Vec<TokenHash> {
        let mut watched = self.lock();
        watched.retain(|_, over| over.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn end(&self, hash: &TokenHash, why: Trouble) {
        if let Some(over) = self.lock().remove(hash) {
            over.send_replace(Some(why));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Waits until the session is over, for ever if there is none, and says why it is.
    pub async fn over(&mut self) -> Trouble {
        let why = match &mut self.0 {
            Some(over) => {
                let over = over.wait_for(Option::is_some).await;
                over.ok().and_then(|why| why.clone())
            }
            None => None,
        };
        match why {
            Some(why) => why,
            None => pending().await,
        }
    }
}

/// Looks at the sessions of open streams, until the node stops. A node that cannot tell ends none.
pub(crate) async fn end_streams(app: App, stopping: CancellationToken) {
    let round = || stopping.run_until_cancelled(tokio::time::sleep(ROUND));
    while round().await.is_some() {
        let watched = app.sessions.watched();
        if watched.is_empty() {
            continue;
        }
        let query = Over {
            sessions: watched,
            now_ms: now_ms(),
        };
        if let Ok(Served { value, .. }) = app.engine.read(Consistency::Stale, query).await {
            for (hash, standing) in value {
                app.sessions.end(&hash, no_standing(standing));
            }
        }
    }
}

/// Those of the sessions that are over.
struct Over {
    sessions: Vec<TokenHash>,
    now_ms: i64,
}

impl Query for Over {
    type Answer = Vec<(TokenHash, Standing)>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let mut over = Vec::new();
        for token_hash in &self.sessions {
            let who = WhoIs {
                token_hash: *token_hash,
                now_ms: self.now_ms,
            };
            match who.run(sql)? {
                Standing::SignedIn(_) => {}
                standing => over.push((*token_hash, standing)),
            }
        }
        Ok(over)
    }
}
