//! Polls: making, voting, closing, and what came of them.

use api::types::{
    BallotCast, BallotProof, CastBallot, NewPoll, Poll, PollMade, PollRecord, PollResult, Polls,
};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::polls::queries::{ListPolls, Viewer};
use domain::{Action, Reply};
use engine::{Position, Served};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::app::{App, Caller, Vote, odd_reply};
use crate::http::extract::Input;
use crate::http::guard::same_site;
use crate::http::{Answer, Pairs, PollPath, Positioned, VOTER_COOKIE, cookie};
use crate::polls::{self, Csv, hex};
use crate::problem::Trouble;
use crate::render::rfc3339;

/// Polls in a page that asks for no number, and in the longest.
const PAGE_MAX: i64 = 50;

/// Receipts in a page that asks for no number, and in the longest.
const RECORD_PAGE_MAX: i64 = 10_000;

/// List polls
///
/// Newest first.
#[utoipa::path(get, path = "/v1/polls", tag = "polls",
    params(
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 50; 50 if absent")),
    responses((status = 200, body = Polls)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Polls>, Trouble> {
    caller.token()?;
    let query = query.only(&["before", "limit"])?;
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_MAX) as u32;
    let question = move |viewer: Viewer| ListPolls {
        viewer,
        before,
        limit,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask_polls(&caller, None, question).await?;
    let last = found.last().map(|poll| poll.id);
    let next = last.filter(|id| found.len() == limit as usize && *id > 1);
    let polls = found.into_iter().map(polls::poll).collect();
    Ok(Answer::ok(position, Polls { polls, next }))
}

/// Make a poll
#[utoipa::path(post, path = "/v1/polls", tag = "polls", request_body = NewPoll,
    responses((status = 201, body = PollMade)))]
pub(super) async fn create(
    State(app): State<App>,
    Input { caller, body }: Input<NewPoll>,
) -> Result<Answer<PollMade>, Trouble> {
    let poll = polls::new_poll(body)?;
    let written = app.write(&caller, Action::CreatePoll { poll }).await?;
    let Reply::Poll { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let answer = Answer::created(written.position, PollMade { id });
    Ok(answer
        .at(format!("/v1/polls/{id}"))
        .replayed(written.replayed))
}

/// One poll
///
/// One for anyone needs no session.
#[utoipa::path(get, path = "/v1/polls/{poll}", tag = "polls",
    params(("poll" = i64, Path, description = "Id of the poll")),
    security((), ("session" = [])),
    responses((status = 200, body = Poll)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    PollPath(poll): PollPath,
) -> Result<Answer<Poll>, Trouble> {
    let secret = cookie(&headers, VOTER_COOKIE);
    let Served {
        value: (_, poll),
        position,
    } = app.poll(&caller, secret, poll).await?;
    Ok(Answer::ok(position, polls::poll(poll)))
}

/// Cast a ballot, or change it
///
/// One a voter; the newest counts. Exactly one of `choice` and `blank` is given. The answer's leaf
/// is the receipt: with the code it is found in the record once the poll is closed. The record on
/// the nodes links a member to a choice, and the public record shows what each ballot weighs: this
/// is not a secret ballot.
#[utoipa::path(put, path = "/v1/polls/{poll}/ballot", tag = "polls",
    params(("poll" = i64, Path, description = "Id of the poll")),
    security((), ("session" = [])),
    request_body = CastBallot,
    responses((status = 200, body = BallotCast)))]
pub(super) async fn vote(
    State(app): State<App>,
    headers: HeaderMap,
    PollPath(poll): PollPath,
    Input { caller, body }: Input<CastBallot>,
) -> Result<Answer<BallotCast>, Trouble> {
    let choice = choice(&body)?;
    let mut voter = body.voter;
    if voter.is_none() && caller.token.is_none() {
        voter = cookie(&headers, VOTER_COOKIE).map(str::to_owned);
        if voter.is_some() {
            same_site(&app, &headers)?;
        }
    }
    let vote = Vote {
        poll,
        choice,
        code: body.code,
        voter,
    };
    let cast = app.cast(&caller, vote).await?;
    let ballot = BallotCast {
        poll,
        choice: choice.map(i64::from),
        weight: cast.weight,
        changed: cast.changed,
        at: rfc3339(cast.at_ms),
        code_hash: hex(&cast.code_hash),
        leaf: hex(&cast.leaf),
    };
    Ok(Answer::ok(cast.position, ballot).replayed(cast.replayed))
}

fn choice(ballot: &CastBallot) -> Result<Option<u32>, Trouble> {
    match (ballot.choice, ballot.blank) {
        (None, Some(true)) => Ok(None),
        (Some(choice), None | Some(false)) => match u32::try_from(choice) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Trouble::field("choice", "it is the number of an option")),
        },
        _ => Err(Trouble::field(
            "choice",
            "exactly one of choice and blank must be given",
        )),
    }
}

/// Close a poll
///
/// Its author or an administrator. A poll with a closing time closes by itself.
#[utoipa::path(post, path = "/v1/polls/{poll}/close", tag = "polls",
    params(("poll" = i64, Path, description = "Id of the poll")),
    responses((status = 204, description = "Closed")))]
