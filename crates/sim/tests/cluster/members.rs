//! Who belongs to the cluster, when nodes come and go in the middle of a change.

use std::time::Duration;

use engine::Role;
use openraft_rt::AsyncRuntime;
use sim::cluster::{Cluster, small};
use sim::{Crash, NodeId, SimRuntime, World};

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
        cluster.sim.sleep(Duration::from_millis(5)).await;
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

/// A removal waits for a node that died a moment ago. Who asks for it again is not told that it is
/// refused, while it will be done.
#[test]
fn a_removal_that_is_under_way_is_not_refused() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let mut others = sim.nodes();
        others.retain(|node| *node != leader);
        let (dead, removed) = (others[0], others[1].to_string());
        let ask = || {
            let running = cluster.running(leader).expect("it runs");
            let name = removed.clone();
            sim.on(leader, async move { running.remove_node(&name).await })
        };
        cluster.crash(dead, Crash::KillOnly);
        let first = ask();
        sim.sleep(Duration::from_secs(4)).await;
        let mut second = ask();
        let early = SimRuntime::timeout(Duration::from_secs(4), &mut second).await;
        assert!(early.is_err(), "it cannot be known yet: {early:?}");
        cluster.start(dead);
        assert_eq!(first.await.expect("the leader lives"), Ok(()));
        // It was done meanwhile, so there is no such node any more.
        let unknown = engine::MembershipError::UnknownNode(removed.clone());
        assert_eq!(second.await.expect("the leader lives"), Err(unknown));
    });
}
