//! Registering, logging in and changing the password: what needs a hash besides a command.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use domain::accounts::{Credentials as Stored, FindCredentials};
use domain::names::Name;
use domain::{Action, Outcome, Rejection, Reply};
use engine::{Consistency, Position, Served};

use super::{App, Caller, Written, odd_reply};
use crate::attempts::Verdict;
use crate::problem::{Kind, Trouble, bad_name};
use crate::token::Secret;

/// A session just opened.
pub(crate) struct NewSession {
    pub token: String,
    pub account: i64,
    pub name: String,
    pub expires_at_ms: i64,
    pub position: Position,
}

impl App {
    /// Makes an account; answers its id.
    pub async fn register(
        &self,
        caller: &Caller,
        name: &str,
        password: &str,
    ) -> Result<(i64, Name, Written), Trouble> {
        let name = Name::parse(name).map_err(bad_name("name"))?;
        let password_hash = self.hash_for_registration(caller, password).await?;
        // An account belongs to nobody yet, whoever is signed in.
        let anybody = Caller {
            token: None,
            ..caller.clone()
        };
        let action = Action::Register {
            name: name.clone(),
            password_hash,
        };
        let proposed = self.propose(&anybody, action).await;
        if !proposed.as_ref().is_ok_and(|served| uses_up(&served.value)) {
            self.attempts.not_registered(caller.address, Instant::now());
        }
        let written = Written::of(proposed?, Trouble::from)?;
        if written.replayed {
            self.is_still_the_password(caller.address, name.as_str(), password)
                .await?;
        }
        match written.reply {
            Reply::Account { id } => Ok((id, name, written)),
            ref other => Err(odd_reply(other)),
        }
    }

    /// A registration that is sent again must bring the password that the account has: the request
    /// id does not stand for it, because nothing cheaper to guess from than the account's own hash
    /// is stored. It counts as an attempt to sign in, which it could otherwise stand in for.
    async fn is_still_the_password(
        &self,
        address: IpAddr,
        name: &str,
        password: &str,
    ) -> Result<(), Trouble> {
        match self.check_credentials(address, name, password).await {
            Err(trouble) if trouble.kind == Kind::WrongCredentials => {
                Err(Rejection::RequestConflict.into())
            }
            checked => checked.map(|_| ()),
        }
    }

    /// Hashes a new member's password, which counts for the address it comes from.
    async fn hash_for_registration(
        &self,
        caller: &Caller,
        password: &str,
    ) -> Result<String, Trouble> {
        let counted = self.attempts.register(caller.address, Instant::now());
        counted.map_err(|wait| too_many("many accounts were made from this address", wait))?;
        let hashed = self.passwords.hash("password", password).await;
        if hashed.is_err() {
            self.attempts.not_registered(caller.address, Instant::now());
        }
        hashed
    }

    /// Opens a session. A retry opens another one: a token is never stored, so it cannot be
    /// answered twice.
    pub async fn log_in(
        &self,
        caller: &Caller,
        name: &str,
        password: &str,
    ) -> Result<NewSession, Trouble> {
        let account = self
            .check_credentials(caller.address, name, password)
            .await?;
        let secret = Secret::generate()?;
        let action = Action::LogIn {
            account: account.account,
            password_hash: account.password_hash,
            token_hash: secret.hash(),
            lifetime_ms: millis(self.config.session_lifetime),
        };
        let anybody = Caller {
            token: None,
            request: None,
            ..caller.clone()
        };
        let written = self
            .write_unsigned(&anybody, action)
            .await
            .map_err(as_log_in)?;
        let Written {
            reply, position, ..
        } = written;
        let Reply::Session {
            account: id,
            expires_at_ms,
        } = reply
        else {
            return Err(odd_reply(&reply));
        };
        let token = secret.token(position.index);
        Ok(NewSession {
            token,
            account: id,
            name: account.name,
            expires_at_ms,
            position,
        })
    }

