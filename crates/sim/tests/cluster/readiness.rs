//! A node that says ready shows at least what the cluster had acknowledged by then.

use engine::Consistency;
use sim::cluster::{Cluster, Reading, put, small};
use sim::{Crash, World};

use crate::seeds::seeds;

/// More than one commit of the state, so that a crash leaves it behind its log.
const WRITES: u32 = 12;

#[test]
fn a_node_is_not_ready_before_it_shows_what_was_acknowledged() {
    for seed in seeds(10) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let leader = cluster.leader().await;
            let node = cluster.running(leader).expect("the leader runs");
            for number in 0..WRITES {
                let key = format!("key-{number}");
                let (node, proposal) = (node.clone(), put(&key, vec![1], Some(&key)));
                let writing = sim.on(leader, async move { node.write(proposal).await });
                writing.await.expect("it lives").expect("a majority");
            }
            drop(node);
            let crash = sim.roll(Crash::any);
            sim.nodes()
                .into_iter()
                .for_each(|node| cluster.crash(node, crash));
            cluster.start_all();
            for node in sim.nodes() {
                let running = cluster.until_running(node).await;
                let ready = || running.is_ready().then_some(());
                cluster.until("the node is ready", ready).await;
                for number in 0..WRITES {
                    let key = format!("key-{number}");
                    let seen = cluster.get(node, Consistency::Stale, &key).await;
                    assert!(
                        matches!(seen, Reading::Found(Some(_))),
                        "seed {seed}: {node} is ready and does not show {key}: {seen:?}"
                    );
                }
            }
        });
    }
}
