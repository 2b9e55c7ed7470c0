//! The commands of log entries, read before they are applied.

use bytes::Bytes;
use domain::{Fault, Proposal};
use openraft::EntryPayload;

use crate::types::Entry;

/// The commands of each entry.
pub(super) fn decode(entries: &[Entry]) -> Result<Vec<Vec<Proposal>>, Fault> {
    entries
        .iter()
        .map(|entry| match &entry.payload {
            EntryPayload::Normal(batch) => batch.proposals.iter().map(decode_one).collect(),
            EntryPayload::Blank | EntryPayload::Membership(_) => Ok(Vec::new()),
        })
        .collect()
}

fn decode_one(bytes: &Bytes) -> Result<Proposal, Fault> {
    Proposal::decode(bytes)
        .map_err(|_| Fault::Corrupt("a command of the log was written by a newer version"))
}
