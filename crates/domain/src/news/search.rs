//! Full-text search: how text becomes words, and the query.
//!
//! Words are letters and digits, without accents, in lower case; the index sees nothing else, so
//! what a user types can never be taken for the index's own query language.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::news::posts::STATE_LIVE;
use crate::news::queries::{Body, Post};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

/// Words are cut at this many bytes: longer ones are data, not language.
pub const WORD_MAX_BYTES: usize = 64;

/// A search looks for at most this many words; the rest are left out.
pub const SEARCH_WORDS_MAX: usize = 16;

/// The last word counts as the beginning of a word from this many characters on: a single letter
/// begins so many words that finding them all would take too long.
pub const PREFIX_MIN_CHARS: usize = 2;

/// The longest answer to a search.
pub const SEARCH_PAGE_MAX: u32 = 100;

/// A search reads at most this many batches of the index for one page: it may meet posts of an
/// area that is being swept away, and then answers fewer posts and a cursor.
const BATCHES_MAX: usize = 4;

/// Posts that contain every word of `text`, newest first. The last one may be the beginning of a
/// word, see [`PREFIX_MIN_CHARS`].
#[derive(Clone, Debug)]
pub struct Search {
    /// Who asks.
    pub viewer: i64,
    /// What is looked for, as typed. Without a letter or a digit nothing is found.
    pub text: String,
    /// Continue below this cursor (`i64::MAX` to start).
    pub before: i64,
    /// At most this many, 1 to 100.
    pub limit: u32,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The posts with the name of their area.
    pub posts: Vec<(String, Post)>,
    /// Cursor of the next page, if there may be more.
    pub next: Option<i64>,
}

impl Query for Search {
    type Answer = Found;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let mut words = words(&self.text);
        words.truncate(SEARCH_WORDS_MAX);
        let prefix = words
            .last()
            .is_some_and(|word| word.chars().count() >= PREFIX_MIN_CHARS);
        let limit = self.limit.clamp(1, SEARCH_PAGE_MAX);
        let mut found = Found {
            posts: Vec::new(),
            next: Some(self.before),
        };
        if words.is_empty() {
            found.next = None;
        }
        for _ in 0..BATCHES_MAX {
            let (Some(before), true) = (found.next, found.posts.len() < limit as usize) else {
                break;
            };
            let documents = sql.find_documents(&words, prefix, before, limit)?;
            found.next = documents
                .last()
                .copied()
                .filter(|_| documents.len() == limit as usize);
            for document in documents {
                if found.posts.len() == limit as usize {
                    break;
                }
                found.posts.extend(self.post(sql, document)?);
                found.next = found.next.map(|_| document);
            }
        }
        Ok(found)
    }
}

impl Search {
    /// The post of a document, unless its area was removed.
    fn post(&self, sql: &mut dyn Sql, document: i64) -> Result<Option<(String, Post)>, Fault> {
        let rows = sql.query(SELECT_DOCUMENT, &[document.into(), self.viewer.into()])?;
        rows.first().map(post_in_area).transpose()
    }
}

const SELECT_DOCUMENT: &str = "
    SELECT a.name, p.area, p.id, m.name, p.author, p.at_ms, p.title, p.body, p.state,
        COALESCE((SELECT r.high FROM read_ranges r
            WHERE r.area = p.area AND r.account = ?2 AND r.low <= p.id
            ORDER BY r.low DESC LIMIT 1), 0)
    FROM posts p JOIN areas a ON a.id = p.area JOIN accounts m ON m.id = p.author
    WHERE p.document = ?1 AND a.removed = 0";

fn post_in_area(row: &Row) -> Result<(String, Post), Fault> {
    if row.int(8)? != STATE_LIVE {
        return Err(Fault::Corrupt("the full-text index holds a removed post"));
    }
    let post = Post {
        area: row.int(1)?,
        id: row.int(2)?,
        author: row.text(3)?.to_owned(),
        author_id: row.int(4)?,
        at_ms: row.int(5)?,
        read: row.int(9)? >= row.int(2)?,
        body: Body::Text {
            title: row.text(6)?.to_owned(),
            text: row.text(7)?.to_owned(),
        },
    };
    Ok((row.text(0)?.to_owned(), post))
}

/// The words of a text in order: compatibility-decomposed (NFKD), without combining marks, in
/// lower case, split at all that is neither letter nor digit.
pub fn words(text: &str) -> Vec<String> {
    spaced_words(&[text])
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What the index is given for a post: the words of its title and text, separated by spaces.
pub(crate) fn document_words(title: &str, text: &str) -> String {
    spaced_words(&[title, text])
}

fn spaced_words(texts: &[&str]) -> String {
    let mut words = Words::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for text in texts {
        text.chars().for_each(|c| words.push(c));
        words.end_word();
    }
    words.spaced.pop();
    words.spaced
}

/// Words as they grow, each followed by a space.
struct Words {
    spaced: String,
    /// Where the word under way begins.
    start: usize,
    /// True once the word under way has been cut.
    cut: bool,
}

impl Words {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            spaced: String::with_capacity(bytes),
            start: 0,
            cut: false,
        }
    }

    /// Takes a character as it was written. Without their marks the parts of a decomposition need
    /// no reordering, so characters can be taken one by one.
    fn push(&mut self, c: char) {
        if c.is_ascii() {
            return self.push_plain(c.to_ascii_lowercase());
        }
        decompose_compatible(c, |part| {
            part.to_lowercase()
                .filter(|c| !is_combining_mark(*c))
                .for_each(|c| self.push_plain(c));
        });
    }

    fn push_plain(&mut self, c: char) {
        if !c.is_alphanumeric() {
            return self.end_word();
        }
        self.cut |= self.spaced.len() + c.len_utf8() > self.start + WORD_MAX_BYTES;
        if !self.cut {
            self.spaced.push(c);
        }
    }

    fn end_word(&mut self) {
        if self.spaced.len() > self.start {
            self.spaced.push(' ');
            self.start = self.spaced.len();
        }
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{WORD_MAX_BYTES, words};

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(words("Reunión"), words("REUNION"));
        assert_eq!(words("ﬁesta, ½ PAELLA!"), ["fiesta", "1", "2", "paella"]);
        assert_eq!(
            words("  ñandú \"OR\" a* NEAR(b)"),
            ["nandu", "or", "a", "near", "b"]
        );
        assert_eq!(words("İstanbul"), words("istanbul"));
        assert_eq!(words("日本語 текст"), ["日本語", "текст"]);
        assert!(words("¡…! -- \u{301}").is_empty());
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = words(&"é".repeat(100));
        assert_eq!(long, ["e".repeat(WORD_MAX_BYTES)]);
        let cut = words(&("語".repeat(100) + "a b"));
        assert_eq!(cut, ["語".repeat(WORD_MAX_BYTES / 3), "b".to_owned()]);
    }
}
