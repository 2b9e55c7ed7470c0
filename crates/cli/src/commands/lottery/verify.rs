//! `consorcio lottery verify`: recomputes a draw from its record alone.
//!
//! ```text
//!   bets ── canonical text ──▶ leaves ──▶ root ──┐
//!                                   secret ──────┼──▶ number ──▶ winners
//!                             source's value ────┘
//! ```

use std::path::{Path, PathBuf};

use api::types::{Batch, BetsStored, Draw, Hex32, Lottery, Receipt, Record};
use domain::lottery::{Bet, canonical, merkle, verifiable};
use serde::{Deserialize, Serialize};

use super::super::output::{Output, Style, cell};
use crate::failure::{Failure, Outcome};

/// What `--help` says.
pub const LONG: &str = "\
Recompute a draw from its record, without asking anybody

FILE is what `consorcio lottery record --bets --out FILE` wrote. From the bets the leaves of the
Merkle tree are made again, from the leaves the root, from root, secret and public value the number,
and from the number the winners. A receipt that an agency kept is looked for in the tree.

What it proves: the number follows from these bets in this order and from a secret that was fixed
before the first of them. What it does not: whoever made the secret knew it all the time, and could
have tried bets until the number suited, unless the draw also took a public value that nobody knew
before the agencies closed. Compare the root with the one that others kept.";

/// What to verify.
#[derive(clap::Args)]
pub struct Args {
    /// The record
    file: PathBuf,
    /// A receipt: what an agency was answered, or what `consorcio lottery receipt --out` wrote
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
}

/// A receipt in either form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    /// With its proof.
    Proof(Receipt),
    /// As the agency was answered.
    Answer(BetsStored),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    detail: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Right,
    Wrong,
    /// The record does not have what it takes.
    Unchecked,
}

/// Runs the command; a record that is wrong is a failure.
pub fn run(out: &Output, args: Args) -> Outcome {
    let record: Record = read(&args.file)?;
    let mut checks = check_record(&record);
    for path in &args.receipt {
        let kept = receipts(path)?;
        checks.extend(kept.iter().map(|kept| check_receipt(&record, kept)));
    }
    let wrong = checks.iter().any(|check| check.verdict == Verdict::Wrong);
    if out.json {
        out.json(&serde_json::json!({ "right": !wrong, "checks": checks }))?;
    } else {
        print(out, &checks)?;
    }
    match wrong {
        true => Err(Failure::failed("the record does not add up")),
        false => Ok(()),
    }
}

fn print(out: &Output, checks: &[Check]) -> Outcome {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let (verdict, style) = match check.verdict {
                Verdict::Right => ("right", Style::Green),
                Verdict::Wrong => ("WRONG", Style::Red),
                Verdict::Unchecked => ("not checked", Style::Dim),
            };
            vec![
                cell(check.what),
                cell(verdict).style(style),
                cell(&check.detail),
            ]
        })
        .collect();
    out.table(&["WHAT", "VERDICT", "DETAIL"], &rows, "")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Outcome<T> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::usage(format!("{shown} is not what it must be: {error}")))
}

/// The receipts of a file: one, or as many as an agency appended.
fn receipts(path: &Path) -> Outcome<Vec<Kept>> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let kept: Result<Vec<Kept>, _> = serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect();
    match kept {
        Ok(kept) if kept.is_empty() => Err(Failure::usage(format!("{shown} holds no receipt"))),
        Ok(kept) => Ok(kept),
        Err(error) => Err(Failure::usage(format!(
            "{shown} is not what it must be: {error}"
        ))),
    }
}

fn check_record(record: &Record) -> Vec<Check> {
    vec![
        check_batches(record),
        check_leaves(record),
        check_root(record),
        check_number(&record.lottery),
        check_winners(record),
    ]
}

/// Whether every batch is there, in order.
fn check_batches(record: &Record) -> Check {
    let what = "batches";
    let lottery = &record.lottery;
    let (mut leaf, mut first) = (0, 1);
    for batch in &record.batches {
        if batch.leaf_index != leaf || batch.first != first {
            return wrong(what, format!("batch {leaf} is missing or out of its place"));
        }
        leaf += 1;
        first += i64::from(batch.count);
    }
    if (leaf, first - 1) != (lottery.batches, lottery.bets) {
        return wrong(
            what,
            format!("{leaf} of {} are in the record", lottery.batches),
        );
    }
    right(what, format!("{leaf}, with {} bets", first - 1))
}

/// Whether each leaf is the hash of its bets.
fn check_leaves(record: &Record) -> Check {
    let what = "leaves";
    let with_bets = record.batches.iter().filter(|batch| batch.bets.is_some());
    if with_bets.count() == 0 && !record.batches.is_empty() {
        return unchecked(what, "the record has no bets (record --bets)");
    }
    for batch in &record.batches {
        if recomputed(record.lottery.id, batch) != Some(batch.leaf) {
            let index = batch.leaf_index;
            return wrong(what, format!("leaf {index} is not the hash of its bets"));
        }
    }
    right(what, "each is the hash of its bets".to_owned())
}

