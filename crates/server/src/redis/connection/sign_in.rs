//! AUTH, HELLO and RESET: who the client is, and what it speaks.

use std::time::Duration;

use tokio::time::timeout;

use super::{Connection, Cut};
use crate::problem::{Kind, Trouble};
use crate::redis::commands::{Arguments, Command, Parsed, Refusal};
use crate::redis::resp::{Replies, Request, Version, parse_integer};

/// The version of Redis whose commands these are, where Redis tells its own.
pub(super) const REDIS_VERSION: &str = "7.0.0";

impl Connection {
    /// AUTH with the name of an account and its password.
    pub(super) async fn auth(
        &mut self,
        command: &Command,
        request: Request<'_>,
    ) -> Result<(), Cut> {
        let checked = match (request.get(1), request.get(2), request.len()) {
            (Some(name), Some(password), 3) => self.check(name, password).await,
            (Some(_), None, _) => Err(Refusal::Line(
                "WRONGPASS accounts have names here: AUTH <name> <password>".into(),
            )),
            _ => Err(Refusal::Syntax),
        };
        match checked {
            Ok(()) => self.replies.ok(),
            Err(refusal) => refusal.write(command.name, &mut self.replies),
        }
        Ok(())
    }

    async fn check(&mut self, name: &[u8], password: &[u8]) -> Parsed<()> {
        let wrong = || {
            Refusal::Line("WRONGPASS invalid username-password pair or user is disabled.".into())
        };
        // A name or a password that nobody can have is wrong.
        let name = std::str::from_utf8(name).map_err(|_| wrong())?;
        let password = std::str::from_utf8(password).map_err(|_| wrong())?;
        match self.authenticate(name, password).await {
            Ok(account) => {
                self.client.account = Some(account);
                self.unknown = false;
                self.stream.set_known();
                Ok(())
            }
            Err(trouble) => Err(match trouble.kind {
                Kind::WrongCredentials => wrong(),
                Kind::TooManyAttempts => {
                    Refusal::Line(format!("WRONGPASS {}", trouble.detail).into())
                }
                Kind::Busy => Refusal::Line(format!("BUSY {}", trouble.detail).into()),
                Kind::NoLeader => Refusal::Line(format!("CLUSTERDOWN {}", trouble.detail).into()),
                _ => Refusal::Because(trouble.detail.into()),
            }),
        }
    }

    /// A pool of connections says all its passwords at once, and takes a refusal for the end: each
    /// waits for its turn.
    async fn authenticate(&self, name: &str, password: &str) -> Result<String, Trouble> {
        let left = self.stream.time_left().unwrap_or(Duration::MAX);
        let patience = self.shared.config.limits.sign_in_patience.min(left);
        let address = self.client.peer.ip();
        let in_turn = async {
            let _turn = self.shared.signing_in.acquire().await;
            self.shared.app.authenticate(address, name, password).await
        };
        let checked = timeout(patience, in_turn).await;
        checked.unwrap_or_else(|_| {
            let detail = "too many clients are signing in at this moment";
            Err(Trouble::new(Kind::Busy, detail))
        })
    }

    /// HELLO, with all that may be said in it.
    pub(super) async fn hello(
        &mut self,
        command: &Command,
        request: Request<'_>,
    ) -> Result<(), Cut> {
        let greeted = match Greeting::read(request, self.replies.version) {
            Ok(greeting) => self.greet(greeting).await,
            Err(refusal) => Err(refusal),
        };
        match greeted {
            Ok(()) => {
                let id = self.client.id;
                introduce(id, &mut self.replies);
            }
            Err(refusal) => refusal.write(command.name, &mut self.replies),
        }
        Ok(())
    }

    async fn greet(&mut self, greeting: Greeting<'_>) -> Parsed<()> {
        if let Some((name, password)) = greeting.credentials {
            self.check(name, password).await?;
        }
        if self.unknown {
            return Err(Refusal::Line(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise \
                 the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the \
                 client and select the RESP protocol version at the same time"
                    .into(),
            ));
        }
        if let Some(name) = greeting.name {
            self.client.set_name(name)?;
        }
        self.replies.version = greeting.version;
        self.listening.set_version(greeting.version);
        Ok(())
    }

    /// Forgets all about the client.
    pub(super) fn reset(&mut self) {
        self.end_transaction();
        self.watched.clear();
        self.listening.end();
        self.count_listening();
        self.client.reset();
        self.unknown = self.shared.config.password_required;
        if self.unknown {
            self.stream.set_unknown(&self.shared.config.limits);
        }
        self.replies.version = Version::Two;
        self.replies.simple("RESET");
    }
}

/// What is said in a HELLO.
struct Greeting<'a> {
    version: Version,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Greeting<'a> {
    fn read(request: Request<'a>, version: Version) -> Parsed<Self> {
        let mut greeting = Greeting {
            version,
            credentials: None,
            name: None,
        };
        let mut words = Arguments::of(request);
        let Some(version) = words.next() else {
            return Ok(greeting);
        };
        let not_an_integer = Refusal::because("Protocol version is not an integer or out of range");
        greeting.version = match parse_integer(version).ok_or(not_an_integer)? {
            2 => Version::Two,
            3 => Version::Three,
            _ => {
                let line = "NOPROTO unsupported protocol version";
                return Err(Refusal::Line(line.into()));
            }
        };
        while let Some(option) = words.next() {
            let mut rest = words;
            match option.to_ascii_uppercase().as_slice() {
                b"AUTH" if rest.left() >= 2 => {
                    greeting.credentials = Some((rest.word()?, rest.word()?));
                }
                b"SETNAME" if rest.left() >= 1 => greeting.name = Some(rest.word()?),
                _ => {
                    let option = String::from_utf8_lossy(option);
                    return Err(Refusal::Because(
                        format!("Syntax error in HELLO option '{option}'").into(),
                    ));
                }
            }
            words = rest;
        }
        Ok(greeting)
    }
}

/// Who answers.
fn introduce(id: u64, replies: &mut Replies) {
    replies.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        replies.bulk(name.as_bytes());
        replies.bulk(value.as_bytes());
    }
    replies.bulk(b"proto");
    replies.integer(match replies.version {
        Version::Two => 2,
        Version::Three => 3,
    });
    replies.bulk(b"id");
    replies.integer(i64::try_from(id).unwrap_or(i64::MAX));
    // Any node takes any request: nobody has to look for the one that leads.
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        replies.bulk(name.as_bytes());
        replies.bulk(value.as_bytes());
    }
    replies.bulk(b"modules");
    replies.array(0);
}
