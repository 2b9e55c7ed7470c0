//! One node, or one ring, from outside: what a stranger may send it, how small it is, and how far a
//! broadcast goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ring::simulator::{Delay, World};
use ring::{
    Address, Answer, Ask, Circle, Config, Dice, Event, Id, Input, Lost, Message, Node, Output,
    Payload, Peer, Peers, Tell,
};

fn any_peer(dice: &mut Dice) -> Peer {
    // Few places, so that everybody meets everybody.
    Peer::new(Id(dice.below(12) << 60), Address(dice.below(3) as u32))
}

fn any_peers(dice: &mut Dice) -> Peers {
    let count = dice.below(90);
    (0..count).map(|_| any_peer(dice)).collect()
}

fn maybe_peer(dice: &mut Dice) -> Option<Peer> {
    (dice.below(2) == 0).then(|| any_peer(dice))
}

fn any_tell(dice: &mut Dice) -> Tell {
    Tell {
        origin: any_peer(dice),
        number: dice.any(),
        until: any_peer(dice).id(),
        depth: dice.any() as u16,
        payload: Payload::new(b"acta").unwrap(),
    }
}

fn any_message(dice: &mut Dice) -> Message {
    let ticket = dice.below(200);
    let key = any_peer(dice).id();
    match dice.below(12) {
        0 => Message::Notify,
        1 => Message::Goodbye {
            predecessor: maybe_peer(dice),
            successors: any_peers(dice),
        },
        2 => Message::Request {
            ticket,
            ask: Ask::Neighbours,
        },
        3 => Message::Request {
            ticket,
            ask: Ask::Next { key },
        },
        4 => Message::Request {
            ticket,
            ask: Ask::Own { key },
        },
        5 => Message::Request {
            ticket,
            ask: Ask::Tell(any_tell(dice)),
        },
        6 => Message::Answer {
            ticket,
            answer: Answer::Alive,
        },
        7 => Message::Answer {
            ticket,
            answer: Answer::Heard,
        },
        8 => Message::Answer {
            ticket,
            answer: Answer::Own {
                before: maybe_peer(dice),
                successors: any_peers(dice),
            },
        },
        9 => Message::Answer {
            ticket,
            answer: Answer::Next {
                owners: any_peers(dice),
                closer: any_peers(dice),
                beside: dice.below(2) == 0,
            },
        },
        _ => Message::Answer {
            ticket,
            answer: Answer::Neighbours {
                predecessor: maybe_peer(dice),
                successors: any_peers(dice),
            },
        },
    }
}

fn any_input(dice: &mut Dice) -> Input {
    match dice.below(40) {
        0 => Input::Join {
            via: any_peer(dice),
        },
        1..5 => Input::Tick,
        5..8 => Input::Lookup {
            key: any_peer(dice).id(),
            tag: 0,
        },
        8 => Input::Broadcast(Payload::new(b"acta").unwrap()),
        9 if dice.below(20) == 0 => Input::Leave,
        9 => Input::HandedOver,
        _ => Input::Receive {
            from: any_peer(dice),
            message: any_message(dice),
        },
    }
}

#[test]
fn nonsense_from_strangers_does_no_harm() {
    let config = Config::default();
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let me = Peer::new(Id(5 << 60), Address(9));
        let circle = Circle::of([me, any_peer(&mut dice), any_peer(&mut dice)]);
        let mut node = match dice.below(2) {
            0 => Node::new(me, seed),
            _ => circle.node(circle.owner_index(me.id()), 4, seed),
        };
        let (mut now_us, mut out) = (0, Vec::new());
        for _ in 0..300 {
            now_us += dice.below(400_000);
            node.handle(&config, now_us, any_input(&mut dice), &mut out);
            let list = node
                .successors()
                .iter()
                .map(|peer| me.id().distance_to(peer.id()));
            let list: Vec<u64> = list.collect();
            assert!(
                list.len() <= 4 && !list.contains(&0),
                "seed {seed}: {list:?}"
            );
            assert!(list.is_sorted_by(|a, b| a < b), "seed {seed}: {list:?}");
            let to_itself = |o: &Output| matches!(o, Output::Send { to, .. } if *to == me);
            assert!(
                !out.iter().any(to_itself),
                "seed {seed}: it talks to itself"
            );
            assert!(out.len() < 200, "seed {seed}: one input, many packets");
            out.clear();
        }
    }
}

