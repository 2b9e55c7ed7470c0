//! What is stored under a key.

use serde::{Deserialize, Serialize};

/// What kind of thing a key holds. The order of the variants is the wire format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Bytes; a counter is a string, too.
    String,
    /// Items with two ends.
    List,
    /// Fields with values.
    Hash,
    /// Members, each once.
    Set,
    /// Entries that are only appended.
    Journal,
}

impl Kind {
    /// As Redis's TYPE names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::Journal => "stream",
        }
    }
}
