//! Names of members and areas, normalised before they enter the log.

use serde::{Deserialize, Serialize};

/// A member's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// As it is shown.
    shown: String,
    /// Case-folded: two names with the same key are the same name.
    key: String,
}

/// An area's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AreaName {
    /// As it is shown.
    shown: String,
    /// Case-folded: two names with the same key are the same name.
    key: String,
}

/// Why a text is not a name; the sentence is for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameProblem(pub &'static str);

impl Name {
    /// Normalises and checks a member's name.
    pub fn parse(_text: &str) -> Result<Self, NameProblem> {
        Err(NameProblem("not written yet"))
    }
    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.shown
    }
    /// The case-folded key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl AreaName {
    /// Normalises and checks an area's name.
    pub fn parse(_text: &str) -> Result<Self, NameProblem> {
        Err(NameProblem("not written yet"))
    }
    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.shown
    }
    /// The case-folded key.
    pub fn key(&self) -> &str {
        &self.key
    }
}
