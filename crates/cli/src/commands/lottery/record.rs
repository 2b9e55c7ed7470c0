//! Records and receipts: what is kept to recompute a draw and to prove a batch.

use std::io::Write;
use std::path::{Path, PathBuf};

use api::types::Record;
use serde::Serialize;

use super::super::session::Session;
use super::Which;
use crate::failure::{Failure, Outcome};

/// Which record, and where it goes.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// With the bets themselves, which are personal data (administrators): without them the number
    /// can be recomputed from the leaves, but neither the leaves nor the winners
    #[arg(long)]
    bets: bool,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the whole record, as JSON.
pub async fn record(session: &mut Session, args: Args) -> Outcome {
    let whole = fetch(session, &args.which.lottery, args.bets).await?;
    let Some(path) = args.out else {
        return session.out.json(&whole);
    };
    write_file(&path, &whole)?;
    session.out.say(format!(
        "Wrote {} batches of lottery {} to {}: `consorcio lottery verify` recomputes it.",
        whole.batches.len(),
        whole.lottery.id,
        path.display()
    ))
}

/// Puts the pages together; the last one knows the lottery's newest state.
async fn fetch(session: &Session, lottery: &str, bets: bool) -> Outcome<Record> {
    let client = &session.client;
    let mut whole = client.lottery_record(lottery, None, bets).await?;
    // A new lottery may be opened meanwhile: the pages must be of one and the same.
    let lottery = whole.lottery.id.to_string();
    while let Some(from) = whole.next {
        let page = client.lottery_record(&lottery, Some(from), bets).await?;
        whole.batches.extend(page.batches);
        whole.lottery = page.lottery;
        whole.next = page.next;
    }
    Ok(whole)
}

/// Prints or writes a batch's receipt.
pub async fn receipt(
    session: &mut Session,
    which: &Which,
    leaf: i64,
    out: Option<PathBuf>,
) -> Outcome {
    let receipt = session.client.lottery_receipt(&which.lottery, leaf).await?;
    if let Some(path) = out {
        write_file(&path, &receipt)?;
        return session.out.say(format!("Wrote it to {}.", path.display()));
    }
    if session.out.json {
        return session.out.json(&receipt);
    }
    let batch = &receipt.batch;
    session.out.line(&format!(
        "Batch {} of lottery {}: agency {}, {} bets from number {}.",
        batch.leaf_index, receipt.lottery, batch.agency, batch.count, batch.first
    ))?;
    session.out.line(&format!("Leaf: {}", batch.leaf))?;
    session.out.line(&format!(
        "Root: {} over {} batches",
        receipt.root, receipt.tree_size
    ))?;
    receipt
        .path
        .iter()
        .try_for_each(|hash| session.out.line(&format!("Path: {hash}")))
}

fn write_file<T: Serialize>(path: &Path, value: &T) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::failed(format!("cannot write {}: {error}", path.display()))
    };
    let file = std::fs::File::create(path).map_err(failed)?;
    let mut file = std::io::BufWriter::new(file);
    serde_json::to_writer(&mut file, value).map_err(|error| failed(error.into()))?;
    file.flush().map_err(failed)
}
