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
    /// The engine tells nothing any more, or nothing that is true.
    silent: CancellationToken,
}

impl Hub {
    /// With nobody.
    pub fn new() -> Self {
        Hub {
            listeners: Listeners::default(),
            waiters: Arc::default(),
            watching: watch::Sender::new(false),
            wanted: Notify::new(),
            silent: CancellationToken::new(),
        }
    }

    /// Waits until this node tells nothing any more: it was outvoted, or cannot go on. Whoever
    /// listens or waits is to be cut then, and finds another node.
    pub async fn silent(&self) {
        self.silent.cancelled().await;
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
        if touched.messages_missed {
            self.cut_listeners();
        }
    }

    /// Messages were left out, which nobody tells again: whoever listens must know.
    fn cut_listeners(&self) {
        tracing::warn!("messages came faster than they could be told: who listens is cut");
        self.listeners.cut();
    }
}

/// Follows the engine for those who listen and wait, until `stopping`.
pub(super) async fn follow(hub: Arc<Hub>, store: Store, stopping: CancellationToken) {
    let engine = store.engine().clone();
    let follow = async {
        loop {
            hub.wanted.notified().await;
            if !follow_while_wanted(&hub, &store).await {
                return;
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => return,
        _ = engine.failed() => {}
        () = follow => {}
    }
    hub.silent.cancel();
}

/// False if the engine has stopped, or was outvoted.
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
                hub.cut_listeners();
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::store::Message;

    use super::*;
    use crate::redis::listeners::{Mailbox, Place};
    use crate::redis::resp::Version;

    #[tokio::test]
    async fn who_listens_is_cut_when_a_message_was_left_out_and_not_for_keys() {
        let hub = Hub::new();
        let mailboxes = [Mailbox::new(Version::Two), Mailbox::new(Version::Three)];
        let name = Bytes::from_static(b"c");
        for (client, place) in [(1, Place::Channel), (2, Place::Pattern)] {
            let mailbox = Arc::clone(&mailboxes[client - 1]);
            let added = hub
                .listeners
                .add(place, name.clone(), client as u64, mailbox);
            assert_eq!(added, Ok(()));
        }
        let mut touched = Touched {
            messages: vec![Message {
                channel: name.clone(),
                message: name,
            }],
            missed: true,
            ..Touched::default()
        };
        hub.tell(&touched);
        for mailbox in &mailboxes {
            assert!(mailbox.filled().await);
        }
        touched.messages_missed = true;
        hub.tell(&touched);
        for mailbox in &mailboxes {
            assert!(!mailbox.filled().await);
        }
    }
}
