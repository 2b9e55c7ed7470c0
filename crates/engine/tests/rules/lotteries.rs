//! Lotteries against a naive one, and what their bounds do.

use std::collections::{BTreeMap, BTreeSet};

use domain::command::Thing;
use domain::lottery::merkle::{self, Hash};
use domain::lottery::{
    BETS_PER_LOTTERY_MAX, Bet, Disclosure, GetLottery, GetReceipt, Rule, Winners, WinnersAnswer,
    WinnersPage,
};
use domain::{Action, Actor, Outcome, Proposal, Query, Rejection, Reply};

use crate::random::Rng;
use crate::world::World;

/// Agencies of each lottery.
const AGENCIES: u32 = 3;

/// Something with a lottery: few lotteries, agencies and numbers, so that they meet.
pub fn action(rng: &mut Rng) -> Action {
    let lottery = 1 + rng.below(3) as i64;
    let agency = rng.below(u64::from(AGENCIES) + 2) as u32;
    match rng.below(14) {
        0 | 1 => open(match rng.below(2) {
            0 => Rule::Fixed { number: 1 },
            _ => Rule::External,
        }),
        2 | 3 => Action::CloseAgency {
            lottery,
            agency,
            current: rng.below(2) == 0,
        },
        4 => Action::DrawLottery {
            lottery,
            disclosure: Disclosure::Number(rng.below(4) as u16),
        },
        _ => Action::StoreBets {
            lottery,
            agency,
            current: rng.below(2) == 0,
            bets: (0..rng.below(5))
                .map(|_| bet(rng.below(4), rng.below(9)))
                .collect(),
        },
    }
}

fn open(rule: Rule) -> Action {
    Action::OpenLottery {
        name: "Sorteo".to_owned(),
        agencies: AGENCIES,
        rule,
    }
}

/// A bet; one in nine documents is too long.
fn bet(number: u64, document: u64) -> Bet {
    let document = match document {
        0 => "12345678901".to_owned(),
        _ => document.to_string(),
    };
    Bet {
        first_name: "Ana".to_owned(),
        last_name: "Luna".to_owned(),
        document,
        birthdate: "1999-03-17".to_owned(),
        number: number as u16,
    }
}

/// What should be there.
#[derive(Default)]
struct Model(BTreeMap<i64, Naive>);

#[derive(Default)]
struct Naive {
    closed: BTreeSet<u32>,
    bets: Vec<(u32, Bet)>,
    leaves: Vec<Hash>,
    number: Option<u16>,
    fixed: Option<u16>,
}

impl Model {
    fn note(&mut self, proposal: &Proposal, outcome: &Outcome) {
        let (Ok(reply), false) = (&outcome.result, outcome.replayed) else {
            return;
        };
        match (&proposal.action, reply) {
            (Action::OpenLottery { rule, .. }, Reply::LotteryOpened { id }) => {
                let naive = self.0.entry(*id).or_default();
                naive.fixed = match rule {
                    Rule::Fixed { number } => Some(*number),
                    _ => None,
                };
            }
            (
                Action::StoreBets {
                    lottery,
                    agency,
                    bets,
                    ..
                },
                reply,
            ) => {
                self.0.get_mut(lottery).unwrap().store(*agency, bets, reply);
            }
            (
                Action::CloseAgency {
                    lottery, agency, ..
                },
                reply,
            ) => {
                self.0.get_mut(lottery).unwrap().close(*agency, reply);
            }
            (Action::DrawLottery { lottery, .. }, Reply::Drawn { number, winners }) => {
                let naive = self.0.get_mut(lottery).unwrap();
                assert_eq!(naive.number.replace(*number), None);
                assert_eq!(naive.closed.len() as u32, AGENCIES);
                assert_eq!(*winners, naive.winners(None).len() as i64);
            }
            _ => {}
        }
    }

    /// Compares with what the rules answer.
    fn check(&self, world: &World, place: &str) {
        for (id, naive) in &self.0 {
            naive.check(world, *id, &format!("{place} lottery {id}"));
        }
    }
}

impl Naive {
    fn store(&mut self, agency: u32, bets: &[Bet], reply: &Reply) {
        assert!((1..=AGENCIES).contains(&agency) && !self.closed.contains(&agency));
        let Reply::BetsStored {
            first,
            leaf_index,
            leaf,
            ..
        } = reply
        else {
            panic!("{reply:?}");
        };
        assert_eq!(*first, self.bets.len() as i64 + 1);
        assert_eq!(*leaf_index, self.leaves.len() as i64);
        self.bets
            .extend(bets.iter().map(|bet| (agency, bet.clone())));
        self.leaves.push(*leaf);
    }

    fn close(&mut self, agency: u32, reply: &Reply) {
        let changed = self.closed.insert(agency);
        let open_agencies = AGENCIES - self.closed.len() as u32;
        if open_agencies == 0 {
            self.number = self.number.or(self.fixed);
        }
        let expected = Reply::AgencyClosed {
            changed,
            open_agencies,
            drawn: self.number.is_some(),
        };
        assert_eq!(*reply, expected);
    }

    /// Documents of the winners, of one agency or of all.
    fn winners(&self, agency: Option<u32>) -> Vec<String> {
        let mine = |of: u32| agency.is_none_or(|agency| agency == of);
        let won = |(of, bet): &&(u32, Bet)| mine(*of) && Some(bet.number) == self.number;
        let won = self.bets.iter().filter(won);
        won.map(|(_, bet)| bet.document.clone()).collect()
    }

