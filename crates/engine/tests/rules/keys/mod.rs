//! The store against a naive one: random blocks of operations, with time passing.

mod limits;
mod model;
mod work;

use bytes::Bytes;
use domain::store::{
    Answer, Ask, Condition, Deadline, End, EntryId, Executed, ExpireWhen, Expiry, NewId, Operation,
    Read, StoreReply, Trim, When, Write, version_at,
};
use domain::{Action, Actor, Proposal, Query as _, Reply};

use crate::random::Rng;
use crate::world::World;
use model::Model;

/// Random histories.
const SEEDS: u64 = 24;

/// Commands per history.
const COMMANDS: usize = 500;

/// Keys that a history knows.
const KEYS: u64 = 6;

#[test]
fn the_store_answers_what_a_naive_one_answers() {
    let mut expired = 0;
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let (mut world, mut model) = (World::open(), Model::default());
        for step in 0..COMMANDS {
            let at = format!("seed {seed} step {step}");
            let (conditions, operations) = block(&mut rng, &model);
            let action = Action::Store {
                conditions: conditions.clone(),
                operations: operations.clone(),
            };
            let command = world.place(&free(action.clone()));
            let version = version_at(command.stamp.position).unwrap();
            expired += model.pass_to(command.stamp.at_ms);
            let answered = world.apply(&free(action)).result.unwrap();
            let expected = model.conditions(&conditions);
            match (answered, expected) {
                (Reply::Store(Executed::Moved { condition, version }), Some(moved)) => {
                    assert_eq!((condition, version), moved, "{at}");
                }
                (Reply::Store(Executed::Done { results, .. }), None) => {
                    assert_eq!(results.len(), operations.len(), "{at}");
                    for (operation, answer) in operations.iter().zip(results) {
                        model.check(operation, version, &answer, &at);
                    }
                }
                (answered, expected) => panic!("{at}: {answered:?}, {expected:?}"),
            }
            if rng.one_in(3) {
                world.flush_some(rng.below(9));
            }
            if rng.one_in(6) {
                world.commit();
            }
            compare(&mut world, &model, &mut rng, &at);
        }
    }
    assert!(
        expired > 100,
        "only {expired} keys expired in all histories"
    );
}

/// Every way of reading gives what the model has.
fn compare(world: &mut World, model: &Model, rng: &mut Rng, at: &str) {
    let reads: Vec<Read> = (0..3).map(|_| read(rng)).collect();
    let ask = Ask {
        reads: reads.clone(),
        now_ms: model.now_ms,
    };
    let memory = world.machine.memory().clone();
    let through = memory.look_through(&ask, 0, || Ok(world.sql())).unwrap();
    let through = through.expect("little is asked for").answers;
    for (read, answer) in reads.iter().zip(&through) {
        model.check_read(read, answer, at);
    }
    if let Some(here) = memory.look_up(&reads, model.now_ms, 0) {
        assert_eq!(here.answers, through, "{at}: {reads:?}");
    }
    // What is written now is what would be committed.
    if rng.one_in(3) {
        world.flush();
        let asked = ask.run(&mut world.sql()).unwrap();
        assert_eq!(asked, through, "{at}: {reads:?}");
    }
}

#[test]
fn what_is_left_behind_is_swept_away() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::open();
        for _ in 0..COMMANDS / 2 {
            let (_, operations) = block(&mut rng, &Model::default());
            world.apply(&free(store(operations)));
            if rng.one_in(3) {
                world.flush_some(rng.below(9));
            }
            if rng.one_in(9) {
                world.commit();
            }
        }
        let all = (0..KEYS).map(key).collect();
        world.apply(&free(store(vec![Write::Delete { keys: all }.into()])));
        for _ in 0..200 {
            world.apply(&free(store(vec![Read::CountKeys.into()])));
        }
        world.commit();
        let left = "SELECT COUNT(*) FROM store WHERE substr(name, 1, 1) <> x'74'";
        assert_eq!(world.count(left), 0, "seed {seed}");
        let tombstones = world.count("SELECT store_tombstones FROM machine");
        assert_eq!(world.count("SELECT COUNT(*) FROM store"), tombstones);
        let counted = world.count("SELECT store_keys + store_garbage FROM machine");
        assert_eq!(counted, 0, "seed {seed}");
    }
}

#[test]
fn a_scan_finds_what_is_there_all_the_time_exactly_once() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut world = World::open();
        let stays = |number: u64| Bytes::from(format!("stays{number}"));
        for number in 0..40 {
            let write = Write::set(stays(number), "x");
            world.apply(&free(store(vec![write.into()])));
        }
        let (mut cursor, mut found) = (0, Vec::new());
        loop {
            let scan = Read::Scan {
                cursor,
                count: 1 + rng.below(9) as u32,
                pattern: Some("stays*".into()),
                kind: None,
            };
            let ask = Ask {
                reads: vec![scan],
                now_ms: 0,
            };
            world.flush();
            let answers = ask.run(&mut world.sql()).unwrap();
            let [
                Ok(StoreReply::Page {
                    cursor: next,
                    items,
                }),
            ] = &answers[..]
            else {
                panic!("{answers:?}");
            };
            found.extend(items.clone());
            cursor = *next;
            if cursor == 0 {
                break;
            }
            // Others come and go, and what stays is written again.
            let (_, mut operations) = block(&mut rng, &Model::default());
            operations.retain(|operation| *operation != Operation::Write(Write::Flush));
            operations.push(Write::set(stays(rng.below(40)), "y").into());
            world.apply(&free(store(operations)));
        }
        let mut expected: Vec<Bytes> = (0..40).map(stays).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "seed {seed}");
    }
}

