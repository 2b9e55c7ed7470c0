//! Cables that are pulled while members post: on a network that loses packets without telling
//! anybody, see [`super::network`]. `CONSORCIO_TEST_KILLS` says how often.

use std::time::Duration;

use super::harness::{Cluster, Server, eventually, rounds};
use super::load::Load;
use super::network::{self, Network, socket};

/// Longer than an election, and than it takes to call a peer dead.
const LONG: Duration = Duration::from_secs(4);

/// Too short for an election, or about as long as one: the worst that a loose plug does.
const FLAPS_MS: [u64; 8] = [100, 700, 300, 200, 500, 300, 900, 100];

/// Posts to see acknowledged in each state of the network that leaves a majority.
const SIGN_OF_LIFE: usize = 40;

/// A cluster whose nodes have a machine each.
async fn cluster(network: &mut Network) -> Cluster {
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(network.plug().await);
    }
    let mut sockets = sockets.into_iter();
    let prepare = |node: &mut Server| {
        node.plug_into(sockets.next().unwrap());
        node.settings = vec![("CONSORCIO_LOTTERY_ALLOW", "any")];
    };
    Cluster::prepared(3, prepare).await
}

/// Waits until all is well again, and the members go on.
async fn heals(cluster: &Cluster, load: &Load) {
    cluster.all_ready().await;
    cluster.all_vote().await;
    load.goes_on(SIGN_OF_LIFE).await;
}

/// Waits until the others see that a node is gone, and are led by one of them.
async fn is_missed(cluster: &Cluster, gone: usize) {
    let name = &cluster.nodes[gone].name;
    let others = cluster.nodes.iter().filter(|node| node.name != *name);
    for other in others {
        eventually("the others miss it", async || {
            let status = other.status().await?;
            let seen = status.nodes.iter().find(|node| node.name == *name)?;
            (!seen.healthy && status.leader.is_some_and(|leader| leader != *name)).then_some(())
        })
        .await;
    }
}

/// The leader's cable is pulled, then a follower's.
async fn one_is_cut_off(cluster: &Cluster, load: &Load) {
    let leader = cluster.leader().await;
    for place in [leader, (leader + 1) % 3] {
        let cable = socket(&cluster.nodes[place]);
        cable.pull();
        load.goes_on(SIGN_OF_LIFE).await;
        is_missed(cluster, place).await;
        load.goes_on(SIGN_OF_LIFE).await;
        cable.plug_in();
        heals(cluster, load).await;
    }
}

/// The leader's words do not arrive at the others; then theirs do not arrive at it. Members reach
/// all of them.
async fn one_way(cluster: &Cluster, load: &Load) {
    for leader_is_mute in [true, false] {
        let leader = cluster.leader().await;
        let others = (0..3).filter(|place| *place != leader);
        let pairs: Vec<_> = others
            .map(|other| match leader_is_mute {
                true => (leader, other),
                false => (other, leader),
            })
            .map(|(from, to)| (socket(&cluster.nodes[from]), socket(&cluster.nodes[to])))
            .collect();
        pairs.iter().for_each(|(from, to)| from.lose_to(to));
        load.goes_on(SIGN_OF_LIFE).await;
        is_missed(cluster, leader).await;
        load.goes_on(SIGN_OF_LIFE).await;
        pairs.iter().for_each(|(from, to)| from.find_again(to));
        heals(cluster, load).await;
    }
}

/// Followers lose sight of each other, and both see the leader: there is nothing to elect.
async fn followers_apart(cluster: &Cluster, load: &Load) {
    let leader = cluster.leader().await;
    let [one, other] = [1, 2].map(|step| socket(&cluster.nodes[(leader + step) % 3]));
    one.lose_to(other);
    other.lose_to(one);
    tokio::time::sleep(LONG).await;
    load.goes_on(SIGN_OF_LIFE).await;
    assert_eq!(cluster.leader().await, leader, "the leader was lost");
    one.find_again(other);
    other.find_again(one);
    heals(cluster, load).await;
}

/// A plug is loose: the leader's, then a follower's. The other two go on.
async fn flapping(cluster: &Cluster, load: &Load) {
    let leader = cluster.leader().await;
    for place in [leader, (leader + 1) % 3] {
        let cable = socket(&cluster.nodes[place]);
        for pause in FLAPS_MS {
            cable.pull();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            cable.plug_in();
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        load.goes_on(SIGN_OF_LIFE).await;
        heals(cluster, load).await;
    }
}

/// All cables are pulled: nothing goes on, and nothing is lost.
async fn all_are_cut_off(cluster: &Cluster, load: &Load) {
    cluster.nodes.iter().for_each(|node| socket(node).pull());
    tokio::time::sleep(LONG).await;
    cluster.nodes.iter().for_each(|node| socket(node).plug_in());
    heals(cluster, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_cables_are_pulled() {
    let test = "chaos::nothing_acknowledged_is_lost_or_doubled_when_cables_are_pulled";
    if !network::inside(test) {
        return;
    }
    let mut network = Network::new();
    let cluster = cluster(&mut network).await;
    let client = cluster.admin_with_area("Obras").await;
    let mut load = Load::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    for _ in 0..rounds() {
        one_is_cut_off(&cluster, &load).await;
        one_way(&cluster, &load).await;
        followers_apart(&cluster, &load).await;
        flapping(&cluster, &load).await;
        all_are_cut_off(&cluster, &load).await;
    }
    load.stop().await;
    load.audit(&cluster).await;
}