    fn check(&self, world: &World, id: i64, place: &str) {
        let (lottery, agencies) = GetLottery { id }.run(&mut world.sql()).unwrap().unwrap();
        assert_eq!(lottery.bets, self.bets.len() as i64, "{place}");
        assert_eq!(lottery.root, merkle::root(&self.leaves), "{place}");
        assert_eq!(
            lottery.drawn.map(|drawn| drawn.number),
            self.number,
            "{place}"
        );
        for shown in agencies {
            let bets = self
                .bets
                .iter()
                .filter(|(agency, _)| *agency == shown.agency)
                .count();
            assert_eq!(shown.bets, bets as i64, "{place}");
            let closed = self.closed.contains(&shown.agency);
            assert_eq!(shown.closed_at_ms.is_some(), closed, "{place}");
        }
        for agency in 1..=AGENCIES {
            match winners(world, id, agency, 0) {
                WinnersAnswer::Page(page) => {
                    assert_eq!(page.documents, self.winners(Some(agency)), "{place}");
                }
                WinnersAnswer::NotReady { .. } => assert_eq!(self.number, None, "{place}"),
                other => panic!("{place}: {other:?}"),
            }
        }
        for (index, leaf) in self.leaves.iter().enumerate() {
            let leaf_index = index as i64;
            let query = GetReceipt {
                lottery: id,
                leaf_index,
            };
            let receipt = query.run(&mut world.sql()).unwrap().unwrap();
            let (size, index) = (receipt.tree_size as u64, index as u64);
            let proven = merkle::includes(&lottery.root, size, index, leaf, &receipt.path);
            assert!(proven, "{place} leaf {index}");
        }
    }
}

fn winners(world: &World, lottery: i64, agency: u32, after: i64) -> WinnersAnswer {
    let query = Winners {
        lottery,
        agency,
        after,
    };
    query.run(&mut world.sql()).unwrap()
}

fn by_system(action: Action) -> Proposal {
    Proposal {
        actor: Actor::System,
        request: None,
        action,
    }
}

fn close(agency: u32) -> Action {
    Action::CloseAgency {
        lottery: 1,
        agency,
        current: true,
    }
}

fn store(lottery: i64, bets: Vec<Bet>) -> Action {
    Action::StoreBets {
        lottery,
        agency: 1,
        current: false,
        bets,
    }
}

#[test]
fn lotteries_are_what_a_naive_clerk_writes_down() {
    let (mut drawn, mut won) = (0, 0);
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let (mut world, mut model) = (World::begun(), Model::default());
        for step in 0..300 {
            let proposal = by_system(action(&mut rng));
            let outcome = world.apply(&proposal);
            model.note(&proposal, &outcome);
            if step % 10 == 0 {
                model.check(&world, &format!("seed {seed} step {step}"));
            }
        }
        drawn += model
            .0
            .values()
            .filter(|naive| naive.number.is_some())
            .count();
        won += model
            .0
            .values()
            .map(|naive| naive.winners(None).len())
            .sum::<usize>();
    }
    assert!(drawn > 10 && won > 30, "{drawn} draws, {won} winners");
}

#[test]
fn many_winners_are_read_in_pages() {
    let mut world = World::begun();
    world.system(open(Rule::Fixed { number: 1 }));
    let bets = |batch: usize| {
        let numbers = (0..63).map(|at| batch * 63 + at);
        numbers
            .map(|document| Bet {
                document: document.to_string(),
                ..bet(1, 1)
            })
            .collect()
    };
    for batch in 0..140 {
        world.system(store(1, bets(batch)));
    }
    for agency in 1..=AGENCIES {
        world.system(close(agency));
    }
    let mut all = Vec::new();
    let mut next = Some(0);
    let mut pages = 0;
    while let Some(after) = next {
        let WinnersAnswer::Page(page) = winners(&world, 1, 1, after) else {
            panic!("not drawn");
        };
        assert_eq!((page.number, page.total), (1, 140 * 63));
        all.extend(page.documents);
        next = page.next;
        pages += 1;
    }
    let expected: Vec<String> = (0..140 * 63).map(|document| document.to_string()).collect();
    assert_eq!(all, expected);
    assert_eq!(pages, 3);
    let middle = winners(&world, 1, 1, 5_000);
    let WinnersAnswer::Page(WinnersPage {
        documents, next, ..
    }) = middle
    else {
        panic!("not drawn");
    };
    assert_eq!((documents[0].as_str(), next), ("5000", Some(8_192)));
}

#[test]
fn a_lottery_that_is_full_takes_no_more() {
    let mut world = World::begun();
    world.system(open(Rule::Fixed { number: 1 }));
    let full = format!("UPDATE lotteries SET bets = {}", BETS_PER_LOTTERY_MAX - 1);
    world.run(&full);
    let two = store(1, vec![bet(1, 1); 2]);
    let limit = Rejection::LimitReached {
        what: Thing::Bet,
        limit: BETS_PER_LOTTERY_MAX,
    };
    assert_eq!(world.apply(&by_system(two)).result, Err(limit));
    world.system(store(1, vec![bet(1, 1)]));
}
