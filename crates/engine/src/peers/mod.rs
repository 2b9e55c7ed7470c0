//! The other nodes: what is said to them ([`wire`]), how ([`handshake`], [`client`], [`network`]),
//! and what is answered ([`server`]).

pub mod client;
pub mod handshake;
pub mod network;
pub mod server;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::client::Caller;
use crate::env::Env;
use crate::identity::Identity;
use crate::links::Links;
use crate::types::NodeId;

/// The callers to the other nodes, one each, shared by all that have something to ask.
pub struct Peers<E: Env> {
    shared: Arc<Shared<E>>,
}

struct Shared<E: Env> {
    env: E,
    identity: Arc<Identity>,
    links: Links,
    callers: Callers<E>,
    chunk_callers: Callers<E>,
}

type Callers<E> = Mutex<BTreeMap<NodeId, Arc<Caller<E>>>>;

impl<E: Env> Clone for Peers<E> {
    fn clone(&self) -> Self {
        Peers {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E: Env> Peers<E> {
    /// No peers yet.
    pub fn new(env: E, identity: Arc<Identity>) -> Self {
        Peers {
            shared: Arc::new(Shared {
                env,
                identity,
                links: Links::default(),
                callers: Mutex::default(),
                chunk_callers: Mutex::default(),
            }),
        }
    }

    /// The node's world.
    pub fn env(&self) -> &E {
        &self.shared.env
    }

    /// Who we are.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.shared.identity
    }

    /// The links that all connections go through.
    pub fn links(&self) -> &Links {
        &self.shared.links
    }

    /// The caller to a node; a new one if its address changed.
    pub fn caller(&self, target: NodeId, address: &str) -> Arc<Caller<E>> {
        known(&self.shared.callers, target, address, || {
            self.stranger(Some(target), address)
        })
    }

    /// The caller to a node about chunks.
    pub fn chunk_caller(&self, target: NodeId, address: &str) -> Arc<Caller<E>> {
        known(&self.shared.chunk_callers, target, address, || {
            self.stranger(Some(target), address).for_chunks()
        })
    }

    /// A caller to whoever is at an address.
    pub fn stranger(&self, target: Option<NodeId>, address: &str) -> Caller<E> {
        let identity = Arc::clone(&self.shared.identity);
        Caller::new(
            self.shared.env.clone(),
            identity,
            self.shared.links.clone(),
            target,
            address.to_owned(),
        )
    }
}

/// The caller that is there, or a new one if there is none or its address changed.
fn known<E: Env>(
    callers: &Callers<E>,
    target: NodeId,
    address: &str,
    fresh: impl FnOnce() -> Caller<E>,
) -> Arc<Caller<E>> {
    let mut callers = callers.lock().unwrap_or_else(PoisonError::into_inner);
    let known = callers.get(&target);
    if let Some(caller) = known.filter(|caller| caller.address() == address) {
        return Arc::clone(caller);
    }
    let fresh = Arc::new(fresh());
    callers.insert(target, Arc::clone(&fresh));
    fresh
}
