//! PostgreSQL behind [`domain::Sql`]. The database must have the `C` collation, so that text
//! compares by bytes as it does in SQLite.
//!
//! The full-text index is a table of lexemes with a GIN index. Neither of PostgreSQL's parsers
//! touches the words: they arrive normalised, and both databases must find the same.

use std::collections::BTreeMap;

use bytes::BytesMut;
use domain::{Fault, Param, Row, Sql, Value};
use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Statement, Transaction};

/// The prepared statements of one connection, by their text. The rules have a fixed number of them.
#[derive(Default)]
pub struct Prepared(BTreeMap<&'static str, Statement>);

/// A transaction, and what its connection has prepared.
pub struct Postgres<'a, 'c> {
    transaction: &'a mut Transaction<'c>,
    prepared: &'a mut Prepared,
}

impl<'a, 'c> Postgres<'a, 'c> {
    /// Works within `transaction`; `prepared` belongs to its connection.
    pub fn new(transaction: &'a mut Transaction<'c>, prepared: &'a mut Prepared) -> Self {
        Self {
            transaction,
            prepared,
        }
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, Fault> {
        if let Some(statement) = self.prepared.0.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(&numbered(sql)).map_err(fault)?;
        self.prepared.0.insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Sql for Postgres<'_, '_> {
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault> {
        let statement = self.prepare(sql)?;
        let bound: Vec<Bound<'_>> = params.iter().map(|param| Bound(*param)).collect();
        self.transaction
            .execute(&statement, &as_dyn(&bound))
            .map_err(fault)
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql)?;
        let bound: Vec<Bound<'_>> = params.iter().map(|param| Bound(*param)).collect();
        let rows = self
            .transaction
            .query(&statement, &as_dyn(&bound))
            .map_err(fault)?;
        rows.iter().map(row_of).collect()
    }

    fn define(&mut self, sql: &str) -> Result<(), Fault> {
        let sql = sql
            .replace("WITHOUT ROWID", "")
            .replace("INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY");
        self.transaction.batch_execute(&sql).map_err(fault)?;
        self.transaction.batch_execute(CREATE_INDEX).map_err(fault)
    }

    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO search (document, words)
             VALUES (?1, array_to_tsvector(string_to_array(?2, ' ')))",
            &[document.into(), words.into()],
        )?;
        Ok(())
    }

    fn forget_document(&mut self, document: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM search WHERE document = ?1", &[document.into()])?;
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
            "SELECT document FROM search
             WHERE words @@ CAST(CAST(?1 AS TEXT) AS TSQUERY) AND document < ?2
             ORDER BY document DESC LIMIT ?3",
            &[
                (&expression(words, prefix)).into(),
                before.into(),
                limit.into(),
            ],
        )?;
        rows.iter().map(|row| row.int(0)).collect()
    }
}

const CREATE_INDEX: &str = "
    CREATE TABLE IF NOT EXISTS search (document BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
    CREATE INDEX IF NOT EXISTS search_by_word ON search USING GIN (words)";

/// Every word in quotes, the last one perhaps as a prefix. Words are letters and digits alone, so
/// nothing in them can end the quotes.
fn expression(words: &[String], prefix: bool) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace(|c: char| !c.is_alphanumeric(), "")))
        .collect();
    quoted.join(" & ") + if prefix { ":*" } else { "" }
}

/// PostgreSQL numbers its parameters with `$`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn as_dyn<'a>(bound: &'a [Bound<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    bound
        .iter()
        .map(|param| param as &(dyn ToSql + Sync))
        .collect()
}

#[derive(Debug)]
struct Bound<'a>(Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Param::Null => Ok(IsNull::Yes),
            Param::Int(value) if *ty == Type::INT4 => i32::try_from(value)?.to_sql(ty, out),
            Param::Int(value) => value.to_sql(ty, out),
            Param::Text(value) => value.to_sql(ty, out),
            Param::Blob(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::TEXT, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

fn row_of(row: &postgres::Row) -> Result<Row, Fault> {
    (0..row.len())
        .map(|at| value(row, at))
        .collect::<Result<_, _>>()
        .map(Row)
}

fn value(row: &postgres::Row, at: usize) -> Result<Value, Fault> {
    let value = match *row.columns()[at].type_() {
        Type::INT8 => row
            .try_get::<_, Option<i64>>(at)
            .map(|value| value.map(Value::Int)),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(at)
            .map(|value| value.map(|value| Value::Int(i64::from(value)))),
        Type::TEXT => row
            .try_get::<_, Option<String>>(at)
            .map(|value| value.map(Value::Text)),
        Type::BYTEA => row
            .try_get::<_, Option<Vec<u8>>>(at)
            .map(|value| value.map(Value::Blob)),
        _ => {
            return Err(Fault::Corrupt(
                "a column has a type that the rules do not use",
            ));
        }
    };
    Ok(value.map_err(fault)?.unwrap_or(Value::Null))
}

fn fault(error: postgres::Error) -> Fault {
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => Fault::DiskFull,
        _ => Fault::Database(Box::new(error)),
    }
}
