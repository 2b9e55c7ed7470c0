//! Chord: nodes on a circle, each of which finds the owner of any key in some ½ log₂ N steps.
//!
//! ```text
//!                  n ─ successor ─▶ s₁ ─▶ s₂ ─▶ …        n remembers r successors: the ring
//!                ╱ │ ╲                                     holds together by them alone
//!      predecessor │   ╲ fingers: the first node at a
//!                  │      distance of 2⁰, 2¹, 2², …       shortcuts, and nothing but shortcuts
//!                  ▼
//!        owns the keys after its predecessor up to itself
//! ```
//!
//! A [`Node`] is a state machine without I/O: [`Node::handle`] takes what happened and when, and
//! says what to send. It knows no clock, no socket and no randomness but its seed, so the simulator
//! ([`simulator`]) runs the code that real nodes run.
//!
//! The protocol is Chord (Stoica, Morris, Liben-Nowell, Karger, Kaashoek, Dabek, Balakrishnan,
//! *Chord: A Scalable Peer-to-peer Lookup Protocol for Internet Applications*, IEEE/ACM
//! Transactions on Networking 11(1), 2003) as Zave corrected it (*Reasoning about Identifier
//! Spaces: How to Make Chord Correct*, IEEE Transactions on Software Engineering 43(12), 2017;
//! arXiv 1502.06461): a ring begins with at least r + 1 members; a candidate is asked before it is
//! adopted; successor lists are copied whole; a node that left comes back under another id. What
//! she proved is checked at every step of every simulation ([`simulator::Checker`]).

mod circle;
mod config;
mod dice;
mod fingers;
mod id;
mod message;
mod node;
mod peer;
pub mod simulator;

pub use circle::Circle;
pub use config::{Config, NEVER_US, SUCCESSORS_MAX};
pub use dice::Dice;
pub use fingers::Fingers;
pub use id::{BITS, Id};
pub use message::{
    Answer, Ask, Event, Found, Hop, Input, Lost, Message, Output, Owner, PAYLOAD_MAX_BYTES,
    Payload, Tell,
};
pub use node::{HOPS_MAX, LOOKUPS_MAX, Node};
pub use peer::{Address, Peer, Peers};
