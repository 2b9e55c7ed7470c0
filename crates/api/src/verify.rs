//! Recounting a poll's record offline: nothing here asks a node or shares code with one.

mod verdict;

pub use verdict::Verdict;

use sha2::{Digest, Sha256};

use crate::types::{BallotProof, BallotReceipt, Count, PollRecord, Tally};

/// A SHA-256 hash.
type Hash = [u8; 32];

/// What is wrong with a record or a proof, in one English sentence.
pub type Fault = String;

/// What a recount found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// The ballots, counted anew.
    pub tally: Tally,
    /// What that comes to, judged anew.
    pub verdict: Verdict,
    /// The root of the tree, computed anew, in hexadecimal.
    pub root: String,
    /// What does not hold; nothing if the record is as it should be.
    pub faults: Vec<Fault>,
    /// Receipts whose code another one has too: voters whose clients did not choose at random, or
    /// were made to believe that one ballot is theirs alike.
    pub shared_codes: usize,
}

/// Recounts a whole record.
pub fn recount(record: &PollRecord) -> Recount {
    let mut faults = Vec::new();
    if !record.result.is_final {
        faults.push("the poll was not closed yet".to_owned());
    }
    if record.next.is_some() {
        faults.push("it is only a part of the record".to_owned());
    }
    let (mut tally, mut leaves) = (Tally::default(), Vec::new());
    tally.options = vec![Count::default(); record.result.options.len()];
    for (place, receipt) in record.receipts.iter().enumerate() {
        match leaf(record.result.poll, receipt) {
            Some(leaf) if hex(&leaf) == receipt.leaf => leaves.push(leaf),
            _ => faults.push(format!("receipt {place}: its leaf is not what it says")),
        }
        if !add(&mut tally, receipt) {
            faults.push(format!(
                "receipt {place}: there is no such option or weight"
            ));
        }
    }
    let ordered = |pair: &[BallotReceipt]| order(&pair[0]) <= order(&pair[1]);
    if !record.receipts.windows(2).all(ordered) {
        faults.push("the receipts are not in their order".to_owned());
    }
    let root = hex(&root(&leaves));
    if record.root.as_ref() != Some(&root) {
        faults.push("the root is not that of the receipts".to_owned());
    }
    if tally != record.result.tally {
        faults.push("the ballots do not add up to the result".to_owned());
    }
    let verdict = verdict::judge(&tally, &record.result);
    faults.extend(verdict::faults(&verdict, &record.result));
    let shared = |pair: &&[BallotReceipt]| pair[0].code_hash == pair[1].code_hash;
    let shared_codes = record.receipts.windows(2).filter(shared).count();
    Recount {
        tally,
        verdict,
        root,
        faults,
        shared_codes,
    }
}

/// The receipts of a code, with their places.
pub fn find<'a>(record: &'a PollRecord, code: &str) -> Vec<(usize, &'a BallotReceipt)> {
    let hash = hex(&Sha256::digest(code.as_bytes()).into());
    let receipts = record.receipts.iter().enumerate();
    receipts
        .filter(|(_, receipt)| receipt.code_hash == hash)
        .collect()
}

/// Checks the proof of one ballot, as RFC 9162 §2.1.3.2 does.
pub fn check_proof(proof: &BallotProof) -> Result<(), Fault> {
    let unreadable = || "the proof cannot be read".to_owned();
    let leaf = leaf(proof.poll, &proof.receipt).ok_or_else(unreadable)?;
    if hex(&leaf) != proof.receipt.leaf {
        return Err("the leaf is not what it says".to_owned());
    }
    let mut at = u64::try_from(proof.index).map_err(|_| unreadable())?;
    let mut last = u64::try_from(proof.size.saturating_sub(1)).map_err(|_| unreadable())?;
    if at > last {
        return Err("the place is beyond the last leaf".to_owned());
    }
    let mut hash = leaf;
    for beside in &proof.path {
        let beside = unhex(beside).ok_or_else(unreadable)?;
        if last == 0 {
            return Err("the path is too long".to_owned());
        }
        if at % 2 == 1 || at == last {
            hash = node(&beside, &hash);
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, &beside);
        }
        at /= 2;
        last /= 2;
    }
    match last == 0 && hex(&hash) == proof.root {
        true => Ok(()),
        false => Err("the path does not lead to the root".to_owned()),
    }
}

