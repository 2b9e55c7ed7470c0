//! `consorcio poll verify`: counts a record again, offline.

use std::io::Read as _;
use std::path::PathBuf;

use api::types::PollRecord;
use api::verify::{Recount, check_proof, find, option, recount};
use serde_json::json;

use crate::commands::Common;
use crate::commands::output::Output;
use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// Count a record again, without asking any node.
#[derive(clap::Args)]
pub struct Verify {
    /// What `consorcio poll record` printed; `-` is standard input
    file: PathBuf,
    /// The code of a ballot that must be in it; may be repeated
    #[arg(long)]
    code: Vec<String>,
    /// The root that it must have, as another copy or another node told it
    #[arg(long, value_name = "HEX")]
    root: Option<String>,
}

impl Verify {
    pub fn run(self, common: &Common) -> Outcome {
        let out = Output::new(common.json);
        let record = read(&self.file)?;
        let mut counted = recount(&record);
        if self.root.as_ref().is_some_and(|root| *root != counted.root) {
            counted
                .faults
                .push("it is not the record with that root".to_owned());
        }
        let mut found = Vec::new();
        for code in &self.code {
            match find(&record, code).first() {
                Some((place, receipt)) => found.push(format!(
                    "The ballot of {code} is number {place}: {}.",
                    label(&record, receipt.choice)
                )),
                None => counted
                    .faults
                    .push(format!("no ballot has the code {code}")),
            }
        }
        tell(out, &record, &counted, &found)?;
        match counted.faults.first() {
            None => Ok(()),
            Some(fault) => Err(Failure::failed(format!(
                "the record does not hold: {fault}"
            ))),
        }
    }
}

fn read(file: &PathBuf) -> Outcome<PollRecord> {
    let mut text = String::new();
    let outcome = match file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(drop),
        _ => std::fs::read_to_string(file).map(|read| text = read),
    };
    let shown = file.display();
    outcome.map_err(|error| Failure::failed(format!("{shown} cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::failed(format!("{shown} is not a record: {error}")))
}

fn label(record: &PollRecord, choice: Option<i64>) -> &str {
    match choice {
        None => "blank",
        Some(_) => option(record, choice).unwrap_or("no option of this poll"),
    }
}

fn tell(out: Output, record: &PollRecord, counted: &Recount, found: &[String]) -> Outcome {
    if out.json {
        return out.json(&json!({
            "poll": record.result.poll,
            "tally": counted.tally,
            "winner": counted.verdict.winner,
            "root": counted.root,
            "shared_codes": counted.shared_codes,
            "faults": counted.faults,
        }));
    }
    out.line(&record.result.question)?;
    let counts = record.result.options.iter().zip(&counted.tally.options);
    for (label, count) in counts.chain([(&"(blank)".to_owned(), &counted.tally.blank)]) {
        let (ballots, weight) = (count.ballots, count.weight);
        out.line(&format!("  {label}: {ballots} ballots, weight {weight}"))?;
    }
    out.line(&verdict(record, counted))?;
    out.line(&format!("Root {}", counted.root))?;
    if counted.shared_codes > 0 {
        let shared = counted.shared_codes;
        out.line(&format!("{shared} ballots share their code with another."))?;
    }
    for line in found {
        out.line(line)?;
    }
    match counted.faults.is_empty() {
        true => out.line("The ballots add up to the result, and each has its place in the tree."),
        false => out.text(&counted.faults.join("\n")),
    }
}

/// What the recounted ballots come to.
fn verdict(record: &PollRecord, counted: &Recount) -> String {
    let verdict = &counted.verdict;
    match (option(record, verdict.winner), verdict.quorum_reached) {
        (Some(winner), _) => format!("Adopted: {winner}"),
        (None, Some(false)) => "Nothing is adopted: there is no quorum.".to_owned(),
        (None, _) => "Nothing is adopted: no option has the majority.".to_owned(),
    }
}

/// Fetches the proof of one ballot and checks it.
pub async fn proof(session: &mut Session, poll: i64, code: &str) -> Outcome {
    let proof = session.client.ballot_proof(poll, code).await?;
    check_proof(&proof)
        .map_err(|fault| Failure::failed(format!("the proof does not hold: {fault}")))?;
    if session.out.json {
        return session.out.json(&proof);
    }
    session.out.text(&format!(
        "The ballot is number {} of {}, and the proof holds.\nRoot {}",
        proof.index, proof.size, proof.root
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_choice_that_is_no_option_has_no_label() {
        let result = json!({
            "poll": 1, "question": "¿?", "options": ["Sí", "No"], "final": true,
            "open_ballot": false, "majority": "simple", "majority_reached": false, "leading": [],
            "tally": {
                "total": { "ballots": 0, "weight": 0 }, "blank": { "ballots": 0, "weight": 0 },
                "options": [{ "ballots": 0, "weight": 0 }, { "ballots": 0, "weight": 0 }],
            },
        });
        let record = json!({ "result": result, "receipts": [] });
        let record: PollRecord = serde_json::from_value(record).unwrap();
        assert_eq!(label(&record, Some(2)), "No");
        assert_eq!(label(&record, None), "blank");
        for odd in [i64::MIN, 0, 3, i64::MAX] {
            assert_eq!(label(&record, Some(odd)), "no option of this poll");
        }
    }
}
