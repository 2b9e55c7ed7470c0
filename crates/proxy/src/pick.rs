//! Who is asked. Pure: time is an argument.
//!
//! A node may be known under two addresses, the one that the proxy was given and the one that the
//! cluster tells; it counts once, under the first of them that answers.

mod cluster;
#[cfg(test)]
mod tests;

pub use cluster::{Heard, addresses};

use std::sync::Arc;
use std::time::Duration;

use api::types::{Cluster, Doors};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::node::{Node, Picked};
use cluster::Claim;

/// At most so many addresses are kept: a cluster has a handful of nodes, and an answer must not
/// make a proxy grow.
const KNOWN_MAX: usize = 64;

/// So many questions in a row must stay without an answer before a node counts as dead: one slow
/// answer, on a machine that is busy for a moment, takes none out of rotation.
const UNANSWERED_MIN: u32 = 3;

/// For what a node is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To change something: the leader.
    Change,
    /// To read: the followers, evenly.
    Read,
    /// For both: all, evenly.
    Both,
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub struct Known {
    /// The cluster's id, once it is clear which one is meant: no other is taken for it.
    cluster: Option<String>,
    /// More than half of the named nodes belong to it.
    sure: bool,
    addresses: Vec<Address>,
}

/// What is known of an address.
#[derive(Debug)]
struct Address {
    base: Arc<str>,
    /// Named by the user, so it stays even if the cluster does not list it.
    given: bool,
    /// When it last answered.
    heard: Option<Instant>,
    /// Questions in a row that it did not answer.
    unanswered: u32,
    /// To which cluster it says it belongs.
    claim: Option<Claim>,
    /// False if it refused the last connection: its process is gone, or is stopping.
    open: bool,
    told: Option<Told>,
    node: Option<Arc<Node>>,
    /// Cancelled when it is no longer of interest.
    dropped: CancellationToken,
}

/// What a node told of itself.
#[derive(Debug)]
struct Told {
    name: String,
    ready: bool,
    term: u64,
    leader: Option<String>,
    doors: Doors,
}

impl Known {
    /// Adds an address; the token that tells when it is of no interest any more, if it is new.
    pub fn add(&mut self, base: &Arc<str>, given: bool) -> Option<CancellationToken> {
        let known = self.addresses.iter().any(|address| address.base == *base);
        if known || self.addresses.len() >= KNOWN_MAX {
            return None;
        }
        let dropped = CancellationToken::new();
        self.addresses.push(Address {
            base: Arc::clone(base),
            given,
            heard: None,
            unanswered: 0,
            claim: None,
            open: false,
            told: None,
            node: None,
            dropped: dropped.clone(),
        });
        Some(dropped)
    }

    /// An address answered.
    pub fn heard(&mut self, base: &Arc<str>, cluster: &Cluster, now: Instant) -> Heard {
        let heard = self.claimed(base, cluster);
        let Some(address) = self.find(base) else {
            return heard;
        };
        address.unanswered = 0;
        match heard {
            Heard::Ours => {}
            Heard::Undecided => return heard,
            Heard::Stranger => {
                address.forget();
                return heard;
            }
        }
        let own = cluster.nodes.iter().find(|node| node.name == cluster.node);
        address.heard = Some(now);
        address.open = true;
        address.told = Some(Told {
            name: cluster.node.clone(),
            ready: cluster.ready,
            term: cluster.term,
            leader: cluster.leader.clone(),
            doors: own.map(|node| node.doors.clone()).unwrap_or_default(),
        });
        address
            .node
            .get_or_insert_with(|| Node::new(Arc::clone(base)));
        heard
    }

    /// An address answered something that tells nothing of the cluster.
    pub fn lives(&mut self, base: &Arc<str>, now: Instant) {
        if let Some(address) = self.find(base) {
            address.heard = Some(now);
            address.unanswered = 0;
        }
    }

    /// Drops the addresses that neither the user named nor the cluster lists.
    pub fn keep(&mut self, members: &[Arc<str>]) {
        self.addresses.retain(|address| {
            let stays = address.given || members.contains(&address.base);
            if !stays {
                // What is under way with a node that was removed may come to its end.
                address.dropped.cancel();
            }
            stays
        });
    }

