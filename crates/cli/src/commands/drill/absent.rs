//! Nodes that begin anew because of a drill, and how long they are away.

use std::time::{Duration, Instant};

use api::Client;
use api::types::Cluster;
use tokio::task::JoinSet;

use super::load::since;
use super::report::{Effect, FaultLine};
use crate::commands::cluster::rebuild::wait_until_back;

/// Whoever is waited for, by the place of the fault that sent it away.
#[derive(Default)]
pub struct Absent(JoinSet<(usize, Option<u64>)>);

impl Absent {
    /// Waits from now on for the node of a fault, if it begins anew because of that.
    pub fn watch(
        &mut self,
        client: &Client,
        start: Instant,
        place: usize,
        line: &FaultLine,
        at_most: Duration,
    ) {
        let Some(left) = line.leaves.clone() else {
            return;
        };
        if line.outcome == Effect::Skipped {
            return;
        }
        let (client, name, at_ms) = (client.clone(), line.node.clone(), line.at_ms);
        self.0.spawn(async move {
            let back = wait_until_back(&client, &name, &left, at_most).await;
            let took_ms = back.map(|_| since(start).saturating_sub(at_ms));
            (place, took_ms)
        });
    }

    /// Waits for all of them, and notes how long each was away.
    pub async fn all_back(self, faults: &mut [FaultLine]) {
        for (place, took_ms) in self.0.join_all().await {
            if let Some(line) = faults.get_mut(place) {
                line.back_after_ms = took_ms;
            }
        }
    }
}

/// The id of a node, before it leaves it.
pub fn id_of(cluster: &Cluster, name: &str) -> Option<String> {
    let mut nodes = cluster.nodes.iter();
    let node = nodes.find(|node| node.name == name && node.healthy);
    node.map(|node| node.id.clone())
}
