//! One node, as long as it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::types::Doors;
use tokio_util::sync::CancellationToken;

/// A node from when it was first heard until it fell silent; when it comes back it is another.
#[derive(Debug)]
pub struct Node {
    /// `host:port` of its HTTP front door.
    pub base: Arc<str>,
    /// Cancelled when it fell silent: nothing that is under way with it comes to an end.
    pub life: CancellationToken,
    at_work: AtomicUsize,
}

/// A node that was chosen, and where its other doors are.
#[derive(Clone, Debug)]
pub struct Picked {
    /// The node.
    pub node: Arc<Node>,
    /// Its other doors.
    pub doors: Doors,
}

/// Counts as work of a node until it is dropped.
#[derive(Debug)]
pub struct AtWork(Arc<Node>);

impl Node {
    /// A node that was just heard.
    pub fn new(base: Arc<str>) -> Arc<Self> {
        Arc::new(Node {
            base,
            life: CancellationToken::new(),
            at_work: AtomicUsize::new(0),
        })
    }

    /// What this proxy has under way with it.
    pub fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }

    /// Notes that something is under way with it.
    pub fn work(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        AtWork(Arc::clone(self))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}
