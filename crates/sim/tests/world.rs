//! Worlds repeat from their seed, and a node dies as a whole.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine::env::{Disk, Env, File, FrameReceiver, FrameSender, Runtime, Transport};
use openraft_rt::AsyncRuntime;
use rusqlite::{Connection, OpenFlags};
use sim::{Crash, Network, NodeId, SimDisk, SimEnv, SimRuntime, World};

const N1: NodeId = NodeId(1);
const SECOND: Duration = Duration::from_secs(1);

/// Takes numbers from the others into a database, and sends them on, until it crashes.
async fn gossip(env: SimEnv, nodes: u32) {
    let disk = env.disk().clone();
    let next = NodeId(env.node().0 % nodes + 1);
    let sender = SimRuntime::spawn(pass_on(env.clone(), next));
    while let Ok((_, mut receiver)) = env.transport().accept().await {
        while let Ok(Some(frame)) = receiver.receive().await {
            let disk = disk.clone();
            let stored = SimRuntime::spawn_blocking(move || store(&disk, &frame))
                .await
                .unwrap();
            if stored.is_err() {
                return;
            }
        }
    }
    let _ = sender.await;
}

/// Connects again and again, and sends random numbers.
async fn pass_on(env: SimEnv, next: NodeId) {
    loop {
        SimRuntime::sleep(Duration::from_millis(20)).await;
        let Ok((mut sender, _receiver)) = env.transport().connect(&Network::address(next)).await
        else {
            continue;
        };
        loop {
            let number = rand::Rng::next_u64(&mut SimRuntime::thread_rng());
            let pause = Duration::from_micros(number % 30_000);
            SimRuntime::sleep(pause).await;
            if sender
                .send(Bytes::copy_from_slice(&number.to_be_bytes()))
                .await
                .is_err()
            {
                break;
            }
        }
    }
}

fn store(disk: &SimDisk, frame: &[u8]) -> rusqlite::Result<()> {
    let path = disk.database_path(Path::new("/numbers.db"));
    let vfs = disk.vfs().unwrap();
    let database = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs.as_str())?;
    database.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS n (n, at)")?;
    let at = SimRuntime::wall_clock_ms();
    database
        .execute("INSERT INTO n VALUES (?1, ?2)", (frame, at))
        .map(|_| ())
}

/// Torments three gossiping nodes for a while; answers the trace and the bytes on the disks.
fn torment(seed: u64) -> ((u64, u64), Vec<Vec<u8>>) {
    let mut world = World::new(seed, 3);
    let disks = world.run(|sim| async move {
        let start = |node| drop(sim.start(node, |env| gossip(env, 3)));
        sim.nodes().into_iter().for_each(start);
        for _ in 0..5 {
            let node = NodeId(sim.roll(|dice| 1 + dice.below(3)) as u32);
            let other = NodeId(node.0 % 3 + 1);
            sim.network().cut(node, other);
            sim.sleep(SECOND).await;
            sim.crash_somehow(node, SECOND).await;
            sim.network().heal_all();
            start(node);
            sim.sleep(SECOND).await;
        }
        sim.nodes()
            .into_iter()
            .map(|node| database_bytes(sim.disk(node)))
            .collect()
    });
    (world.trace_hash(), disks)
}

fn database_bytes(disk: &SimDisk) -> Vec<u8> {
    let mut all = Vec::new();
    for (path, size) in disk.files_under(Path::new("/")) {
        let file = disk.open(&path, false).unwrap();
        let mut bytes = vec![0; usize::try_from(size).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        all.extend(bytes);
    }
    all
}

#[test]
fn the_same_seed_repeats_every_event_and_every_byte() {
    for seed in 0..5 {
        let (trace, disks) = torment(seed);
        assert!(trace.1 > 1_000, "something happened: {} events", trace.1);
        assert!(disks.iter().all(|bytes| bytes.len() > 4_096));
        assert!((trace, disks) == torment(seed), "seed {seed} gave two runs");
    }
}

#[test]
fn two_seeds_differ() {
    assert_ne!(torment(1).0, torment(2).0);
}

/// Counts how often it was dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_crash_drops_all_tasks_at_once_and_cancels_those_who_wait_for_them() {
    World::new(1, 1).run(|sim| async move {
        let dropped = Arc::new(AtomicU32::new(0));
        let counted = || Counted(dropped.clone());
        let (main, inner) = (counted(), counted());
        let handle = sim.start(N1, |_| async move {
            let _main = main;
            let inner = SimRuntime::spawn(async move {
                let _inner = inner;
                std::future::pending::<()>().await;
            });
            inner.await.unwrap();
        });
        sim.sleep(SECOND).await;
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        sim.crash(N1, Crash::KeepAll);
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
        let cancelled = handle.await.unwrap_err();
        assert!(!SimRuntime::is_panic(&cancelled));
        assert!(
            sim.on(N1, async {}).await.is_err(),
            "a node that is down runs nothing"
        );
    });
}

