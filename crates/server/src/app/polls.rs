//! Polls: who looks, who votes, and as whom.

use std::sync::Arc;

use domain::accounts::Member;
use domain::polls::queries::{GetPoll, Poll, State, Viewer, VotersKind};
use domain::polls::record::{Found, GetRecord, Record};
use domain::{Action, Query, Reply};
use engine::{Position, Served};
use sha2::{Digest, Sha256};

use super::{App, Caller, Written, now_ms, odd_reply};
use crate::polls::not_final;
use crate::problem::Trouble;

/// A code or a voter's secret has at least this many characters: 96 bits in base64 …
const SECRET_MIN_CHARS: usize = 16;

/// … and at most this many: 32 bytes in hexadecimal.
const SECRET_MAX_CHARS: usize = 64;

/// A ballot as a voter gives it.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    /// Which poll.
    pub poll: i64,
    /// The option's number, `None` for a blank ballot.
    pub choice: Option<u32>,
    /// The random code that the voter's client chose.
    pub code: String,
    /// The random secret of a voter without a session.
    pub voter: Option<String>,
}

/// A ballot that was cast.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub code_hash: [u8; 32],
    pub leaf: [u8; 32],
    pub at_ms: i64,
    pub weight: i64,
    pub changed: bool,
    pub position: Position,
    pub replayed: bool,
}

impl App {
    /// Casts a ballot: a member's, or without a session that of whoever holds the secret.
    pub async fn cast(&self, caller: &Caller, vote: Vote) -> Result<Cast, Trouble> {
        check_secret("code", &vote.code)?;
        let code_hash = Sha256::digest(vote.code.as_bytes()).into();
        let voter = match (&caller.token, &vote.voter) {
            (Some(_), _) => None,
            (None, Some(secret)) => {
                check_secret("voter", secret)?;
                Some(cookie_hash(secret))
            }
            (None, None) => return Err(Trouble::not_signed_in()),
        };
        let action = Action::CastBallot {
            poll: vote.poll,
            choice: vote.choice,
            code_hash,
            voter,
        };
        let written = self.write_unsigned(caller, action).await?;
        let Written {
            reply,
            position,
            replayed,
        } = written;
        let Reply::Ballot {
            at_ms,
            changed,
            weight,
            leaf,
        } = reply
        else {
            return Err(odd_reply(&reply));
        };
        Ok(Cast {
            code_hash,
            leaf,
            at_ms,
            weight,
            changed,
            position,
            replayed,
        })
    }

    /// Asks about polls: for the member who has signed in, or for whoever holds the secret.
    pub async fn ask_polls<F, Q>(
        &self,
        caller: &Caller,
        secret: Option<&str>,
        question: F,
    ) -> Result<Served<(Option<Member>, Q::Answer)>, Trouble>
    where
        F: Fn(Viewer) -> Q + Clone + Send + 'static,
        Q: Query + Clone,
    {
        let viewer = Viewer {
            account: None,
            cookie: secret.map(cookie_hash),
            now_ms: now_ms(),
        };
        if caller.token.is_some() {
            let as_member = move |me: &Member| {
                question(Viewer {
                    account: Some(me.account),
                    ..viewer
                })
            };
            let Served { value, position } = self.ask(caller, as_member).await?;
            let value = (Some(value.0), value.1);
            return Ok(Served { value, position });
        }
        let Served { value, position } = self.read(caller, question(viewer)).await?;
        let value = (None, value);
        Ok(Served { value, position })
    }

    /// One poll, which whoever asks may see: without a session only those for anyone.
    pub async fn poll(
        &self,
        caller: &Caller,
        secret: Option<&str>,
        poll: i64,
    ) -> Result<Served<(Option<Member>, Poll)>, Trouble> {
        let question = move |viewer| GetPoll { viewer, poll };
        let Served { value, position } = self.ask_polls(caller, secret, question).await?;
        let (me, found) = value;
        if me.is_none() {
            may_look(found.as_ref())?;
        }
        let found = found.ok_or_else(|| Trouble::missing("poll", poll))?;
        Ok(Served {
            value: (me, found),
            position,
        })
    }

    /// The poll, which whoever asks may see, and the record of its final ballots.
    pub async fn poll_record(
        &self,
        caller: &Caller,
        poll: i64,
    ) -> Result<Served<(Poll, Arc<Record>)>, Trouble> {
        let Served {
            value: (_, found),
            position,
        } = self.poll(caller, None, poll).await?;
        if found.state != State::Closed {
            return Err(not_final());
        }
        let read = async || match self.read(caller, GetRecord { poll }).await?.value {
            Found::Record(record) => Ok(record),
            Found::NotClosed => Err(not_final()),
            Found::NoPoll => Err(Trouble::missing("poll", poll)),
        };
        let record = self.records.get(poll, read).await?;
        Ok(Served {
            value: (found, record),
            position,
        })
    }
}

/// Whether somebody without a session may see a poll. One that does not exist is as hidden as one
/// for others.
fn may_look(poll: Option<&Poll>) -> Result<(), Trouble> {
    match poll {
        Some(poll) if poll.voters == VotersKind::Anyone => Ok(()),
        _ => Err(Trouble::not_signed_in()),
    }
}

/// What stands for a voter without a session.
fn cookie_hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

fn check_secret(field: &str, secret: &str) -> Result<(), Trouble> {
    let length = (SECRET_MIN_CHARS..=SECRET_MAX_CHARS).contains(&secret.len());
    if length && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = "it must be 16 to 64 visible ASCII characters, chosen at random";
    Err(Trouble::field(field, reason))
}
