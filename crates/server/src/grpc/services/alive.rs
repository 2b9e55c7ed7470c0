//! What every stream of the store does besides: it gives signs of life, and ends with the session
//! and with the node.

use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tonic::Status;

use crate::app::{App, Caller};
use crate::problem::{Kind, Trouble};
use crate::sessions::Session;

/// Keeps the time of a stream.
pub(super) struct Alive {
    app: App,
    session: Session,
    beats: Interval,
}

/// What came first.
pub(super) enum Told<T> {
    /// What was waited for.
    This(T),
    /// Time for a sign of life.
    Alive,
}

impl Alive {
    /// For a stream that begins now, of a caller whose session has been found to count.
    pub fn new(app: &App, caller: &Caller) -> Self {
        let every = app.config.limits.heartbeat;
        let mut beats = interval_at(tokio::time::Instant::now() + every, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Alive {
            app: app.clone(),
            session: app.sessions.watch(caller),
            beats,
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
            () = self.app.stopping.cancelled() => Err(Alive::stopping()),
            why = self.session.over() => Err(why.into()),
            this = event => Ok(Told::This(this)),
            _ = self.beats.tick() => Ok(Told::Alive),
        }
    }
}