    /// An address refused a connection: nobody listens there, but what is under way goes on.
    pub fn refused(&mut self, base: &Arc<str>) {
        if let Some(address) = self.find(base) {
            address.open = false;
            address.unanswered = address.unanswered.saturating_add(1);
        }
    }

    /// An address did not answer in time; after several times it counts as dead. True if it does
    /// now.
    pub fn silent(&mut self, base: &Arc<str>, silence_max: Duration, now: Instant) -> bool {
        let Some(address) = self.find(base) else {
            return false;
        };
        address.unanswered = address.unanswered.saturating_add(1);
        let silent = address.heard.is_none_or(|heard| now - heard >= silence_max);
        let dead = silent && address.unanswered >= UNANSWERED_MIN;
        let lived = address.node.is_some();
        if dead {
            address.forget();
            address.claim = None;
        }
        dead && lived
    }

    /// The best node for a purpose that is none of `tried` and has a door, if one is asked for.
    /// Of equals it is the one with the least work, and in turn if they have the same.
    pub fn pick(
        &self,
        purpose: Purpose,
        tried: &[Arc<str>],
        turn: usize,
        has_door: impl Fn(&Doors) -> bool,
    ) -> Option<Picked> {
        let leader = self.leader();
        let fits = |(address, _, told): &(&Address, &Arc<Node>, &Told)| {
            !tried.contains(&address.base) && has_door(&told.doors)
        };
        let candidates: Vec<_> = self.living().into_iter().filter(fits).collect();
        let merit = |(_, node, told): &(&Address, &Arc<Node>, &Told)| {
            let leads = leader.is_some_and(|leader| *leader == told.name);
            (rank(purpose, told.ready, leads), node.at_work())
        };
        let merits: Vec<(u8, usize)> = candidates.iter().map(merit).collect();
        let best = merits.iter().min()?;
        let equals = candidates
            .iter()
            .zip(&merits)
            .filter(|(_, merit)| *merit == best);
        let count = equals.clone().count();
        let (_, node, told) = equals.map(|(one, _)| one).nth(turn % count)?;
        Some(Picked {
            node: Arc::clone(node),
            doors: told.doors.clone(),
        })
    }

    /// The name of the leader, as the node that is furthest along tells.
    pub fn leader(&self) -> Option<&String> {
        let told = self.living().into_iter().map(|(_, _, told)| told);
        let knows = told.filter(|told| told.leader.is_some());
        let surest = knows.max_by_key(|told| {
            let itself = told.leader.as_ref() == Some(&told.name);
            (told.term, itself)
        });
        surest.and_then(|told| told.leader.as_ref())
    }

    /// The names of the nodes that answer, and whether each can serve.
    pub fn nodes(&self) -> Vec<(String, bool)> {
        let living = self.living().into_iter();
        living
            .map(|(_, _, told)| (told.name.clone(), told.ready))
            .collect()
    }

    /// The addresses of the nodes that listen, each node once.
    fn living(&self) -> Vec<(&Address, &Arc<Node>, &Told)> {
        let mut living: Vec<(&Address, &Arc<Node>, &Told)> = Vec::new();
        for address in self.addresses.iter().filter(|address| address.open) {
            if let (Some(node), Some(told)) = (&address.node, &address.told)
                && !living.iter().any(|(_, _, other)| other.name == told.name)
            {
                living.push((address, node, told));
            }
        }
        living
    }

    fn find(&mut self, base: &Arc<str>) -> Option<&mut Address> {
        self.addresses
            .iter_mut()
            .find(|address| address.base == *base)
    }
}

impl Address {
    /// It is dead, or somebody else.
    fn forget(&mut self) {
        self.open = false;
        self.told = None;
        if let Some(node) = self.node.take() {
            node.life.cancel();
        }
    }
}

/// How well a node fits a purpose; the smallest fits best. One that is not ready still answers what
/// it can, and says clearly what it cannot.
fn rank(purpose: Purpose, ready: bool, leads: bool) -> u8 {
    match (purpose, ready, leads) {
        (_, false, _) => 2,
        (Purpose::Both, true, _) => 0,
        (Purpose::Change, true, leads) => u8::from(!leads),
        (Purpose::Read, true, leads) => u8::from(leads),
    }
}
