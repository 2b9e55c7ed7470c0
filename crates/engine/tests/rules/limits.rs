//! What is bounded stays bounded.

use domain::accounts::{SESSIONS_PER_ACCOUNT_MAX, Standing, WhoIs};
use domain::command::{Thing, Which};
use domain::names::AreaName;
use domain::news::READ_RANGES_MAX;
use domain::news::queries::AreaRef;
use domain::news::queries::{Events, GetArea, ListEvents, Search};
use domain::outbox::EVENTS_KEPT;
use domain::replies::{DOOR_REPLY_KEPT_MS, REPLIES_PER_SCOPE, REPLY_KEPT_MS, REPLY_SURE_MS};
use domain::store::Write;
use domain::{Action, Actor, EventId, Proposal, Query, Rejection, Reply, RequestId};

use crate::world::{STEP_MS, World};

/// Ana is account 2 of the beginning.
const ANA: Actor = Actor::OnBehalf {
    account: 2,
    at_ms: i64::MAX,
};
const BETO: Actor = Actor::OnBehalf {
    account: 3,
    at_ms: i64::MAX,
};

fn by(actor: Actor, action: Action) -> Proposal {
    Proposal {
        actor,
        request: None,
        action,
    }
}

fn publish(world: &mut World, actor: Actor, area: i64) {
    let (title, text) = ("Aviso".to_owned(), "importante".to_owned());
    world
        .apply(&by(actor, Action::Publish { area, title, text }))
        .result
        .unwrap();
}

#[test]
fn marks_stop_at_their_limit_and_posting_goes_on() {
    let mut world = World::begun();
    let posts = 2 * READ_RANGES_MAX + 3;
    for _ in 0..posts {
        publish(&mut world, BETO, 1);
    }
    let mark = |post, read| Action::Mark {
        area: 1,
        which: Which::One(post),
        read,
    };
    for nth in 0..READ_RANGES_MAX {
        world
            .apply(&by(ANA, mark(1 + 2 * nth, true)))
            .result
            .unwrap();
    }
    let full = Err(Rejection::LimitReached {
        what: Thing::Mark,
        limit: READ_RANGES_MAX,
    });
    assert_eq!(world.apply(&by(ANA, mark(posts, true))).result, full);
    // What joins two ranges, takes one away, or is read already still goes.
    let unread = |count| Ok(Reply::Unread { count });
    let left = posts - READ_RANGES_MAX;
    assert_eq!(world.apply(&by(ANA, mark(1, true))).result, unread(left));
    assert_eq!(
        world.apply(&by(ANA, mark(2, true))).result,
        unread(left - 1)
    );
    assert_eq!(
        world.apply(&by(ANA, mark(posts, true))).result,
        unread(left - 2)
    );
    assert_eq!(world.apply(&by(ANA, mark(2, false))).result, full);
    // An own post that finds no room stays unread, and is published all the same.
    publish(&mut world, BETO, 1);
    publish(&mut world, ANA, 1);
    let area = GetArea {
        viewer: 2,
        area: AreaRef::Id(1),
    }
    .run(&mut world.sql())
    .unwrap()
    .unwrap();
    assert_eq!((area.posts, area.unread), (posts + 2, left));
    let all = Action::Mark {
        area: 1,
        which: Which::All,
        read: true,
    };
    assert_eq!(world.apply(&by(ANA, all)).result, unread(0));
    assert_eq!(
        world.count("SELECT COUNT(*) FROM read_ranges WHERE account = 2"),
        1
    );
}

