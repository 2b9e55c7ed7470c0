//! The cluster itself.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{Cluster, Elections, Health, JoinToken, Rebuild, Rebuilding, Route, Version};

/// How fresh a reading must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every change acknowledged before it began, on any node; needs a majority.
    Linearizable,
    /// Sees at least what this client has seen and done.
    Session,
    /// Whatever the node has; it answers even without a majority.
    Stale,
}

impl Consistency {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Consistency::Linearizable => "linearizable",
            Consistency::Session => "session",
            Consistency::Stale => "stale",
        }
    }
}

impl Client {
    /// The cluster as the node that answers sees it.
    pub async fn cluster(&self) -> Result<Cluster, Error> {
        self.fetch(Call::get(&["v1", "cluster"])).await
    }

    /// The elections that the nodes remember.
    pub async fn elections(&self) -> Result<Elections, Error> {
        self.fetch(Call::get(&["v1", "cluster", "elections"])).await
    }

    /// The secret with which another node joins (administrators only).
    pub async fn join_token(&self) -> Result<JoinToken, Error> {
        let call = Call::change(Method::POST, &["v1", "cluster", "token"]).repeatable();
        self.fetch(call).await
    }

    /// Takes a node out of the cluster (administrators only).
    pub async fn remove_node(&self, name: &str) -> Result<(), Error> {
        self.done(Call::change(
            Method::DELETE,
            &["v1", "cluster", "nodes", name],
        ))
        .await
    }

    /// Has a node begin anew (administrators only). It is asked at most once: a node that is back
    /// would begin anew again.
    pub async fn rebuild_node(&self, name: &str, confirmed: bool) -> Result<Rebuilding, Error> {
        let path = ["v1", "cluster", "nodes", name, "rebuild"];
        let call = Call::change(Method::POST, &path).once();
        self.fetch(call.json(&Rebuild { confirmed })?).await
    }

    /// The nodes to ask about an area (an id or a name), best first.
    pub async fn route(&self, area: &str) -> Result<Route, Error> {
        self.fetch(Call::get(&["v1", "route", "areas", area])).await
    }

    /// Waits, at most until the deadline, for a node that can serve.
    pub async fn ready(&self) -> Result<Health, Error> {
        self.fetch(Call::get(&["health", "ready"])).await
    }

    /// Which program answers.
    pub async fn version(&self) -> Result<Version, Error> {
        self.fetch(Call::get(&["v1", "version"])).await
    }
}
