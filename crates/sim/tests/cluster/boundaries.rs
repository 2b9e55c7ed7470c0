//! One node on a disk that fails: at every single change, when it lies, when it is full.

use std::panic::catch_unwind;
use std::time::Duration;

use engine::{Consistency, WriteError};
use sim::cluster::{Cluster, Reading, put, small, written};
use sim::{Crash, Honesty, NodeId, World};

use crate::seeds::only_seed;

const NODE: NodeId = NodeId(1);

/// Writes of a run: with [`small`] sizes enough for several segments, a synced commit of the state
/// and a purge.
const WRITES: u32 = 20;

/// Bytes of a value.
const VALUE_BYTES: usize = 8_000;

/// Pause after each write, so that the state's commits and the purges come in between.
const PAUSE: Duration = Duration::from_millis(60);

fn key(number: u32) -> String {
    format!("key-{number}")
}

/// The versions of all keys, as a linearizable read sees them.
async fn versions(cluster: &Cluster) -> Vec<i64> {
    let mut versions = Vec::new();
    for number in 0..WRITES {
        let reading = cluster
            .get(NODE, Consistency::Linearizable, &key(number))
            .await;
        let Reading::Found(entry) = reading else {
            panic!("no answer: {reading:?}")
        };
        versions.push(entry.map_or(0, |entry| entry.version));
    }
    versions
}

/// Writes until all is written or the node is down; answers how many were acknowledged.
async fn write_all(cluster: &Cluster) -> u32 {
    for number in 0..WRITES {
        let Some(node) = cluster.running(NODE) else {
            return number;
        };
        let proposal = put(&key(number), vec![number as u8; VALUE_BYTES], None);
        let writing = cluster
            .sim
            .on(NODE, async move { node.write(proposal).await });
        let Ok(outcome) = writing.await else {
            return number;
        };
        let reply = outcome.unwrap().value.result.unwrap();
        assert_eq!(written(&reply), Some(1));
        cluster.sim.sleep(PAUSE).await;
    }
    WRITES
}

async fn restart(cluster: &Cluster) {
    cluster.start_all();
    cluster.until_running(NODE).await;
}

/// Runs a node into a crash at change `k` and looks what is left; false if it never came so far.
fn crash_at(k: u64, crash: Crash, lying: bool) -> bool {
    World::new(k, 1).run(|sim| async move {
        let cluster = Cluster::new(sim.clone(), small());
        let honesty = if lying {
            Honesty::Lying
        } else {
            Honesty::Honest
        };
        sim.disk(NODE).set_honesty(honesty);
        cluster.start(NODE);
        sim.disk(NODE).crash_at(k, crash);
        let begun = || cluster.running(NODE).is_some() || !sim.is_up(NODE);
        cluster
            .until("the node runs or is down", || begun().then_some(()))
            .await;
        let acknowledged = write_all(&cluster).await;
        if sim.is_up(NODE) {
            return false;
        }
        restart(&cluster).await;
        let after = versions(&cluster).await;
        let expected = |number, version| match number {
            _ if number < acknowledged => version == 1,
            _ => (0..=1).contains(&version),
        };
        assert!(
            (0..)
                .zip(&after)
                .all(|(number, version)| expected(number, *version)),
            "{crash:?} at {k}: {acknowledged} were acknowledged, there are {after:?}"
        );
        // What was read must stay, whether or not it had been acknowledged.
        cluster.crash(NODE, Crash::LoseUnsynced);
        restart(&cluster).await;
        let later = versions(&cluster).await;
        assert_eq!(after, later, "{crash:?} at {k}: what had been read is lost");
        true
    })
}

/// Crashes at every change of a run, each in the way that `choose` gives it. The number of the
/// change is also the seed.
fn crash_everywhere(choose: impl Fn(u64) -> Crash) {
    if let Some(k) = only_seed() {
        assert!(crash_at(k, choose(k), false), "the run has fewer changes");
        return;
    }
    let boundaries = (1..)
        .take_while(|k| crash_at(*k, choose(*k), false))
        .count();
    assert!(boundaries > 150, "the run has only {boundaries} changes");
}

#[test]
fn no_crash_of_the_disk_loses_what_was_acknowledged_or_read() {
    crash_everywhere(|_| Crash::LoseUnsynced);
}

#[test]
fn no_torn_or_scattered_write_and_no_kill_does_either() {
    crash_everywhere(|k| Crash::ALL[1 + k as usize % (Crash::ALL.len() - 1)]);
}

#[test]
fn a_lying_disk_is_found_out() {
    let found =
        (1..40).any(|k| catch_unwind(|| crash_at(k * 5, Crash::LoseUnsynced, true)).is_err());
    assert!(
        found,
        "a disk that forgets what it said was durable went unnoticed"
    );
}

