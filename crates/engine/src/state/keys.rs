//! What a state tells of the replicated store: its rows in memory, and which keys are touched.

use std::sync::Arc;

use domain::store::{Memory, Touched};
use tokio::sync::broadcast;

use super::{Shared, State};
use crate::env::Env;

impl<E: Env> State<E> {
    /// Follows what is touched in the store from now on.
    pub fn watch_keys(&self) -> broadcast::Receiver<Arc<Touched>> {
        let receiver = self.shared.touched.subscribe();
        self.shared.memory.watch(true);
        receiver
    }

    /// The store's rows in memory.
    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// Waits until the entry at `index` has been applied, whether it is committed or not.
    pub async fn applied(&self, index: u64) {
        loop {
            let moved = self.shared.moved.notified();
            if self.shared.memory.index() >= index {
                return;
            }
            moved.await;
        }
    }
}

impl<E: Env> Shared<E> {
    /// Tells those who follow what was touched. While nobody follows nothing is collected.
    pub(super) fn tell_touched(&self) {
        if self.touched.receiver_count() == 0 {
            let watched = self.memory.watch(false);
            // Somebody may have begun to follow in between; nothing is applied meanwhile.
            if self.touched.receiver_count() == 0 {
                if watched {
                    // Whoever follows next must not hear what was said before.
                    drop(self.memory.take_touched());
                }
                return;
            }
            self.memory.watch(true);
        }
        let touched = self.memory.take_touched();
        if !touched.is_empty() {
            drop(self.touched.send(Arc::new(touched)));
        }
    }
}
