//! What a leader must not do when it comes back, when it is alone, when it is never idle.

use std::time::Duration;

use domain::Proposal;
use engine::{Consistency, ReadError};
use sim::cluster::{Cluster, Reading, put, small};
use sim::{Crash, NodeId, World};

/// Writes on a node and waits for the acknowledgement.
async fn write(cluster: &Cluster, node: NodeId, proposal: Proposal) {
    let running = cluster.running(node).expect("the node runs");
    let writing = cluster
        .sim
        .on(node, async move { running.write(proposal).await });
    writing
        .await
        .expect("the node lives")
        .expect("it has a majority");
}

fn found(reading: &Reading) -> bool {
    matches!(reading, Reading::Found(Some(_)))
}

/// The two that do not lead.
fn followers(cluster: &Cluster, leader: NodeId) -> Vec<NodeId> {
    cluster
        .sim
        .nodes()
        .into_iter()
        .filter(|node| *node != leader)
        .collect()
}

/// A majority without the leader is enough to acknowledge a write. The leader crashes before its
/// own disk has the entry, and comes back before the others miss it.
#[test]
fn a_leader_that_lost_an_acknowledged_entry_does_not_put_another_in_its_place() {
    for seed in 0..10 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let leader = cluster.leader().await;
            write(&cluster, leader, put("first", vec![1], Some("first"))).await;
            sim.disk(leader).set_queue_time(slow());
            write(&cluster, leader, put("lost", vec![1], Some("lost"))).await;
            cluster.crash(leader, Crash::LoseUnsynced);
            sim.disk(leader)
                .set_queue_time(Duration::ZERO..Duration::ZERO);
            cluster.start(leader);
            cluster.until_running(leader).await;
            write(&cluster, leader, put("next", vec![1], Some("next"))).await;
            cluster.until_equal().await;
            for node in sim.nodes() {
                for key in ["first", "lost", "next"] {
                    let reading = cluster.get(node, Consistency::Linearizable, key).await;
                    assert!(
                        found(&reading),
                        "{node} lacks the acknowledged {key}: {reading:?}"
                    );
                }
            }
        });
    }
}

fn slow() -> std::ops::Range<Duration> {
    Duration::from_millis(100)..Duration::from_millis(200)
}

#[test]
fn a_leader_cut_off_refuses_linearizable_reads_rather_than_lie() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let old = cluster.leader().await;
        let others = followers(&cluster, old);
        sim.network().partition(&[old], &others);
        let reading = cluster.get(old, Consistency::Linearizable, "key").await;
        assert_eq!(reading, Reading::Refused(ReadError::NoLeader));
        sim.sleep(Duration::from_secs(3)).await;
        write(&cluster, others[0], put("key", vec![1], Some("key"))).await;
        assert_eq!(
            cluster.get(old, Consistency::Stale, "key").await,
            Reading::Found(None)
        );
        sim.network().heal_all();
        let healed = || async { cluster.get(old, Consistency::Linearizable, "key").await };
        sim.sleep(Duration::from_secs(3)).await;
        assert!(found(&healed().await));
    });
}

#[test]
fn the_log_stays_short_however_steadily_it_grows() {
    World::new(1, 1).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let node = sim.nodes()[0];
        for number in 0..600 {
            let key = format!("key-{}", number % 10);
            write(&cluster, node, put(&key, vec![number as u8; 2_000], None)).await;
            sim.sleep(Duration::from_millis(40)).await;
        }
        let sizes = cluster.file_sizes(node, ".log");
        assert!(sizes.len() <= 8, "the log was not purged: {sizes:?}");
    });
}
