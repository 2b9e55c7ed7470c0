//! What is bounded in the store stays bounded.

use bytes::Bytes;
use domain::store::{
    Answer, Ask, CONDITIONS_MAX, Condition, Deadline, End, Executed, ExpireWhen, ListRemoved,
    NewId, OPERATION_ROWS_MAX, OPERATIONS_MAX, Operation, Read, Removed, STORED_ANSWERS_MAX_BYTES,
    StoreError, StoreReply, Trim, VALUE_MAX_BYTES, Write,
};
use domain::{Action, Actor, Proposal, Query as _, Rejection, Reply, RequestId};

use super::{free, store};
use crate::world::World;

/// The answers of a command that must be carried out.
fn answers(world: &mut World, operations: Vec<Operation>) -> Vec<Answer> {
    done(world.apply(&free(store(operations))).result.unwrap())
}

fn done(reply: Reply) -> Vec<Answer> {
    match reply {
        Reply::Store(Executed::Done { results, .. }) => results,
        other => panic!("{other:?}"),
    }
}

fn one(world: &mut World, operation: impl Into<Operation>) -> Answer {
    answers(world, vec![operation.into()]).remove(0)
}

fn push(world: &mut World, key: &'static str, count: usize) {
    for part in (0..count).collect::<Vec<_>>().chunks(5_000) {
        let values = part.iter().map(|n| Bytes::from(n.to_string())).collect();
        let push = Write::ListPush {
            key: key.into(),
            end: End::Tail,
            values,
            only_existing: false,
        };
        one(world, push).unwrap();
    }
}

/// Rows of the store that are not tombstones.
fn rows(world: &mut World) -> i64 {
    world.flush();
    world.count("SELECT COUNT(*) FROM store WHERE substr(name, 1, 1) <> x'74'")
}

#[test]
fn a_command_has_so_many_operations_and_conditions() {
    let mut world = World::open();
    let many = |count| vec![Operation::Read(Read::CountKeys); count];
    assert_eq!(
        answers(&mut world, many(OPERATIONS_MAX)).len(),
        OPERATIONS_MAX
    );
    let refused = world.apply(&free(store(many(OPERATIONS_MAX + 1)))).result;
    assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "operations"));
    let condition = Condition {
        key: "a".into(),
        version: 0,
    };
    let action = |count| Action::Store {
        conditions: vec![condition.clone(); count],
        operations: many(1),
    };
    let held = world.apply(&free(action(CONDITIONS_MAX))).result.unwrap();
    assert_eq!(done(held).len(), 1);
    let refused = world.apply(&free(action(CONDITIONS_MAX + 1))).result;
    assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "conditions"));
}

#[test]
fn answers_are_bounded_for_a_command_for_its_reply_and_for_an_entry() {
    let mut world = World::open();
    let value = vec![7; VALUE_MAX_BYTES / 2];
    one(&mut world, Write::set("k", value.clone())).unwrap();
    let get = || Operation::from(Read::Get { key: "k".into() });
    let got = answers(&mut world, vec![get(), get(), get(), get(), get()]);
    assert!(got[..3].iter().all(Result::is_ok));
    assert_eq!(got[4], Err(StoreError::TooLarge));
    // What does not fit has not been done either.
    let pop = Operation::from(Write::GetDelete { key: "k".into() });
    let got = answers(&mut world, vec![get(), get(), get(), pop.clone()]);
    assert_eq!(got[3], Err(StoreError::TooLarge));
    // A reply that is stored is smaller.
    let once = Proposal {
        actor: Actor::System,
        request: Some(RequestId {
            key: "r".to_owned(),
            fingerprint: [0; 16],
        }),
        action: store(vec![pop]),
    };
    assert!(value.len() > STORED_ANSWERS_MAX_BYTES);
    let got = done(world.apply(&once).result.unwrap());
    assert_eq!(got, [Err(StoreError::TooLarge)]);
    assert_eq!(
        one(
            &mut world,
            Read::Exists {
                keys: vec!["k".into()]
            }
        ),
        Ok(StoreReply::Integer(1))
    );
    // Many commands of one entry share a bound.
    let mut busy = 0;
    for _ in 0..10 {
        let proposal = free(store(vec![get(), get(), get()]));
        let mut command = world.place(&proposal);
        command.stamp.position.index = 1_000;
        let outcome = world
            .machine
            .clone()
            .apply(&mut world.sql(), &command)
            .unwrap();
        let got = done(outcome.result.unwrap());
        busy += got
            .iter()
            .filter(|one| **one == Err(StoreError::Busy))
            .count();
    }
    assert!((10..20).contains(&busy), "{busy} of 30");
}