/// For the tests of all rules together.
pub fn action(rng: &mut Rng) -> Action {
    let (conditions, operations) = block(rng, &Model::default());
    Action::Store {
        conditions: conditions.into_iter().filter(|_| rng.one_in(4)).collect(),
        operations,
    }
}

fn free(action: Action) -> Proposal {
    Proposal {
        actor: Actor::System,
        request: None,
        action,
    }
}

fn store(operations: Vec<Operation>) -> Action {
    Action::Store {
        conditions: Vec::new(),
        operations,
    }
}

/// A few operations, now and then under conditions that mostly hold.
fn block(rng: &mut Rng, model: &Model) -> (Vec<Condition>, Vec<Operation>) {
    let mut conditions = Vec::new();
    for _ in 0..rng.below(5).saturating_sub(2) {
        let key = some_key(rng);
        let version = model.version(&key) + i64::from(rng.one_in(8));
        conditions.push(Condition { key, version });
    }
    let operations = (0..1 + rng.below(4)).map(|_| operation(rng)).collect();
    (conditions, operations)
}

fn operation(rng: &mut Rng) -> Operation {
    match rng.below(7) {
        0 => read(rng).into(),
        1 => string_write(rng).into(),
        2 => key_write(rng).into(),
        3 | 4 => list_write(rng).into(),
        5 => group_write(rng).into(),
        _ => journal_write(rng).into(),
    }
}

fn key(number: u64) -> Bytes {
    Bytes::from(format!("k{number}"))
}

fn some_key(rng: &mut Rng) -> Bytes {
    key(rng.below(KEYS))
}

fn some_keys(rng: &mut Rng) -> Vec<Bytes> {
    (0..1 + rng.below(3)).map(|_| some_key(rng)).collect()
}

fn value(rng: &mut Rng) -> Bytes {
    match rng.below(8) {
        0 => Bytes::from(i64::MAX.to_string()),
        1 => Bytes::from("x".repeat(rng.below(90) as usize)),
        _ => Bytes::from(rng.below(6).to_string()),
    }
}

fn values(rng: &mut Rng) -> Vec<Bytes> {
    (0..rng.below(5)).map(|_| value(rng)).collect()
}

fn pairs(rng: &mut Rng) -> Vec<(Bytes, Bytes)> {
    let names = values(rng);
    names.into_iter().map(|name| (name, value(rng))).collect()
}

fn index(rng: &mut Rng) -> i64 {
    rng.below(14) as i64 - 7
}

fn end(rng: &mut Rng) -> End {
    if rng.one_in(2) { End::Head } else { End::Tail }
}

/// Mostly within a few steps of the history.
fn deadline(rng: &mut Rng) -> Deadline {
    match rng.below(6) {
        0 => Deadline::In(rng.below(3) as i64 - 1),
        1 => Deadline::At(crate::world::START_MS + rng.below(500) as i64 * 20_000),
        _ => Deadline::In(1 + rng.below(200_000) as i64),
    }
}

fn expiry(rng: &mut Rng) -> Expiry {
    match rng.below(3) {
        0 => Expiry::None,
        1 => Expiry::Keep,
        _ => Expiry::Until(deadline(rng)),
    }
}

fn string_write(rng: &mut Rng) -> Write {
    let key = some_key(rng);
    match rng.below(9) {
        0 => Write::Append {
            key,
            value: value(rng),
        },
        1 => Write::Patch {
            key,
            offset: rng.below(40),
            value: value(rng),
        },
        2 | 3 => Write::Add {
            key,
            by: index(rng),
        },
        4 => Write::GetDelete { key },
        5 => Write::GetExpire {
            key,
            expiry: expiry(rng),
        },
        6 => Write::SetMany {
            pairs: (0..rng.below(4))
                .map(|_| (some_key(rng), value(rng)))
                .collect(),
            only_new: rng.one_in(2),
        },
        _ => Write::Set {
            key,
            value: value(rng),
            when: [When::Always, When::New, When::Existing][rng.below(3) as usize],
            expiry: expiry(rng),
            get: rng.one_in(3),
        },
    }
}

