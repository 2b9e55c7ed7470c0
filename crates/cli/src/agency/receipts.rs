//! The receipts that an agency keeps, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::lottery_packets::Receipt;
use api::types::BetsStored;

use crate::failure::{Failure, Outcome};

/// Where receipts go, if they are wanted.
pub struct Receipts {
    agency: u32,
    file: Option<(PathBuf, File)>,
}

impl Receipts {
    /// Opens the file before anything is sent. What is in it stays: an agency that starts again
    /// is answered with the receipts that it was given before, and writes them once more.
    pub fn open(agency: u32, path: Option<&Path>) -> Outcome<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| Failure::usage(unwritten(path, &error)))?;
            Ok::<_, Failure>((path.to_owned(), file))
        };
        let file = path.map(open).transpose()?;
        Ok(Receipts { agency, file })
    }

    /// Whether to ask for them.
    pub fn are_wanted(&self) -> bool {
        self.file.is_some()
    }

    /// Writes down the receipt of a batch of so many bets.
    pub fn keep(&mut self, receipt: &Receipt, bets: usize) -> Outcome {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let stored = BetsStored {
            lottery: receipt.lottery,
            agency: self.agency,
            first: receipt.first,
            count: bets as u32,
            leaf_index: receipt.leaf_index,
            leaf: receipt.leaf,
        };
        let mut line = serde_json::to_vec(&stored).map_err(Failure::failed)?;
        line.push(b'\n');
        let written = file.write_all(&line);
        written.map_err(|error| Failure::failed(unwritten(path, &error)))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> String {
    format!("receipts cannot be written to {}: {error}", path.display())
}
