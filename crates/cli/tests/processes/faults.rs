//! What a node does when it cannot go on.

use super::harness::{Cluster, eventually, sign_in};
use api::types::NewArea;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_state_is_damaged_ends_with_one_sentence() {
    let mut cluster = Cluster::start(1).await;
    let node = &mut cluster.nodes[0];
    let client = sign_in(&node.client()).await;
    let database = node.data.join("state.db");
    let other = rusqlite::Connection::open(database).unwrap();
    other
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    // Only commits, which come behind the answers, write this table.
    other.execute_batch("DROP TABLE engine").unwrap();
    let area = NewArea {
        name: "Obras".into(),
        description: String::new(),
    };
    // It is durable in the log, whatever becomes of this answer.
    drop(client.add_area(&area).await);
    let status = eventually("the node ends", async || node.ended()).await;
    assert_eq!(status.code(), Some(1));
    let logged = node.logged();
    let last = logged.lines().last().unwrap();
    assert!(last.starts_with("consorcio: n1 cannot go on"), "{logged}");
    assert!(last.contains("no such table: engine"), "{logged}");
}
