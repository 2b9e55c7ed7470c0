//! The operator of a cluster in a storm: which nodes are meant to be members, starting them again,
//! replacing one whose disk is lost, adding and removing some.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Fault;
use engine::log::LogError;
use engine::{ClusterStatus, MembershipError, Role, StartError};
use openraft_rt::AsyncRuntime;

use super::Storming;
use crate::context::{NodeId, lock};
use crate::disk::Crash;
use crate::runtime::SimRuntime;

/// How often the operator looks after the nodes, and the watch at them.
const GLANCE: Duration = Duration::from_millis(20);

/// How long an operator waits for a removal before trying again.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(10);

/// How often a removal is tried.
const REMOVALS_MAX: u32 = 3;

/// Pause between attempts.
const RETRY: Duration = Duration::from_secs(1);

/// A cluster that does not settle in this time, with all its nodes and no fault left, never will.
const SETTLING_MAX: Duration = Duration::from_secs(90);

/// What the operator knows.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    /// The nodes that are meant to be members.
    pub(super) wanted: BTreeSet<NodeId>,
    /// The one that lost its disk and is joining anew. There is one at a time: a cluster does not
    /// outlive the loss of more disks than a minority.
    pub(super) rebuilding: Option<NodeId>,
    /// Nodes with a damaged byte in their logs, which must be noticed when they start.
    pub(super) spoiled: BTreeSet<NodeId>,
    /// Nodes whose disks fail in this life, so that they may end themselves.
    pub(super) failing: BTreeSet<NodeId>,
    /// Nodes whose disks are full.
    full: BTreeSet<NodeId>,
    /// Nodes whose disks were full at some time of this life, so that they may not start.
    hindered: BTreeSet<NodeId>,
    /// The one that is being removed.
    pub(super) removing: Option<NodeId>,
    /// Nodes that may have been removed: nobody knows what came of it.
    doubtful: BTreeSet<NodeId>,
    /// Nodes that did not start, with the reason.
    refused: Vec<(NodeId, StartError)>,
    /// Nodes that ended themselves, with the reason.
    failed: Vec<(NodeId, String)>,
}

impl Fleet {
    /// True if no disk is lost and no removal is under way.
    pub(super) fn is_calm(&self) -> bool {
        self.rebuilding.is_none()
            && self.removing.is_none()
            && self.spoiled.is_empty()
            && self.doubtful.is_empty()
    }

    /// A node's disk is full.
    pub(super) fn is_filled(&mut self, node: NodeId) {
        self.full.insert(node);
        self.hindered.insert(node);
    }

    /// No disk is full any more.
    pub(super) fn are_emptied(&mut self) {
        self.full.clear();
    }

    fn begins_a_life(&mut self, node: NodeId) {
        self.failing.remove(&node);
        if !self.full.contains(&node) {
            self.hindered.remove(&node);
        }
    }
}

impl Storming {
    /// The nodes that are meant to be members.
    pub(super) fn members(&self) -> Vec<NodeId> {
        lock(&self.fleet).wanted.iter().copied().collect()
    }

    /// Starts a node, and from then on waits for its end.
    pub(super) fn start(&self, node: NodeId) {
        self.watch.restarted(node);
        lock(&self.fleet).begins_a_life(node);
        let fleet = self.fleet.clone();
        let refused = move |error| lock(&fleet).refused.push((node, error));
        self.cluster.start_or(node, refused);
        let this = self.clone();
        drop(self.sim().on(node, async move {
            let running = loop {
                match this.cluster.running(node) {
                    Some(running) => break running,
                    None => SimRuntime::sleep(GLANCE).await,
                }
            };
            let reason = running.failed().await;
            lock(&this.fleet).failed.push((node, reason));
        }));
    }

    pub(super) fn crash(&self, node: NodeId, crash: Crash) {
        if self.sim().is_up(node) {
            self.book.say(format!("{node} crashes ({crash:?})"));
            self.book.count(|counts| counts.crashes += 1);
            self.cluster.crash(node, crash);
        }
    }

    /// Starts every member that is down.
    pub(super) fn start_all(&self) {
        for node in self.members() {
            if !self.sim().is_up(node) {
                self.book.say(format!("{node} starts"));
                self.cluster.crash(node, Crash::KillOnly);
                self.start(node);
            }
        }
    }

