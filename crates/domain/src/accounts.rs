//! Accounts and sessions.

use crate::names::Name;
use crate::query::Query;
use crate::sql::{Fault, Sql};

/// An account as a front door needs it to check a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Account id.
    pub account: i64,
    /// The name as it is shown.
    pub name: String,
    /// PHC string.
    pub password_hash: String,
}

/// The credentials of a name, or `None`.
#[derive(Clone, Debug)]
pub struct FindCredentials {
    /// Which account.
    pub name: Name,
}

impl Query for FindCredentials {
    type Answer = Option<Credentials>;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// Who holds a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Account id.
    pub account: i64,
    /// The name as it is shown.
    pub name: String,
    /// Whether the member administers.
    pub administrator: bool,
    /// When the session ends, in milliseconds since 1970; `i64::MAX` for a feed token.
    pub expires_at_ms: i64,
}

/// What a session token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A live session.
    SignedIn(Member),
    /// It was one, and its time is over.
    Expired,
    /// Never existed, or was revoked.
    Unknown,
}

/// The standing of a session token.
#[derive(Clone, Debug)]
pub struct WhoIs {
    /// BLAKE3 of the token.
    pub token_hash: [u8; 32],
    /// The node's wall clock in milliseconds since 1970 (the log's clock counts if it is later).
    pub now_ms: i64,
}

impl Query for WhoIs {
    type Answer = Standing;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// The owner of a private feed's token, or `None`.
#[derive(Clone, Debug)]
pub struct WhoseFeed {
    /// BLAKE3 of the token.
    pub token_hash: [u8; 32],
}

impl Query for WhoseFeed {
    type Answer = Option<Member>;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}

/// Every account, ordered by name: id, name, administrator.
#[derive(Clone, Debug)]
pub struct ListAccounts {
    /// Names after this one (empty to start).
    pub after: String,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
}

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Account id.
    pub id: i64,
    /// The name as it is shown.
    pub name: String,
    /// Whether the member administers.
    pub administrator: bool,
    /// Log time of registration, milliseconds since 1970.
    pub created_at_ms: i64,
}

impl Query for ListAccounts {
    type Answer = Vec<Account>;
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}
