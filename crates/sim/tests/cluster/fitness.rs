//! A leader with a full disk or a wrong clock lets another lead; what a node with a full disk has
//! can be read, also after a restart; and how old an answer is, is true.

use std::path::Path;
use std::time::Duration;

use domain::store::{Read, StoreReply};
use engine::env::{Disk as _, File as _};
use engine::{Consistency, WriteError};
use sim::cluster::{Cluster, Reading, put, small};
use sim::{NodeId, World};

/// Longer than a leader needs to find out, and another to take over.
const A_WHILE: Duration = Duration::from_secs(10);

const HOUR_MS: i64 = 3_600_000;

/// Writes on a node; what is refused is tried again for a while.
async fn write(cluster: &Cluster, node: NodeId, key: &str) {
    let deadline = cluster.sim.elapsed() + A_WHILE;
    loop {
        match attempt(cluster, node, key).await {
            Ok(()) => return,
            Err(error) => assert!(cluster.sim.elapsed() < deadline, "{key}: {error}"),
        }
        cluster.sim.sleep(Duration::from_millis(100)).await;
    }
}

async fn attempt(cluster: &Cluster, node: NodeId, key: &str) -> Result<(), WriteError> {
    let running = cluster.running(node).expect("the node runs");
    let proposal = put(key, vec![7; 2_000], Some(key));
    let writing = cluster
        .sim
        .on(node, async move { running.write(proposal).await });
    writing.await.expect("the node lives").map(drop)
}

fn other(cluster: &Cluster, than: NodeId) -> NodeId {
    let nodes = cluster.sim.nodes();
    *nodes.iter().find(|node| **node != than).expect("another")
}

/// The time by which a node that is read says that keys have expired.
async fn time(cluster: &Cluster, node: NodeId, consistency: Consistency) -> i64 {
    let running = cluster.running(node).expect("the node runs");
    let reads = vec![Read::Expiry {
        key: "before".into(),
    }];
    let reading = async move { running.store(consistency, reads).await };
    let served = cluster.sim.on(node, reading).await.expect("the node lives");
    match &served.expect("it can be read").value[..] {
        [Ok(StoreReply::Expiry { now_ms, .. })] => *now_ms,
        other => panic!("{other:?}"),
    }
}

fn fill_up(cluster: &Cluster, node: NodeId) {
    let disk = cluster.sim.disk(node);
    disk.set_capacity_bytes(Some(disk.used_bytes()));
}

#[test]
fn a_leader_whose_disk_is_full_lets_another_lead() {
    for seed in 0..5 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let full = cluster.leader().await;
            let elsewhere = other(&cluster, full);
            write(&cluster, elsewhere, "before").await;
            fill_up(&cluster, full);
            for number in 0..50 {
                write(&cluster, elsewhere, &format!("while {number}")).await;
            }
            let leader = cluster.running(elsewhere).expect("it runs").status();
            assert_ne!(leader.leader, Some(full.to_string()));
            cluster.sim.disk(full).set_capacity_bytes(None);
            cluster.until_equal().await;
        });
    }
}

#[test]
fn a_node_whose_disk_is_full_starts_and_is_read() {
    World::new(2, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let full = other(&cluster, leader);
        write(&cluster, leader, "key").await;
        cluster.until_equal().await;
        cluster.stop(full).await;
        fill_up(&cluster, full);
        cluster.start(full);
        let running = cluster.until_running(full).await;
        cluster
            .until("it is ready", || running.is_ready().then_some(()))
            .await;
        let reading = cluster.get(full, Consistency::Linearizable, "key").await;
        assert!(matches!(reading, Reading::Found(Some(_))), "{reading:?}");
        write(&cluster, leader, "without it").await;
        cluster.sim.disk(full).set_capacity_bytes(None);
        cluster.until_equal().await;
    });
}

#[test]
fn a_leader_whose_clock_is_wrong_stamps_nothing_and_lets_another_lead() {
    for seed in 0..5 {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let wrong = cluster.leader().await;
            let right = other(&cluster, wrong);
            write(&cluster, wrong, "before").await;
            let now = time(&cluster, right, Consistency::Linearizable).await;
            sim.set_clock_offset_ms(wrong, 10 * 365 * 24 * HOUR_MS);
            // Nor is it what linearizable reads go by, also before another leads.
            let read = time(&cluster, right, Consistency::Linearizable).await;
            assert!((read - now).abs() < HOUR_MS, "{read} {now}");
            for number in 0..20 {
                write(&cluster, wrong, &format!("after {number}")).await;
            }
            let status = cluster.running(wrong).expect("it runs").status();
            assert_ne!(status.leader, Some(wrong.to_string()));
            cluster.until_equal().await;
            // Log time would be ten years ahead for ever.
            let (before, after) = (
                time(&cluster, wrong, Consistency::Stale).await,
                time(&cluster, right, Consistency::Stale).await,
            );
            assert!(before - after > HOUR_MS, "the clock is still wrong");
            sim.set_clock_offset_ms(wrong, 0);
            assert!((time(&cluster, wrong, Consistency::Stale).await - after).abs() < HOUR_MS);
        });
    }
}

