//! What scripts print.

use ring::simulator::{Happening, Packet};
use ring::{Answer, Ask, Event, Found, Id, Message, Node, Peer};

/// Where a place of a script lies on the circle.
pub fn id(place: u8) -> Id {
    Id(u64::from(place) << 56)
}

/// The place of an id.
pub fn place(id: Id) -> u8 {
    (id.0 >> 56) as u8
}

fn peer(peer: &Peer) -> String {
    place(peer.id()).to_string()
}

fn maybe(one: Option<&Peer>) -> String {
    one.map_or("nobody".to_owned(), peer)
}

fn peers(list: &[Peer]) -> String {
    match list {
        [] => "nobody".to_owned(),
        list => list.iter().map(peer).collect::<Vec<_>>().join(" "),
    }
}

pub fn node(node: &Node) -> String {
    let (me, before) = (peer(&node.me()), maybe(node.predecessor().as_ref()));
    let (after, fingers) = (peers(node.successors()), peers(node.fingers()));
    format!("{me}: before {before}, after {after}, fingers {fingers}\n")
}

pub fn happening(happening: &Happening) -> String {
    let me = peer(&happening.node);
    match &happening.event {
        Event::Joined => format!("{me} is a member"),
        Event::NotJoined => format!("{me} found no place"),
        Event::Taken => format!("{me} is refused: its place is taken"),
        Event::Range { predecessor, was } => {
            let (now, was) = (maybe(predecessor.as_ref()), maybe(was.as_ref()));
            format!("{me} comes after {now}, before that {was}")
        }
        Event::Successors => String::new(),
        Event::Alone => format!("{me} is alone"),
        Event::Found(found) => format!("{me} {}", lookup(found)),
        Event::HandOver { to } => format!("{me} hands over to {}", maybe(to.as_ref())),
        Event::Left => format!("{me} has left"),
        Event::Heard(tell) => {
            format!("{me} hears {} in {} steps", peer(&tell.origin), tell.depth)
        }
    }
}

fn lookup(found: &Found) -> String {
    let key = place(found.key);
    let hops = found.hops.iter().map(|hop| {
        let mark = if hop.took_us.is_none() { "†" } else { "" };
        format!("{}{mark}", peer(&hop.peer))
    });
    let hops = hops.collect::<Vec<_>>().join(" → ");
    let by = if hops.is_empty() {
        "by itself".to_owned()
    } else {
        format!("by {hops}")
    };
    match &found.owner {
        Ok(owner) => format!("finds {key} at {} (after it {}) {by}", peer(&owner.peer), {
            peers(&owner.successors)
        }),
        Err(lost) => format!("does not find {key}: {lost:?}, {by}"),
    }
}

pub fn packet(packet: &Packet) -> String {
    let (from, to) = (peer(&packet.from), peer(&packet.to));
    let what = match &packet.message {
        Message::Request { ask, .. } => request(ask),
        Message::Answer { answer, .. } => reply(answer),
        Message::Notify => "I may be your predecessor".to_owned(),
        Message::Goodbye {
            predecessor,
            successors,
        } => {
            let before = maybe(predecessor.as_ref());
            format!(
                "goodbye; before me {before}, after me {}",
                peers(successors)
            )
        }
    };
    format!("{from} → {to}: {what}")
}

fn request(ask: &Ask) -> String {
    match ask {
        Ask::Neighbours => "who are your neighbours?".to_owned(),
        Ask::Alive => "are you there?".to_owned(),
        Ask::Next { key } => format!("whom do I ask about {}?", place(*key)),
        Ask::Own { key } => format!("is {} yours?", place(*key)),
        Ask::Tell(tell) => format!("hear this, and tell all before {}", place(tell.until)),
    }
}

fn reply(answer: &Answer) -> String {
    match answer {
        Answer::Neighbours {
            predecessor,
            successors,
        } => {
            format!(
                "before me {}, after me {}",
                maybe(predecessor.as_ref()),
                peers(successors)
            )
        }
        Answer::Alive => "yes".to_owned(),
        Answer::Next {
            owners,
            closer,
            beside,
        } => {
            let beside = if *beside { ", my next neighbour" } else { "" };
            format!("owners {}{beside}; nearer {}", peers(owners), peers(closer))
        }
        Answer::Own {
            before: None,
            successors,
        } => format!("mine; after me {}", peers(successors)),
        Answer::Own { before, .. } => format!("rather {}'s", maybe(before.as_ref())),
        Answer::Heard => "heard".to_owned(),
    }
}
