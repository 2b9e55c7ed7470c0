//! Who belongs to the cluster, when nodes come and go in the middle of a change.

use engine::Role;
use sim::cluster::{Cluster, small};
use sim::{Crash, NodeId, World};

use crate::seeds::seeds;

const WIPED: NodeId = NodeId(3);

/// How many members the leader knows, and how many of them vote.
async fn members(cluster: &Cluster) -> (usize, usize) {
    let leader = cluster.leader().await;
    let Some(running) = cluster.running(leader) else {
        return (0, 0);
    };
    let status = running.status();
    let voters = status.nodes.iter().filter(|one| one.role != Role::Learner);
    (status.nodes.len(), voters.count())
}

async fn until_members(cluster: &Cluster, wanted: (usize, usize)) {
    for _ in 0..1_200 {
        if members(cluster).await == wanted {
            return;
        }
        cluster.sim.sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{wanted:?}, but {:?}", members(cluster).await);
}

fn wipe(cluster: &Cluster) {
    cluster.crash(WIPED, Crash::KillOnly);
    cluster.sim.disk(WIPED).erase();
    cluster.start(WIPED);
}

/// The node that lost its disk is taken in as a learner, and loses it again before it votes: both
/// of its former selves must go.
#[test]
fn a_node_that_loses_its_disk_twice_leaves_nobody_behind() {
    for seed in seeds(5) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            wipe(&cluster);
            until_members(&cluster, (4, 3)).await;
            wipe(&cluster);
            until_members(&cluster, (5, 3)).await;
            until_members(&cluster, (3, 3)).await;
            cluster.until_voters(3).await;
            cluster.until_equal().await;
        });
    }
}
