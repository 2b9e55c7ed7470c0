//! Journals of the store.

use bytes::Bytes;
use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{
    Journal, JournalAppended, JournalEntryShown, JournalTrim, JournalTrimmed, Journals,
};

impl Client {
    /// A page of the journals there are; it may be empty though there is a next one.
    pub async fn journals(&self, after: Option<u64>) -> Result<Journals, Error> {
        let after = after.map(|after| after.to_string());
        let call = Call::get(&["v1", "journals"]).query("after", after.as_deref());
        self.fetch(call).await
    }

    /// Appends an entry and answers its index.
    pub async fn append(&self, journal: &[u8], data: Bytes) -> Result<JournalAppended, Error> {
        let call = Call::change(Method::POST, &["v1", "journals"]).segment(journal);
        self.fetch(call.raw("application/octet-stream", data)).await
    }

    /// The entry of an index.
    pub async fn entry(&self, journal: &[u8], index: u64) -> Result<JournalEntryShown, Error> {
        let index = index.to_string();
        let call = Call::get(&["v1", "journals"]).segment(journal);
        self.fetch(call.segment(index.as_bytes())).await
    }

    /// Entries from an index on, oldest first.
    pub async fn entries(
        &self,
        journal: &[u8],
        from: u64,
        limit: Option<u64>,
    ) -> Result<Journal, Error> {
        let (from, limit) = (from.to_string(), limit.map(|limit| limit.to_string()));
        let call = Call::get(&["v1", "journals"]).segment(journal);
        let call = call.query("from", Some(&from));
        self.fetch(call.query("limit", limit.as_deref())).await
    }

    /// The newest entries, oldest first.
    pub async fn newest_entries(&self, journal: &[u8], count: u64) -> Result<Journal, Error> {
        let call = Call::get(&["v1", "journals"]).segment(journal);
        self.fetch(call.query("tail", Some(&count.to_string())))
            .await
    }

    /// Drops all entries but so many of the newest.
    pub async fn trim(&self, journal: &[u8], keep_newest: u64) -> Result<JournalTrimmed, Error> {
        let call = Call::change(Method::POST, &["v1", "journals"]).segment(journal);
        let call = call.segment(b"trim").json(&JournalTrim { keep_newest })?;
        self.fetch(call).await
    }
}
