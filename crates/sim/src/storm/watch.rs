//! Looks at all nodes all the time: what must be true of a cluster at every step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use engine::types::Entry;
use engine::{ClusterStatus, Position, Role};

use super::book::Book;
use super::logs::StoredLog;
use crate::cluster::Cluster;
use crate::context::{NodeId, lock};

/// One acknowledgement in so many is looked for on the disks: reading logs takes time.
const LOOKED_FOR: u64 = 24;

/// All clones are the same watch.
#[derive(Clone)]
pub(crate) struct Watch {
    book: Book,
    inner: Arc<Mutex<Facts>>,
}

/// What was once seen and must stay so.
#[derive(Default)]
pub(crate) struct Facts {
    /// Who led in a term, by its random id.
    leaders: BTreeMap<u64, (u64, String)>,
    /// The state's hash at an index, and whose it was.
    hashes: BTreeMap<u64, (String, NodeId)>,
    /// The entry at an index, from a log whose node said that it is committed.
    committed: BTreeMap<u64, (Entry, NodeId)>,
    /// The term of an entry that is committed or has been acknowledged.
    terms: BTreeMap<u64, u64>,
    /// What a node said last in this life: its term and what it knows to be committed.
    said: BTreeMap<NodeId, (u64, u64)>,
    acknowledgements: u64,
    looked_for: u64,
}

impl Watch {
    pub(crate) fn new(book: Book) -> Self {
        Watch {
            book,
            inner: Arc::default(),
        }
    }

    /// How many terms had a leader.
    pub(crate) fn elections(&self) -> u64 {
        lock(&self.inner).leaders.len() as u64
    }

    /// How many acknowledged writes were looked for on the disks.
    pub(crate) fn looked_for(&self) -> u64 {
        lock(&self.inner).looked_for
    }

    /// A node begins a new life, and may remember less than it said in the last one.
    pub(crate) fn restarted(&self, node: NodeId) {
        lock(&self.inner).said.remove(&node);
    }

    /// Looks at what every node that runs says of itself.
    pub(crate) fn look(&self, cluster: &Cluster) {
        for node in cluster.sim.nodes() {
            if let Some(running) = cluster.running(node) {
                let status = running.status();
                let told = lock(&self.inner).hear(node, &status);
                self.tell(told);
                if running.is_outvoted() {
                    self.book.violate(format!("{node} was outvoted"));
                }
            }
        }
    }

    /// Compares the logs on the disks of all nodes that run, as far as they are committed.
    pub(crate) fn compare_logs(&self, cluster: &Cluster) {
        for node in cluster.sim.nodes() {
            if let Some(running) = cluster.running(node) {
                let committed = running.status().committed;
                let log = StoredLog::read(&cluster.sim.disk(node).copy());
                self.tell(lock(&self.inner).read(node, committed, log));
            }
        }
    }

    /// A write was acknowledged. `calm` says that no disk was lost and nobody is being removed.
    pub(crate) fn acknowledged(&self, cluster: &Cluster, position: &Position, calm: bool) {
        let index = position.index;
        let (told, number) = {
            let mut facts = lock(&self.inner);
            facts.acknowledgements += 1;
            let told = facts.belongs(index, position.term);
            (told, facts.acknowledgements)
        };
        self.tell(told);
        if number.is_multiple_of(LOOKED_FOR) && calm {
            self.look_for(cluster, position);
        }
    }

    /// A majority has the entry durably.
    fn look_for(&self, cluster: &Cluster, position: &Position) {
        let Some(voters) = agreed_voters(cluster) else {
            return;
        };
        lock(&self.inner).looked_for += 1;
        let &Position { index, term, .. } = position;
        let durable = |node: &&NodeId| {
            let disk = cluster.sim.disk(**node).durable_copy();
            StoredLog::read(&disk).holds(index, term)
        };
        let have = voters.iter().filter(durable).count();
        if have <= voters.len() / 2 {
            self.book.violate(format!(
                "entry {index} of term {term} was acknowledged when {have} of {} had synced it",
                voters.len()
            ));
        }
    }

