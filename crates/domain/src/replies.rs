//! Request ids: the first reply is stored with the effects, and a retry gets it again.
//!
//! Replies belong to a *scope*: an account, everybody who has not signed in, the node itself, or
//! the front doors' own retries.

use serde::Serialize;

use crate::command::{Rejection, Reply, RequestId};
use crate::context::{Context, Step, invalid};
use crate::lottery::BETS_PER_LOTTERY_MAX;
use crate::sql::{Fault, Sql};

/// A request id is remembered for this long in log time: a client that was cut off retries within
/// minutes, a phone left in a drawer over night.
pub const REPLY_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// A scope's replies are remembered up to this many (and up to [`BATCH`] more) of those that are
/// older than [`REPLY_SURE_MS`]: one a second for the whole of a day, about 15 MiB.
pub const REPLIES_PER_SCOPE: i64 = 100_000;

/// The same for the node itself, which sends what agencies send: the most batches that a lottery
/// can have, so that an agency that starts again with its file doubles none of them.
pub const REPLIES_OF_SYSTEM: i64 = BETS_PER_LOTTERY_MAX;

/// A reply younger than this in log time is never dropped, however many there are: four times as
/// long as the client library repeats a call by itself. Storage is bounded by what a cluster can
/// write in this time.
pub const REPLY_SURE_MS: i64 = 60 * 1000;

/// A front door's own request id is remembered for this long in log time: it tries again for less
/// than a minute, and log time may go ahead by another when a leader with another clock takes over.
/// There is no bound on how many there are but what a cluster can write in this time.
pub const DOOR_REPLY_KEPT_MS: i64 = 2 * 60 * 1000;

/// A request id's key has at most this many bytes: room for two UUIDs and a prefix.
pub const REQUEST_KEY_MAX_BYTES: usize = 128;

/// Old replies are dropped this many at a time, which makes dropping them cheap.
const BATCH: i64 = 64;

/// The scope of those who have not signed in.
pub(crate) const SCOPE_ANONYMOUS: i64 = 0;

/// The scope of the node itself.
pub(crate) const SCOPE_SYSTEM: i64 = -1;

/// The scope of what front doors try again by themselves.
pub(crate) const SCOPE_DOOR: i64 = -2;

/// Where the reply of a new request will be stored.
pub(crate) struct Slot {
    scope: i64,
    seq: i64,
    /// An expired reply under the same key, to be dropped first.
    expired: Option<i64>,
}

/// What is known of a request id.
pub(crate) enum Found {
    /// It was answered before.
    Stored(Result<Reply, Rejection>),
    /// It is new.
    Free(Slot),
}

/// Refuses a request id that no client should have sent.
pub(crate) fn check(request: &RequestId) -> Step<()> {
    let key = request.key.as_bytes();
    let length = (1..=REQUEST_KEY_MAX_BYTES).contains(&key.len());
    if !length || !key.iter().all(u8::is_ascii_graphic) {
        let reason = "a request id is 1 to 128 visible ASCII characters without spaces";
        return Err(invalid("request_id", reason));
    }
    Ok(())
}

/// Looks a request id up. The same key with another fingerprint is a conflict.
pub(crate) fn find(context: &mut Context<'_>, scope: i64, request: &RequestId) -> Step<Found> {
    let rows = context
        .sql
        .query(SELECT, &[scope.into(), (&request.key).into()])?;
    let row = rows
        .first()
        .ok_or(Fault::Corrupt("an aggregate has no row"))?;
    let seq = row.int(0)? + 1;
    let Some(at_ms) = row.int_opt(1)? else {
        return Ok(Found::Free(Slot {
            scope,
            seq,
            expired: None,
        }));
    };
    if at_ms < context.now_ms.saturating_sub(kept_ms(scope)) {
        return Ok(Found::Free(Slot {
            scope,
            seq,
            expired: Some(row.int(2)?),
        }));
    }
    if row.blob(3)? != request.fingerprint {
        return Err(Rejection::RequestConflict.into());
    }
    Ok(Found::Stored(decode(row.blob(4)?)?))
}

const SELECT: &str = "
    SELECT s.newest, r.at_ms, r.seq, r.fingerprint, r.outcome
    FROM (SELECT COALESCE(MAX(seq), 0) AS newest FROM replies WHERE scope = ?1) s
    LEFT JOIN replies r ON r.scope = ?1 AND r.request_key = ?2";