#[test]
fn two_whose_clocks_are_wrong_do_not_hand_over_to_each_other() {
    for seed in 0..5 {
        World::new(seed, 5).run(|sim| async move {
            let cluster = Cluster::form(sim.clone(), small()).await;
            let wrong = cluster.leader().await;
            let late = other(&cluster, wrong);
            sim.set_clock_offset_ms(wrong, 2 * HOUR_MS);
            sim.set_clock_offset_ms(late, -2 * HOUR_MS);
            sim.sleep(A_WHILE).await;
            let leader = cluster.leader().await;
            assert!(leader != wrong && leader != late, "{leader} leads");
            let term = cluster.running(leader).expect("it runs").status().term;
            sim.sleep(A_WHILE).await;
            let later = cluster.running(leader).expect("it runs").status();
            assert_eq!(later.term, term, "there was nothing to elect");
            write(&cluster, leader, "key").await;
            cluster.until_equal().await;
        });
    }
}

#[test]
fn a_leader_with_a_full_disk_stays_where_others_have_room_and_wrong_clocks() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let full = cluster.leader().await;
        write(&cluster, full, "key").await;
        cluster.until_equal().await;
        for (node, hours) in sim
            .nodes()
            .into_iter()
            .filter(|node| *node != full)
            .zip([2, -2])
        {
            sim.set_clock_offset_ms(node, hours * HOUR_MS);
        }
        let term = cluster.running(full).expect("it runs").status().term;
        fill_up(&cluster, full);
        for number in 0..20 {
            // There may be room for the first.
            drop(attempt(&cluster, full, &format!("while {number}")).await);
            sim.sleep(A_WHILE / 20).await;
        }
        let status = cluster.running(full).expect("it runs").status();
        assert_eq!(status.leader, Some(full.to_string()));
        assert_eq!(status.term, term);
        cluster.sim.disk(full).set_capacity_bytes(None);
        write(&cluster, full, "later").await;
        cluster.until_equal().await;
    });
}

#[test]
fn a_stale_answer_says_how_old_it_is() {
    World::new(3, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let away = other(&cluster, leader);
        write(&cluster, leader, "key").await;
        cluster.until_equal().await;
        let others: Vec<_> = sim
            .nodes()
            .into_iter()
            .filter(|node| *node != away)
            .collect();
        sim.network().partition(&[away], &others);
        for number in 0..20 {
            write(&cluster, others[0], &format!("meanwhile {number}")).await;
        }
        let slow = Duration::from_secs(2)..Duration::from_secs(3);
        sim.disk(away).set_sync_time(slow);
        sim.sleep(Duration::from_secs(600)).await;
        sim.network().heal_all();
        // It hears of the leader again, and does not have what the leader has.
        let there = cluster
            .running(others[0])
            .expect("it runs")
            .status()
            .committed;
        let mut behind = 0;
        loop {
            let (reading, position) = cluster.read(away, Consistency::Stale, "key").await;
            assert!(matches!(reading, Reading::Found(_)), "{reading:?}");
            let position = position.expect("a position");
            if position.index >= there {
                break;
            }
            assert!(position.age_ms >= 590_000, "{position:?}");
            let running = cluster.running(away).expect("it runs");
            behind += u64::from(running.is_ready());
            sim.sleep(Duration::from_millis(10)).await;
        }
        assert!(behind > 0, "it had caught up before it heard of the leader");
        sim.disk(away).set_sync_time(Duration::ZERO..Duration::ZERO);
        cluster.until_equal().await;
        sim.sleep(Duration::from_secs(1)).await;
        let (_, position) = cluster.read(away, Consistency::Stale, "key").await;
        assert!(position.is_some_and(|position| position.age_ms < 1_000));
    });
}

#[test]
fn what_was_left_of_a_snapshot_goes_with_the_next_start() {
    World::new(4, 1).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let node = sim.nodes()[0];
        write(&cluster, node, "key").await;
        cluster.stop(node).await;
        sim.disk(node).power_on();
        let leftovers = [
            "send-17.snapshot",
            "send-17.snapshot-journal",
            "receive.snapshot",
        ];
        for name in leftovers {
            let path = Path::new(sim::cluster::DATA).join(name);
            let file = sim.disk(node).open(&path, true).unwrap();
            file.write_all_at(&[7; 100], 0).unwrap();
        }
        assert_eq!(cluster.file_sizes(node, ".snapshot").len(), 2);
        cluster.start(node);
        cluster.until_running(node).await;
        assert!(cluster.file_sizes(node, ".snapshot").is_empty());
        assert!(cluster.file_sizes(node, "-journal").is_empty());
    });
}

#[test]
fn linearizable_reads_go_by_the_leaders_clock() {
    World::new(4, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let ahead = other(&cluster, leader);
        write(&cluster, leader, "before").await;
        cluster.until_equal().await;
        sim.set_clock_offset_ms(ahead, HOUR_MS);
        let own = time(&cluster, ahead, Consistency::Stale).await;
        let agreed = time(&cluster, ahead, Consistency::Linearizable).await;
        let leaders = time(&cluster, leader, Consistency::Linearizable).await;
        assert!(own - leaders > HOUR_MS / 2, "{own} {leaders}");
        assert!(
            (agreed - leaders).abs() < HOUR_MS / 60,
            "{agreed} {leaders}"
        );
    });
}
