//! What every stream of the store does besides: it gives signs of life, and ends with the session
//! and with the node.

use http::StatusCode;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tonic::Status;

use crate::app::{App, Caller, Freshness};
use crate::problem::{Kind, Trouble};

/// Signs of life between two looks at whether the session still counts: a minute.
const ALIVE_PER_CHECK: u32 = 4;

/// Keeps the time of a stream.
pub(super) struct Alive {
    app: App,
    caller: Caller,
    beats: Interval,
    until_check: u32,
}

/// What came first.
pub(super) enum Told<T> {
    /// What was waited for.
    This(T),
    /// Time for a sign of life.
    Alive,
}

impl Alive {
    /// For a stream that begins now.
    pub fn new(app: &App, caller: &Caller) -> Self {
        let every = app.config.limits.heartbeat;
        let mut beats = interval_at(tokio::time::Instant::now() + every, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Alive {
            app: app.clone(),
            caller: caller.clone(),
            beats,
            until_check: ALIVE_PER_CHECK,
        }
    }

    /// The App.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The node ends the stream.
    pub fn stopping() -> Status {
        Trouble::new(Kind::Stopping, "the node is stopping").into()
    }

    /// Waits for something, or for the time of a sign of life.
    pub async fn until<T>(&mut self, event: impl Future<Output = T>) -> Result<Told<T>, Status> {
        tokio::select! {
            biased;
            () = self.app.stopping.cancelled() => return Err(Alive::stopping()),
            this = event => return Ok(Told::This(this)),
            _ = self.beats.tick() => {}
        }
        self.check_session().await?;
        Ok(Told::Alive)
    }

    /// Ends the stream if the session has ended; a node that cannot tell says nothing.
    async fn check_session(&mut self) -> Result<(), Status> {
        self.until_check = self.until_check.saturating_sub(1);
        if self.until_check > 0 || self.caller.token.is_none() {
            return Ok(());
        }
        self.until_check = ALIVE_PER_CHECK;
        let caller = Caller {
            freshness: Some(Freshness::Session),
            ..self.caller.clone()
        };
        match self.app.member(&caller).await {
            Err(trouble) if trouble.status() == StatusCode::UNAUTHORIZED => Err(trouble.into()),
            _ => Ok(()),
        }
    }
}
