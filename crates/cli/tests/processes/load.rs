//! Members who post all the time, and the count of what became of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::Client;
use api::client::{Consistency, Error, EventFilter, PostsQuery};
use api::types::{NewPost, PostState};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::harness::{Cluster, Server, eventually, sign_in};

/// Who posts at once.
const WRITERS: usize = 4;

/// Between two posts of a writer: enough load for every commit to carry several, and little enough
/// that all can be listed afterwards.
const PACE: Duration = Duration::from_millis(4);

/// What was said to the writers.
#[derive(Default)]
struct Said {
    /// Title to id.
    acknowledged: BTreeMap<String, i64>,
    failed: Vec<(String, Error)>,
    /// When the last one was acknowledged, and the longest time between two.
    last: Option<Instant>,
    longest: Duration,
}

impl Said {
    fn acknowledge(&mut self, title: String, id: i64) {
        self.acknowledged.insert(title, id);
        let now = Instant::now();
        let silent = self.last.map_or(Duration::ZERO, |last| now - last);
        self.longest = self.longest.max(silent);
        self.last = Some(now);
    }
}

/// Writers at work.
pub struct Load {
    said: Arc<Mutex<Said>>,
    stop: CancellationToken,
    writers: JoinSet<()>,
    area: String,
}

impl Load {
    /// Starts posting to `area`.
    pub fn start(client: &Client, area: &str) -> Self {
        let (said, stop) = (
            Arc::new(Mutex::new(Said::default())),
            CancellationToken::new(),
        );
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (client, said, stop) = (client.clone(), said.clone(), stop.clone());
            let area = area.to_owned();
            writers.spawn(async move {
                let mut number = 0;
                while !stop.is_cancelled() {
                    number += 1;
                    publish(&client, &area, format!("w{writer}-{number}"), &said).await;
                    tokio::time::sleep(PACE).await;
                }
            });
        }
        Load {
            said,
            stop,
            writers,
            area: area.to_owned(),
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.said.lock().unwrap().acknowledged.len()
    }

    /// The longest time in which nothing was acknowledged.
    pub fn longest_silence(&self) -> Duration {
        self.said.lock().unwrap().longest
    }

    /// Waits until `more` posts have been acknowledged since now.
    pub async fn goes_on(&self, more: usize) {
        let wanted = self.acknowledged() + more;
        eventually("posts are acknowledged", async || {
            (self.acknowledged() >= wanted).then_some(())
        })
        .await;
    }

    /// Stops posting and waits for the answers that are under way.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(writer) = self.writers.join_next().await {
            writer.unwrap();
        }
    }

    /// Nothing that was asked failed.
    pub fn assert_no_failure(&self) {
        let said = self.said.lock().unwrap();
        assert!(
            said.failed.is_empty(),
            "{} failed: {:?}",
            said.failed.len(),
            said.failed[0]
        );
    }

    /// Counts on every node: what was acknowledged is there exactly once, under the id that was
    /// said; what failed is there at most once; and all nodes have the same state.
    pub async fn audit(&self, cluster: &Cluster) {
        for node in &cluster.nodes {
            let found = titles(node, &self.area).await;
            let said = self.said.lock().unwrap();
            for (title, id) in &said.acknowledged {
                let ids = found.get(title).map(Vec::as_slice).unwrap_or_default();
                assert_eq!(ids, [*id], "{title} on {}", node.name);
            }
            for (title, error) in &said.failed {
                let count = found.get(title).map_or(0, Vec::len);
                assert!(
                    count <= 1,
                    "{title} is there {count} times on {}: {error}",
                    node.name
                );
            }
            let known = said.acknowledged.len() + said.failed.len();
            assert!(
                found.len() <= known,
                "{} has posts that nobody wrote",
                node.name
            );
        }
        same_state(cluster).await;
    }
}

/// A member who follows an area live.
pub struct Follower {
    heard: Arc<Mutex<Vec<i64>>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows the posts of `area` from now on.
    pub async fn start(client: &Client, area: &str) -> Self {
        let filter = EventFilter {
            area: Some(area.to_owned()),
            kind: Some("post.published".to_owned()),
            ..EventFilter::default()
        };
        let mut stream = client.events(filter, None).unwrap();
        stream.connected().await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                match stream.next().await {
                    Ok(event) => hears.lock().unwrap().push(event.post.unwrap()),
                    Err(Error::Unreachable { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Follower { heard, task }
    }

    /// Every post of the area was heard of, in order and once, whatever became of the nodes.
    pub async fn audit(self, cluster: &Cluster, area: &str) {
        let posts = titles(&cluster.nodes[0], area)
            .await
            .values()
            .map(Vec::len)
            .sum::<usize>();
        eventually("every post is heard of", async || {
            assert!(!self.task.is_finished(), "the follower gave up");
            (self.heard.lock().unwrap().len() >= posts).then_some(())
        })
        .await;
        self.task.abort();
        let heard = self.heard.lock().unwrap();
        let expected: Vec<i64> = (1..=posts as i64).collect();
        assert_eq!(*heard, expected, "no gap and no repetition");
    }
}

async fn publish(client: &Client, area: &str, title: String, said: &Mutex<Said>) {
    let post = NewPost {
        title: title.clone(),
        text: "Texto.".to_owned(),
    };
    let result = client.publish(area, &post).await;
    let mut said = said.lock().unwrap();
    match result {
        Ok(made) => said.acknowledge(title, made.id),
        Err(error) => said.failed.push((title, error)),
    }
}

/// The titles of an area's posts with their ids, as one node has them now.
async fn titles(node: &Server, area: &str) -> BTreeMap<String, Vec<i64>> {
    let client = sign_in(&node.client())
        .await
        .with_consistency(Consistency::Linearizable);
    let mut query = PostsQuery {
        limit: Some(200),
        ..PostsQuery::default()
    };
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    loop {
        let page = client.posts(area, query).await.unwrap();
        for post in page.posts {
            assert_eq!(post.state, PostState::Published);
            found.entry(post.title).or_default().push(post.id);
        }
        query.from = page.next;
        if query.from.is_none() {
            return found;
        }
    }
}

/// Waits until every node has applied the same index, and compares their state hashes there.
pub async fn same_state(cluster: &Cluster) {
    eventually("all nodes have the same state", async || {
        let mut states = Vec::new();
        for node in &cluster.nodes {
            let status = node.status().await?;
            states.push((status.applied, status.state_hash));
        }
        let (index, hash) = states[0].clone();
        if states.iter().any(|(other, _)| *other != index) {
            return None;
        }
        assert!(
            states.iter().all(|(_, other)| *other == hash),
            "hashes differ: {states:?}"
        );
        Some(())
    })
    .await;
}
