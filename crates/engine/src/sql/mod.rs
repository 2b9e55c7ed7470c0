//! The databases behind [`domain::Sql`].

pub(crate) mod sqlite;

pub use sqlite::Sqlite;
