//! What a state tells of itself to those who watch over the node.

use super::{State, lock};
use crate::env::Env;

impl<E: Env> State<E> {
    /// Waits until the state cannot be committed for another reason than a full disk.
    pub async fn failed(&self) -> String {
        self.shared.failure.noted().await
    }

    /// The hash that the state had at an index, if that was lately.
    pub(crate) fn hash_at(&self, index: u64) -> Option<[u8; 32]> {
        lock(&self.shared.trail).at(index)
    }
}
