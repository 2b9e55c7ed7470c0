//! Accounts and sessions.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{Account, Accounts, Credentials, CurrentSession, PasswordChange, Session};

impl Client {
    /// Makes an account.
    pub async fn register(&self, credentials: &Credentials) -> Result<Account, Error> {
        let call = Call::change(Method::POST, &["v1", "accounts"]).json(credentials)?;
        self.fetch(call).await
    }

    /// Opens a session. The token is for [`Client::with_token`].
    pub async fn log_in(&self, credentials: &Credentials) -> Result<Session, Error> {
        // A repetition opens another session with a token of its own, which harms nobody; the
        // stored reply of the first one could not bring its token back.
        let call = Call::change(Method::POST, &["v1", "sessions"])
            .json(credentials)?
            .repeatable();
        self.fetch(call).await
    }

    /// Revokes the session.
    pub async fn log_out(&self) -> Result<(), Error> {
        self.end_session(&["v1", "sessions", "current"]).await
    }

    /// Revokes every session of the member.
    pub async fn log_out_everywhere(&self) -> Result<(), Error> {
        self.end_session(&["v1", "sessions"]).await
    }

    async fn end_session(&self, segments: &[&str]) -> Result<(), Error> {
        match self
            .done(Call::change(Method::DELETE, segments).repeatable())
            .await
        {
            // Also the answer to a repetition whose first try was done and whose answer was lost.
            Err(error) if error.status() == Some(401) => Ok(()),
            result => result,
        }
    }

    /// Whose session this is.
    pub async fn current_session(&self) -> Result<CurrentSession, Error> {
        self.fetch(Call::get(&["v1", "sessions", "current"])).await
    }

    /// Changes the member's password and revokes the member's other sessions.
    pub async fn change_password(&self, change: &PasswordChange) -> Result<(), Error> {
        let segments = ["v1", "accounts", "current", "password"];
        self.done(Call::change(Method::PUT, &segments).json(change)?)
            .await
    }

    /// A page of accounts after the name `after` (administrators only).
    pub async fn accounts(&self, after: Option<&str>) -> Result<Accounts, Error> {
        self.fetch(Call::get(&["v1", "accounts"]).query("after", after))
            .await
    }

    /// Makes or unmakes an administrator (administrators only).
    pub async fn set_administrator(&self, name: &str, administrator: bool) -> Result<(), Error> {
        let method = if administrator {
            Method::PUT
        } else {
            Method::DELETE
        };
        self.done(Call::change(
            method,
            &["v1", "accounts", name, "administrator"],
        ))
        .await
    }
}
