//! What a handler works with: the database, who asks, log time, and the counters.

use twox_hash::XxHash3_128;

use crate::command::{Rejection, Reply, Right};
use crate::event::{EventId, Topic};
use crate::machine::Counters;
use crate::sql::{Fault, Param, Row, Sql};
use crate::store::Memory;

/// Why a handler stopped early.
pub(crate) enum Stop {
    /// The answer is no.
    Rejected(Rejection),
    /// The node must stop.
    Broken(Fault),
}

/// What a handler, or a step of one, comes to.
pub(crate) type Step<T> = Result<T, Stop>;

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Stop::Rejected(rejection)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Broken(fault)
    }
}

/// A command in progress.
pub(crate) struct Context<'a> {
    /// The database; what is written through it enters the state hash.
    pub sql: Recorder<'a>,
    /// Log time in milliseconds since 1970.
    pub now_ms: i64,
    /// Who asks.
    pub caller: Caller,
    /// Ids and bounds; kept only if the command is accepted.
    pub counters: Counters,
    /// What to tell the world if the command is accepted.
    pub event: Option<Topic>,
    /// What the command knows of itself.
    pub place: Place,
    /// The store's rows in memory.
    pub memory: Memory,
    /// Rows of the store that the command has written.
    pub written: usize,
}

/// What a command knows of itself beyond its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its place in the log.
    pub position: EventId,
    /// The term it was ordered in.
    pub term: u64,
    /// Random bytes, the same on every replica.
    pub entropy: [u8; 32],
    /// Its reply will be stored under a request id.
    pub keeps_reply: bool,
}

/// Who asks, once the session has been looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody has signed in.
    Anonymous,
    /// The node itself.
    System,
    /// A member.
    Member(Member),
}

/// A member who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Account id.
    pub account: i64,
    /// The name as it is shown.
    pub name: String,
    /// Whether the member administers.
    pub administrator: bool,
    /// The session, unless the node acts in the member's name.
    pub token_hash: Option<[u8; 32]>,
    /// When a post is said to have been published, if the node acts in the member's name.
    pub said_at_ms: Option<i64>,
}

impl Context<'_> {
    /// The member who asks.
    pub fn member(&self) -> Step<&Member> {
        match &self.caller {
            Caller::Member(member) => Ok(member),
            Caller::Anonymous | Caller::System => Err(Rejection::NotSignedIn.into()),
        }
    }

    /// The account that asks.
    pub fn account(&self) -> Step<i64> {
        self.member().map(|member| member.account)
    }

    /// Goes on only for administrators and for the node itself.
    pub fn administrator(&self) -> Step<()> {
        match &self.caller {
            Caller::System => Ok(()),
            Caller::Member(member) if member.administrator => Ok(()),
            Caller::Member(_) => Err(Rejection::Forbidden(Right::Administrator).into()),
            Caller::Anonymous => Err(Rejection::NotSignedIn.into()),
        }
    }

    /// Goes on only for the node itself.
    pub fn system(&self) -> Step<()> {
        match &self.caller {
            Caller::System => Ok(()),
            Caller::Anonymous | Caller::Member(_) => {
                Err(Rejection::Forbidden(Right::System).into())
            }
        }
    }
}

/// A handler's answer with an event.
pub(crate) fn told(context: &mut Context<'_>, topic: Topic, reply: Reply) -> Step<Reply> {
    context.event = Some(topic);
    Ok(reply)
}

/// Refuses a field, with one English sentence for the user.
pub(crate) fn invalid(field: &str, reason: &str) -> Stop {
    Rejection::Invalid {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
    .into()
}

/// A database whose writes are counted and hashed.
///
/// The hash takes the parameters and the changed rows of every write, not the statement's text, so
/// that a reworded statement in a new version is not taken for a replica gone astray.
pub(crate) struct Recorder<'a> {
    sql: &'a mut dyn Sql,
    hasher: blake3::Hasher,
    writes: u32,
}

impl<'a> Recorder<'a> {
    /// Records on top of `hasher`.
    pub fn new(sql: &'a mut dyn Sql, hasher: blake3::Hasher) -> Self {
        Self {
            sql,
            hasher,
            writes: 0,
        }
    }

    /// How many writes there were.
    pub fn writes(&self) -> u32 {
        self.writes
    }

    /// Ends the recording.
    pub fn into_hasher(self) -> blake3::Hasher {
        self.hasher
    }

    /// Notes that a row of the store was changed, or deleted: `row` is its name with or without the
    /// value after it.
    ///
    /// Of rows the hash takes digests that are made faster than its own. Replicas do not choose
    /// what they store, so nobody is served by two rows with the same digest.
    pub fn note_row(&mut self, tag: &[u8; 1], name_length: usize, row: &[u8]) {
        self.writes += 1;
        let digest = XxHash3_128::oneshot(row);
        self.hasher
            .update(tag)
            .update(&(name_length as u32).to_le_bytes())
            .update(&digest.to_le_bytes());
    }

    fn record(&mut self, params: &[Param<'_>], changed: u64) {
        self.writes += 1;
        for param in params {
            match *param {
                Param::Null => self.hasher.update(b"n"),
                Param::Int(value) => self.hasher.update(b"i").update(&value.to_le_bytes()),
                Param::Text(value) => self.record_bytes(b"t", value.as_bytes()),
                Param::Blob(value) => self.record_bytes(b"b", value),
            };
        }
        self.hasher.update(b";").update(&changed.to_le_bytes());
    }

    fn record_bytes(&mut self, tag: &[u8; 1], bytes: &[u8]) -> &mut blake3::Hasher {
        self.hasher
            .update(tag)
            .update(&(bytes.len() as u64).to_le_bytes())
            .update(bytes)
    }
}

impl Sql for Recorder<'_> {
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault> {
        let changed = self.sql.execute(sql, params)?;
        self.record(params, changed);
        Ok(changed)
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        self.sql.query(sql, params)
    }

    fn define(&mut self, _sql: &str) -> Result<(), Fault> {
        Err(Fault::Corrupt("a command tried to change the schema"))
    }

    // The full-text index follows from the posts, so it is counted but not hashed.
    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault> {
        self.writes += 1;
        self.sql.index_document(document, words)
    }

    fn forget_document(&mut self, document: i64) -> Result<(), Fault> {
        self.writes += 1;
        self.sql.forget_document(document)
    }

    fn find_documents(
        &mut self,
        words: &[String],
        prefix: bool,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>, Fault> {
        self.sql.find_documents(words, prefix, before, limit)
    }
}
