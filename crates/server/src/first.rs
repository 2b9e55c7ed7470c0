//! The first start: the administrator, and the demonstration's data.

mod demo;
mod posts;

use std::time::Duration;

use domain::accounts::{FIRST_ADMINISTRATOR, FindCredentials};
use domain::names::Name;
use domain::{Action, Actor, Proposal, Query, Rejection, Reply, RequestId};
use engine::{Consistency, Engine, ReadError, WriteError};

use crate::config::Config;
use crate::password::{Passwords, check_rules};
use crate::problem::Trouble;
use crate::token::random;

pub use demo::demo;
pub(crate) use demo::{DEMO_MEMBER, DEMO_PASSWORD};

/// Between two attempts while there is no leader yet.
const RETRY: Duration = Duration::from_millis(100);

/// Letters and digits that are not mistaken for each other when they are copied by hand.
const LEGIBLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A generated password: 20 characters of 32 are 100 bits.
const GENERATED_CHARS: usize = 20;

/// What [`bootstrap`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrapped {
    /// The administrator was made; `generated` is its password if none was given. Nobody else
    /// knows it, so it must be shown once.
    Made {
        /// The generated password.
        generated: Option<String>,
    },
    /// There is an administrator already; nothing was done.
    Exists,
}

/// Why the first start failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// The given password breaks the rules; the sentence says which.
    Password(String),
    /// The node is stopping.
    Stopping,
    /// Something failed; the sentence says what.
    Failed(String),
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetupError::Password(why) => write!(f, "the administrator's password: {why}"),
            SetupError::Stopping => write!(f, "the node is stopping"),
            SetupError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SetupError {}

/// Makes the administrator named `admin` if there is none yet. Every node may call it at every
/// start; it waits for a leader as long as it takes.
///
/// # Errors
///
/// If the given password breaks the rules, or the node stops meanwhile.
pub async fn bootstrap(
    engine: &Engine,
    config: &Config,
    password: Option<&str>,
) -> Result<Bootstrapped, SetupError> {
    let name = Name::parse(FIRST_ADMINISTRATOR).map_err(|p| SetupError::Failed(p.0.to_owned()))?;
    if ask(engine, FindCredentials { name }).await?.is_some() {
        return Ok(Bootstrapped::Exists);
    }
    let generated = match password {
        Some(_) => None,
        None => Some(generate().map_err(failed)?),
    };
    let chosen = password.or(generated.as_deref()).unwrap_or_default();
    let password_hash = hash(config, chosen).await?;
    let request = RequestId {
        key: generate().map_err(failed)?,
        fingerprint: [0; 16],
    };
    let action = Action::Bootstrap { password_hash };
    let proposal = Proposal {
        actor: Actor::System,
        request: Some(request),
        action,
    };
    match propose(engine, proposal).await? {
        Ok(_) => Ok(Bootstrapped::Made { generated }),
        Err(Rejection::Taken(_)) => Ok(Bootstrapped::Exists),
        Err(other) => Err(failed(other.into())),
    }
}

/// Whether the administrator may have this password.
///
/// # Errors
///
/// The rule that it breaks.
pub fn check_password(password: &str) -> Result<(), SetupError> {
    check_rules("password", password).map_err(broken)
}

async fn hash(config: &Config, password: &str) -> Result<String, SetupError> {
    let passwords = Passwords::new(config.password_cost, &config.limits).map_err(failed)?;
    let hashed = passwords.hash("password", password).await;
    hashed.map_err(broken)
}

fn broken(trouble: Trouble) -> SetupError {
    match trouble.errors.first() {
        Some(error) => SetupError::Password(error.reason.clone()),
        None => failed(trouble),
    }
}

fn generate() -> Result<String, Trouble> {
    let bytes = random::<GENERATED_CHARS>()?;
    let letters = bytes.map(|byte| char::from(LEGIBLE[usize::from(byte) % LEGIBLE.len()]));
    let groups: Vec<String> = letters
        .chunks(5)
        .map(|group| group.iter().collect())
        .collect();
    Ok(groups.join("-"))
}

fn failed(trouble: Trouble) -> SetupError {
    SetupError::Failed(trouble.detail)
}

/// Asks the newest state, as soon as there is a leader.
async fn ask<Q: Query + Clone>(engine: &Engine, query: Q) -> Result<Q::Answer, SetupError> {
    loop {
        match engine.read(Consistency::Linearizable, query.clone()).await {
            Ok(served) => return Ok(served.value),
            // One that was removed has nothing to set up: whoever runs it stops it.
            Err(ReadError::Stopping | ReadError::CannotGoOn | ReadError::Removed) => {
                return Err(SetupError::Stopping);
            }
            Err(ReadError::Failed(why)) => return Err(SetupError::Failed(why)),
            Err(
                ReadError::Busy { .. }
                | ReadError::NoLeader
                | ReadError::Behind { .. }
                | ReadError::DiskFull
                | ReadError::Outvoted,
            ) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Has a command applied, as soon as there is a leader. Its request id makes the retries harmless.
async fn propose(
    engine: &Engine,
    proposal: Proposal,
) -> Result<Result<Reply, Rejection>, SetupError> {
    loop {
        match engine.write(proposal.clone()).await {
            Ok(served) => return Ok(served.value.result),
            Err(WriteError::Stopping | WriteError::CannotGoOn | WriteError::Removed) => {
                return Err(SetupError::Stopping);
            }
            Err(error @ WriteError::TooLarge { .. }) => {
                return Err(SetupError::Failed(error.to_string()));
            }
            Err(
                WriteError::Busy { .. }
                | WriteError::NoLeader
                | WriteError::OutcomeUnknown
                | WriteError::DiskFull
                | WriteError::Outvoted,
            ) => tokio::time::sleep(RETRY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn generated_passwords_are_long_legible_and_different() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), GENERATED_CHARS + 3);
        assert!(
            one.bytes()
                .all(|byte| byte == b'-' || LEGIBLE.contains(&byte)),
            "{one}"
        );
    }
}