    /// Looks after the nodes and at them, until something must not be.
    pub(super) async fn keep(self) {
        while !self.book.is_violated() {
            self.watch.look(&self.cluster);
            if let Some(panic) = self.sim().panics().first() {
                self.book.violate(format!("a panic: {panic}"));
            }
            let (refused, failed) = {
                let mut fleet = lock(&self.fleet);
                (
                    std::mem::take(&mut fleet.refused),
                    std::mem::take(&mut fleet.failed),
                )
            };
            for (node, error) in refused {
                self.did_not_start(node, &error);
            }
            for (node, reason) in failed {
                self.ended_itself(node, &reason);
            }
            self.find_spoiled();
            self.note_rebuilt();
            SimRuntime::sleep(GLANCE).await;
        }
    }

    fn did_not_start(&self, node: NodeId, error: &StartError) {
        self.book.say(format!("{node} does not start: {error}"));
        self.cluster.crash(node, Crash::KillOnly);
        let (spoiled, hindered, failing) = {
            let fleet = lock(&self.fleet);
            let has = |nodes: &BTreeSet<NodeId>| nodes.contains(&node);
            let hindered = has(&fleet.hindered);
            (has(&fleet.spoiled), hindered, has(&fleet.failing))
        };
        match error {
            StartError::Log(LogError::Damaged { .. }) if spoiled => self.rebuild(node),
            // It is tried again with the next start of all.
            StartError::Join(_) => {}
            _ if failing => {}
            StartError::Data(_)
            | StartError::State(Fault::DiskFull)
            | StartError::Log(LogError::Io(_))
                if hindered => {}
            error => self
                .book
                .violate(format!("{node} does not start without a reason: {error}")),
        }
    }

    fn ended_itself(&self, node: NodeId, reason: &str) {
        if !lock(&self.fleet).failing.contains(&node) {
            let what = format!("{node} ended itself although nothing ailed it: {reason}");
            return self.book.violate(what);
        }
        self.book.say(format!("{node} ends itself: {reason}"));
        self.cluster.crash(node, Crash::KillOnly);
        self.start(node);
    }

    /// True if all members run, are ready and vote, and nobody else does.
    pub(super) fn is_whole(&self) -> bool {
        let wanted = self.members();
        let is_ready = |node: &NodeId| {
            let running = self.cluster.running(*node);
            running.is_some_and(|running| running.is_ready())
        };
        let Some(status) = self.leaders_status() else {
            return false;
        };
        let vote = |node: &NodeId| {
            let name = node.to_string();
            let mut named = status.nodes.iter().filter(|one| one.name == name);
            named.next().is_some_and(|one| one.role != Role::Learner) && named.next().is_none()
        };
        wanted.len() == status.nodes.len() && wanted.iter().all(vote) && wanted.iter().all(is_ready)
    }

    /// What the node says that leads, if one does.
    fn leaders_status(&self) -> Option<std::sync::Arc<ClusterStatus>> {
        let mut running = self
            .sim()
            .nodes()
            .into_iter()
            .filter_map(|node| self.cluster.running(node));
        running.find_map(|running| {
            let status = running.status();
            let leads = status.leader.as_deref() == Some(&*status.node);
            (leads && running.is_ready()).then_some(status)
        })
    }

    /// Takes a node's data away and lets it join anew under its name.
    pub(super) fn rebuild(&self, node: NodeId) {
        self.book
            .say(format!("{node} gets an empty disk and joins anew"));
        self.crash(node, Crash::KillOnly);
        self.sim().disk(node).erase();
        {
            let mut fleet = lock(&self.fleet);
            fleet.spoiled.remove(&node);
            fleet.rebuilding = Some(node);
        }
        self.start(node);
    }

    /// A damaged log must not go unnoticed.
    fn find_spoiled(&self) {
        let spoiled = lock(&self.fleet).spoiled.clone();
        let runs = |node: &NodeId| self.cluster.running(*node).is_some();
        if let Some(node) = spoiled.into_iter().find(runs) {
            self.book
                .violate(format!("{node} runs with a byte of its log damaged"));
        }
    }

    /// A rebuilt node that votes again has taken its old place.
    fn note_rebuilt(&self) {
        let rebuilding = lock(&self.fleet).rebuilding;
        if rebuilding.is_some() && self.is_whole() {
            self.book.say("the cluster is whole again");
            lock(&self.fleet).rebuilding = None;
        }
    }

