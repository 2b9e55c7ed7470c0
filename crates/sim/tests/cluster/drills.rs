//! What drills do to the links of a node: cut ones, slow ones, and whole again.

use std::time::Duration;

use engine::{Consistency, Harm};
use sim::cluster::{Cluster, Reading, put, small};
use sim::{NodeId, World};

/// Longer than an election takes.
const A_WHILE: Duration = Duration::from_secs(10);

async fn write(cluster: &Cluster, node: NodeId, key: &str) {
    let deadline = cluster.sim.elapsed() + A_WHILE;
    loop {
        let running = cluster.running(node).expect("the node runs");
        let proposal = put(key, vec![7; 20], Some(key));
        let writing = async move { running.write(proposal).await };
        match cluster.sim.on(node, writing).await.expect("the node lives") {
            Ok(_) => return,
            Err(error) => assert!(cluster.sim.elapsed() < deadline, "{key}: {error}"),
        }
        cluster.sim.sleep(Duration::from_millis(50)).await;
    }
}

fn others(cluster: &Cluster, than: NodeId) -> Vec<NodeId> {
    let nodes = cluster.sim.nodes();
    nodes.into_iter().filter(|node| *node != than).collect()
}

#[test]
fn a_leader_that_plays_dead_is_replaced_and_comes_back_with_nothing_lost() {
    for seed in 0..10 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let dead = cluster.leader().await;
            let alive = others(&cluster, dead);
            write(&cluster, dead, "before").await;
            let playing = cluster.running(dead).expect("it runs");
            playing.harm_links(Harm::Cut, &[]).expect("all peers");
            for number in 0..20 {
                write(&cluster, alive[0], &format!("while {number}")).await;
            }
            let reading = cluster.get(dead, Consistency::Linearizable, "before");
            let reading = reading.await;
            assert!(!matches!(reading, Reading::Found(_)), "{reading:?}");
            playing.heal_links();
            write(&cluster, dead, "after").await;
            cluster.until_equal().await;
        });
    }
}

#[test]
fn one_cut_link_and_slow_ones_stop_no_majority() {
    for seed in 0..10 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let leader = cluster.leader().await;
            let followers = others(&cluster, leader);
            let running = cluster.running(leader).expect("it runs");
            let name = followers[0].to_string();
            running.harm_links(Harm::Cut, &[name]).expect("a peer");
            write(&cluster, followers[1], "with one link cut").await;
            let slow = Harm::Slow(Duration::from_millis(30));
            running.harm_links(slow, &[]).expect("all peers");
            write(&cluster, followers[1], "with slow links").await;
            running.heal_links();
            cluster.until_equal().await;
        });
    }
}

/// How long each cut lasts, and the time after it: shorter than a follower's patience, about as
/// long as an election, and longer than that.
const FLAPS_MS: [u64; 3] = [200, 600, 1_500];

/// Cuts one node off again and again while clients write through another; the longest time that
/// one of them waited for its acknowledgement.
async fn longest_wait(cluster: &Cluster, flapping: NodeId, through: NodeId) -> Duration {
    let running = cluster.running(flapping).expect("it runs");
    let (mut longest, mut number) = (Duration::ZERO, 0);
    for flap in FLAPS_MS.into_iter().cycle().take(6) {
        for cut in [true, false] {
            match cut {
                true => running.harm_links(Harm::Cut, &[]).expect("all peers"),
                false => running.heal_links(),
            }
            let until = cluster.sim.elapsed() + Duration::from_millis(flap);
            while cluster.sim.elapsed() < until {
                number += 1;
                let asked = cluster.sim.elapsed();
                write(cluster, through, &format!("flap {number}")).await;
                longest = longest.max(cluster.sim.elapsed() - asked);
                cluster.sim.sleep(Duration::from_millis(20)).await;
            }
        }
    }
    longest
}

#[test]
fn a_flapping_follower_deposes_nobody_and_keeps_nobody_waiting() {
    for seed in 0..5 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let leader = cluster.leader().await;
            let followers = others(&cluster, leader);
            let term = || cluster.running(leader).expect("it runs").status().term;
            let before = term();
            let longest = longest_wait(&cluster, followers[0], followers[1]).await;
            eprintln!("seed {seed}, a follower that flaps: at most {longest:?}");
            assert_eq!(term(), before, "nobody stood for election");
            assert!(longest < Duration::from_millis(200), "{longest:?}");
            cluster.until_equal().await;
        });
    }
}

#[test]
fn a_flapping_leader_keeps_the_majority_waiting_for_an_election_at_most() {
    for seed in 0..5 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let leader = cluster.leader().await;
            let through = others(&cluster, leader)[0];
            let longest = longest_wait(&cluster, leader, through).await;
            eprintln!("seed {seed}, a leader that flaps: at most {longest:?}");
            assert!(longest < Duration::from_secs(2), "{longest:?}");
            cluster.until_equal().await;
        });
    }
}

#[test]
fn a_slow_link_that_is_healed_is_fast_at_once() {
    World::new(3, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let running = cluster.running(leader).expect("it runs");
        let slow = Harm::Slow(Duration::from_secs(60));
        running.harm_links(slow, &[]).expect("all peers");
        // Frames are on their way now, for a minute.
        sim.sleep(Duration::from_millis(200)).await;
        let healed = sim.elapsed();
        running.heal_links();
        write(&cluster, leader, "after").await;
        cluster.until_equal().await;
        let took = sim.elapsed() - healed;
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn a_link_with_nobody_is_not_harmed() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let running = cluster.running(leader).expect("it runs");
        let nobody = ["n9".to_owned()];
        let refused = running.harm_links(Harm::Cut, &nobody).expect_err("no peer");
        assert_eq!(refused.to_string(), "there is no other node n9");
    });
}
