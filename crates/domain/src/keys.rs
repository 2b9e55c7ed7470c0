//! The replicated store: keys with values and versions. Anybody may use it.

use crate::command::{Rejection, Reply};
use crate::context::{Context, Step, invalid};
use crate::query::Query;
use crate::sql::{Fault, Sql};

/// A key has at most this many bytes: a path or a URL fits, and the tree of keys stays shallow.
pub const KEY_MAX_BYTES: usize = 1024;

/// A value has at most this many bytes: more belongs in a file, and a log entry must hold it.
pub const VALUE_MAX_BYTES: usize = 512 * 1024;

/// The entry of a key, or `None`.
#[derive(Clone, Debug)]
pub struct GetKey {
    /// The key.
    pub key: Vec<u8>,
}

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// 1 when the key was made, one more with each write.
    pub version: i64,
}

impl Query for GetKey {
    type Answer = Option<Entry>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT value, version FROM keys WHERE name = ?1",
            &[(&self.key).into()],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(Entry {
            value: row.blob(0)?.to_vec(),
            version: row.int(1)?,
        }))
    }
}

pub(crate) fn put(context: &mut Context<'_>, key: &[u8], value: &[u8]) -> Step<Reply> {
    check_key(key)?;
    if value.len() > VALUE_MAX_BYTES {
        return Err(invalid("value", "a value has at most 524288 bytes"));
    }
    let version = version(context, key)? + 1;
    let statement = if version == 1 {
        "INSERT INTO keys (name, value, version) VALUES (?1, ?2, ?3)"
    } else {
        "UPDATE keys SET value = ?2, version = ?3 WHERE name = ?1"
    };
    context
        .sql
        .execute(statement, &[key.into(), value.into(), version.into()])?;
    Ok(Reply::Key { version })
}

pub(crate) fn delete(context: &mut Context<'_>, key: &[u8]) -> Step<Reply> {
    check_key(key)?;
    let version = version(context, key)?;
    if version > 0 {
        context
            .sql
            .execute("DELETE FROM keys WHERE name = ?1", &[key.into()])?;
    }
    Ok(Reply::Key { version })
}

fn check_key(key: &[u8]) -> Result<(), Rejection> {
    if (1..=KEY_MAX_BYTES).contains(&key.len()) {
        return Ok(());
    }
    Err(Rejection::Invalid {
        field: "key".to_owned(),
        reason: "a key has 1 to 1024 bytes".to_owned(),
    })
}

/// The key's version, 0 if it does not exist.
fn version(context: &mut Context<'_>, key: &[u8]) -> Result<i64, Fault> {
    let rows = context
        .sql
        .query("SELECT version FROM keys WHERE name = ?1", &[key.into()])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}