    /// A node that is no member joins, with an empty disk.
    pub(super) fn join(&self, node: NodeId) {
        self.sim().disk(node).erase();
        self.book.say(format!("{node} joins"));
        lock(&self.fleet).wanted.insert(node);
        self.start(node);
    }

    /// Removes a member; if nobody knows whether that was done, it is a member until the end.
    pub(super) async fn remove(&self, node: NodeId) {
        self.remove_somehow(node).await;
        lock(&self.fleet).removing = None;
    }

    async fn remove_somehow(&self, node: NodeId) {
        self.book.say(format!("{node} is to be removed"));
        for _ in 0..REMOVALS_MAX {
            match self.ask_to_remove(node).await {
                Some(Ok(())) => return self.removed(node, true),
                Some(Err(MembershipError::UnknownNode(_))) => return self.removed(node, false),
                Some(Err(MembershipError::Refused(reason))) => {
                    return self.book.say(format!("{node} stays: {reason}"));
                }
                Some(Err(
                    MembershipError::NoLeader
                    | MembershipError::TimedOut
                    | MembershipError::Silent(_),
                ))
                | None => {
                    lock(&self.fleet).doubtful.insert(node);
                }
            }
            SimRuntime::sleep(RETRY).await;
        }
        self.book
            .say(format!("whether {node} is removed is not known"));
    }

    async fn ask_to_remove(&self, node: NodeId) -> Option<Result<(), MembershipError>> {
        let nodes = self.members();
        let asked = self.sim().roll(|dice| *dice.pick(&nodes));
        let running = self.cluster.running(asked)?;
        let name = node.to_string();
        let removing = self
            .sim()
            .on(asked, async move { running.remove_node(&name).await });
        let ended = SimRuntime::timeout(REMOVAL_PATIENCE, removing).await;
        ended.ok()?.ok()
    }

    fn removed(&self, node: NodeId, surely: bool) {
        self.book.say(format!("{node} is removed"));
        self.cluster.crash(node, Crash::KillOnly);
        if surely {
            self.sim().disk(node).erase();
        }
        let mut fleet = lock(&self.fleet);
        fleet.wanted.remove(&node);
        fleet.spoiled.remove(&node);
        fleet.doubtful.remove(&node);
        fleet.rebuilding = fleet.rebuilding.filter(|other| *other != node);
    }

    /// With no fault left, waits until the members are those that are meant, and all of them vote.
    pub(super) async fn settle(&self) {
        let begun = self.sim().elapsed();
        while !self.book.is_violated() {
            if self.is_whole() {
                return self.book.say("the cluster has settled");
            }
            if self.sim().elapsed() > begun + SETTLING_MAX {
                return self.does_not_settle();
            }
            if let Some(status) = self.leaders_status() {
                self.reconcile(&status).await;
            }
            self.start_all();
            SimRuntime::sleep(RETRY).await;
        }
    }

    /// Finds out what came of removals, and removes who should have been.
    async fn reconcile(&self, status: &ClusterStatus) {
        let is_member = |node: &NodeId| {
            let name = node.to_string();
            status.nodes.iter().any(|one| one.name == name)
        };
        let doubtful = lock(&self.fleet).doubtful.clone();
        for node in doubtful.into_iter().filter(|node| !is_member(node)) {
            self.removed(node, false);
        }
        let wanted = self.members();
        let mut nodes = self.sim().nodes();
        nodes.retain(|node| !wanted.contains(node) && is_member(node));
        for node in nodes {
            drop(self.ask_to_remove(node).await);
        }
    }

    fn does_not_settle(&self) {
        for node in self.sim().nodes() {
            let line = match self.cluster.running(node) {
                Some(running) => {
                    let status = running.status();
                    let others = status.nodes.iter();
                    let others: Vec<String> = others
                        .map(|one| format!("{} {:?}", one.name, one.role))
                        .collect();
                    format!(
                        "{node}: ready {}, term {}, leader {:?}, committed {}, applied {}, {}",
                        running.is_ready(),
                        status.term,
                        status.leader,
                        status.committed,
                        status.applied,
                        others.join(", ")
                    )
                }
                None => format!("{node}: does not run"),
            };
            self.book.say(line);
        }
        self.book.violate(format!(
            "without any fault the cluster did not settle in {SETTLING_MAX:?}; its members should \
             be {:?}",
            self.members()
        ));
    }
}
