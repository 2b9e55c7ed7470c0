//! Which cluster is meant, where the named nodes may be of several: one that lost its disk and
//! founded a cluster of its own answers at the same address as before.
//!
//! A named node counts for the cluster that it says it belongs to, or for one whose members list
//! its address. What more than half of them count for is meant, so one node that answers is enough
//! if it knows the others. If there is no such majority (they are named by other addresses than the
//! cluster knows, or are down), the largest part decides once each has answered or failed to, until
//! there is one. What a majority has said stays, whoever loses a disk later.

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
        if !self.sure {
            if let Some(address) = self.find(base) {
                address.claim = Some(Claim {
                    cluster: cluster.id.clone(),
                    members: addresses(cluster),
                });
            }
            self.decide();
        }
        match &self.cluster {
            None => Heard::Undecided,
            Some(meant) if *meant == cluster.id => Heard::Ours,
            Some(_) => Heard::Stranger,
        }
    }

    fn decide(&mut self) {
        let Some((meant, majority)) = self.most() else {
            return;
        };
        let tried = |address: &Address| address.claim.is_some() || address.unanswered > 0;
        let given = || self.addresses.iter().filter(|address| address.given);
        let all_there_is = self.cluster.is_none() && given().all(tried);
        if majority || all_there_is {
            self.sure = majority;
            self.turn_to(meant);
        }
    }

    /// The cluster that most of the named nodes count for, and whether they are more than half.
    fn most(&self) -> Option<(String, bool)> {
        let given = || self.addresses.iter().filter(|address| address.given);
        let claims = || {
            let claims = self.addresses.iter().map(|address| &address.claim);
            claims.filter_map(Option::as_ref)
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
        Some((cluster.to_owned(), count * 2 > given().count()))
    }

    fn turn_to(&mut self, meant: String) {
        let others = self.addresses.iter_mut().filter(|address| {
            let claim = address.claim.as_ref();
            claim.is_some_and(|claim| claim.cluster != meant)
        });
        others.for_each(Address::forget);
        self.cluster = Some(meant);
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