fn recomputed(lottery: i64, batch: &Batch) -> Option<Hex32> {
    let bets: Vec<Bet> = batch.bets.as_ref()?.iter().map(bet).collect();
    let whole = bets.len() == batch.count as usize && bets.iter().all(|bet| bet.check().is_ok());
    let place = canonical::Place {
        lottery,
        leaf: batch.leaf_index,
        agency: batch.agency,
        first: batch.first,
    };
    whole.then(|| Hex32(merkle::leaf(canonical::write(place, &bets).as_bytes())))
}

fn bet(bet: &api::types::Bet) -> Bet {
    Bet {
        first_name: bet.first_name.clone(),
        last_name: bet.last_name.clone(),
        document: bet.document.clone(),
        birthdate: bet.birthdate.clone(),
        number: bet.number,
    }
}

/// Whether the root is that of the leaves.
fn check_root(record: &Record) -> Check {
    let leaves: Vec<[u8; 32]> = record.batches.iter().map(|batch| batch.leaf.0).collect();
    let root = Hex32(merkle::root(&leaves));
    match root == record.lottery.root {
        true => right("root", root.to_string()),
        false => wrong("root", format!("the leaves lead to {root}")),
    }
}

/// Whether the number follows from what was published.
fn check_number(lottery: &Lottery) -> Check {
    let what = "number";
    let Some(draw) = &lottery.draw else {
        return unchecked(what, "it has not been drawn yet");
    };
    match (lottery.rule.as_str(), lottery.commitment) {
        ("verifiable", Some(commitment)) => check_verifiable(lottery, draw, commitment),
        ("external", None) => unchecked(what, "it came from outside: compare it with its source"),
        (rule, None) if rule == format!("fixed:{}", draw.number) => {
            right(what, format!("{:04}, as was fixed", draw.number))
        }
        _ => wrong(what, format!("it does not follow from {}", lottery.rule)),
    }
}

fn check_verifiable(lottery: &Lottery, draw: &Draw, commitment: Hex32) -> Check {
    let what = "number";
    let Some(Hex32(secret)) = draw.secret else {
        return wrong(what, "the secret was not revealed".to_owned());
    };
    if Hex32(verifiable::commitment(&secret)) != commitment {
        return wrong(what, "the secret is not the one committed to".to_owned());
    }
    if lottery.source.is_some() != draw.source_value.is_some() {
        return wrong(
            what,
            "the public source and its value do not match".to_owned(),
        );
    }
    let value = draw.source_value.as_deref();
    let number = verifiable::number(&secret, &lottery.root.0, value);
    match number == draw.number {
        true => right(what, format!("{number:04}, from secret, root and source")),
        false => wrong(what, format!("secret, root and source lead to {number:04}")),
    }
}

/// Whether as many won as bet on the number.
fn check_winners(record: &Record) -> Check {
    let what = "winners";
    let Some(draw) = &record.lottery.draw else {
        return unchecked(what, "the number has not been drawn yet");
    };
    if record.batches.iter().any(|batch| batch.bets.is_none()) {
        return unchecked(what, "the record has no bets (record --bets)");
    }
    let bets = record
        .batches
        .iter()
        .filter_map(|batch| batch.bets.as_ref());
    let won = bets
        .flatten()
        .filter(|bet| bet.number == draw.number)
        .count();
    match i64::try_from(won) == Ok(draw.winners) {
        true => right(what, format!("{won} bets on {:04}", draw.number)),
        false => wrong(what, format!("{won} bets are on {:04}", draw.number)),
    }
}

/// Whether a receipt's batch is in the record.
fn check_receipt(record: &Record, kept: &Kept) -> Check {
    let what = "receipt";
    let (lottery, index, leaf) = match kept {
        Kept::Proof(receipt) => (
            receipt.lottery,
            receipt.batch.leaf_index,
            receipt.batch.leaf,
        ),
        Kept::Answer(answer) => (answer.lottery, answer.leaf_index, answer.leaf),
    };
    let found = usize::try_from(index)
        .ok()
        .and_then(|at| record.batches.get(at));
    if lottery != record.lottery.id || found.is_none_or(|batch| batch.leaf != leaf) {
        return wrong(what, format!("batch {index} is not in this record"));
    }
    if let Kept::Proof(receipt) = kept
        && !proves(receipt)
    {
        return wrong(
            what,
            format!("the path of batch {index} does not lead to its root"),
        );
    }
    right(what, format!("batch {index} takes part"))
}

fn proves(receipt: &Receipt) -> bool {
    let path: Vec<[u8; 32]> = receipt.path.iter().map(|hash| hash.0).collect();
    let (size, index) = (receipt.tree_size as u64, receipt.batch.leaf_index as u64);
    merkle::includes(&receipt.root.0, size, index, &receipt.batch.leaf.0, &path)
}

fn right(what: &'static str, detail: String) -> Check {
    let verdict = Verdict::Right;
    Check {
        what,
        verdict,
        detail,
    }
}

fn wrong(what: &'static str, detail: String) -> Check {
    let verdict = Verdict::Wrong;
    Check {
        what,
        verdict,
        detail,
    }
}

fn unchecked(what: &'static str, why: &str) -> Check {
    let (verdict, detail) = (Verdict::Unchecked, why.to_owned());
    Check {
        what,
        verdict,
        detail,
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
