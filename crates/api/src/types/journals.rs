//! Journals of the store: entries that are only appended, and read by their index.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Some of the store's journals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Journals {
    /// They, in no order.
    pub journals: Vec<JournalName>,
    /// What `after` is for the next page; absent at the end. A page may be empty before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// How a journal is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalName {
    /// Its name as text; what is no UTF-8 in it is shown as `U+FFFD`.
    pub name: String,
    /// Where it is, with its name to the byte.
    #[schema(example = "/v1/journals/acta")]
    pub path: String,
}

/// A page of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Journal {
    /// The node that answered.
    pub node: String,
    /// Entries that the journal holds.
    pub length: u64,
    /// Index of the oldest that may still be there; one more than `newest` if it is empty.
    pub oldest: u64,
    /// Index of the newest that was ever appended; 0 if none was.
    pub newest: u64,
    /// The entries that were asked for, oldest first; those that were deleted are left out.
    pub entries: Vec<JournalEntry>,
    /// What `from` is for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntry {
    /// Its place: 1 is a journal's first; never used again.
    pub index: u64,
    /// Its id as Redis clients see it, `ms-seq`.
    pub id: String,
    /// Raft term in which it was appended.
    pub term: u64,
    /// When it was appended.
    pub at: String,
    /// The member who appended it; `null` if nobody was signed in.
    pub author: Option<String>,
    /// What it says, if that is one field named `data` with text in it, as this API appends them;
    /// otherwise absent, and `fields` are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What it says otherwise, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<JournalField>,
}

/// A field of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether name and value are in Base64, because one of them is no text in UTF-8.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base64: bool,
}

/// An entry, and who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntryShown {
    /// The node that answered.
    pub node: String,
    /// The entry.
    #[serde(flatten)]
    pub entry: JournalEntry,
}

/// An entry was appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalAppended {
    /// Its index.
    pub index: u64,
    /// Its id as Redis clients see it.
    pub id: String,
}

/// Asks that old entries be dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalTrim {
    /// How many of the newest stay.
    pub keep_newest: u64,
}

/// Old entries were dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalTrimmed {
    /// How many there were.
    pub dropped: u64,
}
