//! What a drill may do to the links of a node, and to its log.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use openraft_rt::AsyncRuntime;

use crate::env::Env;
use crate::links::Harm;
use crate::log;
use crate::log::damage::{Flipped, flip_a_byte};
use crate::node::Node;

/// A drill names a peer that is no member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no other node {0}")]
pub struct UnknownPeer(pub String);

impl<E: Env> Node<E> {
    /// Harms the links with the peers of these names, or with all if there is none, until
    /// [`Node::heal_links`]; it takes the place of what was harmed before.
    pub fn harm_links(&self, harm: Harm, names: &[String]) -> Result<(), UnknownPeer> {
        let others = self.others();
        let ids: BTreeMap<&str, u64> = others
            .iter()
            .map(|(id, member)| (member.name.as_str(), *id))
            .collect();
        let id_of = |name: &String| {
            let id = ids.get(name.as_str()).copied();
            id.ok_or_else(|| UnknownPeer(name.clone()))
        };
        let named: BTreeSet<u64> = names.iter().map(id_of).collect::<Result<_, _>>()?;
        let peers = (!names.is_empty()).then_some(named);
        self.peers().links().harm(harm, peers);
        Ok(())
    }

    /// Makes every link whole again.
    pub fn heal_links(&self) {
        self.peers().links().heal();
    }

    /// Flips a byte in the log of this node, which it does not notice before it starts again.
    /// `None` if the log is too short for that.
    pub async fn corrupt_log(&self) -> io::Result<Option<Flipped>> {
        let (disk, dir) = (
            self.env().disk().clone(),
            log::dir(&self.inner.options.data),
        );
        E::Runtime::spawn_blocking(move || flip_a_byte(&disk, &dir)).await?
    }
}
