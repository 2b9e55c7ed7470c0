//! What happens on this node to those who listen and wait, and the task that follows the engine for
//! them. Only while somebody does: what commands touch costs nothing as long as nobody asks.

use std::sync::Arc;

use domain::store::Touched;
use engine::Missed;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::listeners::Listeners;
use super::store::Store;
use super::waiters::Waiters;

/// Those who listen and wait.
pub(super) struct Hub {
    pub listeners: Listeners,
    pub waiters: Arc<Waiters>,
    /// True while the engine is followed.
    watching: watch::Sender<bool>,
    /// Rung when somebody wants it to be.
    wanted: Notify,
}

impl Hub {
    /// With nobody.
    pub fn new() -> Self {
        Hub {
            listeners: Listeners::default(),
            waiters: Arc::default(),
            watching: watch::Sender::new(false),
            wanted: Notify::new(),
        }
    }

    /// Waits until nothing is missed any more. Whoever listens or waits is in the tables before.
    pub async fn watched(&self) {
        if *self.watching.borrow() {
            return;
        }
        self.wanted.notify_one();
        let mut watching = self.watching.subscribe();
        // The sender lives as long as this does.
        let _ = watching.wait_for(|watching| *watching).await;
    }

    fn is_idle(&self) -> bool {
        self.listeners.is_empty() && self.waiters.is_empty()
    }

    fn tell(&self, touched: &Touched) {
        if touched.missed {
            self.waiters.look_at_all();
        }
        let keys = touched.keys.iter().map(|touched| &touched.key);
        self.waiters.look(keys);
        let messages = touched.messages.iter();
        messages.for_each(|message| self.listeners.tell(message));
    }
}

/// Follows the engine for those who listen and wait, until `stopping`.
pub(super) async fn follow(hub: Arc<Hub>, store: Store, stopping: CancellationToken) {
    let follow = async {
        loop {
            hub.wanted.notified().await;
            if !follow_while_wanted(&hub, &store).await {
                return;
            }
        }
    };
    stopping.run_until_cancelled(follow).await;
}

/// False if the engine has stopped.
async fn follow_while_wanted(hub: &Hub, store: &Store) -> bool {
    let mut watch = store.watch();
    hub.watching.send_replace(true);
    // What came before is found by looking.
    hub.waiters.look_at_all();
    loop {
        match watch.next().await {
            Ok(Some(touched)) => hub.tell(&touched),
            Ok(None) => return false,
            Err(Missed) => {
                tracing::warn!("what was touched came faster than it could be told");
                hub.waiters.look_at_all();
            }
        }
        if hub.is_idle() {
            hub.watching.send_replace(false);
            // Whoever came in between has seen that nobody watches, or is in the tables.
            if hub.is_idle() {
                return true;
            }
            hub.watching.send_replace(true);
        }
    }
}
