//! One storm: bursts of trouble, each followed by a calm.
//!
//! The trouble is what the proof allows and no more: in one burst at most r - 1 members go, and
//! r + 1 that were there before it stay. Joins know no limit.

use std::collections::{BTreeMap, BTreeSet};

use ring::simulator::{Delay, Violation, World};
use ring::{Config, Dice, Event, Id, Input, Node, Payload, Peer};

use crate::faults::{self, Fault};

/// A packet takes at most so long, so that no answer comes after the timeout.
const DELAY_MAX_US: u64 = 200_000;

const BURSTS: u32 = 6;

/// A storm to come.
pub struct Storm {
    seed: u64,
    fault: Fault,
}

/// What was wrong.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
pub enum Caught {
    Violation(Violation),
    NotMended {
        burst: u32,
        members: Vec<Peer>,
        unsettled: Vec<String>,
    },
    Lookup {
        key: Id,
        found: Option<Peer>,
        owner: Option<Peer>,
    },
    Vanished {
        begun: usize,
        ended: usize,
    },
    Broadcast {
        heard: BTreeMap<u32, u32>,
        members: usize,
    },
}

/// How a storm went.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    members: Vec<Peer>,
    joined: u32,
    gone: u32,
    packets: u64,
}

impl Storm {
    pub fn new(seed: u64) -> Self {
        let fault = faults::none;
        Storm { seed, fault }
    }

    /// The same with a fault.
    pub fn with(self, fault: Fault) -> Self {
        Storm { fault, ..self }
    }

    pub fn run(self) -> Result<Report, Caught> {
        let mut dice = Dice::new(self.seed);
        let config = Config {
            successors: dice.within(2, 4) as usize,
            patience: dice.within(1, 2) as u8,
            stabilise_from_us: 400_000,
            stabilise_to_us: 900_000,
            ..Config::default()
        };
        let founders = config.successors as u64 + 1 + dice.below(6);
        let circle = World::random_circle(&mut dice, founders as u32);
        let delay = Delay::Even(1_000, DELAY_MAX_US);
        let mut world = World::founded(config, delay, &circle, dice.any());
        world.tamper = self.fault;
        world.start();
        let mut weather = Weather {
            ids: world.members().map(|peer| peer.id()).collect(),
            world,
            dice,
            joined: 0,
            gone: 0,
        };
        // A ring that is not mended goes on: what is proved may break later.
        let mut first = None;
        for burst in 0..BURSTS {
            weather.burst();
            weather.calm();
            match weather.look(burst) {
                Err(Caught::Violation(violation)) => return Err(Caught::Violation(violation)),
                Err(caught) => first = first.or(Some(caught)),
                Ok(()) => {}
            }
        }
        first.map_or(Ok(weather.report()), Err)
    }
}

fn shown(node: &Node) -> String {
    let (me, before, after) = (node.me(), node.predecessor(), node.successors());
    format!("{me:?}: before {before:?}, after {after:?}")
}

struct Weather {
    world: World,
    dice: Dice,
    /// All that were ever taken: who comes back takes another.
    ids: BTreeSet<Id>,
    joined: u32,
    gone: u32,
}

impl Weather {
    fn burst(&mut self) {
        let settled: Vec<Peer> = self.world.members().collect();
        let base = self.world.config.successors + 1;
        let spare = settled.len().saturating_sub(base);
        let may_go = spare.min(self.world.config.successors - 1) as u64;
        let mut going = self.adjacent(settled, may_go);
        let mut joining = self.dice.below(6);
        while joining > 0 || !going.is_empty() {
            if joining > 0 && (going.is_empty() || self.dice.below(2) == 0) {
                joining -= 1;
                self.join();
            } else if let Some(peer) = going.pop() {
                self.go(peer);
            }
            let pause_us = [0, 10_000, 300_000, 2_000_000][self.dice.below(4) as usize];
            let pause_us = self.dice.within(0, pause_us);
            self.world.run_until(self.world.now_us() + pause_us);
            assert_eq!(
                self.world.checker().principals(),
                self.principals(),
                "miscounted"
            );
        }
    }

    /// At most so many members, mostly neighbours: the worst there is.
    fn adjacent(&mut self, mut members: Vec<Peer>, most: u64) -> Vec<Peer> {
        let count = self.dice.within(0, most) as usize;
        let first = self.dice.below(members.len() as u64) as usize;
        members.rotate_left(first);
        if self.dice.below(3) == 0 {
            members.sort_by_key(|peer| peer.id().0.rotate_left(17));
        }
        members.truncate(count);
        if self.dice.below(2) == 0 {
            members.reverse();
        }
        members
    }

