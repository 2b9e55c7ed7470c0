//! What a file may be called.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::names::{NameProblem, is_blank, unprintable};

/// A file's name has at most this many bytes: a path that people can read, and that fits into the
/// line of a request, percent-encoded.
pub const NAME_MAX_BYTES: usize = 1_024;

/// Each part between slashes has at most this many bytes: what file systems take.
pub const PART_MAX_BYTES: usize = 255;

/// A file's name, such as `actas/2026/enero.pdf`.
///
/// Parts between slashes, none of them `.` or `..` or blank, so that a client may make directories
/// of them without leaving its own; no backslash, which other systems take for a slash; neither
/// control characters nor such as reorder what is shown. It is kept in NFC, because systems differ
/// in how they write an accent; upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileName(String);

impl FileName {
    /// Normalises and checks a name.
    pub fn parse(text: &str) -> Result<Self, NameProblem> {
        // Before anything is made of it: normalising may make a text longer.
        if text.len() > NAME_MAX_BYTES {
            return Err(TOO_LONG);
        }
        let name: String = text.nfc().collect();
        if name.len() > NAME_MAX_BYTES {
            return Err(TOO_LONG);
        }
        if name.contains(unprintable) {
            return Err(NameProblem("a file's name has no control characters"));
        }
        if name.contains('\\') {
            return Err(NameProblem("a file's name has no backslash"));
        }
        for part in name.split('/') {
            check_part(part)?;
        }
        Ok(FileName(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const TOO_LONG: NameProblem = NameProblem("a file's name has at most 1024 bytes of UTF-8");

fn check_part(part: &str) -> Result<(), NameProblem> {
    if is_blank(part) {
        return Err(NameProblem("no part of a file's name is blank"));
    }
    if part == "." || part == ".." {
        return Err(NameProblem("no part of a file's name is '.' or '..'"));
    }
    if part.len() > PART_MAX_BYTES {
        return Err(NameProblem(
            "a part of a file's name has at most 255 bytes of UTF-8",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::FileName;

    #[test]
    fn names_are_kept_as_they_are() {
        for text in [
            "acta.pdf",
            "Actas/2026/enero 1.pdf",
            "..a",
            ".profile",
            "a?b*",
        ] {
            assert_eq!(FileName::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(FileName::parse("Jose\u{301}").unwrap().as_str(), "José");
    }

    #[test]
    fn what_is_no_name_is_told_why() {
        let (long_part, long) = ("x".repeat(256), "x/".repeat(512) + "x");
        let accents = "e\u{301}".repeat(400);
        for text in [
            "",
            " ",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a\0b",
            "a\nb",
            "a\u{202e}b",
            "a\\..\\b",
            "a/ /b",
            &long_part,
            &long,
            &accents,
        ] {
            assert!(FileName::parse(text).is_err(), "{text:?}");
        }
    }
}
