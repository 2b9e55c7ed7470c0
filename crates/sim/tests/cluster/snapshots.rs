//! Nodes that are so far behind that only a snapshot helps.

use std::time::Duration;

use sim::cluster::{Cluster, put, small};
use sim::{Crash, NodeId, World};

use crate::seeds::seeds;

const LAGGARD: NodeId = NodeId(3);
const NEWCOMER: NodeId = NodeId(4);

/// How far apart the changes of its disk are at which the laggard is crashed.
const STRIDE: u64 = 10;

/// Writes more than the log keeps, and waits until it is purged.
async fn outgrow_the_log(cluster: &Cluster, round: u32) {
    for number in 0..40 {
        let leader = cluster.leader().await;
        let node = cluster.running(leader).expect("the leader runs");
        let key = format!("{round}-{number}");
        let proposal = put(&key, vec![number; 4_000], Some(&key));
        let written = cluster
            .sim
            .on(leader, async move { node.write(proposal).await })
            .await;
        written
            .expect("the leader lives")
            .expect("it has a majority");
    }
    cluster.sim.sleep(Duration::from_secs(4)).await;
}

/// Starts the laggard and crashes it at a change of its disk; false if it never came so far.
async fn set_back(cluster: &Cluster, k: u64) -> bool {
    let sim = &cluster.sim;
    let crash = sim.roll(Crash::any);
    cluster.start(LAGGARD);
    sim.disk(LAGGARD).crash_at(k, crash);
    sim.sleep(Duration::from_secs(2)).await;
    sim.disk(LAGGARD).crash_never();
    let crashed = !sim.is_up(LAGGARD);
    cluster.crash(LAGGARD, crash);
    crashed
}

#[test]
fn a_node_that_lags_gets_a_snapshot_however_often_it_crashes_meanwhile() {
    for seed in seeds(3) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            cluster.crash(LAGGARD, sim.roll(Crash::any));
            outgrow_the_log(&cluster, 0).await;
            let mut k = 1;
            while set_back(&cluster, k).await {
                k += 1 + sim.roll(|dice| dice.below(STRIDE));
            }
            cluster.start(LAGGARD);
            cluster.until_equal().await;
        });
    }
}

#[test]
fn an_empty_node_joins_by_a_snapshot() {
    World::new(1, 4).run(|sim| async move {
        let cluster = Cluster::new(sim.clone(), small());
        for number in 1..=3 {
            cluster.start(NodeId(number));
            cluster.until_running(NodeId(number)).await;
        }
        cluster.until_voters(3).await;
        outgrow_the_log(&cluster, 0).await;
        outgrow_the_log(&cluster, 1).await;
        cluster.start(NEWCOMER);
        cluster.until_running(NEWCOMER).await;
        cluster.until_voters(4).await;
        cluster.until_equal().await;
    });
}

#[test]
fn a_snapshot_that_finds_no_room_is_taken_once_there_is_some() {
    World::new(4, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        cluster.crash(LAGGARD, Crash::KillOnly);
        outgrow_the_log(&cluster, 0).await;
        let disk = sim.disk(LAGGARD);
        disk.set_capacity_bytes(Some(disk.used_bytes() + 40_000));
        cluster.start(LAGGARD);
        let laggard = cluster.until_running(LAGGARD).await;
        sim.sleep(Duration::from_secs(10)).await;
        let leader = cluster.leader().await;
        let ahead = cluster.running(leader).expect("it runs").status().applied;
        let behind = laggard.status().applied;
        assert!(behind < ahead, "there was room: {behind} of {ahead}");
        disk.set_capacity_bytes(None);
        cluster.until_equal().await;
    });
}

#[test]
fn a_node_that_is_away_costs_no_copies_of_the_state() {
    World::new(5, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        cluster.crash(LAGGARD, Crash::KillOnly);
        outgrow_the_log(&cluster, 0).await;
        sim.sleep(Duration::from_secs(10)).await;
        let leader = cluster.leader().await;
        let status = cluster.running(leader).expect("it runs").status();
        let name = LAGGARD.to_string();
        let away = status.nodes.iter().find(|one| one.name == name);
        let copy = format!("send-{}.snapshot", away.expect("a member").id);
        assert_eq!(sim.disk(leader).made(&copy), 0);
        cluster.start(LAGGARD);
        cluster.until_equal().await;
        assert!(sim.disk(leader).made(&copy) > 0);
    });
}
