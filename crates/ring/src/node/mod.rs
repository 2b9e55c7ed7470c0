//! A node: what it knows, and the one entry point.
//!
//! ```text
//!   Input ──▶ handle(config, now, input, &mut out) ──▶ Output::Send, Output::Event
//!                          │
//!      join · stabilise · lookup · broadcast · leave      one file each
//! ```
//!
//! Everything a node waits for is a [`Waiting`] under its ticket. All have the same timeout, so the
//! lowest ticket is the next to run out, and [`Node::deadline_us`] needs no search.

mod broadcast;
mod join;
mod leave;
mod lookup;
mod stabilise;

use std::collections::BTreeMap;

use crate::config::{Config, NEVER_US};
use crate::dice::Dice;
use crate::fingers::Fingers;
use crate::message::{Answer, Ask, Event, Input, Message, Output, Tell};
use crate::{Id, Peer, Peers};
use broadcast::Heard;
use lookup::Lookup;
pub use lookup::{HOPS_MAX, LOOKUPS_MAX};

/// One place on the circle and what it knows of the others.
#[derive(Clone, Debug)]
pub struct Node {
    me: Peer,
    status: Status,
    predecessor: Option<Peer>,
    successors: Peers,
    fingers: Fingers,
    waiting: BTreeMap<u64, Waiting>,
    /// Broadcasts passed on lately; none in most nodes of a simulation, so boxed.
    heard: Option<Box<Heard>>,
    /// The last ticket given out.
    ticket: u64,
    next_stabilise_us: u64,
    dice: Dice,
    /// The finger to refresh next.
    level: u8,
    /// A stabilisation is under way.
    stabilising: bool,
    /// The predecessor is being asked whether it is there.
    checking: bool,
    /// A finger is being looked up.
    refreshing: bool,
}

/// Where a node stands with the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    /// Not a member yet.
    Outside,
    /// Looking for its place, by way of this member.
    Joining(Peer),
    /// A member.
    Member,
    /// A member that hands over what it holds.
    Leaving,
    /// It left.
    Gone,
}

/// Something that was asked and not answered yet.
#[derive(Clone, Debug)]
struct Waiting {
    peer: Peer,
    deadline_us: u64,
    /// Silences so far.
    silences: u8,
    what: What,
}

/// Why it was asked.
#[derive(Clone, Debug)]
enum What {
    /// A successor, or a candidate for one: who its neighbours are.
    Stabilise {
        /// Peers asked in this stabilisation.
        steps: u8,
    },
    /// Whoever comes after a successor that leaves.
    Replace { leaver: Peer },
    /// The predecessor: whether it is there. If not, `candidate` takes its place.
    Check { candidate: Peer },
    /// Whoever comes before a predecessor that leaves.
    Inherit { leaver: Peer },
    /// A node on the way to a key.
    Next(Box<Lookup>),
    /// The owner of a key, presumably.
    Own(Box<Lookup>),
    /// A hearer of a broadcast.
    Tell(Box<Tell>),
}

/// What one call of [`Node::handle`] is given.
struct Turn<'a> {
    config: &'a Config,
    now_us: u64,
    out: &'a mut Vec<Output>,
}

impl Turn<'_> {
    fn send(&mut self, to: Peer, message: Message) {
        self.out.push(Output::Send { to, message });
    }

    fn tell(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }
}

impl Node {
    /// A node that is not a member yet. `seed` is all the randomness it will have.
    pub fn new(me: Peer, seed: u64) -> Self {
        Node {
            me,
            status: Status::Outside,
            predecessor: None,
            successors: Peers::default(),
            fingers: Fingers::default(),
            waiting: BTreeMap::new(),
            heard: None,
            ticket: 0,
            next_stabilise_us: NEVER_US,
            dice: Dice::new(seed),
            level: 0,
            stabilising: false,
            checking: false,
            refreshing: false,
        }
    }

    /// A member that knows its neighbours: the first of a ring, or one of its base. Whoever founds
    /// a ring gives all its founders what [`crate::Circle`] says.
    pub fn founder(
        me: Peer,
        predecessor: Option<Peer>,
        successors: Peers,
        fingers: Fingers,
        seed: u64,
    ) -> Self {
        Node {
            status: Status::Member,
            predecessor,
            successors,
            fingers,
            ..Node::new(me, seed)
        }
    }

