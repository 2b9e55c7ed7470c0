//! The cluster.

use api::grpc::v1;
use api::types;

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
    }
}