#[test]
fn a_full_disk_refuses_writes_answers_reads_and_recovers() {
    World::new(1, 1).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let node = cluster.running(NODE).unwrap();
        let write = |number: u32| {
            let node = node.clone();
            let proposal = put(&key(number), vec![1; VALUE_BYTES], Some(&key(number)));
            sim.on(NODE, async move { node.write(proposal).await })
        };
        write(0).await.unwrap().unwrap();
        let seen = cluster.get(NODE, Consistency::Linearizable, &key(0)).await;
        assert!(matches!(seen, Reading::Found(Some(_))));
        sim.disk(NODE)
            .set_capacity_bytes(Some(sim.disk(NODE).used_bytes() + 100_000));
        let mut number = 1;
        while write(number).await.unwrap() != Err(WriteError::DiskFull) {
            number += 1;
            assert!(number < 1_000, "the disk never was full");
        }
        let first = cluster.get(NODE, Consistency::Stale, &key(0)).await;
        let Reading::Found(Some(_)) = first else {
            panic!("reads go on, but: {first:?}")
        };
        sim.disk(NODE).set_capacity_bytes(None);
        sim.sleep(Duration::from_secs(2)).await;
        write(number).await.unwrap().unwrap();
        let last = cluster
            .get(NODE, Consistency::Linearizable, &key(number))
            .await;
        assert!(matches!(last, Reading::Found(Some(entry)) if entry.version == 1));
    });
}

#[test]
fn a_full_disk_stops_no_compaction_for_good() {
    World::new(2, 1).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let node = cluster.running(NODE).unwrap();
        let write = |number: u32| {
            let (node, key) = (node.clone(), key(number % WRITES));
            let proposal = put(&key, vec![number as u8; VALUE_BYTES], None);
            sim.on(NODE, async move { node.write(proposal).await })
        };
        write(0).await.unwrap().unwrap();
        let seen = cluster.get(NODE, Consistency::Linearizable, &key(0)).await;
        assert!(matches!(seen, Reading::Found(Some(_))), "{seen:?}");
        let mut number = 1;
        for _ in 0..4 {
            // Each time the log has outgrown its threshold, and there is no room to compact it.
            sim.disk(NODE)
                .set_capacity_bytes(Some(sim.disk(NODE).used_bytes() + 150_000));
            while write(number).await.unwrap() != Err(WriteError::DiskFull) {
                number += 1;
                assert!(number < 5_000, "the disk never was full");
            }
            sim.sleep(Duration::from_secs(5)).await;
            let read = cluster.get(NODE, Consistency::Stale, &key(0)).await;
            assert!(matches!(read, Reading::Found(Some(_))), "{read:?}");
            sim.disk(NODE).set_capacity_bytes(None);
            sim.sleep(Duration::from_secs(5)).await;
            write(number).await.unwrap().unwrap();
        }
        let sizes = cluster.file_sizes(NODE, ".log");
        assert!(sizes.len() <= 4, "the log was not purged: {sizes:?}");
    });
}

#[test]
fn a_full_follower_holds_nobody_up_and_catches_up() {
    World::new(3, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let full = sim.nodes().into_iter().find(|node| *node != leader);
        let full = full.unwrap();
        let disk = sim.disk(full);
        disk.set_capacity_bytes(Some(disk.used_bytes() + 50_000));
        let applied = |node| cluster.running(node).unwrap().status().applied;
        for number in 0..3 * WRITES {
            let node = cluster.running(leader).unwrap();
            let proposal = put(&key(number), vec![1; VALUE_BYTES], Some(&key(number)));
            let writing = sim.on(leader, async move { node.write(proposal).await });
            writing.await.unwrap().expect("the other two go on");
        }
        sim.sleep(Duration::from_secs(5)).await;
        let (ahead, behind) = (applied(leader), applied(full));
        assert!(behind < ahead, "it never was full: {behind} of {ahead}");
        disk.set_capacity_bytes(None);
        cluster.until_equal().await;
        let last = key(3 * WRITES - 1);
        let seen = cluster.get(full, Consistency::Linearizable, &last).await;
        assert!(matches!(seen, Reading::Found(Some(_))), "{seen:?}");
    });
}

#[test]
fn a_disk_that_cannot_sync_ends_the_node_and_not_the_cluster() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim.clone(), small()).await;
        let leader = cluster.leader().await;
        let node = cluster.running(leader).unwrap();
        sim.disk(leader).fail_syncs();
        let (writing, proposal) = (node.clone(), put("a", vec![1], Some("a")));
        // Whatever comes of it: the others may have it.
        drop(
            sim.on(leader, async move { writing.write(proposal).await })
                .await,
        );
        let watched = node.clone();
        let reason = sim.on(leader, async move { watched.failed().await }).await;
        assert!(!reason.unwrap().is_empty());
        assert!(!node.is_ready());
        drop(node);
        cluster.stop(leader).await;
        cluster.start(leader);
        cluster.until_running(leader).await;
        cluster.until_equal().await;
    });
}