    fn tell(&self, told: Result<Vec<String>, String>) {
        match told {
            Ok(news) => news.iter().for_each(|line| self.book.say(line)),
            Err(violation) => self.book.violate(violation),
        }
    }
}

/// The voters, if all nodes that run know the same and no change is under way.
fn agreed_voters(cluster: &Cluster) -> Option<Vec<NodeId>> {
    let nodes = cluster.sim.nodes();
    let running = nodes.iter().filter_map(|node| cluster.running(*node));
    let views: Vec<_> = running.map(|running| running.status()).collect();
    let known = |status: &ClusterStatus| {
        let members = status.nodes.iter();
        let members: Vec<_> = members
            .map(|one| (one.name.clone(), one.id, one.role == Role::Learner))
            .collect();
        members
    };
    let first = known(views.first()?);
    let agreed = views.iter().all(|status| known(status) == first);
    let settled = first.iter().all(|(_, _, learns)| !learns);
    let is_member = |node: &NodeId| first.iter().any(|(name, ..)| *name == node.to_string());
    let voters: Vec<NodeId> = nodes.into_iter().filter(is_member).collect();
    (agreed && settled && voters.len() == first.len()).then_some(voters)
}

type Told = Result<Vec<String>, String>;

impl Facts {
    /// Takes in what a node says; answers what is new.
    fn hear(&mut self, node: NodeId, status: &ClusterStatus) -> Told {
        let mut news = Vec::new();
        let (term, committed) = (status.term, status.committed);
        let (before, known) = self
            .said
            .insert(node, (term, committed))
            .unwrap_or_default();
        if term < before || committed < known {
            return Err(format!(
                "{node} went back: from term {before} and index {known} to {term} and {committed}"
            ));
        }
        // Not by its name: a node that took the place of another has the same.
        let mut members = status.nodes.iter();
        if let Some(leader) = members.find(|one| one.role == Role::Leader) {
            let (id, name) = self.leaders.entry(term).or_insert_with(|| {
                news.push(format!("{} leads in term {term}", leader.name));
                (leader.id, leader.name.clone())
            });
            if *id != leader.id {
                return Err(format!(
                    "two lead in term {term}: {name}, and {} as {node} says",
                    leader.name
                ));
            }
        }
        let at = status.applied;
        let known = self.hashes.entry(at);
        let (hash, whose) = known.or_insert_with(|| (status.state_hash.clone(), node));
        if *hash != status.state_hash {
            return Err(format!("{node} and {whose} differ in their states at {at}"));
        }
        Ok(news)
    }

    /// Takes in the log of a node.
    fn read(&mut self, node: NodeId, committed: u64, log: StoredLog) -> Told {
        for (index, entry) in log.entries {
            if index > committed {
                break;
            }
            let term = entry.log_id.leader_id.term;
            self.belongs(index, term)?;
            let (known, whose) = self
                .committed
                .entry(index)
                .or_insert_with(|| (entry.clone(), node));
            if *known != entry {
                return Err(format!(
                    "entry {index}, which is committed, is another one for {node} (term {term}) \
                     than it was for {whose} (term {})",
                    known.log_id.leader_id.term
                ));
            }
        }
        Ok(Vec::new())
    }

