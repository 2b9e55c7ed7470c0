//! The bytes of files: durable when they are acknowledged, made whole again when a disk forgets or
//! a node is replaced, and let go when nothing names them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use domain::files::{Condition, FileName, NewFile};
use domain::names::Name;
use domain::{Action, Actor, Proposal, Reply};
use engine::{Chunk, ChunkError, ChunkHash};
use sim::cluster::{Cluster, DATA, SimNode, small};
use sim::{Crash, NodeId, World};

use crate::seeds::seeds;

/// Longer than a repair waits for a node to come back, and walks.
const A_REPAIR: Duration = Duration::from_secs(60);

/// Longer than what nothing names is kept.
const THE_GRACE: Duration = Duration::from_secs(3 * 60 * 60 + 20 * 60);

fn chunk(seed: u8, size_bytes: usize) -> Chunk {
    let bytes: Vec<u8> = (0..size_bytes)
        .map(|at| seed.wrapping_add((at % 251) as u8))
        .collect();
    Chunk::of(bytes.into())
}

/// Runs something as a task of a node that runs.
async fn on<T, F>(cluster: &Cluster, node: NodeId, work: impl FnOnce(SimNode) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let running = cluster.running(node).expect("the node runs");
    cluster.sim.on(node, work(running)).await.expect("it lives")
}

async fn store(cluster: &Cluster, node: NodeId, chunk: Chunk) -> Result<(), ChunkError> {
    on(cluster, node, |node| async move {
        node.store_chunk(chunk, 3).await
    })
    .await
}

async fn fetch(cluster: &Cluster, node: NodeId, hash: ChunkHash) -> Result<Bytes, ChunkError> {
    on(
        cluster,
        node,
        |node| async move { node.fetch_chunk(hash).await },
    )
    .await
}

async fn write(cluster: &Cluster, node: NodeId, actor: Actor, action: Action) -> Reply {
    let proposal = Proposal {
        actor,
        request: None,
        action,
    };
    let written = on(
        cluster,
        node,
        |node| async move { node.write(proposal).await },
    )
    .await;
    written
        .expect("it is written")
        .value
        .result
        .expect("accepted")
}

/// A member, whose files the chunks belong to.
async fn member(cluster: &Cluster, node: NodeId) -> Actor {
    let register = Action::Register {
        name: Name::parse("Ana").unwrap(),
        password_hash: "$test$".to_owned(),
    };
    let Reply::Account { id } = write(cluster, node, Actor::Anonymous, register).await else {
        panic!("no account");
    };
    Actor::OnBehalf {
        account: id,
        at_ms: i64::MAX,
    }
}

fn entry(name: &str, chunk: &Chunk) -> Action {
    let file = NewFile {
        name: FileName::parse(name).unwrap(),
        private: false,
        area: None,
        media_type: "text/plain".to_owned(),
        size_bytes: chunk.bytes.len() as i64,
        root: chunk.hash,
        chunks: chunk.hash.to_vec().into(),
        tags: Vec::new(),
        copies: 3,
    };
    let condition = Condition::Any;
    Action::PutFile { file, condition }
}

fn removal(name: &str) -> Action {
    Action::RemoveFile {
        private: false,
        name: FileName::parse(name).unwrap(),
        condition: Condition::Any,
    }
}

/// The files of chunks on a node's disk.
fn held(cluster: &Cluster, node: NodeId) -> Vec<PathBuf> {
    let files = cluster.sim.disk(node).files_under(Path::new(DATA));
    let is_chunk = |path: &Path| path.to_string_lossy().contains("/chunks/");
    let paths = files.into_iter().map(|(path, _)| path);
    paths.filter(|path| is_chunk(path)).collect()
}

async fn until_held(cluster: &Cluster, node: NodeId, count: usize) {
    let counted = || (held(cluster, node).len() == count).then_some(());
    cluster
        .until(&format!("{node} holds {count} chunks"), counted)
        .await;
}