#[test]
fn a_crash_in_the_middle_of_blocking_work_hides_its_outcome() {
    World::new(1, 1).run(|sim| async move {
        let disk = sim.disk(N1).clone();
        let main = sim.start(N1, |env: SimEnv| async move {
            env.disk().crash_at(3, Crash::LoseUnsynced);
            let disk = env.disk().clone();
            SimRuntime::spawn_blocking(move || {
                let file = disk.open(Path::new("/file"), true).unwrap();
                file.write_all_at(b"lost", 0).unwrap();
                file.sync_data().is_ok()
            })
            .await
        });
        assert!(main.await.is_err(), "nobody learns whether the sync failed");
        sim.down(N1).await;
        assert!(!sim.is_up(N1) && !disk.is_on());
        sim.start(N1, |_| async {}).await.unwrap();
        assert!(disk.files_under(Path::new("/")).is_empty());
    });
}

#[test]
fn blocking_work_takes_the_time_of_its_syncs() {
    World::new(1, 1).run(|sim| async move {
        sim.disk(N1).set_sync_time(SECOND..2 * SECOND);
        let taken = sim.start(N1, |env: SimEnv| async move {
            let before = SimRuntime::wall_clock_ms();
            let disk = env.disk().clone();
            SimRuntime::spawn_blocking(move || {
                let file = disk.open(Path::new("/file"), true).unwrap();
                file.sync_data().unwrap();
                file.sync_data().unwrap();
            })
            .await
            .unwrap();
            SimRuntime::wall_clock_ms() - before
        });
        assert!((2_000..4_001).contains(&taken.await.unwrap()));
    });
}

#[test]
fn a_panic_in_a_node_fails_the_world() {
    let outcome = std::panic::catch_unwind(|| {
        World::new(1, 1).run(|sim| async move {
            let task = sim.start(N1, |_| async { panic!("out of the blue") });
            assert!(SimRuntime::is_panic(&task.await.unwrap_err()));
        });
    });
    let message = outcome.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("out of the blue") && message.contains("seed 1"),
        "{message}"
    );
}

#[test]
fn a_world_can_be_visited_again() {
    let mut world = World::new(1, 1);
    world.run(|sim| async move {
        sim.start(N1, |env: SimEnv| async move {
            let file = env.disk().open(Path::new("/file"), true).unwrap();
            file.write_all_at(b"kept", 0).unwrap();
            file.sync_data().unwrap();
            env.disk().sync_dir(Path::new("/")).unwrap();
        })
        .await
        .unwrap();
    });
    world.run(|sim| async move {
        assert_eq!(sim.disk(N1).files_under(Path::new("/"))[0].1, 4);
    });
}

#[test]
fn a_paused_node_stands_still_and_then_finds_that_time_has_passed() {
    World::new(1, 1).run(|sim| async move {
        let beats = Arc::new(AtomicU32::new(0));
        let beating = beats.clone();
        drop(sim.start(N1, |_| async move {
            loop {
                beating.fetch_add(1, Ordering::Relaxed);
                SimRuntime::sleep(SECOND / 10).await;
            }
        }));
        sim.sleep(SECOND).await;
        sim.pause(N1);
        let before = beats.load(Ordering::Relaxed);
        assert!(before >= 10);
        sim.sleep(5 * SECOND).await;
        assert_eq!(beats.load(Ordering::Relaxed), before);
        sim.resume(N1);
        sim.sleep(SECOND).await;
        let after = beats.load(Ordering::Relaxed);
        assert!((before + 5..before + 15).contains(&after), "{after}");
        sim.pause(N1);
        sim.crash(N1, Crash::KillOnly);
        sim.down(N1).await;
        sim.start(N1, |_| async {}).await.unwrap();
    });
}