#[test]
fn every_lookup_ends() {
    let config = Config::default();
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let me = Peer::new(Id(5 << 60), Address(9));
        let circle = Circle::of([me, any_peer(&mut dice), any_peer(&mut dice)]);
        let mut node = circle.node(circle.owner_index(me.id()), 4, seed);
        let mut out = Vec::new();
        let key = any_peer(&mut dice).id();
        node.handle(&config, 0, Input::Lookup { key, tag: 7 }, &mut out);
        // Whoever is asked answers with nonsense, or not at all.
        for step in 1..400u64 {
            let sent = out.drain(..).find_map(|output| match output {
                Output::Send {
                    to,
                    message: Message::Request { ticket, ask },
                } => Some((to, ticket, ask)),
                Output::Event(Event::Found(found)) => {
                    assert_eq!((found.tag, found.key), (7, key));
                    None
                }
                _ => None,
            });
            let now_us = step * 600_000;
            let Some((to, ticket, ask)) = sent else {
                break;
            };
            let answer = match ask {
                Ask::Own { .. } => Answer::Own {
                    before: maybe_peer(&mut dice),
                    successors: any_peers(&mut dice),
                },
                _ => Answer::Next {
                    owners: any_peers(&mut dice),
                    closer: any_peers(&mut dice),
                    beside: false,
                },
            };
            let message = Message::Answer { ticket, answer };
            let input = match dice.below(3) {
                0 => Input::Tick,
                _ => Input::Receive { from: to, message },
            };
            node.handle(&config, now_us, input, &mut out);
        }
        assert_eq!(
            node.deadline_us(),
            ring::NEVER_US,
            "seed {seed}: it waits for nothing"
        );
    }
}

#[test]
fn an_answer_counts_only_from_whom_it_was_asked() {
    let config = Config::default();
    let at = |place: u64| Peer::new(Id(place << 56), Address(place as u32));
    let circle = Circle::of([at(10), at(20), at(30), at(40)]);
    let mut node = circle.node(0, 2, 1);
    let mut out = Vec::new();
    let lookup = Input::Lookup {
        key: at(15).id(),
        tag: 1,
    };
    node.handle(&config, 0, lookup, &mut out);
    let Some(Output::Send {
        to,
        message: Message::Request { ticket, .. },
    }) = out.pop()
    else {
        panic!("it asks its successor");
    };
    assert_eq!(to, at(20));
    let mine = || Message::Answer {
        ticket,
        answer: Answer::Own {
            before: None,
            successors: Peers::default(),
        },
    };
    let mut found = |from: Peer, message: Message, now_us: u64| {
        let mut out = Vec::new();
        node.handle(&config, now_us, Input::Receive { from, message }, &mut out);
        out.iter()
            .any(|o| matches!(o, Output::Event(Event::Found(_))))
    };
    assert!(!found(at(30), mine(), 1), "another's answer");
    let alive = Message::Answer {
        ticket,
        answer: Answer::Alive,
    };
    assert!(!found(at(20), alive, 2), "an answer to another question");
    assert!(found(at(20), mine(), 3));
    assert!(!found(at(20), mine(), 4), "the same again");
}

#[test]
fn an_id_that_two_took_at_once_stays_with_one() {
    let config = Config::default();
    let at = |place: u64, address| Peer::new(Id(place << 56), Address(address));
    let me = at(15, 7);
    let mut node = Node::new(me, 1);
    let mut out = Vec::new();
    node.handle(&config, 0, Input::Join { via: at(10, 1) }, &mut out);
    let answer = |ticket, answer| Message::Answer { ticket, answer };
    let place = Answer::Next {
        owners: [at(20, 2), at(30, 3)].into(),
        closer: Peers::default(),
        beside: true,
    };
    let from = at(10, 1);
    node.handle(
        &config,
        1,
        Input::Receive {
            from,
            message: answer(1, place),
        },
        &mut out,
    );
    assert!(node.is_member());
    let ticket = out.iter().find_map(|output| match output {
        Output::Send {
            message:
                Message::Request {
                    ticket,
                    ask: Ask::Neighbours,
                },
            ..
        } => Some(*ticket),
        _ => None,
    });
    let neighbours = Answer::Neighbours {
        predecessor: Some(at(15, 8)),
        successors: [at(30, 3), at(10, 1)].into(),
    };
    let (from, message) = (at(20, 2), answer(ticket.unwrap(), neighbours));
    out.clear();
    node.handle(&config, 2, Input::Receive { from, message }, &mut out);
    assert!(
        !node.is_member(),
        "its successor knows another under its id"
    );
    assert!(
        out.iter()
            .any(|output| matches!(output, Output::Event(Event::Taken)))
    );
    assert_eq!(node.deadline_us(), ring::NEVER_US);
}

#[test]
fn a_broadcast_reaches_a_thousand_once_in_few_steps() {
    let mut dice = Dice::new(3);
    let circle = World::random_circle(&mut dice, 1000);
    let config = Config {
        successors: 4,
        repair: false,
        ..Config::default()
    };
    let mut world = World::founded(config, Delay::Fixed(1000), &circle, 3);
    let payload = Payload::new(b"acta").unwrap();
    world.tell(Address(0), Input::Broadcast(payload));
    world.run_until(ring::NEVER_US);
    let mut heard = vec![0; 1000];
    let mut deepest = 0;
    for happening in world.happened() {
        if let Event::Heard(tell) = happening.event {
            heard[happening.node.address().0 as usize] += 1;
            deepest = deepest.max(tell.depth);
        }
    }
    assert_eq!(heard.remove(0), 0, "not the one who tells");
    assert!(heard.iter().all(|times| *times == 1), "each once");
    assert_eq!(
        world.packets(),
        2 * 999,
        "a word and its acknowledgement each"
    );
    assert!(deepest <= 13, "{deepest} steps among 2^10");
}

