//! What a node says in its log about its cluster: who leads, whether a majority answers, who is
//! silent, who belongs to it. Each is said once, when it changes.
//!
//! ```text
//!   what this node knows ──▶ View ──┐
//!   the View of the last time ──────┴─▶ lines
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft_rt::{AsyncRuntime, Instant as _};

use crate::env::Env;
use crate::health::SILENCE_MAX;
use crate::node::{InstantOf, Leader, Node};
use crate::types::NodeId;

/// How often is looked. Nothing of this changes faster for good.
const INTERVAL: Duration = Duration::from_millis(200);

/// Nobody leads for this long before it is said: an ordinary election takes less.
const LEADERLESS_MIN: Duration = Duration::from_secs(1);

/// What is to be said of, as it is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    led: Led,
    majority_lost: bool,
    peers: BTreeMap<NodeId, Peer>,
    /// By name, with whether they vote; empty before any are known.
    members: Vec<(String, bool)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Led {
    /// Not for long enough to be said.
    #[default]
    Unsettled,
    Here {
        term: u64,
    },
    By {
        name: String,
        term: u64,
    },
    ByNobody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Peer {
    name: String,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// Not heard yet, and not missed yet.
    Awaited,
    Answering,
    Silent,
    /// At its address is a node of another cluster.
    Elsewhere,
}

/// A line for the log: what is wrong is a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Info(String),
    Warn(String),
}

impl Line {
    fn log(&self) {
        match self {
            Line::Info(text) => tracing::info!("{text}"),
            Line::Warn(text) => tracing::warn!("{text}"),
        }
    }
}

impl View {
    /// What has changed since.
    fn since(&self, before: &View) -> Vec<Line> {
        let mut lines = Vec::new();
        self.members_since(before, &mut lines);
        self.leader_since(before, &mut lines);
        for (id, peer) in &self.peers {
            let was = before.peers.get(id).map_or(Is::Awaited, |before| before.is);
            if was != peer.is {
                lines.extend(peer.turned(was));
            }
        }
        lines
    }

    fn leader_since(&self, before: &View, lines: &mut Vec<Line>) {
        if self.led != before.led {
            lines.extend(match &self.led {
                Led::Unsettled => None,
                Led::Here { term } => Some(Line::Info(format!("this node leads (term {term})"))),
                Led::By { name, term } => Some(Line::Info(format!("{name} leads (term {term})"))),
                Led::ByNobody => Some(Line::Warn(match &before.led {
                    Led::By { name, .. } => format!("{name} is not heard any more: nobody leads"),
                    Led::Here { .. } | Led::Unsettled | Led::ByNobody => "nobody leads".to_owned(),
                })),
            });
        }
        let lost = "a majority does not answer this leader: writes and linearizable reads are \
                    refused until it does";
        match (before.majority_lost, self.majority_lost) {
            (false, true) => lines.push(Line::Warn(lost.to_owned())),
            (true, false) if matches!(self.led, Led::Here { .. }) => {
                lines.push(Line::Info(
                    "a majority answers this leader again".to_owned(),
                ));
            }
            _ => {}
        }
    }

    fn members_since(&self, before: &View, lines: &mut Vec<Line>) {
        if self.members == before.members {
            return;
        }
        let names = |votes| {
            let named = self.members.iter().filter(|(_, voter)| *voter == votes);
            let names: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        let (voters, others) = (names(true), names(false));
        lines.push(Line::Info(match others.as_str() {
            "" => format!("the members: {voters}"),
            _ => format!("the members: {voters}; without a vote yet: {others}"),
        }));
    }
}

impl Peer {
    fn turned(&self, was: Is) -> Option<Line> {
        let name = &self.name;
        match self.is {
            Is::Answering if was == Is::Awaited => None,
            Is::Answering => Some(Line::Info(format!("{name} answers again"))),
            Is::Silent => {
                let seconds = SILENCE_MAX.as_secs();
                Some(Line::Warn(format!(
                    "{name} has not answered for {seconds} s"
                )))
            }
            Is::Elsewhere => Some(Line::Warn(format!(
                "at the address of {name} is a node of another cluster: if it was made one with \
                 `cluster recover --force`, this node was left behind and is to be joined anew, \
                 with an empty data directory"
            ))),
            Is::Awaited => None,
        }
    }
}

/// Looks from one time to the next.
struct Observer<E: Env> {
    leaderless: Option<InstantOf<E>>,
    /// When each peer became known.
    met: BTreeMap<NodeId, InstantOf<E>>,
    last: View,
}

/// Says what changes until the node stops, or is a member no more.
pub async fn run<E: Env>(node: Node<E>) {
    let mut observer = Observer::<E> {
        leaderless: None,
        met: BTreeMap::new(),
        last: View::default(),
    };
    while !node.is_removed() {
        let view = observer.look(&node);
        view.since(&observer.last).iter().for_each(Line::log);
        observer.last = view;
        E::Runtime::sleep(INTERVAL).await;
    }
}

impl<E: Env> Observer<E> {
    fn look(&mut self, node: &Node<E>) -> View {
        View {
            led: self.led(node),
            majority_lost: node.has_lost_majority(),
            peers: self.peers(node),
            members: self.members(node),
        }
    }

    fn led(&mut self, node: &Node<E>) -> Led {
        let (term, now) = (node.term(), InstantOf::<E>::now());
        let silence = match node.leader() {
            Leader::Me => {
                self.leaderless = None;
                return Led::Here { term };
            }
            Leader::Peer(id, _) => match node.leader_silence() {
                Some(silence) if silence < LEADERLESS_MIN => {
                    self.leaderless = None;
                    let name = node.name_of(id);
                    return Led::By { name, term };
                }
                silence => silence,
            },
            Leader::Nobody => None,
        };
        let since = *self.leaderless.get_or_insert(now);
        match silence.unwrap_or(now - since) >= LEADERLESS_MIN {
            // Of a node that knows no cluster yet there is nothing to say.
            true if !self.last.members.is_empty() => Led::ByNobody,
            true | false => self.last.led.clone(),
        }
    }

    fn peers(&mut self, node: &Node<E>) -> BTreeMap<NodeId, Peer> {
        let now = InstantOf::<E>::now();
        let others = node.others();
        self.met
            .retain(|id, _| others.iter().any(|(other, _)| other == id));
        let look = |(id, member): (NodeId, crate::types::Member)| {
            let met = *self.met.entry(id).or_insert(now);
            let is = match () {
                () if node.is_elsewhere(id) => Is::Elsewhere,
                () if node.is_alive(id) => Is::Answering,
                () if now - met >= SILENCE_MAX => Is::Silent,
                () => Is::Awaited,
            };
            let name = member.name;
            (id, Peer { name, is })
        };
        others.into_iter().map(look).collect()
    }

    /// Those of the last time while a change of voters is half done.
    fn members(&self, node: &Node<E>) -> Vec<(String, bool)> {
        if node.is_changing() {
            return self.last.members.clone();
        }
        let metrics = node.raft().metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let votes = |id: NodeId| membership.voter_ids().any(|voter| voter == id);
        let nodes = membership.nodes();
        let mut members: Vec<(String, bool)> = nodes
            .map(|(id, member)| (member.name.clone(), votes(*id)))
            .collect();
        members.sort_by_cached_key(|(name, _)| crate::health::natural(name));
        members
    }
}
