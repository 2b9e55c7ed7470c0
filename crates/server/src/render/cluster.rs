//! The cluster and its elections, from the engine's types to the API's.

use std::cmp::Reverse;

use api::types::{self, ElectionCause, ElectionEvent};
use engine::{Cause, ClusterStatus, Election, Happened, NodeElections, NodeStatus, Role};

use super::rfc3339;

/// What the server knows of a node beyond the engine.
pub(crate) struct Beside {
    /// The areas that are assigned to it.
    pub areas: Vec<i64>,
    /// Its other front doors.
    pub doors: types::Doors,
}

/// The cluster; `beside` tells what the engine does not know of a node.
pub(crate) fn cluster(
    status: &ClusterStatus,
    beside: impl Fn(&NodeStatus) -> Beside,
) -> types::Cluster {
    types::Cluster {
        id: status.cluster.clone(),
        node: status.node.to_string(),
        leader: status.leader.clone(),
        term: status.term,
        committed: status.committed,
        applied: status.applied,
        state_hash: status.state_hash.clone(),
        ready: status.ready,
        nodes: status.nodes.iter().map(|n| node(n, beside(n))).collect(),
    }
}

/// A node's id as the API shows it.
pub(crate) fn id(id: u64) -> String {
    format!("{id:016x}")
}

fn node(node: &NodeStatus, Beside { areas, doors }: Beside) -> types::Node {
    types::Node {
        name: node.name.clone(),
        id: id(node.id),
        role: match node.role {
            Role::Leader => types::NodeRole::Leader,
            Role::Follower => types::NodeRole::Follower,
            Role::Candidate => types::NodeRole::Candidate,
            Role::Learner => types::NodeRole::Learner,
        },
        http: node.http.clone(),
        peer: node.peer.clone(),
        healthy: node.healthy,
        differs: node.differs,
        last_contact_ms: node.last_contact_ms,
        round_trip_us: node.round_trip_us,
        term: node.term,
        voted_for: node.voted_for.clone(),
        last_log: node.last_log,
        committed: node.committed,
        applied: node.applied,
        snapshot: node.snapshot,
        purged: node.purged,
        lag: node.lag,
        state_hash: node.state_hash.clone(),
        areas,
        doors,
    }
}

/// The elections of all nodes, newest first.
pub(crate) fn elections(nodes: Vec<NodeElections>) -> types::Elections {
    let (mut told, mut silent) = (Vec::new(), Vec::new());
    for NodeElections { node, elections } in nodes {
        match elections {
            // A node's own order holds, also where two entries are of the same millisecond.
            Some(elections) => {
                let own = elections.into_iter().enumerate();
                told.extend(own.map(|(place, past)| (past.at_ms, place, node.clone(), past)));
            }
            None => silent.push(node),
        }
    }
    told.sort_by_key(|(at_ms, place, ..)| Reverse((*at_ms, *place)));
    let elections = told
        .into_iter()
        .map(|(_, _, node, past)| election(node, past));
    types::Elections {
        elections: elections.collect(),
        silent,
    }
}

fn election(node: String, past: Election) -> types::Election {
    let (event, who, cause) = match past.what {
        Happened::Started => (ElectionEvent::Started, None, None),
        Happened::Stood(cause) => (ElectionEvent::Stood, None, Some(cause)),
        Happened::Voted { candidate, cause } => {
            (ElectionEvent::Voted, Some(candidate), Some(cause))
        }
        Happened::Leads { leader, cause } => (ElectionEvent::Leads, Some(leader), cause),
    };
    let (silent_ms, from) = match &cause {
        Some(Cause::Silence { silent_ms }) => (Some(*silent_ms), None),
        Some(Cause::HandedOver { from }) => (None, Some(from.clone())),
        _ => (None, None),
    };
    let kind = |cause: Cause| match cause {
        Cause::Founded => ElectionCause::Founded,
        Cause::OnlyVoter => ElectionCause::OnlyVoter,
        Cause::Silence { .. } => ElectionCause::Silence,
        Cause::NoLeader => ElectionCause::NoLeader,
        Cause::HandedOver { .. } => ElectionCause::HandedOver,
        Cause::Forced => ElectionCause::Forced,
    };
    types::Election {
        node,
        at: rfc3339(past.at_ms),
        term: past.term,
        event,
        who,
        cause: cause.map(kind),
        silent_ms,
        from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(at_ms: i64, term: u64, what: Happened) -> Election {
        Election { at_ms, term, what }
    }

    #[test]
    fn the_newest_election_comes_first_and_who_is_silent_is_said() {
        let cause = Cause::Silence { silent_ms: 312 };
        let leads = |cause| Happened::Leads {
            leader: "n2".into(),
            cause,
        };
        let first = NodeElections {
            node: "n1".into(),
            elections: Some(vec![past(3, 4, Happened::Started), past(7, 5, leads(None))]),
        };
        let second = NodeElections {
            node: "n2".into(),
            elections: Some(vec![
                past(6, 5, Happened::Stood(cause.clone())),
                past(6, 5, leads(Some(cause))),
            ]),
        };
        let third = NodeElections {
            node: "n3".into(),
            elections: None,
        };
        let told = elections(vec![first, second, third]);
        assert_eq!(told.silent, ["n3"]);
        let lines = told
            .elections
            .iter()
            .map(|e| (&*e.node, e.event, e.silent_ms));
        let lines: Vec<_> = lines.collect();
        let expected = [
            ("n1", ElectionEvent::Leads, None),
            ("n2", ElectionEvent::Leads, Some(312)),
            ("n2", ElectionEvent::Stood, Some(312)),
            ("n1", ElectionEvent::Started, None),
        ];
        assert_eq!(lines, expected);
        assert_eq!(told.elections[0].who.as_deref(), Some("n2"));
        assert_eq!(told.elections[1].cause, Some(ElectionCause::Silence));
    }
}