#[test]
fn a_ring_that_joined_one_by_one_is_the_one_that_was_founded() {
    let config = Config {
        successors: 3,
        ..Config::default()
    };
    let mut dice = Dice::new(11);
    let circle = World::random_circle(&mut dice, 4);
    let mut world = World::founded(config, Delay::Even(1000, 50_000), &circle, 5);
    world.start();
    for _ in 0..60 {
        let via = world.any_member().unwrap();
        world.join(Id(dice.any()), via);
        world.run_until(world.now_us() + 1_000_000);
    }
    world.run_until(world.now_us() + 120_000_000);
    assert!(world.is_ideal());
    assert_eq!(world.violation(), None);
    let circle = Circle::of(world.members());
    assert_eq!(circle.members().len(), 64);
    for (index, member) in circle.members().iter().enumerate() {
        let node = world.node(member.address()).unwrap();
        let list = circle.successors(index, 3);
        let fingers = circle.fingers(index, &list);
        assert_eq!(node.fingers(), fingers.peers(), "the fingers of {member:?}");
    }
}

#[test]
fn a_node_is_small() {
    assert_eq!(size_of::<Peer>(), 12);
    assert!(size_of::<Node>() <= 160, "{} bytes", size_of::<Node>());
}

#[test]
fn a_lookup_under_way_ends_when_its_node_leaves() {
    let config = Config::default();
    let at = |place: u64| Peer::new(Id(place << 56), Address(place as u32));
    let circle = Circle::of([at(10), at(20), at(30), at(40)]);
    let mut node = circle.node(0, 2, 1);
    let mut out = Vec::new();
    for tag in 1..=2 {
        let key = at(11 + 10 * tag).id();
        node.handle(&config, 0, Input::Lookup { key, tag }, &mut out);
    }
    node.handle(&config, 1, Input::Leave, &mut out);
    out.clear();
    node.handle(&config, 2, Input::HandedOver, &mut out);
    let ended = out.iter().filter_map(|output| match output {
        Output::Event(Event::Found(found)) => Some((found.tag, found.owner.clone())),
        _ => None,
    });
    let outside = |tag| (tag, Err(Lost::Outside));
    assert_eq!(ended.collect::<Vec<_>>(), [1, 2].map(outside));
    assert!(node.has_left());
}

#[test]
fn a_part_told_twice_is_passed_on_once() {
    let config = Config::default();
    let at = |place: u64| Peer::new(Id(place << 56), Address(place as u32));
    let circle = Circle::of([at(10), at(20), at(30), at(40)]);
    let mut node = circle.node(0, 2, 1);
    let tell = |number, until| Tell {
        origin: at(40),
        number,
        until,
        depth: 1,
        payload: Payload::new(b"acta").unwrap(),
    };
    let mut sent = |tell: Tell| {
        let mut out = Vec::new();
        let (ticket, ask) = (1, Ask::Tell(tell));
        let message = Message::Request { ticket, ask };
        let from = at(40);
        node.handle(&config, 0, Input::Receive { from, message }, &mut out);
        let asks = |output: &&Output| match output {
            Output::Send { message, .. } => matches!(message, Message::Request { .. }),
            Output::Event(_) => false,
        };
        (out.iter().filter(asks).count(), out.len())
    };
    let everybody = at(40).id();
    // Two are told, the driver is, and the word is acknowledged.
    assert_eq!(sent(tell(1, everybody)), (2, 4));
    assert_eq!(
        sent(tell(1, everybody)),
        (0, 1),
        "acknowledged again, no more"
    );
    assert_eq!(sent(tell(1, at(30).id())), (1, 3), "another part");
    assert_eq!(sent(tell(2, everybody)), (2, 4), "another broadcast");
}

#[test]
fn what_strangers_tell_does_not_pile_up() {
    let config = Config::default();
    let at = |place: u64| Peer::new(Id(place << 56), Address(place as u32));
    let circle = Circle::of([at(10), at(20), at(30), at(40)]);
    let mut node = circle.node(0, 2, 1);
    let mut asked = 0;
    for number in 0..100_000 {
        let tell = Tell {
            origin: at(40),
            number,
            until: at(40).id(),
            depth: 1,
            payload: Payload::new(b"acta").unwrap(),
        };
        let (ticket, ask) = (number, Ask::Tell(tell));
        let (from, message) = (at(40), Message::Request { ticket, ask });
        let mut out = Vec::new();
        node.handle(&config, 0, Input::Receive { from, message }, &mut out);
        let asks = |output: &&Output| match output {
            Output::Send { message, .. } => matches!(message, Message::Request { .. }),
            Output::Event(_) => false,
        };
        asked += out.iter().filter(asks).count();
    }
    let most = ring::LOOKUPS_MAX + ring::SUCCESSORS_MAX;
    assert!(asked <= most, "{asked} questions under way");
}

#[test]
fn a_payload_is_an_announcement() {
    assert!(Payload::new(&[0; ring::PAYLOAD_MAX_BYTES]).is_some());
    assert!(Payload::new(&[0; ring::PAYLOAD_MAX_BYTES + 1]).is_none());
}
