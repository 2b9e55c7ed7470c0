//! Lookups in a ring that is whole, or of which a part has just died.

use super::summary::Histogram;
use super::world::{Delay, Violation, World};
use crate::{Address, Config, Dice, Event, Found, Id, Input, Lost, NEVER_US, Peer};

/// Lookups that are begun at once: enough to keep the queue of events short.
const BATCH: u64 = 512;

/// Mean time of a packet in the paper, in microseconds.
pub(super) const DELAY: Delay = Delay::Exponential(50_000);

/// Lookups in a ring that mends nothing: what the paper's Figure 10 and Table II measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Machines.
    pub nodes: u32,
    /// Places on the circle that each takes.
    pub virtual_nodes: u32,
    /// Successors that a node remembers.
    pub successors: usize,
    /// The part of the machines that dies before the lookups, all at once.
    pub fail: f64,
    /// Lookups, each of a random key by a random node.
    pub lookups: u64,
    /// From where all randomness comes.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Nodes that a lookup visits, as the paper counts them.
    pub path: Histogram,
    /// Nodes that it asks in vain.
    pub timeouts: Histogram,
    /// Milliseconds that it takes.
    pub latency_ms: Histogram,
    /// Lookups that were begun.
    pub begun: u64,
    /// Lookups that found nobody.
    pub unanswered: u64,
    /// Lookups whose asker went before they ended.
    pub abandoned: u64,
    /// Lookups that found another than the owner.
    pub wrong: u64,
    /// Machines that died.
    pub died: u32,
    /// Packets sent.
    pub packets: u64,
    /// Steps, after each of which the ring was checked.
    pub steps: u64,
    /// The first time that what is proved did not hold.
    pub violation: Option<Violation>,
}

impl Plan {
    /// Founds the ring, lets some machines die, and looks keys up.
    pub fn run(&self) -> Outcome {
        let mut dice = Dice::new(self.seed);
        let places = self.nodes.saturating_mul(self.virtual_nodes);
        let config = Config {
            repair: false,
            ..Config::of_the_paper(self.successors)
        };
        let circle = World::random_circle(&mut dice, places);
        let mut world = World::founded(config, DELAY, &circle, dice.any());
        drop(circle);
        let mut outcome = Outcome {
            died: self.kill(&mut world),
            ..Outcome::default()
        };
        let mut left = self.lookups;
        while left > 0 {
            let batch = left.min(BATCH);
            outcome.look_up(&mut world, batch);
            world.run_until(NEVER_US);
            outcome.take_in(&mut world);
            left -= batch;
        }
        outcome.conclude(&world);
        // Nobody goes any more once the lookups have begun.
        outcome.unanswered += std::mem::take(&mut outcome.abandoned);
        outcome
    }

    fn kill(&self, world: &mut World) -> u32 {
        let mut died = 0;
        for machine in 0..self.nodes {
            if (world.dice().any() as f64) < self.fail * u64::MAX as f64 {
                died += 1;
                let first = machine * self.virtual_nodes;
                (first..first + self.virtual_nodes).for_each(|node| world.fail(Address(node)));
            }
        }
        died
    }
}

impl Outcome {
    /// Begins lookups of random keys by random members.
    pub(super) fn look_up(&mut self, world: &mut World, count: u64) {
        for tag in 0..count {
            self.begun += 1;
            let key = Id(world.dice().any());
            if let Some(asker) = world.any_member() {
                world.tell(asker.address(), Input::Lookup { key, tag });
            }
        }
    }

    /// Takes in the lookups that ended.
    pub(super) fn take_in(&mut self, world: &mut World) {
        for happening in world.happened() {
            if let Event::Found(found) = happening.event {
                self.count(&found, happening.at_us, happening.owner);
            }
        }
    }

    pub(super) fn count(&mut self, found: &Found, now_us: u64, owner: Option<Peer>) {
        if found.owner == Err(Lost::Outside) {
            return;
        }
        self.path.add(u64::from(found.path));
        self.timeouts.add(u64::from(found.timeouts()));
        self.latency_ms.add((now_us - found.started_us) / 1000);
        match &found.owner {
            Ok(answer) => self.wrong += u64::from(Some(answer.peer) != owner),
            Err(_) => self.unanswered += 1,
        }
    }

    pub(super) fn conclude(&mut self, world: &World) {
        self.abandoned = self.begun - self.path.summary().count;
        self.packets = world.packets();
        self.steps = world.steps();
        self.violation = world.violation().cloned();
    }

    /// Adds what came of another ring.
    pub fn merge(&mut self, other: &Outcome) {
        self.path.merge(&other.path);
        self.timeouts.merge(&other.timeouts);
        self.latency_ms.merge(&other.latency_ms);
        self.begun += other.begun;
        self.unanswered += other.unanswered;
        self.abandoned += other.abandoned;
        self.wrong += other.wrong;
        self.died += other.died;
        self.packets += other.packets;
        self.steps += other.steps;
        if self.violation.is_none() {
            self.violation.clone_from(&other.violation);
        }
    }

    /// Lookups that did not find the owner.
    pub fn failed(&self) -> u64 {
        self.unanswered + self.wrong
    }
}