    /// Changes the caller's password, which ends its other sessions.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
    ) -> Result<Written, Trouble> {
        let member = self.member(caller).await?.value;
        let account = match self
            .check_credentials(caller.address, &member.name, current)
            .await
        {
            Err(trouble) if trouble.kind == Kind::WrongCredentials => {
                return Err(Trouble::field(
                    "current_password",
                    "this is not your password",
                ));
            }
            other => other?,
        };
        let new_hash = self.passwords.hash("new_password", new).await?;
        let old_hash = account.password_hash;
        self.write(caller, Action::ChangePassword { old_hash, new_hash })
            .await
    }

    /// Makes a new secret for the caller's private feed, which ends the old one.
    pub async fn new_feed_token(&self, caller: &Caller) -> Result<(String, Position), Trouble> {
        let secret = Secret::generate()?;
        // Like a session's, the secret is not stored and cannot be answered twice.
        let caller = Caller {
            request: None,
            ..caller.clone()
        };
        let action = Action::SetFeedToken {
            token_hash: secret.hash(),
        };
        let written = self.write(&caller, action).await?;
        Ok((secret.token(written.position.index), written.position))
    }

    /// The name of the account that a connection of its own is for, without a session: where the
    /// protocol has none.
    pub async fn authenticate(
        &self,
        address: IpAddr,
        name: &str,
        password: &str,
    ) -> Result<String, Trouble> {
        let account = self.check_credentials(address, name, password).await?;
        Ok(account.name)
    }

    /// The account of a name and its password. Wrong ones use up the allowance of attempts.
    async fn check_credentials(
        &self,
        address: IpAddr,
        name: &str,
        password: &str,
    ) -> Result<Stored, Trouble> {
        // A name that nobody can have is treated like one that nobody has.
        let name = Name::parse(name).ok();
        let key = name.as_ref().map_or("", Name::key);
        let begun = self.attempts.begin(key, address, Instant::now());
        let attempt = begun.map_err(|wait| too_many("too many wrong passwords", wait))?;
        let account = self.find_account(name.clone()).await;
        let stored = account.as_ref().ok().and_then(Option::as_ref);
        let hash = stored.map(|account| account.password_hash.as_str());
        let right = self.passwords.matches(password, hash).await;
        let verdict = match (&account, &right) {
            (Ok(Some(_)), Ok(true)) => Verdict::Right,
            (Ok(_), Ok(_)) => Verdict::Wrong,
            _ => Verdict::Undecided,
        };
        self.attempts.end(&attempt, verdict, Instant::now());
        match (account?, right?) {
            (Some(account), true) => Ok(account),
            _ => Err(wrong_credentials()),
        }
    }

    /// Asks the newest state: whoever just registered on another node must get in.
    async fn find_account(&self, name: Option<Name>) -> Result<Option<Stored>, Trouble> {
        let Some(name) = name else { return Ok(None) };
        let found = self
            .engine
            .read(Consistency::Linearizable, FindCredentials { name })
            .await;
        let Served { value, .. } = found?;
        Ok(value)
    }
}

/// Whether a registration counts for the address it came from: an account was made, or its name is
/// taken, for who asks that over and over looks for the members' names. What no leader, a full
/// queue or a full disk hindered, or what came a second time, is no fault of whoever sent it. A
/// caller that goes away before the answer has used one up: it may have been made.
fn uses_up(outcome: &Outcome) -> bool {
    let counts = matches!(outcome.result, Ok(_) | Err(Rejection::Taken(_)));
    counts && !outcome.replayed
}

fn too_many(what: &str, wait: Duration) -> Trouble {
    let detail = format!("{what}; wait before the next attempt");
    Trouble::new(Kind::TooManyAttempts, detail).retry_after_ms(wait.as_millis() as u64)
}

fn wrong_credentials() -> Trouble {
    Trouble::new(
        Kind::WrongCredentials,
        "nobody of that name has that password",
    )
}

/// A log-in that lost a race against a change of the password had the wrong one.
fn as_log_in(trouble: Trouble) -> Trouble {
    if trouble.kind == Kind::PasswordChanged {
        wrong_credentials()
    } else {
        trouble
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
