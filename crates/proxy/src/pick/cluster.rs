//! Which cluster is meant, where the named nodes may be of several: one that lost its disk and
//! founded a cluster of its own answers at the same address as before.
//!
//! A named node counts for the cluster that it says it belongs to, or for one whose members list
//! its address. What more than half of them count for is meant, so one node that answers is enough
//! if it knows the others. If they cannot agree (they are named by other addresses than the cluster
//! knows, or are down), the largest part decides once each has answered or failed to.

use std::sync::Arc;

use api::types::Cluster;

use super::{Address, Known};
use crate::config;

/// What an answer is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is of the cluster that is meant.
    Ours,
    /// It is not clear yet which one that is.
    Undecided,
    /// It is of another.
    Stranger,
}

/// To which cluster a node says it belongs.
#[derive(Debug)]
pub(super) struct Claim {
    cluster: String,
    members: Vec<Arc<str>>,
}

/// The addresses of a cluster's members.
pub fn addresses(cluster: &Cluster) -> Vec<Arc<str>> {
    let urls = cluster.nodes.iter().map(|node| config::node(&node.http));
    urls.filter_map(Result::ok).collect()
}

impl Known {
    /// Takes note of what an address says it belongs to.
    pub(super) fn claimed(&mut self, base: &Arc<str>, cluster: &Cluster) -> Heard {
        if self.cluster.is_none() {
            let claim = Claim {
                cluster: cluster.id.clone(),
                members: addresses(cluster),
            };
            if let Some(address) = self.find(base) {
                address.claim = Some(claim);
            }
            self.cluster = self.meant();
        }
        match &self.cluster {
            None => Heard::Undecided,
            Some(meant) if *meant == cluster.id => Heard::Ours,
            Some(_) => Heard::Stranger,
        }
    }

    /// The cluster that is meant, if that is clear.
    fn meant(&self) -> Option<String> {
        let given = || self.addresses.iter().filter(|address| address.given);
        let claims = || {
            self.addresses
                .iter()
                .filter_map(|address| address.claim.as_ref())
        };
        let mut best: Option<(&str, usize)> = None;
        for claim in claims() {
            let all = claims().filter(|other| other.cluster == claim.cluster);
            let count = given().filter(|address| counts_for(address, claim, all.clone()));
            let count = count.count();
            // Of equals the one that was named first.
            if best.is_none_or(|(_, most)| count > most) {
                best = Some((&claim.cluster, count));
            }
        }
        let (cluster, count) = best?;
        let all_tried = given().all(|address| address.claim.is_some() || address.unanswered > 0);
        (count * 2 > given().count() || all_tried).then(|| cluster.to_owned())
    }
}

/// Whether an address counts for the cluster of a claim, of which these are `all` claims.
fn counts_for<'a>(
    address: &Address,
    claim: &Claim,
    mut all: impl Iterator<Item = &'a Claim>,
) -> bool {
    match &address.claim {
        Some(own) => own.cluster == claim.cluster,
        None => all.any(|claim| claim.members.contains(&address.base)),
    }
}
