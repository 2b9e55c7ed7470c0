//! What can be asked. A query is a plain struct with typed answer; it runs on one replica, against
//! one consistent view of the state.

use crate::sql::{Fault, Sql};

/// A question about the state.
pub trait Query: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Reads the answer. Nothing is written, and "there is no such thing" is part of the answer.
    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault>;
}
