//! Polls against a naive count: whatever is voted in whatever order, the tallies are what one gets
//! by counting the newest ballot of every voter.

use std::collections::BTreeMap;

use domain::polls::queries::{GetPoll, ListTallies, State, Viewer};
use domain::polls::record::GetRecord;
use domain::polls::verdict::{Count, Tally};
use domain::{Action, Outcome, Proposal, Query, Reply};

use crate::random::{self, Rng};
use crate::world::World;

/// Random histories.
const SEEDS: u64 = 8;

/// Commands per history.
const COMMANDS: usize = 300;

/// Options of the random polls, and the blank ballot.
const CHOICES: usize = 4;

/// The newest ballot of each voter in each poll: choice and weight.
#[derive(Default)]
struct Naive {
    polls: i64,
    ballots: BTreeMap<(i64, String), (usize, i64)>,
}

impl Naive {
    fn note(&mut self, proposal: &Proposal, voter: String, outcome: &Outcome) {
        if outcome.replayed {
            return;
        }
        match (&proposal.action, &outcome.result) {
            (Action::CreatePoll { .. }, Ok(Reply::Poll { id })) => self.polls = *id,
            (
                Action::CastBallot { poll, choice, .. },
                Ok(Reply::Ballot {
                    weight, changed, ..
                }),
            ) => {
                let choice = choice.map_or(0, |number| number as usize);
                let before = self.ballots.insert((*poll, voter), (choice, *weight));
                assert_eq!(before.is_some(), *changed);
            }
            _ => {}
        }
    }

    fn tally(&self, poll: i64) -> Tally {
        let mut counts = [Count::default(); CHOICES];
        for ((of, _), (choice, weight)) in &self.ballots {
            if *of == poll {
                counts[*choice].ballots += 1;
                counts[*choice].weight += weight;
            }
        }
        Tally {
            blank: counts[0],
            options: counts[1..].to_vec(),
        }
    }
}

#[test]
fn tallies_are_what_counting_the_newest_ballots_gives() {
    let (mut closed, mut cast) = (0, 0);
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::begun();
        let mut naive = Naive::default();
        for step in 0..COMMANDS {
            let (proposal, voter) = random::voting(&mut rng);
            let outcome = world.apply(&proposal);
            naive.note(&proposal, voter, &outcome);
            if step % 10 == 0 {
                closed += check(&mut world, &naive, &format!("seed {seed} step {step}"));
            }
        }
        cast += naive.ballots.len();
    }
    assert!(
        closed > 10 && cast > 80,
        "only {closed} closed polls and {cast} ballots were looked at"
    );
}

/// Checks every poll; answers how many were closed.
fn check(world: &mut World, naive: &Naive, at: &str) -> usize {
    let mut closed = 0;
    for id in 1..=naive.polls {
        let viewer = Viewer::default();
        let poll = GetPoll { viewer, poll: id };
        let poll = poll.run(&mut world.sql()).unwrap().unwrap();
        let expected = naive.tally(id);
        if let Some(tally) = &poll.tally {
            assert_eq!(*tally, expected, "{at} poll {id}");
        }
        let live = ListTallies { since_ms: 0 }.run(&mut world.sql()).unwrap();
        if let Some(live) = live.iter().find(|live| live.poll == id) {
            assert_eq!(live.tally, expected, "{at} poll {id}");
        }
        if poll.state == State::Closed {
            let record = GetRecord {
                poll: id,
                from: 0,
                limit: 10_000,
            };
            let record = record.run(&mut world.sql()).unwrap().unwrap();
            let total = expected.total();
            assert_eq!(record.receipts.len() as i64, total.ballots, "{at}");
            let weight: i64 = record.receipts.iter().map(|one| one.weight).sum();
            assert_eq!(weight, total.weight, "{at} poll {id}");
            closed += 1;
        }
    }
    closed
}
