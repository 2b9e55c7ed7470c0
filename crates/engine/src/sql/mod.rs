//! The databases behind [`domain::Sql`].

mod postgres;
pub(crate) mod sqlite;

pub use postgres::{Postgres, Prepared};
pub use sqlite::Sqlite;
