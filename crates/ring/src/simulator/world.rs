//! The world of a simulation: nodes, packets under way, and time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use super::checker::{Broken, Checker};
use crate::{
    Address, Circle, Config, Dice, Event, Id, Input, Message, NEVER_US, Node, Output, Peer,
};

/// How long a packet is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always so many microseconds.
    Fixed(u64),
    /// Evenly between two.
    Even(u64, u64),
    /// Exponentially distributed, with this mean: the paper's.
    Exponential(u64),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sent it.
    pub from: Peer,
    /// To whom.
    pub to: Peer,
    /// What it says.
    pub message: Message,
}

/// Something that a node told its driver.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When.
    pub at_us: u64,
    /// Which node.
    pub node: Peer,
    /// What.
    pub event: Event,
    /// When a lookup ended: the owner of its key at that time, whatever the nodes believe.
    pub owner: Option<Peer>,
}

/// The first time that what is proved did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at_us: u64,
    /// What.
    pub broken: Broken,
}

/// A ring and its network. A node's address is its place in the list of nodes; neither is used
/// again.
pub struct World {
    /// What all nodes agree on.
    pub config: Config,
    /// How long packets are under way.
    pub delay: Delay,
    /// Links with a delay of their own, for scripts.
    pub links: BTreeMap<(Address, Address), u64>,
    /// What becomes of each packet that is sent; tests of the tests put a fault here.
    pub tamper: fn(&World, Packet) -> Option<Packet>,
    /// Every packet that is sent, and when, for whoever wants to see them.
    pub trace: Option<Vec<(u64, Packet)>>,
    now_us: u64,
    dice: Dice,
    nodes: Vec<Option<Node>>,
    /// When each node will be woken next.
    wakes_us: Vec<u64>,
    queue: BinaryHeap<Entry>,
    sequence: u64,
    checker: Checker,
    violation: Option<Violation>,
    happened: Vec<Happening>,
    packets: u64,
    steps: u64,
    out: Vec<Output>,
    /// The successors of a node before something happened to it.
    list_before: Vec<Peer>,
}

struct Entry {
    at_us: u64,
    sequence: u64,
    what: Pending,
}

enum Pending {
    Deliver(Box<Packet>),
    Wake(Address),
    /// A node that found no place is told another member.
    Rejoin(Address),
}

/// How long a driver waits before it names another member.
const REJOIN_US: u64 = 1_000_000;

impl World {
    /// A ring of founders that know what they ought to. They do not stabilise until
    /// [`World::start`].
    pub fn founded(config: Config, delay: Delay, circle: &Circle, seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let addresses = circle.members().iter().map(|member| member.address().0);
        let mut nodes: Vec<Option<Node>> = Vec::new();
        nodes.resize_with(addresses.max().map_or(0, |last| last as usize + 1), || None);
        for (index, member) in circle.members().iter().enumerate() {
            let node = circle.node(index, config.successors, dice.any());
            nodes[member.address().0 as usize] = Some(node);
        }
        let base = (config.successors + 1).min(circle.members().len());
        World {
            delay,
            links: BTreeMap::new(),
            tamper: |_, packet| Some(packet),
            trace: None,
            now_us: 0,
            dice,
            wakes_us: vec![NEVER_US; nodes.len()],
            queue: BinaryHeap::new(),
            sequence: 0,
            checker: Checker::of(&nodes, base),
            violation: None,
            happened: Vec::new(),
            packets: 0,
            steps: 0,
            out: Vec::new(),
            list_before: Vec::new(),
            nodes,
            config,
        }
    }

    /// A circle of `count` members at random places, addressed from 0.
    pub fn random_circle(dice: &mut Dice, count: u32) -> Circle {
        let members = (0..count).map(|i| Peer::new(Id(dice.any()), Address(i)));
        Circle::of(members)
    }

