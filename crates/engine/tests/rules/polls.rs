//! Polls against a naive count: whatever is voted in whatever order, the tallies are what one gets
//! by counting the newest ballot of every voter.

use std::collections::BTreeMap;

use domain::command::Thing;
use domain::polls::queries::{GetPoll, ListTallies, State, Viewer};
use domain::polls::record::{Found, GetRecord};
use domain::polls::verdict::{Count, Tally};
use domain::polls::{
    BALLOTS_MAX, Majority, NewPoll, POLLS_MAX, POLLS_PER_AUTHOR_MAX, RUNNING_MAX, Voters,
};
use domain::{Action, Actor, Outcome, Proposal, Query, Rejection, Reply};

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
            let query = GetRecord { poll: id };
            let Found::Record(record) = query.run(&mut world.sql()).unwrap() else {
                panic!("{at} poll {id} is closed");
            };
            let record = record.page(0, 10_000);
            let total = expected.total();
            assert_eq!(record.receipts.len() as i64, total.ballots, "{at}");
            let weight: i64 = record.receipts.iter().map(|one| one.weight).sum();
            assert_eq!(weight, total.weight, "{at} poll {id}");
            closed += 1;
        }
    }
    closed
}

fn by(account: i64, action: Action) -> Proposal {
    let at_ms = i64::MAX;
    Proposal {
        actor: Actor::OnBehalf { account, at_ms },
        request: None,
        action,
    }
}

/// A poll in a line.
fn new_poll(voters: Voters) -> Action {
    let poll = NewPoll {
        question: "¿Gatos o perros?".to_owned(),
        options: vec!["Gatos".to_owned(), "Perros".to_owned()],
        voters,
        live: true,
        open_ballot: false,
        opens_at_ms: None,
        closes_at_ms: None,
        quorum: None,
        majority: Majority::Simple,
        from_list: None,
    };
    Action::CreatePoll { poll }
}

#[test]
fn a_poll_that_is_full_takes_nobody_new_and_changes_go_on() {
    let mut world = World::begun();
    world
        .apply(&by(2, new_poll(Voters::Anyone)))
        .result
        .unwrap();
    // As if almost as many as may had voted.
    world.run(&format!(
        "UPDATE poll_options SET ballots = {} WHERE number = 0",
        BALLOTS_MAX - 1
    ));
    let mut vote = |account, choice| {
        let ballot = Action::CastBallot {
            poll: 1,
            choice: Some(choice),
            code_hash: [7; 32],
            voter: None,
        };
        world.apply(&by(account, ballot)).result
    };
    assert!(vote(2, 1).is_ok(), "there is room for one");
    let full = Rejection::LimitReached {
        what: Thing::Ballot,
        limit: BALLOTS_MAX,
    };
    assert_eq!(vote(3, 1), Err(full));
    assert!(matches!(
        vote(2, 2),
        Ok(Reply::Ballot { changed: true, .. })
    ));
}

/// Makes the polls from 1 to `count` as if `author` had.
fn made(world: &mut World, author: i64, count: i64, running: bool) {
    let running = i64::from(running);
    world.run(&format!(
        "DELETE FROM polls;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO polls SELECT i, {author}, '¿?', 2, 0, 1, 0, 0, 0, NULL, NULL, NULL, NULL, 0,
             0, 0, {running} FROM n"
    ));
}

#[test]
fn polls_are_bounded_in_all_and_for_each_author() {
    let mut world = World::begun();
    let create = by(2, new_poll(Voters::Members));
    let full = |limit| {
        let what = Thing::Poll;
        Err(Rejection::LimitReached { what, limit })
    };
    made(&mut world, 3, RUNNING_MAX, true);
    assert_eq!(world.apply(&create).result, full(RUNNING_MAX));
    made(&mut world, 3, RUNNING_MAX, false);
    assert!(world.apply(&create).result.is_ok(), "the others are over");
    made(&mut world, 2, POLLS_PER_AUTHOR_MAX, false);
    assert_eq!(world.apply(&create).result, full(POLLS_PER_AUTHOR_MAX));
    made(&mut world, 3, POLLS_MAX - 1, false);
    let id = POLLS_MAX;
    assert_eq!(world.apply(&create).result, Ok(Reply::Poll { id }));
    assert_eq!(world.apply(&create).result, full(POLLS_MAX));
}
