//! Names of members and areas, normalised before they enter the log.
//!
//! A name is kept twice: as it is shown (Unicode NFKC) and as a key (case-folded). Both are made by
//! the front door and travel in the command, so that replicas whose Unicode tables differ agree.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;

/// A member's name has at least this many characters: one letter is too easily mistyped.
pub const NAME_MIN_CHARS: usize = 2;

/// A member's name has at most this many characters: it must fit beside a title on a phone.
pub const NAME_MAX_CHARS: usize = 32;

/// An area's name has at most this many characters: it is a heading, not a sentence.
pub const AREA_NAME_MAX_CHARS: usize = 60;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameProblem(pub &'static str);

impl std::fmt::Display for NameProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NameProblem {}

impl Name {
    /// Normalises and checks a member's name.
    ///
    /// 2 to 32 letters, digits, `.`, `_` and `-`, the first a letter or a digit; letters of one
    /// script (Unicode Technical Standard 39, section 5.1), so that nobody passes for somebody else
    /// with one letter that only looks the same.
    pub fn parse(text: &str) -> Result<Self, NameProblem> {
        let shown = normalised(text);
        let length = shown.chars().count();
        if !(NAME_MIN_CHARS..=NAME_MAX_CHARS).contains(&length) {
            return Err(NameProblem("a name has 2 to 32 characters"));
        }
        if !shown
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
        {
            return Err(NameProblem(
                "a name has only letters, digits, '.', '_' and '-'",
            ));
        }
        if !shown.starts_with(char::is_alphanumeric) {
            return Err(NameProblem("a name starts with a letter or a digit"));
        }
        if shown.contains(invisible) {
            return Err(NameProblem("a name has only letters that show"));
        }
        if !shown.is_single_script() {
            return Err(NameProblem("a name has letters of one script"));
        }
        Ok(Self {
            key: folded(&shown),
            shown,
        })
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
    ///
    /// 1 to 60 characters; spaces between words become one space; neither `/` nor control
    /// characters; not digits alone, because digits are an area's id; not `.` or `..`, which a
    /// browser takes out of a URL.
    pub fn parse(text: &str) -> Result<Self, NameProblem> {
        let words = normalised(text);
        if words.contains(unprintable) {
            return Err(NameProblem("an area's name has no control characters"));
        }
        if words.contains(invisible) {
            return Err(NameProblem("an area's name has only characters that show"));
        }
        let shown = words
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        if !(1..=AREA_NAME_MAX_CHARS).contains(&shown.chars().count()) {
            return Err(NameProblem("an area's name has 1 to 60 characters"));
        }
        if shown.contains('/') {
            return Err(NameProblem("an area's name has no '/'"));
        }
        if shown.chars().all(char::is_numeric) {
            return Err(NameProblem(
                "an area's name is not digits alone: those are an area's id",
            ));
        }
        if shown == "." || shown == ".." {
            return Err(NameProblem("an area's name is more than dots"));
        }
        Ok(Self {
            key: folded(&shown),
            shown,
        })
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

/// The key of a text that may be a name: what [`Name::key`] and [`AreaName::key`] would be. For
/// look-ups, where a text that is no name simply finds nothing.
pub fn key_of(text: &str) -> String {
    let words = normalised(text);
    folded(
        &words
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// True for characters that show nothing or reorder what is shown: controls, line separators,
/// zero-width spaces and bidirectional overrides.
pub(crate) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}')
        || c == '\u{feff}'
}

/// True for a text that shows nothing.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || invisible(c))
}

/// True for characters that most fonts show as nothing: `Default_Ignorable_Code_Point` of Unicode
/// 17 (DerivedCoreProperties.txt).
fn invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn normalised(text: &str) -> String {
    let whole: String = text.nfkc().collect();
    whole.trim_matches(' ').to_owned()
}

/// Lower, upper and lower again: it takes `ẞ` and `ß` to `ss` and a final `ς` to `σ`, as full case
/// folding would.
fn folded(shown: &str) -> String {
    let upper = shown
        .chars()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{AreaName, Name, is_blank, key_of};

    #[test]
    fn names_are_normalised_and_folded() {
        for (text, shown, key) in [
            ("  Ana  ", "Ana", "ana"),
            ("Ｊｏｓé", "José", "josé"),
            ("Jose\u{301}", "José", "josé"),
            ("STRAẞE", "STRAẞE", "strasse"),
            ("ΝΙΚΟΣ", "ΝΙΚΟΣ", "νικοσ"),
            ("νικος", "νικος", "νικοσ"),
            ("3.er_piso-b", "3.er_piso-b", "3.er_piso-b"),
        ] {
            let name = Name::parse(text).unwrap();
            assert_eq!((name.as_str(), name.key()), (shown, key));
        }
    }

    #[test]
    fn what_is_no_name_is_told_why() {
        for text in [
            "",
            "a",
            " a ",
            &"x".repeat(33),
            "ana maría",
            "ana/eva",
            "_ana",
            "-x",
            "a\0b",
            // A Cyrillic a, and two letters that show nothing.
            "\u{430}dmin",
            "\u{3164}\u{3164}",
        ] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        for text in [
            "",
            " ",
            "12",
            "１２",
            "a/b",
            ".",
            "..",
            "a\tb",
            "a\u{202e}b",
            "O\u{ad}bras",
            "\u{200d}",
            &"x".repeat(61),
        ] {
            assert!(AreaName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_of_every_script_are_names() {
        for text in [
            "мария",
            "田中さくら",
            "김민수",
            "دانيال",
            "Ζωή",
            "ana_2",
            "岡田カナ",
        ] {
            assert!(Name::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_shows_nothing_is_blank() {
        for text in ["", " \t\n", "\u{3164}", "\u{200b} \u{200d}"] {
            assert!(is_blank(text), "{text:?}");
        }
        assert!(!is_blank("👨\u{200d}👩\u{200d}👧"));
    }

    #[test]
    fn area_names_keep_single_spaces() {
        let name = AreaName::parse(" Comisión  de   Obras ").unwrap();
        assert_eq!(name.as_str(), "Comisión de Obras");
        assert_eq!(name.key(), "comisión de obras");
        assert_eq!(key_of("COMISIÓN  de obras "), name.key());
        assert_eq!(AreaName::parse("Piso 3").unwrap().as_str(), "Piso 3");
    }
}