    /// An index belongs to one term for good, and later ones to no earlier term.
    fn belongs(&mut self, index: u64, term: u64) -> Told {
        let known = *self.terms.entry(index).or_insert(term);
        let before = self.terms.range(..index).next_back();
        let after = self.terms.range(index + 1..).next();
        let in_order = before.is_none_or(|(_, before)| *before <= term)
            && after.is_none_or(|(_, after)| *after >= term);
        if known != term || !in_order {
            return Err(format!(
                "entry {index} is of term {term}, which does not fit {known} at {index}, \
                 {before:?} before and {after:?} after"
            ));
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::NodeStatus;

    use super::*;
    use crate::cluster::small;
    use crate::world::World;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn member(number: u64) -> NodeStatus {
        NodeStatus {
            name: format!("n{number}"),
            id: 100 + number,
            role: Role::Follower,
            http: String::new(),
            peer: String::new(),
            differs: false,
            healthy: true,
            last_contact_ms: None,
            round_trip_us: None,
            term: 0,
            voted_for: None,
            last_log: 0,
            committed: 0,
            applied: 0,
            snapshot: 0,
            purged: 0,
            lag: None,
            state_hash: String::new(),
            announced: bytes::Bytes::new(),
        }
    }

    /// What a node says in a term, of a leader, at an index where its state has this hash.
    fn says(term: u64, leader: &str, index: u64, hash: &str) -> ClusterStatus {
        let mut nodes = vec![member(1), member(2)];
        let leads = nodes.iter_mut().find(|one| one.name == leader);
        leads.expect("a member").role = Role::Leader;
        ClusterStatus {
            cluster: String::new(),
            node: Arc::from("n1"),
            leader: Some(leader.to_owned()),
            term,
            committed: index,
            applied: index,
            state_hash: hash.to_owned(),
            ready: true,
            nodes,
        }
    }

    #[test]
    fn two_leaders_of_a_term_are_told() {
        let mut facts = Facts::default();
        assert!(facts.hear(A, &says(1, "n1", 5, "x")).is_ok());
        assert!(facts.hear(B, &says(2, "n2", 5, "x")).is_ok());
        assert_eq!(facts.hear(A, &says(2, "n2", 5, "x")), Ok(vec![]));
        assert!(facts.hear(A, &says(2, "n1", 6, "y")).is_err());
    }

    #[test]
    fn states_that_differ_at_an_index_are_told() {
        let mut facts = Facts::default();
        assert!(facts.hear(A, &says(1, "n1", 5, "x")).is_ok());
        assert!(facts.hear(B, &says(1, "n1", 6, "y")).is_ok());
        assert!(facts.hear(A, &says(1, "n1", 6, "z")).is_err());
    }

    #[test]
    fn a_node_that_goes_back_within_a_life_is_told() {
        let mut facts = Facts::default();
        assert!(facts.hear(A, &says(2, "n1", 5, "x")).is_ok());
        assert!(facts.hear(A, &says(1, "n1", 5, "x")).is_err());
        facts.said.remove(&A);
        assert!(facts.hear(A, &says(1, "n1", 5, "x")).is_ok());
    }

    #[test]
    fn an_index_has_one_term_and_terms_are_in_order() {
        let mut facts = Facts::default();
        assert!(facts.belongs(5, 2).is_ok());
        assert!(facts.belongs(9, 4).is_ok());
        assert!(facts.belongs(7, 3).is_ok());
        assert!(facts.belongs(5, 3).is_err());
        assert!(facts.belongs(8, 5).is_err());
        assert!(facts.belongs(8, 2).is_err());
    }

    #[test]
    fn a_committed_entry_that_changes_is_told() {
        let read = || {
            World::new(1, 1).run(|sim| async move {
                let cluster = Cluster::form(sim, small()).await;
                StoredLog::read(&cluster.sim.disk(A).copy())
            })
        };
        let last = *read().entries.keys().next_back().expect("an entry");
        let mut facts = Facts::default();
        assert!(facts.read(A, last, read()).is_ok());
        assert!(facts.read(B, last, read()).is_ok());
        let mut other = read();
        let entry = other.entries.get_mut(&last).expect("it is there");
        entry.log_id.leader_id.term += 1;
        assert!(facts.read(B, last, other).is_err());
        let mut other = read();
        let first = other.entries[&0].clone();
        let entry = other.entries.get_mut(&last).expect("it is there");
        entry.payload = first.payload;
        assert!(facts.read(B, last, other).is_err());
    }
}
