//! SQLite behind [`domain::Sql`].
//!
//! The full-text index is an FTS5 table that keeps no copy of the text, no word positions and
//! nothing of its own about words: the rules hand it words that are already normalised.

use domain::{Fault, Param, Row, Sql, Value};
use rusqlite::config::DbConfig;
use rusqlite::ffi;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode};

/// Statements kept prepared per connection: all that the rules have, with room to grow.
const STATEMENTS_CACHED: usize = 256;

/// A connection in whatever transaction its owner has begun.
pub struct Sqlite<'c> {
    connection: &'c Connection,
}

impl<'c> Sqlite<'c> {
    /// Uses `connection` and sizes its cache of prepared statements.
    pub fn new(connection: &'c Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        // Without it SQLite plans many statements anew for each value they are given, which takes
        // longer than running them. It can only fail for options that SQLite does not know.
        let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
        debug_assert!(
            stable.is_ok(),
            "SQLite is older than its planner's stability guarantee"
        );
        Self { connection }
    }

    /// Prepares a statement and binds its parameters.
    fn bound(&self, sql: &str, params: &[Param<'_>]) -> Result<CachedStatement<'c>, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        for (at, param) in params.iter().enumerate() {
            statement
                .raw_bind_parameter(at + 1, Bound(*param))
                .map_err(fault)?;
        }
        Ok(statement)
    }
}

impl Sql for Sqlite<'_> {
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault> {
        let changed = self.bound(sql, params)?.raw_execute().map_err(fault)?;
        Ok(changed as u64)
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let mut statement = self.bound(sql, params)?;
        if !statement.readonly() {
            return Err(Fault::Corrupt("a query would write"));
        }
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(fault)? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(value(row.get_ref(column).map_err(fault)?)?);
            }
            answer.push(Row(values));
        }
        Ok(answer)
    }

    fn define(&mut self, sql: &str) -> Result<(), Fault> {
        self.connection.execute_batch(sql).map_err(fault)?;
        self.connection.execute_batch(CREATE_INDEX).map_err(fault)
    }

    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO search (rowid, words) VALUES (?1, ?2)",
            &[document.into(), words.into()],
        )?;
        Ok(())
    }

    fn forget_document(&mut self, document: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM search WHERE rowid = ?1", &[document.into()])?;
        Ok(())
    }

    fn find_documents(
        &mut self,
        words: &[String],
        prefix: bool,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>, Fault> {
        let rows = self.query(
            "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid < ?2
             ORDER BY rowid DESC LIMIT ?3",
            &[
                (&expression(words, prefix)).into(),
                before.into(),
                limit.into(),
            ],
        )?;
        rows.iter().map(|row| row.int(0)).collect()
    }
}

/// No text, no positions, deletions by row id; words are split at the spaces between them.
const CREATE_INDEX: &str = "
    CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (
        words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
    )";

/// Every word in quotes, the last one perhaps as a prefix. Words are letters and digits alone, so
/// nothing in them can end the quotes.
fn expression(words: &[String], prefix: bool) -> String {
    let mut expression = String::new();
    for word in words {
        expression.push('"');
        expression.extend(word.chars().filter(|c| c.is_alphanumeric()));
        expression.push_str("\" ");
    }
    if prefix {
        expression.push('*');
    }
    expression
}

struct Bound<'a>(Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, Fault> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err(Fault::Corrupt("a text is not UTF-8")),
        },
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(Fault::Corrupt("a number is not an integer")),
    }
}

/// Tells a full disk from all else. SQLite says `FULL` when a write finds no space, and cannot
/// size its shared memory on a full disk either.
pub(crate) fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error() {
        Some(ffi::Error {
            code: ErrorCode::DiskFull,
            ..
        }) => Fault::DiskFull,
        Some(inner) if inner.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Fault::DiskFull,
        _ => Fault::Database(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use domain::{Fault, Machine, Sql};
    use rusqlite::Connection;

    use super::Sqlite;

    #[test]
    fn a_query_cannot_write() {
        let connection = Connection::open_in_memory().unwrap();
        let mut sql = Sqlite::new(&connection);
        Machine::load(&mut sql).unwrap();
        let row = [b"k".as_slice().into(), b"v".as_slice().into()];
        sql.execute("INSERT INTO store VALUES (?1, ?2)", &row)
            .unwrap();
        let written = sql.query("DELETE FROM store RETURNING name", &[]);
        assert!(matches!(written, Err(Fault::Corrupt(_))));
        assert_eq!(sql.query("SELECT name FROM store", &[]).unwrap().len(), 1);
    }

    #[test]
    fn a_full_database_is_told_from_a_broken_one() {
        let connection = Connection::open_in_memory().unwrap();
        let mut sql = Sqlite::new(&connection);
        Machine::load(&mut sql).unwrap();
        connection
            .execute_batch("PRAGMA max_page_count = 1")
            .unwrap();
        let value = vec![0; 1 << 20];
        let row = [b"k".as_slice().into(), value.as_slice().into()];
        let full = sql.execute("INSERT INTO store VALUES (?1, ?2)", &row);
        assert!(matches!(full, Err(Fault::DiskFull)));
        let broken = sql.execute("INSERT INTO nowhere VALUES (?1, ?2)", &row);
        assert!(matches!(broken, Err(Fault::Database(_))));
    }
}