/// What was acknowledged is on the disks, whatever the disks had only cached.
#[test]
fn an_acknowledged_chunk_outlives_a_loss_of_power_everywhere() {
    for seed in seeds(10) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            let nodes = cluster.sim.nodes();
            let chunk = chunk(1, 3_000);
            store(&cluster, nodes[0], chunk.clone()).await.unwrap();
            for node in &nodes {
                cluster.crash(*node, Crash::LoseUnsynced);
            }
            cluster.start_all();
            cluster.until_voters(3).await;
            for node in nodes {
                assert_eq!(held(&cluster, node).len(), 1, "{node}");
                let found = fetch(&cluster, node, chunk.hash).await;
                assert_eq!(found.unwrap(), chunk.bytes);
            }
        });
    }
}

/// Crashes at every change of the disk while a chunk is written: it is there whole, or not at all,
/// and what was being written is gone after the start.
#[test]
fn a_crash_leaves_no_half_of_a_chunk() {
    for (seed, at) in seeds(2)
        .into_iter()
        .flat_map(|seed| (1..9).map(move |at| (seed, at)))
    {
        World::new(seed, 1).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            let node = cluster.sim.nodes()[0];
            let chunk = chunk(1, 3_000);
            let running = cluster.running(node).expect("it runs");
            cluster.sim.disk(node).crash_at(at, Crash::Torn);
            let storing = chunk.clone();
            let task = cluster
                .sim
                .on(node, async move { running.store_chunk(storing, 3).await });
            let stored = task.await;
            let stored = stored.is_ok_and(|stored| stored.is_ok());
            cluster.crash(node, Crash::Torn);
            cluster.sim.disk(node).crash_never();
            cluster.start_all();
            cluster.until_voters(1).await;
            let found = fetch(&cluster, node, chunk.hash).await;
            assert!(found.is_ok() || !stored, "{seed} {at}: lost");
            assert!(found.is_err() || found.unwrap() == chunk.bytes);
            let temporary = |path: &PathBuf| path.to_string_lossy().contains("/tmp/");
            assert!(!held(&cluster, node).iter().any(temporary), "{seed} {at}");
        });
    }
}

/// A copy that is not what it was is not served, and is made anew from another.
#[test]
fn a_damaged_copy_is_found_and_made_anew() {
    for seed in seeds(5) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            let nodes = cluster.sim.nodes();
            let chunk = chunk(1, 3_000);
            store(&cluster, nodes[0], chunk.clone()).await.unwrap();
            let ana = member(&cluster, nodes[0]).await;
            write(&cluster, nodes[0], ana, entry("acta", &chunk)).await;
            let damaged = held(&cluster, nodes[1])[0].clone();
            let disk = cluster.sim.disk(nodes[1]);
            disk.flip_byte(&damaged, 17).unwrap();
            let found = fetch(&cluster, nodes[1], chunk.hash).await;
            assert_eq!(found.unwrap(), chunk.bytes, "another node's");
            until_held(&cluster, nodes[1], 1).await;
            // Nobody reads this one: it is found all the same.
            disk.flip_byte(&damaged, 18).unwrap();
            let whole = || {
                let file = disk.copy();
                let mut bytes = vec![0; 3_000];
                let open = engine::env::Disk::open(&file, &damaged, false).ok()?;
                engine::env::File::read_at(&open, &mut bytes, 0).ok()?;
                (bytes == chunk.bytes).then_some(())
            };
            cluster.until("it is made anew", whole).await;
        });
    }
}

/// A node whose disk was replaced gets its share without being asked.
#[test]
fn a_new_disk_gets_its_share() {
    for seed in seeds(5) {
        World::new(seed, 3).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            let nodes = cluster.sim.nodes();
            let ana = member(&cluster, nodes[0]).await;
            for seed in 0..5 {
                let chunk = chunk(seed, 3_000);
                store(&cluster, nodes[0], chunk.clone()).await.unwrap();
                let name = seed.to_string();
                write(&cluster, nodes[0], ana.clone(), entry(&name, &chunk)).await;
            }
            cluster.crash(nodes[2], Crash::KillOnly);
            cluster.sim.disk(nodes[2]).erase();
            cluster.start(nodes[2]);
            until_held(&cluster, nodes[2], 5).await;
        });
    }
}