    /// Begins to stabilise, within one interval. A founder that is never started mends nothing.
    pub fn start(&mut self, config: &Config, now_us: u64) {
        let wait = self.dice.within(0, config.stabilise_to_us);
        self.next_stabilise_us = now_us.saturating_add(wait);
    }

    /// Takes in what happened at `now_us`, and says what is to be done about it.
    pub fn handle(&mut self, config: &Config, now_us: u64, input: Input, out: &mut Vec<Output>) {
        let turn = &mut Turn {
            config,
            now_us,
            out,
        };
        match input {
            Input::Join { via } => self.join(turn, via),
            Input::Receive { from, message } => self.receive(turn, from, message),
            Input::Tick => self.tick(turn),
            Input::Lookup { key, tag } => self.look_up(turn, key, tag),
            Input::Broadcast(payload) => self.broadcast(turn, payload),
            Input::Leave => self.leave(turn),
            Input::HandedOver => self.handed_over(turn),
        }
    }

    /// When it wants [`Input::Tick`]; [`NEVER_US`] if it waits for nothing.
    pub fn deadline_us(&self) -> u64 {
        let answer = self.waiting.values().next();
        let answer_us = answer.map_or(NEVER_US, |waiting| waiting.deadline_us);
        self.next_stabilise_us.min(answer_us)
    }

    /// Itself.
    pub fn me(&self) -> Peer {
        self.me
    }

    /// Whether it is a member: it answers, and owns keys.
    pub fn is_member(&self) -> bool {
        matches!(self.status, Status::Member | Status::Leaving)
    }

    /// Whether it looks for its place.
    pub fn is_joining(&self) -> bool {
        matches!(self.status, Status::Joining(_))
    }

    /// Whether it has left. It is of no use any more; whoever comes back is another node.
    pub fn has_left(&self) -> bool {
        self.status == Status::Gone
    }

    /// Its predecessor, as far as it knows.
    pub fn predecessor(&self) -> Option<Peer> {
        self.predecessor
    }

    /// Its successors, nearest first.
    pub fn successors(&self) -> &[Peer] {
        &self.successors
    }

    /// Its fingers beyond the successors, nearest first.
    pub fn fingers(&self) -> &[Peer] {
        self.fingers.peers()
    }

    /// Whether a key is its own. A node that knows no predecessor does not know better.
    pub fn owns(&self, key: Id) -> bool {
        let own = |before: Peer| key.is_within(before.id(), self.me.id());
        self.is_member() && self.predecessor.is_none_or(own)
    }

    fn receive(&mut self, turn: &mut Turn<'_>, from: Peer, message: Message) {
        match message {
            Message::Answer { ticket, answer } => self.answered(turn, from, ticket, answer),
            _ if !self.is_member() => {}
            Message::Request { ticket, ask } => {
                let answer = self.answer(turn, ask);
                turn.send(from, Message::Answer { ticket, answer });
            }
            Message::Notify => self.rectify(turn, from),
            Message::Goodbye {
                predecessor,
                successors,
            } => self.farewell(turn, from, predecessor, &successors),
        }
    }

    fn answer(&mut self, turn: &mut Turn<'_>, ask: Ask) -> Answer {
        match ask {
            Ask::Neighbours => Answer::Neighbours {
                predecessor: self.predecessor,
                successors: self.successors.clone(),
            },
            Ask::Alive => Answer::Alive,
            Ask::Next { key } => self.next_towards(key),
            Ask::Own { key } => Answer::Own {
                before: self.predecessor.filter(|_| !self.owns(key)),
                successors: self.successors.clone(),
            },
            Ask::Tell(tell) => {
                self.heard(turn, tell);
                Answer::Heard
            }
        }
    }

