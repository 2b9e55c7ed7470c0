//! What can be asked about accounts and sessions.

use crate::names::{Name, key_of};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

/// The longest answer to [`ListAccounts`].
pub const ACCOUNTS_PAGE_MAX: u32 = 1_000;

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

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT id, name, password_hash FROM accounts WHERE name_key = ?1",
            &[self.name.key().into()],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(Credentials {
            account: row.int(0)?,
            name: row.text(1)?.to_owned(),
            password_hash: row.text(2)?.to_owned(),
        }))
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

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT a.id, a.name, a.administrator, s.expires_at_ms, s.revoked,
                (SELECT clock_ms FROM machine WHERE id = 1)
             FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.token_hash = ?1",
            &[(&self.token_hash).into()],
        )?;
        let Some(row) = rows.first() else {
            return Ok(Standing::Unknown);
        };
        let expires_at_ms = row.int(3)?;
        if row.bool(4)? {
            return Ok(Standing::Unknown);
        }
        if expires_at_ms <= row.int_opt(5)?.unwrap_or(i64::MIN).max(self.now_ms) {
            return Ok(Standing::Expired);
        }
        member(row, expires_at_ms).map(Standing::SignedIn)
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

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT id, name, administrator FROM accounts WHERE feed_token = ?1",
            &[(&self.token_hash).into()],
        )?;
        rows.first().map(|row| member(row, i64::MAX)).transpose()
    }
}

/// Every account, ordered by name (case-folded).
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

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let limit = i64::from(self.limit.clamp(1, ACCOUNTS_PAGE_MAX));
        let rows = sql.query(
            "SELECT id, name, administrator, created_at_ms FROM accounts WHERE name_key > ?1
             ORDER BY name_key LIMIT ?2",
            &[(&key_of(&self.after)).into(), limit.into()],
        )?;
        rows.iter().map(account).collect()
    }
}

fn account(row: &Row) -> Result<Account, Fault> {
    Ok(Account {
        id: row.int(0)?,
        name: row.text(1)?.to_owned(),
        administrator: row.bool(2)?,
        created_at_ms: row.int(3)?,
    })
}

fn member(row: &Row, expires_at_ms: i64) -> Result<Member, Fault> {
    Ok(Member {
        account: row.int(0)?,
        name: row.text(1)?.to_owned(),
        administrator: row.bool(2)?,
        expires_at_ms,
    })
}
