//! The cluster.

use api::grpc::v1;
use api::types::{self, ElectionCause, ElectionEvent};

use crate::grpc::render::time;

/// The cluster.
pub(in crate::grpc) fn cluster(cluster: types::Cluster) -> v1::GetClusterResponse {
    v1::GetClusterResponse {
        id: cluster.id,
        node: cluster.node,
        leader: cluster.leader,
        term: cluster.term,
        committed: cluster.committed,
        applied: cluster.applied,
        state_hash: cluster.state_hash,
        ready: cluster.ready,
        nodes: cluster.nodes.into_iter().map(node).collect(),
    }
}

fn node(node: types::Node) -> v1::Node {
    let role = match node.role {
        types::NodeRole::Leader => v1::NodeRole::Leader,
        types::NodeRole::Follower => v1::NodeRole::Follower,
        types::NodeRole::Candidate => v1::NodeRole::Candidate,
        types::NodeRole::Learner => v1::NodeRole::Learner,
    };
    v1::Node {
        name: node.name,
        id: node.id,
        role: role.into(),
        http: node.http,
        peer: node.peer,
        healthy: node.healthy,
        last_contact_ms: node.last_contact_ms,
        round_trip_us: node.round_trip_us,
        applied: node.applied,
        state_hash: node.state_hash,
        differs: node.differs,
        areas: node.areas,
        term: node.term,
        voted_for: node.voted_for,
        last_log: node.last_log,
        committed: node.committed,
        snapshot: node.snapshot,
        purged: node.purged,
        lag: node.lag,
        doors: Some(v1::Doors {
            redis: node.doors.redis,
            grpc: node.doors.grpc,
            lottery: node.doors.lottery,
        }),
    }
}

/// The elections that the nodes remember.
pub(in crate::grpc) fn elections(told: types::Elections) -> v1::ListElectionsResponse {
    v1::ListElectionsResponse {
        elections: told.elections.into_iter().map(election).collect(),
        silent: told.silent,
    }
}

fn election(past: types::Election) -> v1::Election {
    let event = match past.event {
        ElectionEvent::Started => v1::ElectionEvent::Started,
        ElectionEvent::Stood => v1::ElectionEvent::Stood,
        ElectionEvent::Voted => v1::ElectionEvent::Voted,
        ElectionEvent::Leads => v1::ElectionEvent::Leads,
    };
    let cause = match past.cause {
        None => v1::ElectionCause::Unspecified,
        Some(ElectionCause::Founded) => v1::ElectionCause::Founded,
        Some(ElectionCause::OnlyVoter) => v1::ElectionCause::OnlyVoter,
        Some(ElectionCause::Silence) => v1::ElectionCause::Silence,
        Some(ElectionCause::NoLeader) => v1::ElectionCause::NoLeader,
        Some(ElectionCause::HandedOver) => v1::ElectionCause::HandedOver,
        Some(ElectionCause::Forced) => v1::ElectionCause::Forced,
    };
    let at = past.at.parse::<jiff::Timestamp>().ok();
    v1::Election {
        node: past.node,
        at: at.and_then(|at| time(at.as_millisecond())),
        term: past.term,
        event: event.into(),
        who: past.who,
        cause: cause.into(),
        silent_ms: past.silent_ms,
        from: past.from,
    }
}
