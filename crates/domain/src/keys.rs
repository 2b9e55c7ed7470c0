//! The replicated store: keys with values and versions.

use crate::query::Query;
use crate::sql::{Fault, Sql};

/// A key has at most this many bytes.
pub const KEY_MAX_BYTES: usize = 1024;

/// A value has at most this many bytes.
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
    fn run(&self, _sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Err(Fault::Corrupt("not written yet"))
    }
}
