//! The agent: which nodes are to be asked about which area.
//!
//! Every node counts the requests for each area and tells the others with each health check. The
//! leader turns the counts into an assignment and tells it the same way; the others follow it, so
//! all nodes give the same advice. A new leader goes on from the assignment it had followed. The
//! advice only spreads load: any node answers about any area.

mod assign;
mod demand;
mod exchange;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::types::Doors;
use domain::news::queries::ListAreas;
use engine::{ClusterStatus, Consistency, NodeStatus, Role};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use assign::{Assignment, assign, by_affinity};
use demand::Demand;
use exchange::Announcement;

/// How often counts are told and the assignment is looked at: with the health checks, a failed
/// node's areas move within three seconds.
const ROUND: Duration = Duration::from_secs(1);

/// How often the list of areas is read.
const AREAS_EVERY: Duration = Duration::from_secs(5);

/// What a node knows about who serves what.
#[derive(Default)]
pub(crate) struct Agent {
    demand: Demand,
    assignment: Mutex<Arc<Assignment>>,
}

impl Agent {
    /// Counts a request for an area.
    pub fn count(&self, area: i64) {
        self.demand.count(area);
    }

    /// The assignment in force.
    pub fn assignment(&self) -> Arc<Assignment> {
        self.assignment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The nodes to ask about an area, best first: those it is assigned to, then the other healthy
    /// ones, learners last. The flag tells the former.
    pub fn route<'a>(&self, status: &'a ClusterStatus, area: i64) -> Vec<(&'a NodeStatus, bool)> {
        let assignment = self.assignment();
        let assigned = assignment.get(&area).map_or(&[][..], Vec::as_slice);
        let rank = |node: &NodeStatus| assigned.iter().position(|name| *name == node.name);
        let mut nodes: Vec<&NodeStatus> = status.nodes.iter().filter(|n| n.healthy).collect();
        nodes.sort_by_cached_key(|node| {
            let others = std::cmp::Reverse(by_affinity(area, &node.name));
            (
                rank(node).unwrap_or(usize::MAX),
                node.role == Role::Learner,
                others,
            )
        });
        nodes
            .into_iter()
            .map(|node| (node, rank(node).is_some()))
            .collect()
    }

    fn adopt(&self, assignment: Assignment) {
        *self
            .assignment
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(assignment);
    }

    /// One round: decay and gather the counts, decide or follow, and tell the others.
    fn round(&self, now: Instant, status: &ClusterStatus, areas: &BTreeSet<i64>) -> Announcement {
        let own = self.demand.decayed(now, areas);
        let told: Vec<(&NodeStatus, Announcement)> = status
            .nodes
            .iter()
            .filter(|node| node.healthy && *node.name != *status.node)
            .filter_map(|node| Some((node, Announcement::decode(&node.announced)?)))
            .collect();
        let leads = status.leader.as_deref() == Some(&*status.node);
        if leads {
            let total = sum(&own, told.iter().map(|(_, told)| &told.demand), areas);
            let voters = healthy_voters(status);
            self.adopt(assign(&self.assignment(), &voters, &total));
        } else if let Some((_, leader)) = told.iter().find(|(node, _)| node.role == Role::Leader) {
            self.adopt(leader.assignment.clone());
        }
        let assignment = if leads {
            (*self.assignment()).clone()
        } else {
            Assignment::new()
        };
        Announcement {
            demand: own,
            assignment,
            doors: Doors::default(),
        }
    }
}

/// Where another node said that it serves other protocols than HTTP.
pub(crate) fn doors_of(node: &NodeStatus) -> Doors {
    Announcement::decode(&node.announced)
        .map(|told| told.doors)
        .unwrap_or_default()
}

fn healthy_voters(status: &ClusterStatus) -> Vec<String> {
    let votes = |node: &&NodeStatus| node.healthy && node.role != Role::Learner;
    status
        .nodes
        .iter()
        .filter(votes)
        .map(|node| node.name.clone())
        .collect()
}

/// The demand of all nodes for the areas there are.
fn sum<'a>(
    own: &'a BTreeMap<i64, u64>,
    others: impl Iterator<Item = &'a BTreeMap<i64, u64>>,
    areas: &BTreeSet<i64>,
) -> BTreeMap<i64, u64> {
    let mut total: BTreeMap<i64, u64> = areas.iter().map(|area| (*area, 0)).collect();
    for (area, count) in others.chain([own]).flatten() {
        if let Some(sum) = total.get_mut(area) {
            *sum = sum.saturating_add(*count);
        }
    }
    total
}

/// The task behind the agent.
pub(crate) async fn run(app: App, stopping: CancellationToken) {
    let mut areas = BTreeSet::new();
    let mut read_at: Option<Instant> = None;
    let mut tick = tokio::time::interval(ROUND);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = Instant::now();
        if read_at.is_none_or(|at| now.duration_since(at) >= AREAS_EVERY) {
            // An unreadable state leaves the list as it was.
            if let Some(found) = area_ids(&app).await {
                areas = found;
                read_at = Some(now);
            }
        }
        let round = app.agent.round(now, &app.engine.status(), &areas);
        let announcement = Announcement {
            doors: app.config.doors.clone(),
            ..round
        };
        app.engine.announce(announcement.encode());
    }
}

async fn area_ids(app: &App) -> Option<BTreeSet<i64>> {
    let list = ListAreas {
        viewer: 0,
        subscribed_only: false,
    };
    let areas = app.engine.read(Consistency::Stale, list).await.ok()?;
    Some(areas.value.into_iter().map(|area| area.id).collect())
}
