//! Faults of the protocol, made on the wire: each changes what a node gets to hear so that it does
//! what a wrong node would do.

use ring::simulator::{Packet, World};
use ring::{Answer, Ask, Message, Peer};

/// What becomes of a packet.
pub type Fault = fn(&World, Packet) -> Option<Packet>;

/// No fault.
pub fn none(_: &World, packet: Packet) -> Option<Packet> {
    Some(packet)
}

/// A candidate is made the successor without being asked: the question is answered at once in its
/// name, with the list that the asker has already.
pub fn adopt_unqueried(world: &World, packet: Packet) -> Option<Packet> {
    let Message::Request {
        ticket,
        ask: Ask::Neighbours,
    } = packet.message
    else {
        return Some(packet);
    };
    let list = list(world, packet.from);
    match list.first() {
        Some(head) if *head != packet.to => Some(Packet {
            from: packet.to,
            to: packet.from,
            message: Message::Answer {
                ticket,
                answer: Answer::Neighbours {
                    predecessor: None,
                    successors: list.into(),
                },
            },
        }),
        _ => Some(packet),
    }
}

/// The successor is adopted, and the rest of the list stays what it was.
pub fn copy_the_head_only(world: &World, packet: Packet) -> Option<Packet> {
    with_list(packet, |from, to, _| {
        let own = list(world, to);
        own.into_iter().filter(|peer| *peer != from).collect()
    })
}

/// The successor is adopted, and nothing else known.
pub fn forget_the_tail(_: &World, packet: Packet) -> Option<Packet> {
    with_list(packet, |_, _, _| Vec::new())
}

/// The second of a list is left out.
pub fn skip_the_second(_: &World, packet: Packet) -> Option<Packet> {
    with_list(packet, |_, _, list| list.iter().skip(1).copied().collect())
}

/// No successor is told of its predecessor.
pub fn never_notify(_: &World, packet: Packet) -> Option<Packet> {
    (packet.message != Message::Notify).then_some(packet)
}

/// Changes the list of an answer, which goes from one peer to another.
fn with_list(
    packet: Packet,
    change: impl FnOnce(Peer, Peer, &[Peer]) -> Vec<Peer>,
) -> Option<Packet> {
    let Packet { from, to, message } = packet;
    let message = match message {
        Message::Answer {
            ticket,
            answer:
                Answer::Neighbours {
                    predecessor,
                    successors,
                },
        } => Message::Answer {
            ticket,
            answer: Answer::Neighbours {
                predecessor,
                successors: change(from, to, &successors).into(),
            },
        },
        other => other,
    };
    Some(Packet { from, to, message })
}

fn list(world: &World, of: Peer) -> Vec<Peer> {
    let node = world.node(of.address());
    node.map_or(Vec::new(), |node| node.successors().to_vec())
}