    /// An answer counts once, in time, and from whom it was asked.
    fn answered(&mut self, turn: &mut Turn<'_>, from: Peer, ticket: u64, answer: Answer) {
        let asked = self.waiting.get(&ticket);
        if asked.is_none_or(|waiting| waiting.peer != from || !waiting.what.fits(&answer)) {
            return;
        }
        let Some(waiting) = self.waiting.remove(&ticket) else {
            return;
        };
        match (waiting.what, answer) {
            (
                What::Stabilise { steps },
                Answer::Neighbours {
                    predecessor,
                    successors,
                },
            ) => {
                self.stabilise_from(turn, from, predecessor, &successors, steps);
            }
            (What::Replace { leaver }, Answer::Neighbours { successors, .. }) => {
                self.replace(turn, leaver, from, &successors);
            }
            (What::Check { .. }, _) => self.checking = false,
            (What::Inherit { leaver }, _) => self.inherit(turn, leaver, from),
            (
                What::Next(lookup),
                Answer::Next {
                    owners,
                    closer,
                    beside,
                },
            ) => {
                self.pointed(turn, lookup, from, owners, &closer, beside);
            }
            (What::Own(lookup), Answer::Own { before, successors }) => {
                self.claimed(turn, lookup, from, before, successors);
            }
            _ => {}
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.get().deadline_us > turn.now_us {
                break;
            }
            let waiting = entry.remove();
            self.silent(turn, waiting);
        }
        if self.next_stabilise_us <= turn.now_us {
            match self.status {
                Status::Joining(via) => self.join(turn, via),
                Status::Member | Status::Leaving => self.stabilise(turn),
                Status::Outside | Status::Gone => self.next_stabilise_us = NEVER_US,
            }
        }
    }

    /// A peer did not answer in time.
    fn silent(&mut self, turn: &mut Turn<'_>, waiting: Waiting) {
        let Waiting { peer, what, .. } = waiting;
        let silences = waiting.silences + 1;
        if what.is_repeated() && silences < turn.config.patience {
            self.ask_again(turn, peer, what, silences);
            return;
        }
        if turn.config.repair {
            self.fingers.remove(&peer);
        }
        match what {
            What::Stabilise { .. } => self.stabilise_without(turn, peer),
            What::Replace { leaver } => self.stabilise_without(turn, leaver),
            What::Check { candidate } => self.succeed_predecessor(turn, peer, candidate),
            What::Inherit { .. } => {}
            What::Next(lookup) => self.no_way(turn, lookup, peer),
            What::Own(lookup) => self.no_claim(turn, lookup, peer),
            What::Tell(tell) => self.cover(turn, peer, *tell),
        }
    }

    fn ask(&mut self, turn: &mut Turn<'_>, peer: Peer, what: What) {
        self.ask_again(turn, peer, what, 0);
    }

    fn ask_again(&mut self, turn: &mut Turn<'_>, peer: Peer, what: What, silences: u8) {
        self.ticket += 1;
        let ticket = self.ticket;
        let ask = what.ask();
        turn.send(peer, Message::Request { ticket, ask });
        let waiting = Waiting {
            peer,
            deadline_us: turn.now_us.saturating_add(turn.config.timeout_us),
            silences,
            what,
        };
        self.waiting.insert(ticket, waiting);
    }
}

impl What {
    /// The question that it takes.
    fn ask(&self) -> Ask {
        match self {
            What::Stabilise { .. } | What::Replace { .. } => Ask::Neighbours,
            What::Check { .. } | What::Inherit { .. } => Ask::Alive,
            What::Next(lookup) => Ask::Next { key: lookup.key() },
            What::Own(lookup) => Ask::Own { key: lookup.key() },
            What::Tell(tell) => Ask::Tell((**tell).clone()),
        }
    }

    /// Whether an answer is one to this question.
    fn fits(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Neighbours { .. } => {
                matches!(self, What::Stabilise { .. } | What::Replace { .. })
            }
            Answer::Alive => matches!(self, What::Check { .. } | What::Inherit { .. }),
            Answer::Next { .. } => matches!(self, What::Next(_)),
            Answer::Own { .. } => matches!(self, What::Own(_)),
            Answer::Heard => matches!(self, What::Tell(_)),
        }
    }

    /// Whether one silence is not enough: a neighbour is not given up for one lost message, while a
    /// lookup has other ways.
    fn is_repeated(&self) -> bool {
        !matches!(self, What::Next(_) | What::Own(_))
    }
}
