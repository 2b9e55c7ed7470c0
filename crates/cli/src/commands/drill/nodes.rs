//! The nodes of the cluster, each with a client that asks it alone.

use std::time::Duration;

use api::Client;
use api::client::Consistency;
use api::types::{Cluster, NodeRole};
use futures_util::future::join_all;

use super::schedule::Target;
use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// How long a node is given to answer for itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// One node.
pub struct OneNode {
    pub name: String,
    pub client: Client,
}

/// All of them, in node order.
pub struct Nodes(Vec<OneNode>);

impl Nodes {
    /// The nodes of the session's cluster; none of their clients sees anything older than what the
    /// session has seen.
    pub async fn of(session: &Session) -> Outcome<Self> {
        let cluster = session.client.cluster().await?;
        let nodes = cluster.nodes.iter().map(|node| {
            let mut client = Client::builder()
                .endpoint(node.http.as_str())
                .learn(false)
                .index(session.client.index())
                .cluster(Some(cluster.id.clone()))
                .deadline(PATIENCE)
                .build()?;
            if let Some(token) = session.client.token() {
                client = client.with_token(token);
            }
            Ok(OneNode {
                name: node.name.clone(),
                client,
            })
        });
        Ok(Nodes(nodes.collect::<Result<_, api::Error>>()?))
    }

    pub fn all(&self) -> &[OneNode] {
        &self.0
    }

    fn named(&self, name: &str) -> Option<&OneNode> {
        self.0.iter().find(|node| node.name == name)
    }

    /// Which nodes a target means now.
    pub fn meant(&self, target: &Target, cluster: &Cluster) -> Outcome<Vec<&OneNode>> {
        let leader = cluster.leader.as_deref();
        let healthy = |role: Option<NodeRole>| {
            let nodes = cluster
                .nodes
                .iter()
                .filter(move |node| node.healthy && role.is_none_or(|role| node.role == role));
            nodes.map(|node| node.name.as_str()).collect::<Vec<_>>()
        };
        let name = match target {
            Target::All => return Ok(self.0.iter().collect()),
            Target::Leader => leader,
            Target::Follower => any(&healthy(Some(NodeRole::Follower))),
            Target::Random => any(&healthy(None)),
            Target::Named(name) => Some(name.as_str()),
        };
        let name = name.ok_or_else(|| Failure::failed(format!("there is no {target:?} now")))?;
        let node = self.named(name);
        let node = node.ok_or_else(|| Failure::usage(format!("there is no node {name}")))?;
        Ok(vec![node])
    }

    /// Ends what fails on purpose at every node; answers which could not be asked.
    pub async fn stop_all(&self) -> Vec<String> {
        let stopping = self.0.iter().map(async |node| {
            // A node that is cut off is behind what was seen elsewhere, and is asked all the same.
            let client = node.client.with_consistency(Consistency::Stale);
            let stopped = client.stop_drill().await;
            stopped.err().map(|_| node.name.clone())
        });
        join_all(stopping).await.into_iter().flatten().collect()
    }
}

fn any<'a>(names: &[&'a str]) -> Option<&'a str> {
    match names.len() {
        0 => None,
        count => Some(names[rand::random_range(0..count)]),
    }
}