    /// Somebody joins anywhere, or right beside a member.
    fn join(&mut self) {
        let any = Id(self.dice.any());
        let beside = self.world.any_member().expect("a member").id();
        let near = beside
            .plus(self.dice.within(1, 3))
            .0
            .wrapping_sub(self.dice.below(5));
        let id = if self.dice.below(2) == 0 {
            any
        } else {
            Id(near)
        };
        if !self.ids.insert(id) {
            return;
        }
        let via = self.world.any_member().expect("a member");
        self.world.join(id, via);
    }

    fn go(&mut self, peer: Peer) {
        self.gone += 1;
        if self.dice.below(3) > 0 {
            self.world.fail(peer.address());
            return;
        }
        self.world.tell(peer.address(), Input::Leave);
        let handing_over_us = self.dice.below(500_000);
        self.world.run_until(self.world.now_us() + handing_over_us);
        self.world.tell(peer.address(), Input::HandedOver);
    }

    /// Long enough for every node to learn of every other in its list.
    fn calm(&mut self) {
        let rounds = 2 * self.world.config.successors as u64 + 24;
        let us = rounds * self.world.config.stabilise_to_us;
        self.world.run_until(self.world.now_us() + us);
        let joined = |event: &Event| matches!(event, Event::Joined);
        let happened = self.world.happened();
        self.joined += happened.iter().filter(|h| joined(&h.event)).count() as u32;
    }

    fn look(&mut self, burst: u32) -> Result<(), Caught> {
        if let Some(violation) = self.world.violation() {
            return Err(Caught::Violation(violation.clone()));
        }
        if !self.world.is_ideal() {
            return Err(Caught::NotMended {
                burst,
                members: self.world.members().collect(),
                unsettled: self.world.unsettled().map(shown).collect(),
            });
        }
        self.look_up()?;
        self.broadcast()
    }

    /// Members that no list skips, counted anew.
    fn principals(&self) -> usize {
        let members: Vec<Peer> = self.world.members().collect();
        let lists = members
            .iter()
            .filter_map(|peer| self.world.node(peer.address()));
        let lists: Vec<Vec<Id>> = lists
            .map(|node| {
                let list = node.successors().iter().map(Peer::id);
                std::iter::once(node.me().id()).chain(list).collect()
            })
            .collect();
        let skips = |list: &Vec<Id>, id: Id| {
            let mut pairs = list.windows(2);
            pairs.any(|pair| id.is_between(pair[0], pair[1]))
        };
        let principal = |peer: &&Peer| !lists.iter().any(|list| skips(list, peer.id()));
        members.iter().filter(principal).count()
    }

    /// Every member finds the owner of some key, and of a member's own place.
    fn look_up(&mut self) -> Result<(), Caught> {
        let members: Vec<Peer> = self.world.members().collect();
        for asker in &members {
            let at = self.dice.below(members.len() as u64) as usize;
            for key in [Id(self.dice.any()), members[at].id()] {
                self.world
                    .tell(asker.address(), Input::Lookup { key, tag: 0 });
            }
        }
        self.world.run_until(self.world.now_us() + 20_000_000);
        let mut ended = 0;
        for happening in self.world.happened() {
            if let Event::Found(found) = happening.event {
                ended += 1;
                let peer = found.owner.as_ref().ok().map(|owner| owner.peer);
                if peer != happening.owner {
                    return Err(Caught::Lookup {
                        key: found.key,
                        found: peer,
                        owner: happening.owner,
                    });
                }
            }
        }
        let begun = 2 * members.len();
        match ended == begun {
            true => Ok(()),
            false => Err(Caught::Vanished { begun, ended }),
        }
    }

    fn broadcast(&mut self) -> Result<(), Caught> {
        let origin = self.world.any_member().expect("a member");
        let payload = Payload::new(b"acta").expect("short");
        self.world.tell(origin.address(), Input::Broadcast(payload));
        self.world.run_until(self.world.now_us() + 5_000_000);
        let mut heard: BTreeMap<u32, u32> = BTreeMap::new();
        for happening in self.world.happened() {
            if matches!(happening.event, Event::Heard(_)) {
                *heard.entry(happening.node.address().0).or_default() += 1;
            }
        }
        let members = self.world.member_count();
        let all_once = heard.len() == members - 1 && heard.values().all(|times| *times == 1);
        match all_once && !heard.contains_key(&origin.address().0) {
            true => Ok(()),
            false => Err(Caught::Broadcast { heard, members }),
        }
    }

    fn report(self) -> Report {
        Report {
            members: self.world.members().collect(),
            joined: self.joined,
            gone: self.gone,
            packets: self.world.packets(),
        }
    }
}
