//! The database as the rules see it: a handful of synchronous calls.
//!
//! SQL is written once, with `?1` parameters, and must run unchanged on SQLite and on PostgreSQL:
//! ids come from counter rows, every read that feeds a write has a total `ORDER BY`, there are no
//! floats, and text compares by bytes.

use std::fmt;

/// A parameter of a statement, borrowed from the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// SQL `NULL`.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`, UTF-8 without NUL.
    Text(&'a str),
    /// `BYTEA`.
    Blob(&'a [u8]),
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// `BIGINT`; booleans are 0 and 1, times are milliseconds since 1970 (UTC).
    Int(i64),
    /// `TEXT`, UTF-8 without NUL.
    Text(String),
    /// `BYTEA`.
    Blob(Vec<u8>),
}

/// A row of a result, its columns in the order of the `SELECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

/// A database that a command or a query runs against, inside a transaction that the caller owns.
pub trait Sql {
    /// Runs a statement that writes; answers how many rows it changed.
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault>;

    /// Runs a statement that reads; answers its rows. One that writes is a fault.
    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault>;

    /// Runs a schema definition of one or more statements.
    ///
    /// The text is SQLite's; another database strips what it does not know (`WITHOUT ROWID`) and
    /// reads `INTEGER PRIMARY KEY` as a 64-bit one. Makes the full-text index too.
    fn define(&mut self, sql: &str) -> Result<(), Fault>;

    /// Puts a document into the full-text index. `words` is the output of
    /// [`crate::news::search::words`]: normalised words separated by spaces.
    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault>;

    /// Takes a document out of the full-text index.
    fn forget_document(&mut self, document: i64) -> Result<(), Fault>;

    /// Finds documents that contain every word; with `prefix` the last one may be the beginning of
    /// a longer one. The words are letters and digits alone ([`crate::news::search::words`]) and
    /// there is at least one. Newest (largest) document first, below `before`, at most `limit`.
    fn find_documents(
        &mut self,
        words: &[String],
        prefix: bool,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>, Fault>;
}

impl<T: Sql + ?Sized> Sql for &mut T {
    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Fault> {
        (**self).execute(sql, params)
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        (**self).query(sql, params)
    }

    fn define(&mut self, sql: &str) -> Result<(), Fault> {
        (**self).define(sql)
    }

    fn index_document(&mut self, document: i64, words: &str) -> Result<(), Fault> {
        (**self).index_document(document, words)
    }

    fn forget_document(&mut self, document: i64) -> Result<(), Fault> {
        (**self).forget_document(document)
    }

    fn find_documents(
        &mut self,
        words: &[String],
        prefix: bool,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>, Fault> {
        (**self).find_documents(words, prefix, before, limit)
    }
}

/// The database or the disk under it failed, or the stored data contradicts the rules.
///
/// A fault is never an answer to a client: the engine stops the node rather than let it diverge.
#[derive(Debug)]
pub enum Fault {
    /// The database refused or failed a statement.
    Database(Box<dyn std::error::Error + Send + Sync>),
    /// No space is left where the database writes.
    DiskFull,
    /// The stored data is not what the rules wrote.
    Corrupt(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Database(error) => write!(f, "the database failed: {error}"),
            Fault::DiskFull => write!(f, "no space is left on the disk"),
            Fault::Corrupt(what) => write!(f, "the stored data is damaged: {what}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::Database(error) => Some(error.as_ref()),
            Fault::DiskFull | Fault::Corrupt(_) => None,
        }
    }
}

impl Row {
    /// The integer in `column`.
    pub fn int(&self, column: usize) -> Result<i64, Fault> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            _ => Err(Fault::Corrupt("an integer column holds something else")),
        }
    }

    /// The integer in `column`, or `None` for `NULL`.
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>, Fault> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    /// The boolean in `column`, stored as 0 or 1.
    pub fn bool(&self, column: usize) -> Result<bool, Fault> {
        self.int(column).map(|value| value != 0)
    }

    /// The text in `column`.
    pub fn text(&self, column: usize) -> Result<&str, Fault> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(Fault::Corrupt("a text column holds something else")),
        }
    }

    /// The text in `column`, or `None` for `NULL`.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>, Fault> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// The 32 bytes of a hash in `column`.
    pub fn hash(&self, column: usize) -> Result<[u8; 32], Fault> {
        let bytes = self.blob(column)?;
        bytes
            .try_into()
            .map_err(|_| Fault::Corrupt("a hash has the wrong length"))
    }

    /// The bytes in `column`.
    pub fn blob(&self, column: usize) -> Result<&[u8], Fault> {
        match self.0.get(column) {
            Some(Value::Blob(value)) => Ok(value),
            _ => Err(Fault::Corrupt("a bytes column holds something else")),
        }
    }
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Param::Int(value)
    }
}

impl From<u32> for Param<'_> {
    fn from(value: u32) -> Self {
        Param::Int(i64::from(value))
    }
}

impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Param::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Param::Text(value)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Param::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Param::Blob(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Param::Blob(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Param::Blob(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}