    /// Lets every member stabilise from now on.
    pub fn start(&mut self) {
        for index in 0..self.nodes.len() {
            if let Some(node) = &mut self.nodes[index] {
                node.start(&self.config, self.now_us);
                self.wake(Address(index as u32));
            }
        }
    }

    /// Now.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// The dice of this world.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Packets sent.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Things that happened to nodes, after each of which the ring was checked.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The node at an address, if it lives.
    pub fn node(&self, address: Address) -> Option<&Node> {
        self.nodes.get(address.0 as usize)?.as_ref()
    }

    /// The members that live, in the order of the circle.
    pub fn members(&self) -> impl Iterator<Item = Peer> {
        self.checker.members()
    }

    /// How many live.
    pub fn member_count(&self) -> usize {
        self.checker.count()
    }

    /// What holds of the ring now.
    pub fn checker(&self) -> &Checker {
        &self.checker
    }

    /// The member that owns a key now, whatever the nodes believe.
    pub fn owner(&self, key: Id) -> Option<Peer> {
        self.checker.owner(key)
    }

    /// A member at random, each as likely as the others, if there is one.
    pub fn any_member(&mut self) -> Option<Peer> {
        while self.member_count() > 0 {
            let index = self.dice.below(self.nodes.len() as u64) as usize;
            let drawn = self.nodes[index].as_ref().filter(|node| node.is_member());
            if let Some(node) = drawn {
                return Some(node.me());
            }
        }
        None
    }