#[test]
fn an_account_has_a_bounded_number_of_sessions_and_the_one_that_ends_first_goes() {
    let mut world = World::begun();
    let token = |nth: i64| -> [u8; 32] {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&nth.to_le_bytes());
        hash
    };
    for nth in 0..SESSIONS_PER_ACCOUNT_MAX + 20 {
        world.apply(&by(
            Actor::Anonymous,
            Action::LogIn {
                account: 2,
                password_hash: "$argon2id$test".to_owned(),
                token_hash: token(nth),
                lifetime_ms: 300 * 24 * 3_600_000,
            },
        ));
    }
    let rows = world.count("SELECT COUNT(*) FROM sessions WHERE account = 2");
    assert_eq!(rows, SESSIONS_PER_ACCOUNT_MAX);
    let standing = |nth| {
        let query = WhoIs {
            token_hash: token(nth),
            now_ms: 0,
        };
        query.run(&mut world.sql()).unwrap()
    };
    assert_eq!(standing(19), Standing::Unknown);
    assert!(matches!(standing(20), Standing::SignedIn(_)));
}

#[test]
fn the_outbox_forgets_its_oldest_events_and_says_so() {
    let mut world = World::begun();
    world.commit();
    // As if the machine had run for long.
    world.run(&format!(
        "DELETE FROM outbox;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS_KEPT})
         INSERT INTO outbox SELECT i, 0, 0, x'01' FROM n;
         UPDATE machine SET events = {EVENTS_KEPT}"
    ));
    world.restart();
    world.skip_to(EVENTS_KEPT as u64);
    for _ in 0..255 {
        publish(&mut world, ANA, 1);
    }
    let list = |world: &World, index: u64| {
        let after = EventId { index, number: 0 };
        ListEvents { after, limit: 3 }.run(&mut world.sql())
    };
    assert_eq!(
        world.count("SELECT COUNT(*) FROM outbox"),
        EVENTS_KEPT + 255
    );
    publish(&mut world, ANA, 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM outbox"), EVENTS_KEPT);
    let oldest = 256;
    let floor = EventId {
        index: oldest,
        number: 0,
    };
    assert_eq!(
        list(&world, oldest - 1).unwrap(),
        Events::Gone { oldest: floor }
    );
    let newest = EVENTS_KEPT as u64;
    let Events::Some(events) = list(&world, newest).unwrap() else {
        panic!("history is gone")
    };
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.id.index > newest));
}

/// A write of a key under a request id.
fn put(actor: Actor, key: &str) -> Proposal {
    Proposal {
        actor,
        request: Some(RequestId {
            key: key.to_owned(),
            fingerprint: [0; 16],
        }),
        action: Action::Store {
            conditions: Vec::new(),
            operations: vec![Write::set("k", "v").into()],
        },
    }
}

#[test]
fn replies_are_remembered_for_a_day_and_then_forgotten() {
    let mut world = World::begun();
    let day = REPLY_KEPT_MS / STEP_MS;
    for nth in 0..day {
        assert!(!world.apply(&put(ANA, &format!("a{nth}"))).replayed);
    }
    assert!(world.apply(&put(ANA, "a0")).replayed, "within the day");
    for nth in 0..day {
        world.apply(&put(BETO, &format!("b{nth}")));
    }
    assert!(!world.apply(&put(ANA, "a0")).replayed, "a day later");
    // Ana is silent from now on; others' commands sweep hers away once a day has gone by.
    for nth in day..2 * day + 64 * 40 {
        world.apply(&put(BETO, &format!("b{nth}")));
    }
    assert_eq!(
        world.count("SELECT COUNT(*) FROM replies WHERE scope = 2"),
        0
    );
    assert!(world.count("SELECT COUNT(*) FROM replies") < day + 64);
}

#[test]
fn what_a_door_tries_again_is_remembered_for_two_minutes() {
    let mut world = World::begun();
    let kept = DOOR_REPLY_KEPT_MS / STEP_MS;
    world.apply(&put(Actor::Door, "d"));
    world.apply(&put(Actor::Anonymous, "d"));
    for _ in 2..kept {
        world.apply(&put(ANA, "a"));
    }
    assert!(world.apply(&put(Actor::Door, "d")).replayed, "in time");
    world.apply(&put(ANA, "a"));
    world.apply(&put(ANA, "a"));
    assert!(!world.apply(&put(Actor::Door, "d")).replayed, "later");
    assert!(world.apply(&put(Actor::Anonymous, "d")).replayed);
    for nth in 0..1_000 {
        world.apply(&put(Actor::Door, &format!("d{nth}")));
    }
    // Old ones go a batch at a time.
    let left = world.count("SELECT COUNT(*) FROM replies WHERE scope = -2");
    assert!(left <= kept + 2 * 64, "{left} are kept");
}

