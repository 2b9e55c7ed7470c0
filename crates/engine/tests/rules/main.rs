//! What must hold whatever is asked, tried with random commands from fixed seeds.
//!
//! A failure names its seed; `Rng::new(seed)` runs it again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../golden/dump.rs"]
mod dump;
mod files;
mod keys;
mod limits;
mod lotteries;
mod model;
mod polls;
mod random;
mod world;

use domain::{Fault, Rejection};

use model::Model;
use random::Rng;
use world::{Failing, World};

/// Random histories per property.
const SEEDS: u64 = 12;

/// Commands per history.
const COMMANDS: usize = 400;

#[test]
fn unread_counts_and_pages_are_what_a_naive_reader_counts() {
    let mut posts = 0;
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::open();
        let mut model = Model::default();
        for proposal in random::beginning() {
            let outcome = world.apply(&proposal);
            model.note(&proposal, &outcome);
        }
        for step in 0..COMMANDS {
            let proposal = random::proposal(&mut rng);
            let outcome = world.apply(&proposal);
            model.note(&proposal, &outcome);
            if step % 5 == 0 {
                model.check(&mut world, &format!("seed {seed} step {step}"));
            }
        }
        posts += model.posts_ever();
    }
    // One history may remove its areas early; together they must mean something.
    let few = 40 * SEEDS as usize;
    assert!(posts > few, "only {posts} posts in all histories together");
}

#[test]
fn a_rejection_or_a_replay_leaves_no_trace() {
    let (mut rejected, mut replayed) = (0, 0);
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::begun();
        for step in 0..COMMANDS {
            world.flush();
            let before = dump::contents(&mut world.sql());
            let outcome = world.apply(&random::proposal(&mut rng));
            world.flush();
            if outcome.result.is_err() || outcome.replayed {
                let after = dump::contents(&mut world.sql());
                assert_eq!(before, after, "seed {seed} step {step}");
                assert_eq!(outcome.event, None, "seed {seed} step {step}");
            }
            rejected += usize::from(outcome.result.is_err());
            replayed += usize::from(outcome.replayed);
        }
    }
    assert!(
        rejected > 100 && replayed > 20,
        "{rejected} rejected, {replayed} replayed"
    );
}

#[test]
fn the_same_log_makes_the_same_state_however_it_is_committed() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let log: Vec<_> = random::beginning()
            .into_iter()
            .chain((0..COMMANDS).map(|_| random::proposal(&mut rng)))
            .collect();
        let (mut steady, mut restless) = (World::open(), World::open());
        for (step, proposal) in log.iter().enumerate() {
            let first = steady.apply(proposal);
            // The other one commits now and then, loses what it has not committed, and restarts.
            if rng.one_in(10) {
                restless.crash_and_catch_up(&log[..step]);
            }
            if rng.one_in(5) {
                restless.flush_some(rng.below(9));
            }
            if rng.one_in(7) {
                restless.commit();
            }
            let second = restless.apply(proposal);
            assert_eq!(first, second, "seed {seed} step {step}");
            assert_eq!(steady.machine, restless.machine, "seed {seed} step {step}");
        }
        steady.commit();
        restless.commit();
        let (one, other) = (&mut steady.sql(), &mut restless.sql());
        assert_eq!(
            dump::everything(one),
            dump::everything(other),
            "seed {seed}"
        );
    }
}

#[test]
fn a_retry_gives_the_first_reply_and_the_same_key_with_another_body_is_a_conflict() {
    let mut retried = 0;
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::begun();
        for step in 0..COMMANDS {
            let mut proposal = random::proposal(&mut rng);
            let Some(request) = &mut proposal.request else {
                world.apply(&proposal);
                continue;
            };
            request.key = format!("unique-{step}");
            let first = world.apply(&proposal);
            let unheard = Err(Rejection::NotSignedIn);
            if first.result == unheard || first.result == Err(Rejection::SessionExpired) {
                continue;
            }
            let before = dump::everything(&mut world.sql());
            let again = world.apply(&proposal);
            assert!(again.replayed, "seed {seed} step {step}");
            assert_eq!(again.result, first.result, "seed {seed} step {step}");
            proposal.request.as_mut().unwrap().fingerprint[0] ^= 1;
            let other = world.apply(&proposal);
            assert_eq!(
                other.result,
                Err(Rejection::RequestConflict),
                "seed {seed} step {step}"
            );
            world.forget_the_machine_row();
            assert_eq!(
                before,
                dump::everything(&mut world.sql()),
                "seed {seed} step {step}"
            );
            retried += 1;
        }
    }
    assert!(retried > 100, "only {retried} retries");
}

#[test]
fn a_fault_that_is_rolled_back_leaves_nothing() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let (mut healthy, mut sick) = (World::begun(), World::begun());
        sick.commit();
        let mut faults = 0;
        for step in 0..COMMANDS {
            let proposal = random::proposal(&mut rng);
            let command = sick.place(&proposal);
            let mut machine = sick.machine.clone();
            let writes = rng.below(6);
            let failed = machine.apply(&mut Failing::after(sick.sql(), writes), &command);
            match failed {
                Err(Fault::DiskFull) => faults += 1,
                Err(other) => panic!("seed {seed} step {step}: {other}"),
                Ok(_) => {}
            }
            sick.roll_back();
            let outcome = sick.apply(&proposal);
            sick.commit();
            assert_eq!(outcome, healthy.apply(&proposal), "seed {seed} step {step}");
            assert_eq!(sick.machine, healthy.machine, "seed {seed} step {step}");
        }
        assert!(faults > 30, "seed {seed}: only {faults} faults");
    }
}
