//! The databases behind [`domain::Sql`].

mod sqlite;

pub use sqlite::Sqlite;