/// Of four nodes three hold each chunk. One that is away for long is made up for by the fourth,
/// which lets go of it again when that one is back.
#[test]
fn the_next_on_the_circle_makes_up_for_one_that_is_away() {
    for seed in seeds(5) {
        World::new(seed, 4).run(|sim| async move {
            let cluster = Cluster::form(sim, small()).await;
            let nodes = cluster.sim.nodes();
            let chunk = chunk(1, 3_000);
            store(&cluster, nodes[0], chunk.clone()).await.unwrap();
            let ana = member(&cluster, nodes[0]).await;
            write(&cluster, nodes[0], ana, entry("acta", &chunk)).await;
            let holds = |node: &NodeId| held(&cluster, *node).len() == 1;
            let (holders, others): (Vec<NodeId>, Vec<NodeId>) =
                nodes.iter().copied().partition(holds);
            assert_eq!((holders.len(), others.len()), (3, 1));
            cluster.crash(holders[0], Crash::KillOnly);
            cluster.sim.sleep(A_REPAIR).await;
            assert_eq!(held(&cluster, others[0]).len(), 1, "the fourth has it");
            cluster.start_all();
            until_held(&cluster, others[0], 0).await;
            assert!(holders.iter().all(holds), "the three have it");
        });
    }
}

/// While one of three is away, two copies are enough; one is not.
#[test]
fn more_than_half_of_the_copies_must_be_durable() {
    World::new(1, 3).run(|sim| async move {
        let cluster = Cluster::form(sim, small()).await;
        let nodes = cluster.sim.nodes();
        cluster.crash(nodes[2], Crash::KillOnly);
        cluster.sim.sleep(Duration::from_secs(5)).await;
        store(&cluster, nodes[0], chunk(1, 100)).await.unwrap();
        cluster.crash(nodes[1], Crash::KillOnly);
        cluster.sim.sleep(Duration::from_secs(5)).await;
        let refused = store(&cluster, nodes[0], chunk(2, 100)).await;
        let refused = refused.unwrap_err();
        let counted = |error: &ChunkError| match error {
            ChunkError::TooFew { stored, wanted, .. } => Some((*stored, *wanted)),
            _ => None,
        };
        assert_eq!(counted(&refused), Some((1, 3)), "{refused}");
    });
}

/// A full disk is said to be one, and leaves nothing.
#[test]
fn a_chunk_that_finds_no_room_leaves_nothing() {
    World::new(1, 1).run(|sim| async move {
        let cluster = Cluster::form(sim, small()).await;
        let node = cluster.sim.nodes()[0];
        let disk = cluster.sim.disk(node);
        disk.set_capacity_bytes(Some(disk.used_bytes() + 2_000));
        let refused = store(&cluster, node, chunk(1, 3_000)).await;
        assert_eq!(refused, Err(ChunkError::DiskFull));
        disk.set_capacity_bytes(None);
        assert!(held(&cluster, node).is_empty());
    });
}

/// What no entry names, never or not any more, is kept for a while and then let go; what one names
/// stays.
#[test]
fn what_nothing_names_goes_after_a_while() {
    World::new(1, 1).run(|sim| async move {
        let cluster = Cluster::form(sim, small()).await;
        let node = cluster.sim.nodes()[0];
        let ana = member(&cluster, node).await;
        let (kept, removed, never) = (chunk(1, 900), chunk(2, 900), chunk(3, 900));
        for chunk in [&kept, &removed, &never] {
            store(&cluster, node, chunk.clone()).await.unwrap();
        }
        write(&cluster, node, ana.clone(), entry("kept", &kept)).await;
        write(&cluster, node, ana.clone(), entry("removed", &removed)).await;
        cluster.sim.sleep(A_REPAIR).await;
        write(&cluster, node, ana, removal("removed")).await;
        cluster.sim.sleep(A_REPAIR).await;
        assert_eq!(held(&cluster, node).len(), 3, "a reader may be at it");
        cluster.sim.sleep(THE_GRACE).await;
        assert_eq!(held(&cluster, node).len(), 1);
        let found = fetch(&cluster, node, kept.hash).await;
        assert_eq!(found.unwrap(), kept.bytes);
    });
}
