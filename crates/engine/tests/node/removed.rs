//! A node that was removed, and learns of it.

use engine::{Consistency, ReadError, WriteError};

use super::{put, read, start, three, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_serves_nothing_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = three(dir.path()).await;
    let token = nodes[0].join_token();
    nodes.push(start("n4", dir.path(), Some(&token)).await);
    until("n4 is ready", || nodes[3].is_ready()).await;
    nodes[0].remove_node("n4").await.unwrap();
    let gone = nodes.pop().unwrap();
    let mut watch = gone.watch();
    until("it has learnt it", || gone.is_removed()).await;
    for again in [false, true] {
        let gone = match again {
            true => {
                gone.stop().await;
                start("n4", dir.path(), None).await
            }
            false => gone.clone(),
        };
        until("it has learnt it", || gone.is_removed()).await;
        assert!(!gone.is_ready());
        assert!(gone.why_not_ready().contains("removed"));
        for consistency in [Consistency::Stale, Consistency::Linearizable] {
            let refused = gone.store(consistency, read("a")).await;
            assert_eq!(refused.unwrap_err(), ReadError::Removed);
        }
        let refused = gone.write(put("a", "1", None)).await;
        assert_eq!(refused.unwrap_err(), WriteError::Removed);
        assert_eq!(gone.watch().next().await, Ok(None));
        if again {
            gone.stop().await;
        }
    }
    while watch.next().await != Ok(None) {}
    // The others know nothing of it.
    for node in &nodes {
        node.write(put("a", "1", None)).await.unwrap();
        assert!(node.is_ready() && !node.is_removed());
    }
    for node in nodes {
        node.stop().await;
    }
}