#[test]
fn what_would_take_too_long_is_refused_and_not_begun() {
    let mut world = World::open();
    let length = OPERATION_ROWS_MAX + 5_000;
    push(&mut world, "l", length);
    let range = |stop| Read::ListRange {
        key: "l".into(),
        start: 0,
        stop,
    };
    assert_eq!(one(&mut world, range(-1)), Err(StoreError::TooLarge));
    assert!(one(&mut world, range(9_999)).is_ok());
    let remove = |value: &'static str| Write::ListRemove {
        key: "l".into(),
        count: 0,
        value: value.into(),
    };
    assert_eq!(
        one(&mut world, remove("no such")),
        Err(StoreError::TooLarge)
    );
    let trim = |start, stop| Write::ListTrim {
        key: "l".into(),
        start,
        stop,
    };
    // A short rest moves to a new list, a long one stays where it is.
    assert_eq!(one(&mut world, trim(100, -101)), Ok(StoreReply::Done));
    let left = StoreReply::Integer(length as i64 - 200);
    assert_eq!(
        one(&mut world, Read::ListLength { key: "l".into() }),
        Ok(left)
    );
    assert_eq!(one(&mut world, trim(-10, -1)), Ok(StoreReply::Done));
    let kept = one(&mut world, range(-1)).unwrap();
    let StoreReply::Values(kept) = kept else {
        panic!("{kept:?}")
    };
    let expected = (length - 110..length - 100).map(|n| Some(Bytes::from(n.to_string())));
    assert_eq!(kept, expected.collect::<Vec<_>>());
    let mut asked = Ask {
        reads: vec![range(-1)],
        now_ms: 0,
    };
    push(&mut world, "l", 2 * length);
    world.flush();
    assert!(asked.run(&mut world.sql()).unwrap()[0].is_err());
    asked.reads = vec![Read::Keys {
        pattern: "*".into(),
    }];
    assert!(asked.run(&mut world.sql()).unwrap()[0].is_ok());
}

#[test]
fn what_is_removed_at_once_is_swept_a_little_at_a_time() {
    let mut world = World::open();
    push(&mut world, "l", 1_000);
    for number in 0..300 {
        one(&mut world, Write::set(format!("k{number}"), "v")).unwrap();
    }
    world.commit();
    assert_eq!(rows(&mut world), 1_000 + 2 * 301);
    one(&mut world, Write::Flush).unwrap();
    assert_eq!(one(&mut world, Read::CountKeys), Ok(StoreReply::Integer(0)));
    one(&mut world, Write::set("k1", "new")).unwrap();
    let mut left = rows(&mut world);
    while left > 2 {
        assert_eq!(
            one(&mut world, Read::Get { key: "k1".into() }),
            Ok(StoreReply::Bytes("new".into()))
        );
        let now = rows(&mut world);
        assert!(now < left && left - now <= 140, "{left} rows, then {now}");
        left = now;
        // Neither a commit nor a restart disturbs it.
        match now % 3 {
            0 => world.commit(),
            1 => {
                world.commit();
                world.restart();
            }
            _ => {}
        }
    }
}

#[test]
fn expired_keys_are_swept_a_little_at_a_time_and_prolonged_ones_stay() {
    let mut world = World::open();
    for number in 0..400 {
        let key = Bytes::from(format!("k{number}"));
        let write = Write::set(key.clone(), "v");
        let expire = |ms| Write::Expire {
            key: key.clone(),
            deadline: Deadline::In(ms),
            when: ExpireWhen::Always,
        };
        // A day and then a minute, or a minute and then a day.
        let (first, second) = match number % 4 {
            0 => (60_000, 86_400_000),
            _ => (86_400_000, 60_000),
        };
        let all = vec![write.into(), expire(first).into(), expire(second).into()];
        assert!(answers(&mut world, all).iter().all(Result::is_ok));
    }
    let counted = |world: &mut World| match one(world, Read::CountKeys) {
        Ok(StoreReply::Integer(count)) => count,
        other => panic!("{other:?}"),
    };
    // Each command is 20 seconds after the one before, and sweeps what has expired by then.
    let mut before = counted(&mut world);
    for _ in 0..20 {
        let now = counted(&mut world);
        assert!(before - now <= 64);
        before = now;
    }
    assert_eq!(before, 100);
    assert_eq!(rows(&mut world), 3 * 100);
}

#[test]
fn a_trimmed_journal_loses_its_rows_and_a_bounded_number_of_removals_is_remembered() {
    let mut world = World::open();
    let append = |trim| Write::JournalAppend {
        key: "j".into(),
        id: NewId::Auto,
        fields: vec![("a".into(), "b".into())],
        create: true,
        trim,
    };
    for _ in 0..30 {
        let many = vec![Operation::from(append(None)); 100];
        answers(&mut world, many);
    }
    one(&mut world, append(Some(Trim::Newest(5)))).unwrap();
    for _ in 0..60 {
        one(&mut world, Read::CountKeys).unwrap();
    }
    assert_eq!(rows(&mut world), 5 + 2);
    let removed = |since| ListRemoved {
        prefix: "".into(),
        since,
        after: None,
    };
    for round in 0..55 {
        let keys: Vec<Bytes> = (0..2_000).map(|n| format!("{round}-{n}").into()).collect();
        let pairs = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
        let set = Write::SetMany {
            pairs,
            only_new: false,
        };
        one(&mut world, set).unwrap();
        one(&mut world, Write::Delete { keys }).unwrap();
    }
    world.commit();
    let kept = world.count("SELECT store_tombstones FROM machine");
    assert!((100_000..=100_256).contains(&kept), "{kept} are kept");
    let Removed::Gone { oldest } = removed(0).run(&mut world.sql()).unwrap() else {
        panic!("the first removals are forgotten");
    };
    let mut query = removed(oldest);
    let mut found = 0;
    loop {
        let Removed::Some { keys, next } = query.run(&mut world.sql()).unwrap() else {
            panic!("these are not");
        };
        found += keys.len() as i64;
        match next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    // Those of the version at the edge are not asked for.
    assert!(found <= kept && found >= kept - 2_000, "{found} of {kept}");
}
