//! Passwords: Argon2id on the blocking pool, a bounded number at once.
//!
//! A program that opens a connection for each thing it does says its password each time. What was
//! right a moment ago is right still, as long as the account's hash is the same: that is remembered
//! for [`REMEMBERED_FOR`], as a hash under a key that never leaves this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use crate::config::{Limits, PasswordCost};
use crate::problem::{Kind, Trouble};

/// A password has at least this many characters (NIST SP 800-63B).
pub(crate) const PASSWORD_MIN_CHARS: usize = 8;

/// A password has at most this many bytes: room for any phrase, and no free work for an attacker.
pub(crate) const PASSWORD_MAX_BYTES: usize = 1024;

/// When to try again while too many hashes wait: about how long the queue is.
const HASH_QUEUE_MS: u64 = 1_000;

/// How long a password that was right need not be hashed again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Passwords remembered at once; past it all are forgotten, and hashed again.
const REMEMBERED_MAX: usize = 1_024;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// What an unknown name's password is checked against, so that it takes as long as a known one.
    nobody: Arc<str>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    recent: Arc<Recent>,
}

/// Passwords that were right lately, by what they were checked against.
struct Recent {
    key: [u8; 32],
    seen: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Recent {
    fn new() -> Result<Self, Trouble> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Trouble::internal)?;
        Ok(Recent {
            key,
            seen: Mutex::default(),
        })
    }

    fn tag(&self, password: &str, hash: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(hash.len() as u64).to_le_bytes());
        hasher.update(hash.as_bytes()).update(password.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn knows(&self, tag: &[u8; 32]) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(tag)
            .is_some_and(|since| since.elapsed() < REMEMBERED_FOR)
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED_MAX {
            seen.clear();
        }
        seen.insert(tag, Instant::now());
    }
}

impl Passwords {
    /// Prepares hashing at this cost.
    pub fn new(cost: PasswordCost, limits: &Limits) -> Result<Self, Trouble> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.lanes, None)
            .map_err(Trouble::internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, "nobody's password")?;
        Ok(Passwords {
            argon2,
            nobody: nobody.into(),
            running: Arc::new(Semaphore::new(limits.hashes_at_once.max(1))),
            admitted: Arc::new(Semaphore::new(
                limits.hashes_at_once + limits.hashes_waiting,
            )),
            recent: Arc::new(Recent::new()?),
        })
    }

    /// Checks a new password against the rules and hashes it (PHC string).
    pub async fn hash(&self, field: &str, password: &str) -> Result<String, Trouble> {
        check_rules(field, password)?;
        let argon2 = self.argon2.clone();
        let password = normalise(password);
        self.run(move || hash(&argon2, &password)).await?
    }

    /// Whether `password` is the one that `hash` was made of. Without a hash the answer is no,
    /// after the same time.
    pub async fn matches(&self, password: &str, hash: Option<&str>) -> Result<bool, Trouble> {
        if password.len() > PASSWORD_MAX_BYTES {
            return Ok(false);
        }
        let argon2 = self.argon2.clone();
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let password = normalise(password);
        let tag = self.recent.tag(&password, &hash);
        if known && self.recent.knows(&tag) {
            return Ok(true);
        }
        let same = move || match PasswordHash::new(&hash) {
            Ok(hash) => argon2.verify_password(password.as_bytes(), &hash).is_ok(),
            Err(_) => false,
        };
        let right = self.run(same).await? && known;
        if right {
            self.recent.remember(tag);
        }
        Ok(right)
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let _admitted = self
            .admitted
            .clone()
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let running: OwnedSemaphorePermit = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(Trouble::internal)?;
        let work = move || {
            // Held by the work itself: a caller that gives up does not free the core it still uses.
            let _running = running;
            work()
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Trouble::internal)
    }
}

fn busy() -> Trouble {
    Trouble::new(Kind::Busy, "too many people are signing in at this moment")
        .retry_after_ms(HASH_QUEUE_MS)
}

pub(crate) fn check_rules(field: &str, password: &str) -> Result<(), Trouble> {
    if password.len() > PASSWORD_MAX_BYTES {
        let reason = format!("a password has at most {PASSWORD_MAX_BYTES} bytes");
        return Err(Trouble::field(field, reason));
    }
    if password.chars().count() < PASSWORD_MIN_CHARS {
        let reason = format!("a password has at least {PASSWORD_MIN_CHARS} characters");
        return Err(Trouble::field(field, reason));
    }
    Ok(())
}

/// The same letters typed on two systems are the same password (RFC 8265, OpaqueString).
fn normalise(password: &str) -> String {
    password.nfc().collect()
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Trouble> {
    let hash = argon2
        .hash_password(password.as_bytes())
        .map_err(Trouble::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cheap(limits: Limits) -> Passwords {
        Passwords::new(PasswordCost::cheapest(), &limits).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = cheap(Limits::default());
        let hash = passwords.hash("password", "una frase larga").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(
            passwords
                .matches("una frase larga", Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches("otra frase larga", Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches("una frase larga", Some("no hash"))
                .await
                .unwrap()
        );
        assert!(!passwords.matches("nobody's password", None).await.unwrap());
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same() {
        let passwords = cheap(Limits::default());
        let hash = passwords.hash("password", "contrase\u{f1}a").await.unwrap();
        assert!(
            passwords
                .matches("contrasen\u{303}a", Some(&hash))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let passwords = cheap(Limits::default());
        let short = passwords.hash("password", "ñandúes").await.unwrap_err();
        assert_eq!((short.kind, short.errors.len()), (Kind::Invalid, 1));
        let endless = "x".repeat(PASSWORD_MAX_BYTES + 1);
        let refused = passwords.hash("password", &endless).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        assert!(!passwords.matches(&endless, None).await.unwrap());
    }

    #[tokio::test]
    async fn past_the_queue_the_answer_is_busy() {
        let limits = Limits {
            hashes_at_once: 1,
            hashes_waiting: 0,
            ..Limits::default()
        };
        let passwords = cheap(limits);
        let held = passwords.admitted.clone().try_acquire_owned().unwrap();
        let refused = passwords
            .hash("password", "una frase larga")
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::Busy);
        drop(held);
        assert!(passwords.hash("password", "una frase larga").await.is_ok());
    }
}