fn key_write(rng: &mut Rng) -> Write {
    let key = some_key(rng);
    match rng.below(12) {
        0 | 1 => Write::Delete {
            keys: some_keys(rng),
        },
        2 => Write::Persist { key },
        3 | 4 => Write::Rename {
            from: key,
            to: some_key(rng),
            only_new: rng.one_in(2),
        },
        5 if rng.one_in(6) => Write::Flush,
        _ => Write::Expire {
            key,
            deadline: deadline(rng),
            when: [
                ExpireWhen::Always,
                ExpireWhen::None,
                ExpireWhen::Some,
                ExpireWhen::Later,
                ExpireWhen::Earlier,
                ExpireWhen::SomeLater,
                ExpireWhen::SomeEarlier,
            ][rng.below(7) as usize],
        },
    }
}

fn list_write(rng: &mut Rng) -> Write {
    let key = some_key(rng);
    match rng.below(12) {
        0 => Write::ListPop {
            key,
            end: end(rng),
            count: rng.one_in(2).then(|| rng.below(4)),
        },
        1 => Write::ListPopFirst {
            keys: some_keys(rng),
            end: end(rng),
            count: 1 + rng.below(2),
        },
        2 => Write::ListSet {
            key,
            index: index(rng),
            value: value(rng),
        },
        3 | 4 => Write::ListRemove {
            key,
            count: rng.below(5) as i64 - 2,
            value: value(rng),
        },
        5 => Write::ListTrim {
            key,
            start: index(rng),
            stop: index(rng),
        },
        6 | 7 => Write::ListMove {
            from: key,
            to: some_key(rng),
            take: end(rng),
            put: end(rng),
        },
        _ => Write::ListPush {
            key,
            end: end(rng),
            values: values(rng),
            only_existing: rng.one_in(4),
        },
    }
}

fn group_write(rng: &mut Rng) -> Write {
    let key = some_key(rng);
    match rng.below(11) {
        0 => Write::HashDelete {
            key,
            fields: values(rng),
        },
        1 => Write::HashAdd {
            key,
            field: value(rng),
            by: index(rng),
        },
        2 => Write::HashPutNew {
            key,
            field: value(rng),
            value: value(rng),
        },
        3 | 4 => Write::HashPut {
            key,
            pairs: pairs(rng),
        },
        5 => Write::SetRemove {
            key,
            members: values(rng),
        },
        6 => Write::SetPop {
            key,
            count: rng.one_in(2).then(|| rng.below(4)),
        },
        7 => Write::SetMove {
            from: key,
            to: some_key(rng),
            member: value(rng),
        },
        _ => Write::SetAdd {
            key,
            members: values(rng),
        },
    }
}

fn entry_id(rng: &mut Rng) -> EntryId {
    EntryId {
        ms: rng.below(9),
        seq: rng.below(3),
    }
}

fn trim(rng: &mut Rng) -> Trim {
    match rng.one_in(2) {
        true => Trim::Newest(rng.below(4)),
        false => Trim::From(entry_id(rng)),
    }
}

fn journal_write(rng: &mut Rng) -> Write {
    let key = some_key(rng);
    match rng.below(8) {
        0 => Write::JournalTrim {
            key,
            trim: trim(rng),
        },
        1 | 2 => Write::JournalDelete {
            key,
            ids: (0..rng.below(4)).map(|_| entry_id(rng)).collect(),
        },
        _ => Write::JournalAppend {
            key,
            id: match rng.below(9) {
                0 => NewId::Auto,
                1 => NewId::At(rng.below(9)),
                _ => NewId::Exact(entry_id(rng)),
            },
            fields: pairs(rng),
            create: !rng.one_in(4),
            trim: rng.one_in(5).then(|| trim(rng)),
        },
    }
}

fn read(rng: &mut Rng) -> Read {
    let key = some_key(rng);
    match rng.below(16) {
        0 => Read::Get { key },
        1 => Read::GetMany {
            keys: some_keys(rng),
        },
        2 => Read::Part {
            key,
            start: index(rng),
            end: index(rng),
        },
        3 => Read::Exists {
            keys: some_keys(rng),
        },
        4 => Read::Kind { key },
        5 => Read::Expiry { key },
        6 => Read::Version { key },
        7 => Read::Keys {
            pattern: ["*", "k[0-2]", "k?", "x*"][rng.below(4) as usize].into(),
        },
        8 => Read::ListIndex {
            key,
            index: index(rng),
        },
        9 => Read::HashAll { key },
        10 => Read::HashGet {
            key,
            field: value(rng),
        },
        11 => Read::SetMembers { key },
        12 => Read::JournalRange {
            key,
            from: entry_id(rng),
            to: entry_id(rng),
            reverse: rng.one_in(2),
            limit: 1 + rng.below(5),
        },
        13 => Read::JournalFrom {
            key,
            index: rng.below(9),
            limit: 1 + rng.below(5),
        },
        _ => Read::ListRange {
            key,
            start: index(rng),
            stop: index(rng),
        },
    }
}

/// An answer that went well.
fn well(answer: &Answer, at: &str) -> StoreReply {
    match answer {
        Ok(reply) => reply.clone(),
        Err(error) => panic!("{at}: {error}"),
    }
}
