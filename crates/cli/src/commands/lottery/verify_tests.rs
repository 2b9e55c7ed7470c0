//! A record that adds up, and every way to spoil it.

#![allow(clippy::unwrap_used)]

use super::*;
use api::types::LotteryState;

const SECRET: [u8; 32] = [7; 32];
const VALUE: &str = "66513";

fn person(document: &str, number: u16) -> api::types::Bet {
    api::types::Bet {
        first_name: "Ana".to_owned(),
        last_name: "Pérez".to_owned(),
        document: document.to_owned(),
        birthdate: "1999-03-17".to_owned(),
        number,
    }
}

fn batch(leaf_index: i64, first: i64, bets: Vec<api::types::Bet>) -> Batch {
    let mut batch = Batch {
        leaf_index,
        agency: 1,
        first,
        count: bets.len() as u32,
        at: String::new(),
        leaf: Hex32([0; 32]),
        bets: Some(bets),
    };
    batch.leaf = recomputed(9, &batch).unwrap();
    batch
}

/// A verifiable lottery of three bets in two batches.
fn record() -> Record {
    let batches = vec![
        batch(0, 1, vec![person("1", 0), person("2", 1)]),
        batch(1, 3, vec![person("3", 2)]),
    ];
    let leaves: Vec<[u8; 32]> = batches.iter().map(|batch| batch.leaf.0).collect();
    let root = merkle::root(&leaves);
    let draw = Draw {
        number: verifiable::number(&SECRET, &root, Some(VALUE)),
        winners: 0,
        at: String::new(),
        secret: Some(Hex32(SECRET)),
        source_value: Some(VALUE.to_owned()),
    };
    let lottery = Lottery {
        id: 9,
        name: "Sorteo".to_owned(),
        state: LotteryState::Drawn,
        agencies: 1,
        open_agencies: 0,
        rule: "verifiable".to_owned(),
        commitment: Some(Hex32(verifiable::commitment(&SECRET))),
        source: Some("Gordo".to_owned()),
        opened_at: String::new(),
        bets: 3,
        batches: 2,
        root: Hex32(root),
        draw: Some(draw),
    };
    Record {
        lottery,
        batches,
        next: None,
    }
}

fn verdict(record: &Record, what: &str) -> Verdict {
    let checks = check_record(record);
    checks
        .iter()
        .find(|check| check.what == what)
        .unwrap()
        .verdict
}

fn draw(record: &mut Record) -> &mut Draw {
    record.lottery.draw.as_mut().unwrap()
}

#[test]
fn what_adds_up_is_right() {
    for check in check_record(&record()) {
        assert_eq!(check.verdict, Verdict::Right, "{check:?}");
    }
}

#[test]
fn every_change_is_noticed() {
    type Spoil = fn(&mut Record);
    let spoils: [(&str, Spoil); 11] = [
        ("leaves", |record| {
            record.batches[0].bets.as_mut().unwrap()[1].number = 2
        }),
        ("leaves", |record| record.batches[1].agency = 2),
        ("leaves", |record| record.batches[1].bets = None),
        ("leaves", |record| record.lottery.id = 8),
        ("batches", |record| drop(record.batches.pop())),
        ("batches", |record| record.batches.swap(0, 1)),
        ("root", |record| record.batches[0].leaf = Hex32([1; 32])),
        ("number", |record| draw(record).number += 1),
        ("number", |record| {
            draw(record).secret = Some(Hex32([8; 32]))
        }),
        ("number", |record| {
            draw(record).source_value = Some("66514".to_owned())
        }),
        ("winners", |record| draw(record).winners = 5),
    ];
    for (number, (what, spoil)) in spoils.into_iter().enumerate() {
        let mut spoiled = record();
        spoil(&mut spoiled);
        assert_eq!(verdict(&spoiled, what), Verdict::Wrong, "{number}: {what}");
    }
}

#[test]
fn without_bets_the_number_still_follows_from_the_leaves() {
    let mut public = record();
    public
        .batches
        .iter_mut()
        .for_each(|batch| batch.bets = None);
    for (what, expected) in [
        ("batches", Verdict::Right),
        ("leaves", Verdict::Unchecked),
        ("root", Verdict::Right),
        ("number", Verdict::Right),
        ("winners", Verdict::Unchecked),
    ] {
        assert_eq!(verdict(&public, what), expected, "{what}");
    }
}

#[test]
fn a_fixed_number_must_be_the_one_that_was_fixed() {
    let mut fixed = record();
    fixed.lottery.commitment = None;
    fixed.lottery.rule = format!("fixed:{}", draw(&mut fixed).number);
    assert_eq!(verdict(&fixed, "number"), Verdict::Right);
    draw(&mut fixed).number += 1;
    assert_eq!(verdict(&fixed, "number"), Verdict::Wrong);
    fixed.lottery.rule = "external".to_owned();
    assert_eq!(verdict(&fixed, "number"), Verdict::Unchecked);
    fixed.lottery.draw = None;
    assert_eq!(verdict(&fixed, "number"), Verdict::Unchecked);
}

#[test]
fn receipts_are_looked_for_in_the_record() {
    let record = record();
    let leaves: Vec<[u8; 32]> = record.batches.iter().map(|batch| batch.leaf.0).collect();
    let receipt = Receipt {
        lottery: 9,
        batch: record.batches[1].clone(),
        tree_size: 2,
        root: record.lottery.root,
        path: merkle::path(1, &leaves).into_iter().map(Hex32).collect(),
    };
    let verdict = |receipt: &Receipt| {
        let kept = serde_json::from_value(serde_json::to_value(receipt).unwrap()).unwrap();
        check_receipt(&record, &kept).verdict
    };
    assert_eq!(verdict(&receipt), Verdict::Right);
    let mut forged = receipt.clone();
    forged.path[0] = Hex32([3; 32]);
    assert_eq!(verdict(&forged), Verdict::Wrong);
    let mut forged = receipt.clone();
    forged.batch.leaf = Hex32([3; 32]);
    assert_eq!(verdict(&forged), Verdict::Wrong);

    let answer = |leaf_index, leaf| {
        Kept::Answer(BetsStored {
            lottery: 9,
            agency: 1,
            first: 3,
            count: 1,
            leaf_index,
            leaf,
        })
    };
    let leaf = receipt.batch.leaf;
    assert_eq!(
        check_receipt(&record, &answer(1, leaf)).verdict,
        Verdict::Right
    );
    assert_eq!(
        check_receipt(&record, &answer(0, leaf)).verdict,
        Verdict::Wrong
    );
    assert_eq!(
        check_receipt(&record, &answer(-1, leaf)).verdict,
        Verdict::Wrong
    );
}