/// Stores a reply and, every so often, drops old ones.
pub(crate) fn store(
    context: &mut Context<'_>,
    slot: Slot,
    request: &RequestId,
    result: &Result<Reply, Rejection>,
) -> Result<(), Fault> {
    let Slot {
        scope,
        seq,
        expired,
    } = slot;
    if let Some(expired) = expired {
        context.sql.execute(
            "DELETE FROM replies WHERE scope = ?1 AND seq = ?2",
            &[scope.into(), expired.into()],
        )?;
    }
    context.sql.execute(
        "INSERT INTO replies (scope, seq, request_key, fingerprint, at_ms, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            scope.into(),
            seq.into(),
            (&request.key).into(),
            (&request.fingerprint).into(),
            context.now_ms.into(),
            (&encode(result)?).into(),
        ],
    )?;
    if seq % BATCH == 0 {
        trim(context, scope)?;
    }
    context.counters.replies += 1;
    if context.counters.replies % BATCH == 0 {
        sweep(context)?;
    }
    Ok(())
}

/// Trims the next scope: those who write no more do not trim their own.
fn sweep(context: &mut Context<'_>) -> Result<(), Fault> {
    let cursor = context.counters.reply_sweep;
    let rows = context.sql.query(NEXT_SCOPE, &[cursor.into()])?;
    let Some(row) = rows.first() else {
        context.counters.reply_sweep = i64::MIN;
        return Ok(());
    };
    let scope = row.int(0)?;
    if trim(context, scope)? {
        context.counters.reply_sweep = scope + 1;
    }
    Ok(())
}

/// Drops replies of a scope that need not be remembered: twice as many as were stored since the
/// last time, so that it outruns the growth. True if none is left.
fn trim(context: &mut Context<'_>, scope: i64) -> Result<bool, Fault> {
    let oldest = context
        .sql
        .query(OLDEST, &[scope.into(), (2 * BATCH).into()])?;
    let old = context.now_ms.saturating_sub(kept_ms(scope));
    let sure = context.now_ms.saturating_sub(REPLY_SURE_MS);
    let mut dropped = Vec::new();
    for row in &oldest {
        let (seq, at_ms, newest) = (row.int(0)?, row.int(1)?, row.int(2)?);
        if at_ms < old || (at_ms < sure && seq <= newest.saturating_sub(kept(scope))) {
            dropped.push(seq);
        }
    }
    // Log time never runs back, so what is dropped are the first of them.
    if let Some(last) = dropped.last() {
        context.sql.execute(
            "DELETE FROM replies WHERE scope = ?1 AND seq <= ?2",
            &[scope.into(), (*last).into()],
        )?;
    }
    Ok(dropped.len() < 2 * BATCH as usize)
}

fn kept_ms(scope: i64) -> i64 {
    match scope {
        SCOPE_DOOR => DOOR_REPLY_KEPT_MS,
        _ => REPLY_KEPT_MS,
    }
}

fn kept(scope: i64) -> i64 {
    match scope {
        SCOPE_SYSTEM => REPLIES_OF_SYSTEM,
        // Their time alone bounds them.
        SCOPE_DOOR => i64::MAX,
        _ => REPLIES_PER_SCOPE,
    }
}

const NEXT_SCOPE: &str = "SELECT scope FROM replies WHERE scope >= ?1 ORDER BY scope LIMIT 1";

const OLDEST: &str = "
    SELECT r.seq, r.at_ms, (SELECT MAX(seq) FROM replies WHERE scope = ?1)
    FROM replies r WHERE r.scope = ?1 ORDER BY r.seq LIMIT ?2";

/// The stored form of an outcome: postcard behind a version byte.
pub(crate) fn encode(result: &impl Serialize) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(result, vec![OUTCOME_VERSION])
        .map_err(|_| Fault::Corrupt("an outcome cannot be encoded"))
}

fn decode(bytes: &[u8]) -> Result<Result<Reply, Rejection>, Fault> {
    match bytes.split_first() {
        Some((&OUTCOME_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|_| Fault::Corrupt("a stored reply is unreadable"))
        }
        _ => Err(Fault::Corrupt("a stored reply is of another version")),
    }
}

const OUTCOME_VERSION: u8 = 1;
