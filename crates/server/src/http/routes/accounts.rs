//! Accounts and sessions.

use api::types::{Account, Accounts, Credentials, CurrentSession, PasswordChange, Session};
use axum::extract::{Path, State};
use domain::Action;
use domain::accounts::{ListAccounts, Member};
use domain::names::Name;
use engine::Served;

use crate::app::{App, Caller, NewSession};
use crate::http::extract::Input;
use crate::http::{Answer, Pairs};
use crate::problem::{Trouble, bad_name, forbidden_to_members};
use crate::render::{self, rfc3339};

/// Accounts in a page that asks for no number.
const PAGE_DEFAULT: i64 = 100;

/// Accounts in the longest page.
const PAGE_MAX: i64 = 1_000;

/// Make an account
///
/// A retry with the same `Idempotency-Key`, name and password makes no second account. With
/// another password than the account's it is a conflict, and counts as an attempt to log in.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", security(()),
    request_body = Credentials,
    responses((status = 201, body = Account)))]
pub(super) async fn register(
    State(app): State<App>,
    Input { caller, body }: Input<Credentials>,
) -> Result<Answer<Account>, Trouble> {
    let (id, name, written) = app.register(&caller, &body.name, &body.password).await?;
    let name = name.as_str().to_owned();
    let account = Account {
        id,
        name,
        administrator: false,
        created_at: None,
    };
    Ok(Answer::created(written.position, account).replayed(written.replayed))
}

/// List the accounts
///
/// Administrators only. Ordered by name.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 1,000; 100 if absent")),
    responses((status = 200, body = Accounts)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Accounts>, Trouble> {
    caller.token()?;
    let query = query.only(&["after", "limit"])?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_DEFAULT) as u32;
    let after = query.text("after")?.unwrap_or_default().to_owned();
    let question = move |_: &Member| ListAccounts {
        after: after.clone(),
        limit,
    };
    let Served {
        value: (me, accounts),
        position,
    } = app.ask(&caller, question).await?;
    if !me.administrator {
        return Err(forbidden_to_members());
    }
    let accounts: Vec<Account> = accounts.into_iter().map(render::account).collect();
    let more = accounts.len() == limit as usize;
    let next = accounts
        .last()
        .filter(|_| more)
        .map(|account| account.name.clone());
    Ok(Answer::ok(position, Accounts { accounts, next }))
}

/// Change one's own password
///
/// Ends the other sessions of the account.
#[utoipa::path(put, path = "/v1/accounts/current/password", tag = "accounts",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")))]
pub(super) async fn change_password(
    State(app): State<App>,
    Input { caller, body }: Input<PasswordChange>,
) -> Result<Answer<()>, Trouble> {
    let changed = app.change_password(&caller, &body.current_password, &body.new_password);
    Ok(Answer::done(changed.await?))
}

/// Make an administrator
///
/// Administrators only.
#[utoipa::path(put, path = "/v1/accounts/{name}/administrator", tag = "accounts",
    params(("name" = String, Path, description = "The member's name")),
    responses((status = 204, description = "The member administers")))]
pub(super) async fn make_administrator(
    State(app): State<App>,
    caller: Caller,
    name: Path<String>,
) -> Result<Answer<()>, Trouble> {
    set_administrator(&app, &caller, &name, true).await
}

/// Unmake an administrator
///
/// Administrators only. The last one stays.
#[utoipa::path(delete, path = "/v1/accounts/{name}/administrator", tag = "accounts",
    params(("name" = String, Path, description = "The member's name")),
    responses((status = 204, description = "The member no longer administers")))]
pub(super) async fn unmake_administrator(
    State(app): State<App>,
    caller: Caller,
    name: Path<String>,
) -> Result<Answer<()>, Trouble> {
    set_administrator(&app, &caller, &name, false).await
}

async fn set_administrator(
    app: &App,
    caller: &Caller,
    name: &str,
    administrator: bool,
) -> Result<Answer<()>, Trouble> {
    caller.token()?;
    let name = Name::parse(name).map_err(bad_name("name"))?;
    let action = Action::SetAdministrator {
        name,
        administrator,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}

/// Log in
///
/// Opens a session. Wrong passwords use up an allowance per name and per address. A retry opens
/// another session, also with an `Idempotency-Key`: a token is stored nowhere, so it cannot be
/// answered twice.
#[utoipa::path(post, path = "/v1/sessions", tag = "accounts", security(()),
    request_body = Credentials,
    responses((status = 201, body = Session)))]
pub(super) async fn log_in(
    State(app): State<App>,
    Input { caller, body }: Input<Credentials>,
) -> Result<Answer<Session>, Trouble> {
    let opened = app.log_in(&caller, &body.name, &body.password).await?;
    let NewSession {
        token,
        account,
        name,
        expires_at_ms,
        position,
    } = opened;
    let expires_at = rfc3339(expires_at_ms);
    Ok(Answer::created(
        position,
        Session {
            token,
            account,
            name,
            expires_at,
        },
    ))
}

/// Whose session this is
#[utoipa::path(get, path = "/v1/sessions/current", tag = "accounts",
    responses((status = 200, body = CurrentSession)))]
pub(super) async fn current(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<CurrentSession>, Trouble> {
    let Served {
        value: me,
        position,
    } = app.member(&caller).await?;
    let Member {
        account,
        name,
        administrator,
        expires_at_ms,
    } = me;
    let expires_at = rfc3339(expires_at_ms);
    Ok(Answer::ok(
        position,
        CurrentSession {
            account,
            name,
            administrator,
            expires_at,
        },
    ))
}

/// Log out
///
/// Revokes this session.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "accounts",
    responses((status = 204, description = "Logged out")))]
pub(super) async fn log_out(State(app): State<App>, caller: Caller) -> Result<Answer<()>, Trouble> {
    Ok(Answer::done(app.write(&caller, Action::LogOut).await?))
}

/// Log out everywhere
///
/// Revokes every session of the account.
#[utoipa::path(delete, path = "/v1/sessions", tag = "accounts",
    responses((status = 204, description = "Logged out")))]
pub(super) async fn log_out_everywhere(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<()>, Trouble> {
    Ok(Answer::done(
        app.write(&caller, Action::LogOutEverywhere).await?,
    ))
}