#[test]
fn of_very_many_replies_the_oldest_go_but_never_within_a_minute() {
    let mut world = World::begun();
    let now = world.place(&put(ANA, "")).stamp.at_ms;
    let many = REPLIES_PER_SCOPE + 1_000;
    // As if Ana had written them all within this second.
    world.run(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
         INSERT INTO replies SELECT 2, i, 'a' || i, zeroblob(16), {now},
             x'01' FROM n"
    ));
    let kept = |world: &World| world.count("SELECT COUNT(*) FROM replies WHERE scope = 2");
    let steps = REPLY_SURE_MS / STEP_MS;
    for nth in 0..=steps {
        world.apply(&put(ANA, &format!("b{nth}")));
        assert_eq!(
            kept(&world),
            many + 1 + nth,
            "all are younger than a minute"
        );
    }
    let mut written = steps + 1;
    while kept(&world) > REPLIES_PER_SCOPE + 64 {
        world.apply(&put(ANA, &format!("b{written}")));
        written += 1;
        assert!(written < 2_000, "{} are kept", kept(&world));
    }
    assert!(kept(&world) >= REPLIES_PER_SCOPE, "no more than necessary");
    assert!(!world.apply(&put(ANA, "a1")).replayed);
}

#[test]
fn a_removed_area_is_swept_a_little_at_a_time_and_completely() {
    let mut world = World::begun();
    for post in 1..=500 {
        publish(&mut world, BETO, 1);
        if post % 2 == 0 {
            let mark = Action::Mark {
                area: 1,
                which: Which::One(post),
                read: true,
            };
            world.apply(&by(ANA, mark)).result.unwrap();
        }
    }
    publish(&mut world, BETO, 2);
    world
        .apply(&by(ANA, Action::Subscribe { area: 1 }))
        .result
        .unwrap();
    world
        .apply(&by(BETO, Action::DeletePost { area: 1, post: 3 }))
        .result
        .unwrap();
    world.system(Action::RemoveArea { area: 1 });
    let name = AreaName::parse("Obras").unwrap();
    world.system(Action::AddArea {
        name,
        description: String::new(),
    });
    let rows = |world: &World| {
        world.count("SELECT COUNT(*) FROM posts WHERE area = 1")
            + world.count("SELECT COUNT(*) FROM read_ranges WHERE area = 1")
            + world.count("SELECT COUNT(*) FROM subscriptions WHERE area = 1")
            + world.count("SELECT COUNT(*) FROM areas WHERE id = 1")
    };
    let mut left = rows(&world);
    let search = Search {
        viewer: 2,
        text: "aviso".to_owned(),
        before: i64::MAX,
        limit: 10,
    };
    while left > 0 {
        let found = search.run(&mut world.sql()).unwrap();
        assert!(found.posts.iter().all(|(_, post)| post.area != 1));
        let unchanged = world.hash();
        world.apply(&by(
            Actor::Anonymous,
            Action::Store {
                conditions: Vec::new(),
                operations: vec![
                    Write::Delete {
                        keys: vec!["x".into()],
                    }
                    .into(),
                ],
            },
        ));
        assert_ne!(world.hash(), unchanged);
        let now = rows(&world);
        assert!(now < left && left - now <= 64, "{left} rows, then {now}");
        left = now;
        world.commit();
        world.restart();
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM tombstones"), 0);
    assert_eq!(search.run(&mut world.sql()).unwrap().posts.len(), 1);
}