/// The label of a choice; `None` if it is blank, or no option's number.
pub fn option(record: &PollRecord, choice: Option<i64>) -> Option<&str> {
    let at = choice.and_then(place)?;
    record.result.options.get(at).map(String::as_str)
}

/// Where the option of that number stands, from 0; `None` if it is none.
fn place(number: i64) -> Option<usize> {
    number
        .checked_sub(1)
        .and_then(|at| usize::try_from(at).ok())
}

/// Adds a receipt to a tally; false if it cannot be counted.
fn add(tally: &mut Tally, receipt: &BallotReceipt) -> bool {
    let counted = match receipt.choice {
        None => Some(&mut tally.blank),
        Some(number) => place(number).and_then(|at| tally.options.get_mut(at)),
    };
    match counted {
        Some(count) if receipt.weight > 0 => {
            for count in [count, &mut tally.total] {
                count.ballots += 1;
                count.weight = count.weight.saturating_add(receipt.weight);
            }
            true
        }
        _ => false,
    }
}

fn order(receipt: &BallotReceipt) -> (&str, i64, i64, &str) {
    let choice = receipt.choice.unwrap_or(0);
    (&receipt.code_hash, choice, receipt.weight, &receipt.leaf)
}

/// The leaf that a receipt must have; `None` if it is not one.
fn leaf(poll: i64, receipt: &BallotReceipt) -> Option<Hash> {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(b"consorcio ballot 1");
    hasher.update(poll.to_be_bytes());
    hasher.update(unhex(&receipt.code_hash)?);
    hasher.update(
        u32::try_from(receipt.choice.unwrap_or(0))
            .ok()?
            .to_be_bytes(),
    );
    hasher.update(receipt.weight.to_be_bytes());
    hasher.update(receipt.name.as_bytes());
    Some(hasher.finalize().into())
}

