//! `consorcio poll verify`: counts a record again, offline.

use std::io::Read as _;
use std::path::PathBuf;

use api::types::PollRecord;
use api::verify::{Recount, check_proof, find, recount};
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
                    option(&record, receipt.choice)
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

fn option(record: &PollRecord, choice: Option<i64>) -> &str {
    let label = choice.and_then(|number| {
        let at = usize::try_from(number - 1).ok()?;
        record.result.options.get(at)
    });
    label.map_or("blank", String::as_str)
}

fn tell(out: Output, record: &PollRecord, counted: &Recount, found: &[String]) -> Outcome {
    if out.json {
        return out.json(&json!({
            "poll": record.result.poll,
            "tally": counted.tally,
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
