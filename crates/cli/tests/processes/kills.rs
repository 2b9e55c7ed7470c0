//! Nodes that are killed while members post.

use super::harness::Cluster;
use super::load::{Follower, Load};

/// How often each kind of kill happens.
fn rounds() -> usize {
    std::env::var("CONSORCIO_TEST_KILLS").map_or(1, |text| text.parse().unwrap())
}

/// Posts to see acknowledged after each blow, so that it is known to have been survived.
const SIGN_OF_LIFE: usize = 40;

async fn kill_and_restart(cluster: &mut Cluster, load: &Load, places: &[usize]) {
    for place in places {
        cluster.nodes[*place].kill();
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request() {
    let mut cluster = Cluster::start(3).await;
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
        cluster.nodes[place].start(None);
        cluster.nodes[place].ready().await;
    }
    load.goes_on(SIGN_OF_LIFE).await;
    load.stop().await;
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