    /// The first violation of what is proved, if there was one.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What happened since this was asked last.
    pub fn happened(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    /// Whether everybody who joined is a member, and every member has the neighbours it ought to.
    pub fn is_ideal(&self) -> bool {
        self.unsettled().next().is_none()
    }

    /// The nodes that still look for their place, and the members whose neighbours are not those
    /// that they ought to be.
    pub fn unsettled(&self) -> impl Iterator<Item = &Node> {
        let circle = Circle::of(self.members());
        let nodes = self.nodes.iter().flatten();
        nodes.filter(move |node| match node.is_member() {
            true => !circle.is_ideal(node, self.config.successors),
            false => node.is_joining(),
        })
    }

    /// A new node joins by way of a member.
    pub fn join(&mut self, id: Id, via: Peer) -> Peer {
        let me = Peer::new(id, Address(self.nodes.len() as u32));
        let seed = self.dice.any();
        self.nodes.push(Some(Node::new(me, seed)));
        self.wakes_us.push(NEVER_US);
        self.tell(me.address(), Input::Join { via });
        me
    }

    /// A node dies.
    pub fn fail(&mut self, address: Address) {
        let node = self
            .nodes
            .get_mut(address.0 as usize)
            .and_then(Option::take);
        if let Some(node) = node.filter(Node::is_member) {
            self.checker
                .depart(&self.nodes, node.me(), node.successors());
            self.check();
        }
    }

    /// Something happens to a node.
    pub fn tell(&mut self, address: Address, input: Input) {
        let index = address.0 as usize;
        let Some(node) = self.nodes.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let was_member = node.is_member();
        self.list_before.clear();
        self.list_before.extend_from_slice(node.successors());
        node.handle(&self.config, self.now_us, input, &mut self.out);
        let (me, has_left) = (node.me(), node.has_left());
        match (was_member, node.is_member()) {
            (false, true) => self.checker.enter(&self.nodes, me),
            (true, false) => self.checker.depart(&self.nodes, me, &self.list_before),
            (true, true) => self.checker.changed(&self.nodes, me, &self.list_before),
            (false, false) => {}
        }
        if has_left {
            self.nodes[index] = None;
        }
        self.check();
        self.carry_out(me);
        self.wake(address);
    }

    fn check(&mut self) {
        self.steps += 1;
        if self.violation.is_none() {
            let at_us = self.now_us;
            let broken = self.checker.verdict().err();
            self.violation = broken.map(|broken| Violation { at_us, broken });
        }
    }

    fn carry_out(&mut self, from: Peer) {
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                Output::Send { to, message } => self.send(Packet { from, to, message }),
                Output::Event(event) => self.record(from, event),
            }
        }
        self.out = out;
    }

    fn record(&mut self, node: Peer, event: Event) {
        let owner = match &event {
            Event::Found(found) => self.owner(found.key),
            _ => None,
        };
        if matches!(event, Event::NotJoined) {
            let at_us = self.now_us + REJOIN_US;
            self.push(at_us, Pending::Rejoin(node.address()));
        }
        self.happened.push(Happening {
            at_us: self.now_us,
            node,
            event,
            owner,
        });
    }

    fn send(&mut self, packet: Packet) {
        self.packets += 1;
        if let Some(trace) = &mut self.trace {
            trace.push((self.now_us, packet.clone()));
        }
        if let Some(packet) = (self.tamper)(self, packet) {
            let link = (packet.from.address(), packet.to.address());
            let delay_us = match self.links.get(&link) {
                Some(delay_us) => *delay_us,
                None => self.delay.draw(&mut self.dice),
            };
            self.push(self.now_us + delay_us, Pending::Deliver(Box::new(packet)));
        }
    }

    /// Sees to it that a node is woken at its deadline.
    fn wake(&mut self, address: Address) {
        let index = address.0 as usize;
        let deadline_us = self.nodes[index]
            .as_ref()
            .map_or(NEVER_US, Node::deadline_us);
        if deadline_us < self.wakes_us[index] {
            self.wakes_us[index] = deadline_us;
            self.push(deadline_us, Pending::Wake(address));
        }
    }

    fn push(&mut self, at_us: u64, what: Pending) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.queue.push(Entry {
            at_us,
            sequence,
            what,
        });
    }

    /// Runs until a time, or until nothing is left to happen if that is [`NEVER_US`].
    pub fn run_until(&mut self, until_us: u64) {
        while let Some(entry) = self.queue.peek() {
            if entry.at_us > until_us {
                break;
            }
            self.step();
        }
        if until_us != NEVER_US {
            self.now_us = until_us;
        }
    }

    /// Lets the next thing happen; says whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(entry) = self.queue.pop() else {
            return false;
        };
        self.now_us = entry.at_us;
        match entry.what {
            Pending::Deliver(packet) => {
                let Packet { from, to, message } = *packet;
                self.tell(to.address(), Input::Receive { from, message });
            }
            Pending::Wake(address) => self.woken(address, entry.at_us),
            Pending::Rejoin(address) => self.rejoin(address),
        }
        true
    }

    fn rejoin(&mut self, address: Address) {
        let joining = self.node(address).is_some_and(Node::is_joining);
        if let Some(via) = self.any_member().filter(|_| joining) {
            self.tell(address, Input::Join { via });
        }
    }

    fn woken(&mut self, address: Address, at_us: u64) {
        let index = address.0 as usize;
        if self.wakes_us[index] != at_us {
            return;
        }
        self.wakes_us[index] = NEVER_US;
        let deadline_us = self.node(address).map_or(NEVER_US, Node::deadline_us);
        if deadline_us <= at_us {
            self.tell(address, Input::Tick);
        } else {
            self.wake(address);
        }
    }
}

impl Delay {
    fn draw(self, dice: &mut Dice) -> u64 {
        match self {
            Delay::Fixed(us) => us,
            Delay::Even(from_us, to_us) => dice.within(from_us, to_us),
            Delay::Exponential(mean_us) => exponential(dice, mean_us as f64) as u64,
        }
    }
}

/// A time with this mean until the next of many rare events.
pub(super) fn exponential(dice: &mut Dice, mean: f64) -> f64 {
    // In (0, 1], so that the logarithm is finite.
    let unit = ((dice.any() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -unit.ln() * mean
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.sequence).cmp(&(self.at_us, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
