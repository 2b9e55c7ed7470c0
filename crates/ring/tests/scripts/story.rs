//! Runs a script's lines in a world.

use std::error::Error;

use goldenscript::Context;
use ring::simulator::{Delay, World};
use ring::{Address, Circle, Config, Id, Input, Payload, Peer};

use crate::show;

const DELAY_US: u64 = 50_000;

/// A line of a script.
#[derive(Clone, Debug, goldenscript::Command)]
pub enum Line {
    /// A ring of founders that know what they ought to.
    Ring {
        #[arg(key)]
        successors: usize,
        #[arg(pos, many)]
        members: Vec<u8>,
    },
    Join {
        node: u8,
        #[arg(key)]
        via: u8,
    },
    Fail {
        #[arg(pos, many)]
        nodes: Vec<u8>,
    },
    Leave(u8),
    HandedOver(u8),
    Lookup {
        node: u8,
        #[arg(key)]
        key: u8,
    },
    Broadcast(u8),
    /// Lets milliseconds pass.
    Run(u64),
    /// Lets time pass until every member knows what it ought to.
    Calm,
    /// What nodes know; all of them if none is named.
    Show {
        #[arg(pos, many, optional)]
        nodes: Vec<u8>,
    },
    /// Packets from one node to another take so many milliseconds.
    Slow {
        from: u8,
        to: u8,
        ms: u64,
    },
    /// Whether messages are shown as they are sent.
    Messages(bool),
}

/// A world, and who is who in it.
#[derive(Default)]
pub struct Story {
    world: Option<World>,
    /// Every node that ever was, the last under an id last.
    peers: Vec<Peer>,
    messages: bool,
}

type Answer = Result<String, Box<dyn Error>>;

impl Story {
    fn world(&mut self) -> &mut World {
        self.world.as_mut().expect("a script begins with a ring")
    }

    fn peer(&self, node: u8) -> Result<Peer, Box<dyn Error>> {
        let found = self
            .peers
            .iter()
            .rev()
            .find(|peer| show::place(peer.id()) == node);
        found
            .copied()
            .ok_or_else(|| format!("there is no {node}").into())
    }

    fn address(&self, node: u8) -> Result<Address, Box<dyn Error>> {
        Ok(self.peer(node)?.address())
    }

    fn found(&mut self, successors: usize, members: &[u8]) {
        let config = Config {
            successors,
            timeout_us: 500_000,
            patience: 1,
            stabilise_from_us: 1_000_000,
            stabilise_to_us: 1_000_000,
            repair: true,
        };
        let numbered = members.iter().zip(0..);
        self.peers = numbered
            .map(|(node, i)| Peer::new(show::id(*node), Address(i)))
            .collect();
        let circle = Circle::of(self.peers.iter().copied());
        let mut world = World::founded(config, Delay::Fixed(DELAY_US), &circle, 7);
        world.start();
        self.world = Some(world);
    }

    fn tell(&mut self, node: u8, input: Input) -> Answer {
        let address = self.address(node)?;
        self.world().tell(address, input);
        Ok(String::new())
    }

    fn act(&mut self, line: &Line) -> Answer {
        match line {
            Line::Ring {
                successors,
                members,
            } => self.found(*successors, members),
            Line::Join { node, via } => {
                let via = self.peer(*via)?;
                let peer = self.world().join(show::id(*node), via);
                self.peers.push(peer);
            }
            Line::Fail { nodes } => {
                for node in nodes {
                    let address = self.address(*node)?;
                    self.world().fail(address);
                }
            }
            Line::Leave(node) => return self.tell(*node, Input::Leave),
            Line::HandedOver(node) => return self.tell(*node, Input::HandedOver),
            Line::Lookup { node, key } => {
                let key = Id(show::id(*key).0);
                return self.tell(*node, Input::Lookup { key, tag: 0 });
            }
            Line::Broadcast(node) => {
                let payload = Payload::new(b"hear this").expect("short");
                return self.tell(*node, Input::Broadcast(payload));
            }
            Line::Run(ms) => {
                let until_us = self.world().now_us() + ms * 1000;
                self.world().run_until(until_us);
            }
            Line::Calm => return Ok(self.calm()),
            Line::Show { nodes } => return self.show(nodes),
            Line::Slow { from, to, ms } => {
                let link = (self.address(*from)?, self.address(*to)?);
                self.world().links.insert(link, ms * 1000);
            }
            Line::Messages(shown) => self.messages = *shown,
        }
        Ok(String::new())
    }

    fn calm(&mut self) -> String {
        let world = self.world();
        let mut tenths = 0;
        while !world.is_ideal() && tenths < 600 {
            world.run_until(world.now_us() + 100_000);
            tenths += 1;
        }
        match world.is_ideal() {
            true => format!("calm after {}.{} s", tenths / 10, tenths % 10),
            false => "no calm within a minute".to_owned(),
        }
    }

    fn show(&mut self, nodes: &[u8]) -> Answer {
        let peers = match nodes {
            [] => self.world().members().collect(),
            nodes => nodes
                .iter()
                .map(|n| self.peer(*n))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let world = self.world();
        let nodes = peers.iter().filter_map(|peer| world.node(peer.address()));
        Ok(nodes.map(show::node).collect())
    }
}

impl goldenscript::Runner for Story {
    type Command = Line;

    fn run(&mut self, line: &Line, _: &Context) -> Answer {
        let begun_us = self.world.as_ref().map_or(0, World::now_us);
        if let Some(world) = &mut self.world {
            world.trace = self.messages.then(Vec::new);
        }
        let answer = self.act(line)?;
        let Some(world) = &mut self.world else {
            return Ok(answer);
        };
        let mut lines: Vec<(u64, String)> = Vec::new();
        for (at_us, packet) in world.trace.take().unwrap_or_default() {
            lines.push((at_us - begun_us, show::packet(&packet)));
        }
        for happening in world.happened() {
            lines.push((happening.at_us - begun_us, show::happening(&happening)));
        }
        lines.sort_by_key(|(at_us, _)| *at_us);
        let timed = |(at_us, line): (u64, String)| match line.is_empty() {
            true => String::new(),
            false => format!("{:>6} ms  {line}\n", at_us / 1000),
        };
        let lines: String = lines.into_iter().map(timed).collect();
        Ok(lines + &answer)
    }

    fn end_block(&mut self, _: &goldenscript::Block) -> Answer {
        let violation = self.world.as_ref().and_then(World::violation);
        Ok(violation.map_or(String::new(), |v| format!("BROKEN: {}", v.broken)))
    }
}
