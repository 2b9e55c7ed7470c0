//! Accounts: who there is, and who administers.
//!
//! Passwords never come this far: a front door hashes them (Argon2id) and checks them, and the
//! commands here carry the hash that was checked, so that a password changed meanwhile is noticed.

mod queries;
mod sessions;

pub use queries::{
    Account, Credentials, FindCredentials, ListAccounts, Member, Standing, WhoIs, WhoseFeed,
};
pub use sessions::{
    SESSION_MAX_MS, SESSION_MIN_MS, SESSION_REMEMBERED_MS, SESSIONS_PER_ACCOUNT_MAX,
};
pub(crate) use sessions::{
    behalf_caller, log_in, log_out, log_out_everywhere, revoke_others, session_caller,
};

use crate::command::{Rejection, Reply, Thing};
use crate::context::{Context, Step, invalid, told};
use crate::event::Topic;
use crate::names::Name;
use crate::sql::{Fault, Sql};

/// The account that the first start makes. Nobody can register the name.
pub const FIRST_ADMINISTRATOR: &str = "admin";

/// A password's hash (PHC string) has at most this many bytes: Argon2id's take about 100.
pub const PASSWORD_HASH_MAX_BYTES: usize = 256;

pub(crate) fn register(context: &mut Context<'_>, name: &Name, hash: &str) -> Step<Reply> {
    check_hash(hash)?;
    if name.key() == FIRST_ADMINISTRATOR {
        return Err(Rejection::Taken(Thing::Account).into());
    }
    create(context, name.as_str(), name.key(), hash, false)
}

pub(crate) fn bootstrap(context: &mut Context<'_>, hash: &str) -> Step<Reply> {
    context.system()?;
    check_hash(hash)?;
    create(
        context,
        FIRST_ADMINISTRATOR,
        FIRST_ADMINISTRATOR,
        hash,
        true,
    )
}

fn create(
    context: &mut Context<'_>,
    name: &str,
    key: &str,
    hash: &str,
    administrator: bool,
) -> Step<Reply> {
    if find(context, key)?.is_some() {
        return Err(Rejection::Taken(Thing::Account).into());
    }
    let id = context.counters.accounts + 1;
    context.counters.accounts = id;
    context.sql.execute(
        "INSERT INTO accounts (id, name, name_key, password_hash, administrator, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            id.into(),
            name.into(),
            key.into(),
            hash.into(),
            administrator.into(),
            context.now_ms.into(),
        ],
    )?;
    told(
        context,
        Topic::MemberJoined {
            name: name.to_owned(),
        },
        Reply::Account { id },
    )
}

pub(crate) fn change_password(context: &mut Context<'_>, old: &str, new: &str) -> Step<Reply> {
    let account = context.account()?;
    check_hash(new)?;
    check_password(context, account, old)?;
    context.sql.execute(
        "UPDATE accounts SET password_hash = ?2 WHERE id = ?1",
        &[account.into(), new.into()],
    )?;
    revoke_others(context, account)?;
    Ok(Reply::Done)
}

pub(crate) fn set_administrator(
    context: &mut Context<'_>,
    name: &Name,
    administrator: bool,
) -> Step<Reply> {
    context.administrator()?;
    let Some((account, is)) = find(context, name.key())? else {
        return Err(Rejection::NotFound(Thing::Account).into());
    };
    if is == administrator {
        return Ok(Reply::Done);
    }
    if !administrator && administrators(context)? == 1 {
        return Err(Rejection::LastAdministrator.into());
    }
    context.sql.execute(
        "UPDATE accounts SET administrator = ?2 WHERE id = ?1",
        &[account.into(), administrator.into()],
    )?;
    Ok(Reply::Done)
}

pub(crate) fn set_feed_token(context: &mut Context<'_>, token_hash: &[u8; 32]) -> Step<Reply> {
    let account = context.account()?;
    let rows = context.sql.query(
        "SELECT id FROM accounts WHERE feed_token = ?1",
        &[token_hash.into()],
    )?;
    match rows.first().map(|row| row.int(0)).transpose()? {
        Some(owner) if owner == account => return Ok(Reply::Done),
        Some(_) => return Err(Rejection::Taken(Thing::Session).into()),
        None => {}
    }
    context.sql.execute(
        "UPDATE accounts SET feed_token = ?2 WHERE id = ?1",
        &[account.into(), token_hash.into()],
    )?;
    Ok(Reply::Done)
}

/// Refuses unless `hash` is still the account's password hash.
fn check_password(context: &mut Context<'_>, account: i64, hash: &str) -> Step<()> {
    let rows = context.sql.query(
        "SELECT password_hash FROM accounts WHERE id = ?1",
        &[account.into()],
    )?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Account))?;
    if row.text(0)? != hash {
        return Err(Rejection::PasswordChanged.into());
    }
    Ok(())
}

fn check_hash(hash: &str) -> Step<()> {
    let length = (2..=PASSWORD_HASH_MAX_BYTES).contains(&hash.len());
    if length && hash.starts_with('$') && hash.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(invalid(
        "password",
        "the password was not hashed into a PHC string",
    ))
}

/// The account with this key: its id, and whether it administers.
fn find(context: &mut Context<'_>, key: &str) -> Result<Option<(i64, bool)>, Fault> {
    let rows = context.sql.query(
        "SELECT id, administrator FROM accounts WHERE name_key = ?1",
        &[key.into()],
    )?;
    rows.first()
        .map(|row| Ok((row.int(0)?, row.bool(1)?)))
        .transpose()
}

fn administrators(context: &mut Context<'_>) -> Result<i64, Fault> {
    let rows = context
        .sql
        .query("SELECT COUNT(*) FROM accounts WHERE administrator = 1", &[])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}
