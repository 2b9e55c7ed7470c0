//! How much work a log entry can be: it counts also what is refused, and is the same on replicas
//! that know different rows.

use bytes::Bytes;
use domain::store::{
    Answer, Deadline, End, Executed, Expiry, OPERATION_ROWS_MAX, Operation, Read, StoreError,
    StoreReply, When, Write,
};
use domain::{Proposal, Reply};

use super::{free, store};
use crate::world::World;

/// The log entry that all commands of a test belong to.
const ENTRY: u64 = 1_000;

/// Applies a command of that entry.
fn within(world: &mut World, operations: Vec<Operation>) -> Vec<Answer> {
    apply(world, &free(store(operations)))
}

fn apply(world: &mut World, proposal: &Proposal) -> Vec<Answer> {
    let mut command = world.place(proposal);
    command.stamp.position.index = ENTRY;
    let mut machine = world.machine.clone();
    let outcome = machine.apply(&mut world.sql(), &command).unwrap();
    world.machine = machine;
    match outcome.result.unwrap() {
        Reply::Store(Executed::Done { results, .. }) => results,
        other => panic!("{other:?}"),
    }
}

fn push(world: &mut World, key: &'static str, values: Vec<Bytes>) {
    let push = Write::ListPush {
        key: key.into(),
        end: End::Tail,
        values,
        only_existing: false,
    };
    let outcome = world.apply(&free(store(vec![push.into()])));
    assert!(outcome.result.is_ok());
}

/// A list that is too long to be read at once.
fn long_list(world: &mut World) -> Operation {
    for part in 0..3 {
        let values = (0..OPERATION_ROWS_MAX / 2).map(|n| Bytes::from(format!("{part} {n}")));
        push(world, "l", values.collect());
    }
    let range = Read::ListRange {
        key: "l".into(),
        start: 0,
        stop: -1,
    };
    range.into()
}

fn get() -> Operation {
    Read::Get { key: "k".into() }.into()
}

#[test]
fn what_is_refused_counts_for_its_entry() {
    let mut world = World::open();
    let range = long_list(&mut world);
    world.commit();
    let answered = within(&mut world, vec![range; 60]);
    let refused = |error: StoreError| answered.iter().filter(|one| **one == Err(error)).count();
    // A million rows, 20,000 and one at a time.
    assert_eq!(refused(StoreError::TooLarge), 49);
    assert_eq!(refused(StoreError::Busy), 11);
    assert_eq!(within(&mut world, vec![get()]), [Err(StoreError::Busy)]);
}

#[test]
fn a_search_for_keys_counts_even_if_it_finds_none() {
    let mut world = World::open();
    let keys = Operation::from(Read::Keys {
        pattern: "none*".into(),
    });
    let answered = within(&mut world, vec![keys; 1_100]);
    let busy = answered.iter().filter(|one| **one == Err(StoreError::Busy));
    assert!((90..=110).contains(&busy.count()));
}

#[test]
fn rows_with_long_values_count_more() {
    let mut world = World::open();
    let long = Bytes::from(vec![7; 400 * 1024]);
    for _ in 0..110 {
        push(&mut world, "l", vec![long.clone(); 2]);
    }
    let remove = |count| Write::ListRemove {
        key: "l".into(),
        count,
        value: "no such".into(),
    };
    let before = within(&mut world, vec![remove(0).into()]);
    assert_eq!(before, [Err(StoreError::TooLarge)], "88 MB");
    // Where the rows are makes no difference.
    world.commit();
    world.restart();
    assert_eq!(within(&mut world, vec![remove(0).into()]), before);
    // To know whether something is there takes no more than its beginning.
    for number in 0..60 {
        let set = Write::set(format!("k{number}"), vec![7; 400 * 1024]);
        world.apply(&free(store(vec![set.into()]))).result.unwrap();
    }
    let exists = Read::Exists {
        keys: (0..60)
            .map(|number| Bytes::from(format!("k{number}")))
            .collect(),
    };
    let keys = Read::Keys {
        pattern: "k*".into(),
    };
    for restarted in [false, true] {
        if restarted {
            world.commit();
            world.restart();
        }
        world.skip_to(2_000 + u64::from(restarted));
        let outcome = world.apply(&free(store(vec![
            exists.clone().into(),
            keys.clone().into(),
        ])));
        let Ok(Reply::Store(Executed::Done { results, .. })) = outcome.result else {
            panic!("{outcome:?}");
        };
        assert_eq!(results[0], Ok(StoreReply::Integer(60)));
        let Ok(StoreReply::Values(found)) = &results[1] else {
            panic!("{results:?}");
        };
        assert_eq!(found.len(), 60);
    }
}

#[test]
fn replicas_agree_on_what_is_left_of_an_entry() {
    let outcome = |restarted: bool| {
        let mut world = World::open();
        let range = long_list(&mut world);
        // A key that would expire keeps the sweeper looking.
        let set = Write::Set {
            key: "mortal".into(),
            value: "v".into(),
            when: When::Always,
            expiry: Expiry::Until(Deadline::In(1 << 40)),
            get: false,
        };
        world.apply(&free(store(vec![set.into()]))).result.unwrap();
        let k = Write::set("k", "v");
        world.apply(&free(store(vec![k.into()]))).result.unwrap();
        world.commit();
        if restarted {
            world.restart();
        }
        // An accepted command, after which is swept; then nearly all that there is.
        within(&mut world, vec![Write::set("k", "w").into()]);
        within(&mut world, vec![range; 49]);
        let mut done = 0;
        loop {
            let answered = within(&mut world, vec![get(); 1_000]);
            let now = answered.iter().filter(|one| one.is_ok()).count();
            done += now;
            if now < answered.len() {
                return done;
            }
        }
    };
    let (long_running, restarted) = (outcome(false), outcome(true));
    assert!(long_running > 10_000);
    assert_eq!(long_running, restarted);
}
