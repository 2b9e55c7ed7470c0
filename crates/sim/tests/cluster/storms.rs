//! Clusters under clients, crashes, partitions, bad clocks and slow disks: nothing that was
//! acknowledged is lost, nothing is applied twice, and all nodes end in the same state.

use std::time::Duration;

use sim::{Crash, NodeId, Sim, World};

use crate::clients::Ledger;
use crate::harness::{Cluster, seeds, small};

const NODES: u32 = 3;
const CLIENTS: u64 = 4;
const BLOWS: usize = 6;

/// Longest time between two blows, and until a blow is made good.
const LULL_MAX: Duration = Duration::from_secs(2);

/// One storm from beginning to end; answers the trace and the number of acknowledged writes.
fn storm(seed: u64) -> ((u64, u64), usize) {
    let mut world = World::new(seed, NODES);
    let acknowledged = world.run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let ledger = Ledger::default();
        let clients = ledger.open(&cluster, CLIENTS);
        for _ in 0..BLOWS {
            lull(&sim).await;
            strike(&cluster).await;
            lull(&sim).await;
            make_good(&cluster);
        }
        lull(&sim).await;
        ledger.close(&cluster, clients).await;
        cluster.until_equal().await;
        ledger.check(&cluster).await;
        ledger.acknowledged()
    });
    (world.trace_hash(), acknowledged)
}

async fn lull(sim: &Sim) {
    sim.sleep(sim.roll(|dice| dice.within(&(Duration::ZERO..LULL_MAX))))
        .await;
}

/// Something bad happens.
async fn strike(cluster: &Cluster) {
    let sim = &cluster.sim;
    let nodes = sim.nodes();
    let node = sim.roll(|dice| *dice.pick(&nodes));
    let others: Vec<NodeId> = nodes
        .iter()
        .copied()
        .filter(|other| *other != node)
        .collect();
    match sim.roll(|dice| dice.below(10)) {
        0..=2 => cluster.crash_somehow(node).await,
        3 => {
            let leader = cluster.leader().await;
            cluster.crash_somehow(leader).await;
        }
        4 => nodes
            .iter()
            .for_each(|node| cluster.crash(*node, sim.roll(Crash::any))),
        5 => sim.network().partition(&[node], &others),
        6 => sim.network().cut(node, others[0]),
        7 => cluster.stop(node).await,
        8 => {
            others
                .iter()
                .for_each(|other| sim.network().reset(node, *other));
            sim.set_clock_offset_ms(node, sim.roll(|dice| dice.below(20_000)) as i64 - 10_000);
        }
        _ => {
            let slow = Duration::from_millis(20)..Duration::from_millis(400);
            sim.disk(node).set_sync_time(slow.clone());
            sim.disk(others[1]).set_queue_time(slow.clone());
            sim.network().set_delay(node, others[0], slow);
        }
    }
}

/// Everything works again.
fn make_good(cluster: &Cluster) {
    let quick = Duration::from_micros(50)..Duration::from_millis(3);
    let nodes = cluster.sim.nodes();
    for node in &nodes {
        cluster.sim.disk(*node).set_sync_time(quick.clone());
        cluster.sim.disk(*node).set_queue_time(quick.clone());
        for other in &nodes {
            cluster
                .sim
                .network()
                .set_delay(*node, *other, quick.clone());
        }
    }
    cluster.sim.network().heal_all();
    cluster.start_all();
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_applied_twice() {
    for seed in seeds(20) {
        let (_, acknowledged) = storm(seed);
        assert!(
            acknowledged > 50,
            "seed {seed}: only {acknowledged} writes were acknowledged"
        );
    }
}

#[test]
fn a_storm_repeats_from_its_seed() {
    assert_eq!(storm(3), storm(3));
}