pub(super) async fn close(
    State(app): State<App>,
    caller: Caller,
    PollPath(poll): PollPath,
) -> Result<Answer<()>, Trouble> {
    let action = Action::ClosePoll { poll };
    Ok(Answer::done(app.write(&caller, action).await?))
}

/// What a poll came to, or how it stands
///
/// As JSON, or as CSV with `Accept: text/csv` or `?format=csv`.
#[utoipa::path(get, path = "/v1/polls/{poll}/result", tag = "polls",
    params(
        ("poll" = i64, Path, description = "Id of the poll"),
        ("format" = Option<String>, Query, description = "`json` or `csv`")),
    security((), ("session" = [])),
    responses((status = 200, body = PollResult)))]
pub(super) async fn result(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    PollPath(poll): PollPath,
    query: Pairs,
) -> Result<Response, Trouble> {
    let as_csv = wants_csv(&query.only(&["format"])?, &headers)?;
    let Served {
        value: (_, found),
        position,
    } = app.poll(&caller, None, poll).await?;
    let result = polls::result(&found)?;
    let name = format!("poll-{poll}-result.csv");
    Ok(as_asked(as_csv, position, &name, result))
}

/// The record of a closed poll
///
/// Every final ballot under the hash of its voter's code, as JSON or as CSV: what `consorcio poll
/// verify` recounts. It names members only if the poll said that the ballot is open. It always
/// shows what each ballot weighs, so in a weighted list a weight that only one voter has names that
/// voter. A page that is not the last has a header `Link: <…>; rel="next"` (RFC 8288), in either
/// form; a record in CSV is whole only with all its pages, each of which begins with the row of
/// names.
#[utoipa::path(get, path = "/v1/polls/{poll}/record", tag = "polls",
    params(
        ("poll" = i64, Path, description = "Id of the poll"),
        ("from" = Option<i64>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 10,000; 10,000 if absent"),
        ("format" = Option<String>, Query, description = "`json` or `csv`")),
    security((), ("session" = [])),
    responses((status = 200, body = PollRecord)))]
pub(super) async fn record(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    PollPath(poll): PollPath,
    query: Pairs,
) -> Result<Response, Trouble> {
    let query = query.only(&["from", "limit", "format"])?;
    let as_csv = wants_csv(&query, &headers)?;
    let from = query.number("from", 0..=i64::MAX)?.unwrap_or(0);
    let limit = query.number("limit", 1..=RECORD_PAGE_MAX)?;
    let limit = limit.unwrap_or(RECORD_PAGE_MAX) as u32;
    let Served {
        value: (found, record),
        position,
    } = app.poll_record(&caller, poll).await?;
    let record = polls::record(&found, record.page(from, limit))?;
    let next = record.next;
    let name = match (from, next) {
        (0, None) => format!("poll-{poll}-record.csv"),
        _ => format!("poll-{poll}-record-from-{from}.csv"),
    };
    let mut response = as_asked(as_csv, position, &name, record);
    if let Some(next) = next {
        let format = if as_csv { "csv" } else { "json" };
        let link = format!(
            "</v1/polls/{poll}/record?from={next}&limit={limit}&format={format}>; rel=\"next\""
        );
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

/// The proof that a ballot was counted
///
/// For whoever knows its code, once the poll is closed.
#[utoipa::path(get, path = "/v1/polls/{poll}/proof", tag = "polls",
    params(
        ("poll" = i64, Path, description = "Id of the poll"),
        ("code" = String, Query, description = "The code that the voter's client chose")),
    security((), ("session" = [])),
    responses((status = 200, body = BallotProof)))]
pub(super) async fn proof(
    State(app): State<App>,
    caller: Caller,
    PollPath(poll): PollPath,
    query: Pairs,
) -> Result<Answer<BallotProof>, Trouble> {
    let query = query.only(&["code"])?;
    let missing = || Trouble::field("code", "say whose ballot");
    let code = query.text("code")?.ok_or_else(missing)?;
    let code_hash = Sha256::digest(code.as_bytes()).into();
    let Served {
        value: (_, record),
        position,
    } = app.poll_record(&caller, poll).await?;
    let proof = record.proof(&code_hash);
    let proof = proof.ok_or_else(|| Trouble::not_found("ballot"))?;
    Ok(Answer::ok(position, polls::proof(poll, &proof)))
}

fn wants_csv(query: &Pairs, headers: &HeaderMap) -> Result<bool, Trouble> {
    match query.text("format")? {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(Trouble::field("format", "it must be json or csv")),
        None => {
            let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
            Ok(accept.is_some_and(|kinds| kinds.trim_start().starts_with("text/csv")))
        }
    }
}

fn as_asked<T: Csv + Serialize>(as_csv: bool, position: Position, name: &str, body: T) -> Response {
    if !as_csv {
        return Answer::ok(position, body).into_response();
    }
    let mut response = Positioned(position, body.csv()).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}
