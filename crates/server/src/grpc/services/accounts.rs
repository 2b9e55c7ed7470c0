//! Accounts and sessions.

use api::grpc::v1;
use api::grpc::v1::accounts_server::Accounts;
use domain::Action;
use domain::accounts::{ListAccounts, Member};
use domain::names::Name;
use engine::Served;

use crate::app::{App, Caller};
use crate::grpc::answer::{Answer, service};
use crate::grpc::render::{limit, time};
use crate::problem::{Trouble, bad_name, forbidden_to_members};

/// Accounts in a page that asks for no number.
const PAGE_DEFAULT: u32 = 100;

/// Accounts in the longest page.
const PAGE_MAX: u32 = 1_000;

service!(Accounts {
    // A password is no part of what a request id stands for: it would be kept for a day.
    register: v1::RegisterRequest => v1::RegisterResponse,
        once: |ask: &v1::RegisterRequest| ask.name.as_bytes().to_vec();
    log_in: v1::LogInRequest => v1::LogInResponse, once: |_| Vec::new();
    get_session: v1::GetSessionRequest => v1::GetSessionResponse;
    log_out: v1::LogOutRequest => v1::LogOutResponse;
    change_password: v1::ChangePasswordRequest => v1::ChangePasswordResponse,
        once: |_| Vec::new();
    list_accounts: v1::ListAccountsRequest => v1::ListAccountsResponse;
    set_administrator: v1::SetAdministratorRequest => v1::SetAdministratorResponse;
});

async fn register(
    app: &App,
    caller: &Caller,
    ask: v1::RegisterRequest,
) -> Result<Answer<v1::RegisterResponse>, Trouble> {
    let (id, name, written) = app.register(caller, &ask.name, &ask.password).await?;
    let account = v1::Account {
        id,
        name: name.as_str().to_owned(),
        ..v1::Account::default()
    };
    let made = v1::RegisterResponse {
        account: Some(account),
    };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

async fn log_in(
    app: &App,
    caller: &Caller,
    ask: v1::LogInRequest,
) -> Result<Answer<v1::LogInResponse>, Trouble> {
    let opened = app.log_in(caller, &ask.name, &ask.password).await?;
    let session = v1::LogInResponse {
        token: opened.token,
        account: opened.account,
        name: opened.name,
        expires_at: time(opened.expires_at_ms),
    };
    Ok(Answer::at(opened.position, session))
}

async fn get_session(
    app: &App,
    caller: &Caller,
    _: v1::GetSessionRequest,
) -> Result<Answer<v1::GetSessionResponse>, Trouble> {
    let Served { value, position } = app.member(caller).await?;
    let session = v1::GetSessionResponse {
        account: value.account,
        name: value.name,
        administrator: value.administrator,
        expires_at: time(value.expires_at_ms),
    };
    Ok(Answer::at(position, session))
}

async fn log_out(
    app: &App,
    caller: &Caller,
    ask: v1::LogOutRequest,
) -> Result<Answer<v1::LogOutResponse>, Trouble> {
    let action = match ask.everywhere {
        true => Action::LogOutEverywhere,
        false => Action::LogOut,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn change_password(
    app: &App,
    caller: &Caller,
    ask: v1::ChangePasswordRequest,
) -> Result<Answer<v1::ChangePasswordResponse>, Trouble> {
    let changed = app.change_password(caller, &ask.current_password, &ask.new_password);
    Ok(Answer::done(changed.await?))
}

async fn list_accounts(
    app: &App,
    caller: &Caller,
    ask: v1::ListAccountsRequest,
) -> Result<Answer<v1::ListAccountsResponse>, Trouble> {
    caller.token()?;
    let limit = limit(ask.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let question = move |_: &Member| ListAccounts {
        after: ask.after.clone(),
        limit,
    };
    let Served {
        value: (me, accounts),
        position,
    } = app.ask(caller, question).await?;
    if !me.administrator {
        return Err(forbidden_to_members());
    }
    let whole = accounts.len() == limit as usize;
    let last = accounts.last().filter(|_| whole);
    let next = last.map(|account| account.name.clone()).unwrap_or_default();
    let shown = |account: domain::accounts::Account| v1::Account {
        id: account.id,
        name: account.name,
        administrator: account.administrator,
        created_at: time(account.created_at_ms),
    };
    let accounts = accounts.into_iter().map(shown).collect();
    Ok(Answer::at(
        position,
        v1::ListAccountsResponse { accounts, next },
    ))
}

async fn set_administrator(
    app: &App,
    caller: &Caller,
    ask: v1::SetAdministratorRequest,
) -> Result<Answer<v1::SetAdministratorResponse>, Trouble> {
    caller.token()?;
    let name = Name::parse(&ask.name).map_err(bad_name("name"))?;
    let administrator = ask.administrator;
    let action = Action::SetAdministrator {
        name,
        administrator,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}
