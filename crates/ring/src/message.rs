//! What nodes say to each other, what a driver tells its node, and what it is told.
//!
//! Nothing here is a wire format: the driver has one, with a version in it.

use std::sync::Arc;

use crate::{Id, Peer, Peers};

/// Bytes of a broadcast: an announcement, not a file.
pub const PAYLOAD_MAX_BYTES: usize = 4096;

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// Become a member, by way of one.
    Join {
        /// A member.
        via: Peer,
    },
    /// A message arrived.
    Receive {
        /// Who sent it.
        from: Peer,
        /// What it says.
        message: Message,
    },
    /// The deadline has come ([`crate::Node::deadline_us`]).
    Tick,
    /// Find the node that owns a key.
    Lookup {
        /// The key's place.
        key: Id,
        /// What the answer is to be called by.
        tag: u64,
    },
    /// Tell every node.
    Broadcast(Payload),
    /// Leave when what this node holds has been handed over.
    Leave,
    /// What this node held has been handed over.
    HandedOver,
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message. It may be lost: the node asks again or goes elsewhere.
    Send {
        /// To whom; a node under another id at that address must not get it.
        to: Peer,
        /// What to say.
        message: Message,
    },
    /// Something the driver may want to know.
    Event(Event),
}

/// A message between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A question; the answer carries the same ticket.
    Request {
        /// Names the question among those of the asker.
        ticket: u64,
        /// The question.
        ask: Ask,
    },
    /// An answer.
    Answer {
        /// The question's.
        ticket: u64,
        /// The answer.
        answer: Answer,
    },
    /// "I may be your predecessor."
    Notify,
    /// "I leave. These are my neighbours."
    Goodbye {
        /// The leaver's predecessor.
        predecessor: Option<Peer>,
        /// The leaver's successors.
        successors: Peers,
    },
}

/// A question to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who are your neighbours?
    Neighbours,
    /// Are you there?
    Alive,
    /// Whom do I ask next about this key?
    Next {
        /// The key.
        key: Id,
    },
    /// Is this key yours?
    Own {
        /// The key.
        key: Id,
    },
    /// Hear this, and tell those before the limit.
    Tell(Tell),
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Neighbours`].
    Neighbours {
        /// The predecessor, if there is one.
        predecessor: Option<Peer>,
        /// The whole list, nearest first.
        successors: Peers,
    },
    /// To [`Ask::Alive`].
    Alive,
    /// To [`Ask::Next`].
    Next {
        /// Whom this node takes for the owner, and who would be if that one is dead, and so on.
        owners: Peers,
        /// Nodes before the key, nearest to it first.
        closer: Peers,
        /// Whether nobody is known between this node and the first of `owners`.
        beside: bool,
    },
    /// To [`Ask::Own`].
    Own {
        /// A node between the key and this one, which owns it if it is alive.
        before: Option<Peer>,
        /// The successors of this node, who hold its copies.
        successors: Peers,
    },
    /// To [`Ask::Tell`].
    Heard,
}

/// What is told to every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Arc<[u8]>);

impl Payload {
    /// None if `bytes` are more than [`PAYLOAD_MAX_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Payload> {
        (bytes.len() <= PAYLOAD_MAX_BYTES).then(|| Payload(bytes.into()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A broadcast on its way to one part of the circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tell {
    /// Who began it.
    pub origin: Peer,
    /// Names it among those of its origin. It mostly arrives once; this tells repeats.
    pub number: u64,
    /// The hearer tells those between itself and here.
    pub until: Id,
    /// Nodes it has passed through.
    pub depth: u16,
    /// What it says.
    pub payload: Payload,
}

/// What a node tells its driver.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is a member now.
    Joined,
    /// It found no place by way of the member it was told. It tries again; the driver may name
    /// another ([`Input::Join`]).
    NotJoined,
    /// Its id is taken, and it is outside again. It needs another.
    Taken,
    /// It has another predecessor, and owns the keys after that one.
    Range {
        /// The new one.
        predecessor: Option<Peer>,
        /// The one before it.
        was: Option<Peer>,
    },
    /// Its successors are others than before.
    Successors,
    /// Everybody it knew is silent: it is a ring of its own.
    Alone,
    /// A lookup came to its end.
    Found(Box<Found>),
    /// What it holds is to be handed over, and [`Input::HandedOver`] to be said then. Said again
    /// when there is somebody else to hand over to.
    HandOver {
        /// To whom; nobody if the node is alone.
        to: Option<Peer>,
    },
    /// It has left, and says nothing more.
    Left,
    /// Somebody told everybody something.
    Heard(Tell),
}

/// The end of a lookup.
#[derive(Clone, Debug)]
pub struct Found {
    /// As it was called.
    pub tag: u64,
    /// What was looked for.
    pub key: Id,
    /// The owner and its successors, or why there is none.
    pub owner: Result<Owner, Lost>,
    /// Every node that was asked, in order.
    pub hops: Vec<Hop>,
    /// Nodes visited, as the paper counts them: the last is the one whose next neighbour the owner
    /// is, or the owner itself if a successor list led to it from further back.
    pub path: u32,
    /// When it was begun.
    pub started_us: u64,
}

/// Who owns a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner.
    pub peer: Peer,
    /// Those after it.
    pub successors: Peers,
}

/// Why a lookup found nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody who could know the way answers.
    Silence,
    /// It asked [`crate::HOPS_MAX`] nodes.
    TooFar,
    /// This node has [`crate::LOOKUPS_MAX`] lookups under way.
    Busy,
    /// This node is not a member.
    Outside,
}

/// A node that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Who.
    pub peer: Peer,
    /// Since the lookup began.
    pub after_us: u64,
    /// Until the answer came; none if it did not.
    pub took_us: Option<u64>,
}

impl Found {
    /// Nodes that let a question go unanswered.
    pub fn timeouts(&self) -> u32 {
        let silent = |hop: &&Hop| hop.took_us.is_none();
        let mut peers: Vec<Peer> = self
            .hops
            .iter()
            .filter(silent)
            .map(|hop| hop.peer)
            .collect();
        peers.sort_by_key(Peer::id);
        peers.dedup();
        peers.len() as u32
    }
}
