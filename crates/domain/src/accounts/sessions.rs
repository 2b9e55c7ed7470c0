//! Sessions. A token's hash is the key; a revoked or expired session keeps its row for a while, so
//! that its holder is told which of the two it is and the token cannot be opened again.

use crate::accounts::check_password;
use crate::command::{Rejection, Reply, Thing};
use crate::context::{Caller, Context, Member, Step, invalid};
use crate::sql::{Fault, Sql};

/// A session lasts at least a second …
pub const SESSION_MIN_MS: i64 = 1_000;

/// … and at most a leap year: a machine that is thrown away does not stay signed in for ever.
pub const SESSION_MAX_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// An expired session is remembered this long, to say "expired" instead of "unknown".
pub const SESSION_REMEMBERED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// An account has at most this many sessions; one more takes the place of the one that would end
/// first. It bounds what somebody who logs in in a loop can store.
pub const SESSIONS_PER_ACCOUNT_MAX: i64 = 100;

/// How many sessions that are long over one login drops: more than it adds.
const DROPPED_PER_LOGIN: i64 = 2;

pub(crate) fn log_in(
    context: &mut Context<'_>,
    account: i64,
    password_hash: &str,
    token_hash: &[u8; 32],
    lifetime_ms: i64,
) -> Step<Reply> {
    if !(SESSION_MIN_MS..=SESSION_MAX_MS).contains(&lifetime_ms) {
        return Err(invalid(
            "lifetime_ms",
            "a session lasts between one second and 366 days",
        ));
    }
    check_password(context, account, password_hash)?;
    let taken = context.sql.query(
        "SELECT account FROM sessions WHERE token_hash = ?1",
        &[token_hash.into()],
    )?;
    if !taken.is_empty() {
        return Err(Rejection::Taken(Thing::Session).into());
    }
    drop_old(context)?;
    make_room(context, account)?;
    let expires_at_ms = context.now_ms.saturating_add(lifetime_ms);
    context.sql.execute(
        "INSERT INTO sessions (token_hash, account, expires_at_ms, revoked) VALUES (?1, ?2, ?3, 0)",
        &[token_hash.into(), account.into(), expires_at_ms.into()],
    )?;
    Ok(Reply::Session {
        account,
        expires_at_ms,
    })
}

/// Drops a few sessions that have been over for [`SESSION_REMEMBERED_MS`].
fn drop_old(context: &mut Context<'_>) -> Result<(), Fault> {
    let over = context.now_ms.saturating_sub(SESSION_REMEMBERED_MS);
    let rows = context.sql.query(
        "SELECT token_hash FROM sessions WHERE expires_at_ms <= ?1
         ORDER BY expires_at_ms, token_hash LIMIT ?2",
        &[over.into(), DROPPED_PER_LOGIN.into()],
    )?;
    rows.iter()
        .try_for_each(|row| forget(context, &row.hash(0)?))
}

/// Drops the sessions that would end first if the account has too many.
fn make_room(context: &mut Context<'_>, account: i64) -> Result<(), Fault> {
    let rows = context.sql.query(
        "SELECT token_hash FROM sessions WHERE account = ?1
         ORDER BY expires_at_ms DESC, token_hash DESC LIMIT 2 OFFSET ?2",
        &[account.into(), (SESSIONS_PER_ACCOUNT_MAX - 1).into()],
    )?;
    rows.iter()
        .try_for_each(|row| forget(context, &row.hash(0)?))
}

fn forget(context: &mut Context<'_>, token_hash: &[u8; 32]) -> Result<(), Fault> {
    context
        .sql
        .execute(
            "DELETE FROM sessions WHERE token_hash = ?1",
            &[token_hash.into()],
        )
        .map(|_| ())
}

pub(crate) fn log_out(context: &mut Context<'_>) -> Step<Reply> {
    let token_hash = context.member()?.token_hash.ok_or(Rejection::NotSignedIn)?;
    context.sql.execute(
        "UPDATE sessions SET revoked = 1 WHERE token_hash = ?1",
        &[(&token_hash).into()],
    )?;
    Ok(Reply::Done)
}

pub(crate) fn log_out_everywhere(context: &mut Context<'_>) -> Step<Reply> {
    let account = context.account()?;
    context.sql.execute(
        "UPDATE sessions SET revoked = 1 WHERE account = ?1 AND revoked = 0",
        &[account.into()],
    )?;
    Ok(Reply::Done)
}

/// Revokes every session of the account but the one that asks.
pub(crate) fn revoke_others(context: &mut Context<'_>, account: i64) -> Step<()> {
    let own = context.member()?.token_hash.unwrap_or_default();
    context.sql.execute(
        "UPDATE sessions SET revoked = 1
         WHERE account = ?1 AND revoked = 0 AND token_hash <> ?2",
        &[account.into(), (&own).into()],
    )?;
    Ok(())
}

/// The scope of request ids and the caller that a session token stands for. A session that is over
/// still has its scope, so that a repeated logout gets its first reply again.
pub(crate) fn session_caller(
    sql: &mut dyn Sql,
    token_hash: &[u8; 32],
    now_ms: i64,
) -> Result<(Option<i64>, Result<Caller, Rejection>), Fault> {
    let rows = sql.query(
        "SELECT s.account, s.expires_at_ms, s.revoked, a.name, a.administrator
         FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.token_hash = ?1",
        &[token_hash.into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok((None, Err(Rejection::NotSignedIn)));
    };
    let account = row.int(0)?;
    let caller = if row.bool(2)? {
        Err(Rejection::NotSignedIn)
    } else if row.int(1)? <= now_ms {
        Err(Rejection::SessionExpired)
    } else {
        Ok(Caller::Member(Member {
            account,
            name: row.text(3)?.to_owned(),
            administrator: row.bool(4)?,
            token_hash: Some(*token_hash),
            said_at_ms: None,
        }))
    };
    Ok((Some(account), caller))
}

/// The same for the node acting in a member's name.
pub(crate) fn behalf_caller(
    sql: &mut dyn Sql,
    account: i64,
    at_ms: i64,
) -> Result<(Option<i64>, Result<Caller, Rejection>), Fault> {
    let rows = sql.query(
        "SELECT name, administrator FROM accounts WHERE id = ?1",
        &[account.into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok((None, Err(Rejection::NotFound(Thing::Account))));
    };
    let member = Member {
        account,
        name: row.text(0)?.to_owned(),
        administrator: row.bool(1)?,
        token_hash: None,
        said_at_ms: Some(at_ms),
    };
    Ok((Some(account), Ok(Caller::Member(member))))
}
