//! Polls.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{
    BallotCast, BallotProof, CastBallot, NewPoll, Poll, PollMade, PollRecord, PollResult, Polls,
};

impl Client {
    /// A page of polls, newest first; `before` is `next` of the page before.
    pub async fn polls(&self, before: Option<i64>, limit: Option<u32>) -> Result<Polls, Error> {
        let before = before.map(|cursor| cursor.to_string());
        let limit = limit.map(|limit| limit.to_string());
        let call = Call::get(&["v1", "polls"])
            .query("before", before.as_deref())
            .query("limit", limit.as_deref());
        self.fetch(call).await
    }

    /// Makes a poll.
    pub async fn create_poll(&self, poll: &NewPoll) -> Result<PollMade, Error> {
        self.fetch(Call::change(Method::POST, &["v1", "polls"]).json(poll)?)
            .await
    }

    /// One poll.
    pub async fn poll(&self, poll: i64) -> Result<Poll, Error> {
        self.fetch(Call::get(&["v1", "polls", &poll.to_string()]))
            .await
    }

    /// Casts a ballot, or changes it.
    pub async fn vote(&self, poll: i64, ballot: &CastBallot) -> Result<BallotCast, Error> {
        let segments = ["v1", "polls", &poll.to_string(), "ballot"];
        self.fetch(Call::change(Method::PUT, &segments).json(ballot)?)
            .await
    }

    /// Closes a poll (its author, or an administrator).
    pub async fn close_poll(&self, poll: i64) -> Result<(), Error> {
        let segments = ["v1", "polls", &poll.to_string(), "close"];
        self.done(Call::change(Method::POST, &segments)).await
    }

    /// What a poll came to, or how it stands.
    pub async fn poll_result(&self, poll: i64) -> Result<PollResult, Error> {
        self.fetch(Call::get(&["v1", "polls", &poll.to_string(), "result"]))
            .await
    }

    /// The whole record of a closed poll, page by page.
    pub async fn poll_record(&self, poll: i64) -> Result<PollRecord, Error> {
        let call = || Call::get(&["v1", "polls", &poll.to_string(), "record"]);
        let mut record: PollRecord = self.fetch(call()).await?;
        while let Some(next) = record.next {
            let from = next.to_string();
            let page: PollRecord = self.fetch(call().query("from", Some(&from))).await?;
            record.receipts.extend(page.receipts);
            record.next = page.next.filter(|after| *after > next);
        }
        Ok(record)
    }

    /// The proof that the ballot with this code is among the final ones.
    pub async fn ballot_proof(&self, poll: i64, code: &str) -> Result<BallotProof, Error> {
        let call = Call::get(&["v1", "polls", &poll.to_string(), "proof"]);
        self.fetch(call.query("code", Some(code))).await
    }
}
