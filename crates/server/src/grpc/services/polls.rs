//! Polls: making, voting, closing, following, and what came of them.

use api::grpc::v1;
use api::grpc::v1::cast_ballot_request::Ballot;
use api::grpc::v1::polls_server::Polls;
use domain::polls::queries::{ListPolls, Viewer};
use domain::{Action, Reply};
use engine::Served;
use sha2::{Digest, Sha256};

use super::events::tallies;
use crate::app::{App, Caller, Vote, odd_reply};
use crate::grpc::answer::{Answer, Stream, service};
use crate::grpc::render::{before, fit, limit, not_negative, polls, time};
use crate::problem::Trouble;

/// Polls in a page that asks for no number, and in the longest.
const PAGE_MAX: u32 = 50;

/// Receipts in a page that asks for no number, and in the longest.
const RECORD_PAGE_MAX: u32 = 10_000;

service!(Polls {
    list_polls: v1::ListPollsRequest => v1::ListPollsResponse;
    create_poll: v1::CreatePollRequest => v1::CreatePollResponse;
    get_poll: v1::GetPollRequest => v1::GetPollResponse;
    cast_ballot: v1::CastBallotRequest => v1::CastBallotResponse;
    close_poll: v1::ClosePollRequest => v1::ClosePollResponse;
    get_result: v1::GetResultRequest => v1::GetResultResponse;
    get_poll_record: v1::GetPollRecordRequest => v1::GetPollRecordResponse;
    get_ballot_proof: v1::GetBallotProofRequest => v1::GetBallotProofResponse;
    watch_tally: v1::WatchTallyRequest => Self::WatchTallyStream;
} type WatchTallyStream = Stream<v1::WatchTallyResponse>;);

async fn list_polls(
    app: &App,
    caller: &Caller,
    ask: v1::ListPollsRequest,
) -> Result<Answer<v1::ListPollsResponse>, Trouble> {
    caller.token()?;
    let before = before(ask.before)?;
    let limit = limit(ask.limit, PAGE_MAX, PAGE_MAX)?;
    let question = move |viewer: Viewer| ListPolls {
        viewer,
        before,
        limit,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask_polls(caller, None, question).await?;
    let last = found.last().map(|poll| poll.id);
    let next = last.filter(|id| found.len() == limit as usize && *id > 1);
    let (polls, next) = fit(found.into_iter().map(polls::poll), next, |poll| poll.id);
    Ok(Answer::at(position, v1::ListPollsResponse { polls, next }))
}

async fn create_poll(
    app: &App,
    caller: &Caller,
    ask: v1::CreatePollRequest,
) -> Result<Answer<v1::CreatePollResponse>, Trouble> {
    caller.token()?;
    let poll = polls::new_poll_of(ask)?;
    let written = app.write(caller, Action::CreatePoll { poll }).await?;
    let Reply::Poll { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = v1::CreatePollResponse { id };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

async fn get_poll(
    app: &App,
    caller: &Caller,
    ask: v1::GetPollRequest,
) -> Result<Answer<v1::GetPollResponse>, Trouble> {
    let voter = Some(ask.voter.as_str()).filter(|voter| !voter.is_empty());
    let Served {
        value: (_, poll),
        position,
    } = app.poll(caller, voter, ask.poll).await?;
    let poll = Some(polls::poll(poll));
    Ok(Answer::at(position, v1::GetPollResponse { poll }))
}

async fn cast_ballot(
    app: &App,
    caller: &Caller,
    ask: v1::CastBallotRequest,
) -> Result<Answer<v1::CastBallotResponse>, Trouble> {
    let choice = match ask.ballot {
        Some(Ballot::Choice(number)) => Some(number),
        Some(Ballot::Blank(true)) => None,
        Some(Ballot::Blank(false)) | None => {
            let reason = "exactly one of choice and blank must be given";
            return Err(Trouble::field("choice", reason));
        }
    };
    let vote = Vote {
        poll: ask.poll,
        choice,
        code: ask.code,
        voter: Some(ask.voter).filter(|voter| !voter.is_empty()),
    };
    let cast = app.cast(caller, vote).await?;
    let ballot = v1::CastBallotResponse {
        poll: ask.poll,
        choice,
        weight: cast.weight,
        changed: cast.changed,
        at: time(cast.at_ms),
        code_hash: cast.code_hash.to_vec().into(),
        leaf: cast.leaf.to_vec().into(),
    };
    Ok(Answer::at(cast.position, ballot).replayed(cast.replayed))
}

async fn close_poll(
    app: &App,
    caller: &Caller,
    ask: v1::ClosePollRequest,
) -> Result<Answer<v1::ClosePollResponse>, Trouble> {
    let action = Action::ClosePoll { poll: ask.poll };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn get_result(
    app: &App,
    caller: &Caller,
    ask: v1::GetResultRequest,
) -> Result<Answer<v1::GetResultResponse>, Trouble> {
    let Served {
        value: (_, found),
        position,
    } = app.poll(caller, None, ask.poll).await?;
    Ok(Answer::at(position, polls::result(&found)?))
}

async fn get_poll_record(
    app: &App,
    caller: &Caller,
    ask: v1::GetPollRecordRequest,
) -> Result<Answer<v1::GetPollRecordResponse>, Trouble> {
    let from = not_negative("from", ask.from)?;
    let limit = limit(ask.limit, RECORD_PAGE_MAX, RECORD_PAGE_MAX)?;
    let Served {
        value: (found, record),
        position,
    } = app.poll_record(caller, ask.poll).await?;
    let page = record.page(from, limit);
    let root = page.root.map(|root| root.to_vec().into());
    let shown = v1::GetPollRecordResponse {
        result: Some(polls::result(&found)?),
        receipts: page.receipts.iter().map(polls::receipt).collect(),
        root: root.unwrap_or_default(),
        next: page.next,
    };
    Ok(Answer::at(position, shown))
}

async fn get_ballot_proof(
    app: &App,
    caller: &Caller,
    ask: v1::GetBallotProofRequest,
) -> Result<Answer<v1::GetBallotProofResponse>, Trouble> {
    if ask.code.is_empty() {
        return Err(Trouble::field("code", "say whose ballot"));
    }
    let code_hash = Sha256::digest(ask.code.as_bytes()).into();
    let Served {
        value: (_, record),
        position,
    } = app.poll_record(caller, ask.poll).await?;
    let proof = record.proof(&code_hash);
    let proof = proof.ok_or_else(|| Trouble::not_found("ballot"))?;
    let hashes = proof.path.iter().map(|hash| hash.to_vec().into());
    let shown = v1::GetBallotProofResponse {
        poll: ask.poll,
        receipt: Some(polls::receipt(&proof.receipt)),
        index: proof.index as i64,
        size: proof.size as i64,
        path: hashes.collect(),
        root: proof.root.to_vec().into(),
    };
    Ok(Answer::at(position, shown))
}

async fn watch_tally(
    app: &App,
    caller: &Caller,
    ask: v1::WatchTallyRequest,
) -> Result<Answer<Stream<v1::WatchTallyResponse>>, Trouble> {
    tallies(app, caller, ask.poll).await
}
