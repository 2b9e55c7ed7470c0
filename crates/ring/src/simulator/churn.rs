//! Lookups while nodes come and go.

use super::lookups::{DELAY, Outcome};
use super::world::{World, exponential};
use crate::{Config, Dice, Event, Id, Input};

/// Microseconds of a second.
const SECOND_US: f64 = 1e6;

/// Lookups in a ring that mends itself, while joins and departures arrive as Poisson processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Churn {
    /// Nodes at the beginning, and on average.
    pub nodes: u32,
    /// Successors that a node remembers.
    pub successors: usize,
    /// Joins a second, and as many departures.
    pub rate: f64,
    /// Whether those who go say goodbye. In the paper they do not.
    pub goodbye: bool,
    /// Lookups, one a second on average.
    pub lookups: u64,
    /// From where all randomness comes.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Churned {
    /// Of the lookups.
    pub outcome: Outcome,
    /// Nodes that became members.
    pub joined: u64,
    /// Nodes that went.
    pub departed: u64,
    /// Simulated seconds.
    pub seconds: f64,
    /// Nodes at the end.
    pub nodes: u32,
    /// Whether, left alone afterwards, every member had the neighbours that it ought to have.
    pub healed: bool,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq)]
enum Arrival {
    Join,
    Departure,
    Lookup,
}

impl Churn {
    /// Runs it.
    pub fn run(&self) -> Churned {
        let mut dice = Dice::new(self.seed);
        let circle = World::random_circle(&mut dice, self.nodes);
        let config = Config::of_the_paper(self.successors);
        let mut world = World::founded(config, DELAY, &circle, dice.any());
        world.start();
        let mut churned = Churned::default();
        let mut left = self.lookups;
        while left > 0 {
            let (wait_us, arrival) = self.next(&mut dice);
            world.run_until(world.now_us() + wait_us);
            churned.take_in(&mut world);
            match arrival {
                Arrival::Join => join(&mut world),
                Arrival::Departure => churned.departed += u64::from(self.depart(&mut world)),
                Arrival::Lookup => {
                    churned.outcome.look_up(&mut world, 1);
                    left -= 1;
                }
            }
        }
        churned.seconds = world.now_us() as f64 / SECOND_US;
        settle(&mut world);
        churned.take_in(&mut world);
        churned.outcome.conclude(&world);
        churned.nodes = world.member_count() as u32;
        churned.healed = world.is_ideal();
        churned
    }

    /// The three processes together are one, of which each has its share.
    fn next(&self, dice: &mut Dice) -> (u64, Arrival) {
        let all = 2.0 * self.rate + 1.0;
        let wait_us = exponential(dice, SECOND_US / all) as u64;
        let drawn = dice.any() as f64 / u64::MAX as f64 * all;
        let arrival = match drawn {
            drawn if drawn < self.rate => Arrival::Join,
            drawn if drawn < 2.0 * self.rate => Arrival::Departure,
            _ => Arrival::Lookup,
        };
        (wait_us, arrival)
    }

    /// Somebody goes, unless the ring would be too small for what is proved.
    fn depart(&self, world: &mut World) -> bool {
        if world.member_count() <= self.successors + 1 {
            return false;
        }
        let Some(member) = world.any_member() else {
            return false;
        };
        if self.goodbye {
            world.tell(member.address(), Input::Leave);
            world.tell(member.address(), Input::HandedOver);
        } else {
            world.fail(member.address());
        }
        true
    }
}

fn join(world: &mut World) {
    let id = Id(world.dice().any());
    if let Some(via) = world.any_member() {
        world.join(id, via);
    }
}

/// A death at the end of a list is heard of one node further with each stabilisation, so the ring
/// is left alone for as many as a list is long, and some more.
fn settle(world: &mut World) {
    let rounds = world.config.successors as u64 + 4;
    world.run_until(world.now_us() + rounds * world.config.stabilise_to_us);
}

impl Churned {
    /// Takes in what happened.
    fn take_in(&mut self, world: &mut World) {
        for happening in world.happened() {
            match happening.event {
                Event::Joined => self.joined += 1,
                Event::Found(found) => {
                    let owner = happening.owner;
                    self.outcome.count(&found, happening.at_us, owner);
                }
                _ => {}
            }
        }
    }
}
