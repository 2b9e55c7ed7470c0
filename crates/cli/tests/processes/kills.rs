//! Nodes that are killed while members post.

use std::path::PathBuf;

use rustix::process::Signal;

use super::harness::Cluster;
use super::load::{Follower, Load};

/// How often each kind of kill happens.
fn rounds() -> usize {
    kills().unwrap_or(1)
}

/// How many kills whoever wants a long test asks for.
fn kills() -> Option<usize> {
    let text = std::env::var("CONSORCIO_TEST_KILLS").ok()?;
    Some(text.parse().unwrap())
}

/// Nodes that are killed one after the other, unless somebody asks for more: each twice or so.
const IN_A_ROW: usize = 6;

/// Posts to see acknowledged after each blow, so that it is known to have been survived.
const SIGN_OF_LIFE: usize = 40;

/// Kills nodes at the same instant: no one is waited for before all have been sent the signal.
fn kill(cluster: &mut Cluster, places: &[usize]) {
    for place in places {
        cluster.nodes[*place].signal(Signal::KILL);
    }
    for place in places {
        cluster.nodes[*place].kill();
    }
}

async fn kill_and_restart(cluster: &mut Cluster, load: &Load, places: &[usize]) {
    kill(cluster, places);
    if places.len() * 2 < cluster.nodes.len() {
        load.goes_on(SIGN_OF_LIFE).await;
    }
    for place in places {
        cluster.nodes[*place].start(None);
    }
    cluster.all_ready().await;
    load.goes_on(SIGN_OF_LIFE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_sigkill() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let follower = Follower::start(&client, "Obras").await;
    let mut load = Load::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    for _ in 0..rounds() {
        let leader = cluster.leader().await;
        kill_and_restart(&mut cluster, &load, &[leader]).await;
        let follower = (cluster.leader().await + 1) % 3;
        kill_and_restart(&mut cluster, &load, &[follower]).await;
        kill_and_restart(&mut cluster, &load, &[0, 1, 2]).await;
    }
    load.stop().await;
    load.audit(&cluster).await;
    follower.audit(&cluster, "Obras").await;
}

/// The next one is killed as soon as posts go on, whether the one before is whole again or not: so
/// there is no majority at times, and only what is on disk counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_by_random_nodes_that_are_killed_in_a_row() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let mut load = Load::start(&client, "Obras");
    let count = kills().unwrap_or(IN_A_ROW);
    for _ in 0..count {
        load.goes_on(SIGN_OF_LIFE).await;
        let place = getrandom::u32().unwrap() as usize % cluster.nodes.len();
        kill(&mut cluster, &[place]);
        cluster.nodes[place].start(None);
    }
    load.goes_on(SIGN_OF_LIFE).await;
    load.stop().await;
    cluster.all_ready().await;
    eprintln!(
        "{count} kills in a row, {} posts acknowledged, at most {} ms without one",
        load.acknowledged(),
        load.longest_silence().as_millis()
    );
    load.audit(&cluster).await;
}

/// From another build to this one, node after node. `CONSORCIO_TEST_OTHER_BUILD` names the other
/// one's program; without it every node is restarted with the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_fails_no_request() {
    let other = std::env::var_os("CONSORCIO_TEST_OTHER_BUILD").map(PathBuf::from);
    let mut cluster = Cluster::prepared(3, |node| node.build.clone_from(&other)).await;
    let client = cluster.admin_with_area("Obras").await;
    let mut load = Load::start(&client, "Obras");
    for place in 0..3 {
        load.goes_on(SIGN_OF_LIFE).await;
        let status = cluster.nodes[place].stop().await;
        assert!(
            status.success(),
            "{} ended with {status}",
            cluster.nodes[place].name
        );
        cluster.nodes[place].build = None;
        cluster.nodes[place].start(None);
        cluster.nodes[place].ready().await;
    }
    load.goes_on(SIGN_OF_LIFE).await;
    load.stop().await;
    eprintln!(
        "a rolling upgrade, {} posts acknowledged, at most {} ms without one",
        load.acknowledged(),
        load.longest_silence().as_millis()
    );
    load.assert_no_failure();
    load.audit(&cluster).await;
    let logged = cluster.nodes[0].logged();
    for line in [
        "stopping",
        "HTTP has stopped",
        "raft has stopped",
        "state is committed",
    ] {
        assert!(logged.contains(line), "{line:?} is not logged:\n{logged}");
    }
}
