//! The nodes of the cluster, asked all the time how they are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::types::{Cluster, Doors};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::HttpClient;
use crate::config::{Config, Limits};
use crate::node::Picked;
use crate::pick::{Heard, Known, Purpose, addresses};
use crate::probe;

/// The nodes; clones share what is known.
#[derive(Clone)]
pub struct Members(Arc<Shared>);

struct Shared {
    known: Mutex<Known>,
    /// Whose turn it is among equals; each purpose has its own, so that they do not fall in step.
    turns: [AtomicUsize; 3],
    client: HttpClient,
    limits: Limits,
    /// True once a node of another cluster was met: said once.
    met_stranger: AtomicBool,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Members {
    /// Starts asking the nodes that the configuration names, until `stop`.
    pub fn start(
        config: &Config,
        client: HttpClient,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let members = Members(Arc::new(Shared {
            known: Mutex::default(),
            turns: Default::default(),
            client,
            limits: config.limits.clone(),
            met_stranger: AtomicBool::new(false),
            tasks,
            stop,
        }));
        for base in &config.nodes {
            members.follow(base, true);
        }
        members
    }

    /// The best node for a purpose that is none of `tried`.
    pub fn pick(&self, purpose: Purpose, tried: &[Arc<str>]) -> Option<Picked> {
        self.pick_with(purpose, tried, |_| true)
    }

    /// The same among the nodes that have a door.
    pub fn pick_with(
        &self,
        purpose: Purpose,
        tried: &[Arc<str>],
        has_door: impl Fn(&Doors) -> bool,
    ) -> Option<Picked> {
        let turn = self.0.turns[purpose as usize].fetch_add(1, Ordering::Relaxed);
        self.known().pick(purpose, tried, turn, has_door)
    }

    /// The leader's name, if one is known.
    pub fn leader(&self) -> Option<String> {
        self.known().leader().cloned()
    }

    /// The names of the nodes that answer, and whether each can serve.
    pub fn nodes(&self) -> Vec<(String, bool)> {
        self.known().nodes()
    }

    /// A node refused a connection.
    pub fn refused(&self, base: &Arc<str>) {
        self.known().refused(base);
    }

    /// Connections to the nodes.
    pub fn client(&self) -> &HttpClient {
        &self.0.client
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Asks an address how it is, again and again, if it is new.
    fn follow(&self, base: &Arc<str>, given: bool) {
        if let Some(dropped) = self.known().add(base, given) {
            let asking = probe::run(self.clone(), Arc::clone(base));
            let stop = self.0.stop.clone();
            self.0.tasks.spawn(async move {
                tokio::select! {
                    () = asking => {}
                    () = dropped.cancelled() => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }

    /// An address told how the cluster is.
    pub(crate) fn heard(&self, base: &Arc<str>, cluster: &Cluster) {
        let heard = self.known().heard(base, cluster, Instant::now());
        match heard {
            Heard::Ours => {}
            Heard::Undecided => return,
            Heard::Stranger => {
                if !self.0.met_stranger.swap(true, Ordering::Relaxed) {
                    let (node, id) = (&cluster.node, &cluster.id);
                    tracing::warn!(%base, node, cluster = id, "left alone: of another cluster");
                }
                return;
            }
        }
        // One that lags may still list who was removed.
        if cluster.ready && cluster.leader.is_some() {
            let members = addresses(cluster);
            self.known().keep(&members);
            for member in &members {
                self.follow(member, false);
            }
        }
    }

    /// An address answered something else.
    pub(crate) fn lives(&self, base: &Arc<str>) {
        self.known().lives(base, Instant::now());
    }

    /// An address did not answer.
    pub(crate) fn silent(&self, base: &Arc<str>) {
        let silence_max = self.0.limits.silence_max;
        if self.known().silent(base, silence_max, Instant::now()) {
            tracing::warn!(%base, "it is silent: whatever was under way with it is given up");
        }
    }

    /// Held for a few instructions, never across an `await`.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