/// The root, level by level from below: a hash without a neighbour goes up as it is, which is the
/// tree of RFC 6962.
fn root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    if level.is_empty() {
        return Sha256::digest([]).into();
    }
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            _ => pair[0],
        });
        level = pairs.collect();
    }
    level[0]
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::{PollMajority, PollResult};

    fn receipt(code: &str, choice: Option<i64>, weight: i64) -> BallotReceipt {
        let mut receipt = BallotReceipt {
            code_hash: hex(&Sha256::digest(code.as_bytes()).into()),
            choice,
            weight,
            name: String::new(),
            leaf: String::new(),
        };
        receipt.leaf = hex(&leaf(7, &receipt).unwrap());
        receipt
    }

    fn record(count: usize) -> PollRecord {
        let mut receipts: Vec<BallotReceipt> = (0..count)
            .map(|nth| {
                receipt(
                    &format!("code {nth}"),
                    Some(1 + nth as i64 % 2),
                    1 + nth as i64,
                )
            })
            .collect();
        receipts.push(receipt("blank", None, 2));
        receipts.sort_by(|one, other| order(one).cmp(&order(other)));
        let mut tally = Tally {
            options: vec![Count::default(); 2],
            ..Tally::default()
        };
        assert!(receipts.iter().all(|receipt| add(&mut tally, receipt)));
        let leaves: Vec<Hash> = receipts.iter().map(|r| unhex(&r.leaf).unwrap()).collect();
        let total = tally.total;
        PollRecord {
            result: PollResult {
                poll: 7,
                question: "¿?".into(),
                options: vec!["Sí".into(), "No".into()],
                is_final: true,
                open_ballot: false,
                tally,
                electorate: Some(Count {
                    ballots: 2 * total.ballots,
                    weight: 2 * total.weight,
                }),
                turnout_permille: Some(500),
                quorum: None,
                quorum_percent: Some(50),
                quorum_reached: Some(true),
                majority: PollMajority::Absolute,
                majority_reached: true,
                leading: vec![2],
                winner: Some(2),
            },
            receipts,
            root: Some(hex(&root(&leaves))),
            next: None,
        }
    }

    #[test]
    fn a_true_record_has_no_faults_and_every_lie_has_one() {
        let good = record(6);
        assert_eq!(recount(&good).faults, Vec::<String>::new());
        let lies: [fn(&mut PollRecord); 8] = [
            |record| record.receipts[2].choice = None,
            |record| record.receipts[2].weight += 1,
            |record| record.receipts.swap(0, 1),
            |record| drop(record.receipts.pop()),
            |record| record.result.tally.options[0].ballots += 1,
            |record| record.root = Some("00".repeat(32)),
            |record| record.result.is_final = false,
            |record| record.receipts[0].code_hash = "ñ".repeat(32),
        ];
        for (nth, lie) in lies.iter().enumerate() {
            let mut record = good.clone();
            lie(&mut record);
            assert!(!recount(&record).faults.is_empty(), "lie {nth}");
        }
    }

    #[test]
    fn a_record_whose_verdict_is_not_that_of_its_ballots_fails() {
        type Lie = fn(&mut PollResult);
        // Of 23: option 1 has 9, option 2 has 12, and blank is 2.
        let good = record(6);
        assert_eq!(recount(&good).verdict.winner, Some(2));
        let lies: [(&str, Lie); 13] = [
            ("winner", |result| result.winner = Some(1)),
            ("winner", |result| result.winner = None),
            ("leading", |result| result.leading = vec![1, 2]),
            ("majority", |result| result.majority_reached = false),
            ("quorum", |result| result.quorum_reached = Some(false)),
            ("quorum", |result| result.quorum_reached = None),
            ("turnout", |result| result.turnout_permille = Some(1000)),
            ("turnout", |result| result.turnout_permille = None),
            ("turnout", |result| result.electorate = None),
            ("quorum", |result| result.quorum_percent = Some(51)),
            ("quorums", |result| result.quorum = Some(1)),
            ("majority", |result| {
                result.majority = PollMajority::TwoThirds;
            }),
            ("majority", |result| {
                result.majority = PollMajority::Electorate;
            }),
        ];
        for (nth, (named, lie)) in lies.iter().enumerate() {
            let mut record = good.clone();
            lie(&mut record.result);
            let faults = recount(&record).faults;
            assert!(
                faults.iter().any(|fault| fault.contains(named)),
                "lie {nth}: {faults:?}"
            );
        }
    }

    #[test]
    fn numbers_out_of_all_bounds_are_faults() {
        let good = record(6);
        for odd in [i64::MIN, -1, 0, 3, i64::MAX] {
            let mut choosing = good.clone();
            choosing.receipts[2].choice = Some(odd);
            let faults = recount(&choosing).faults;
            assert!(faults.iter().any(|fault| fault.contains("no such option")));
            assert_eq!(option(&good, Some(odd)), None);
            let mut judging = good.clone();
            judging.result.electorate = Some(Count {
                ballots: odd,
                weight: odd,
            });
            judging.result.quorum_percent = Some(odd);
            assert!(!recount(&judging).faults.is_empty(), "{odd}");
        }
        assert_eq!(option(&good, Some(2)), Some("No"));
        assert_eq!(option(&good, None), None);
    }

    #[test]
    fn a_code_finds_its_receipt_and_shared_ones_are_counted() {
        let good = record(6);
        assert_eq!(find(&good, "code 3")[0].1.weight, 4);
        assert!(find(&good, "code 9").is_empty());
        let mut shared = good.clone();
        shared.receipts.push(shared.receipts[6].clone());
        assert_eq!(recount(&shared).shared_codes, 1);
    }

    #[test]
    fn a_proof_of_one_leaf_needs_no_path() {
        let only = receipt("sola", Some(1), 1);
        let mut proof = BallotProof {
            poll: 7,
            root: only.leaf.clone(),
            receipt: only,
            index: 0,
            size: 1,
            path: Vec::new(),
        };
        assert_eq!(check_proof(&proof), Ok(()));
        proof.path.push("00".repeat(32));
        assert!(check_proof(&proof).is_err());
        proof.size = i64::MIN + 1;
        assert!(check_proof(&proof).is_err());
    }
}
