//! Entries of journals, whose fields are bytes, as JSON.

use api::types::{JournalEntry, JournalField};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::store::Entry;

use super::rfc3339;

/// The field that an entry has which was appended through this API.
pub(crate) const DATA: &[u8] = b"data";

/// An entry.
pub(crate) fn entry(entry: Entry) -> JournalEntry {
    let data = data(&entry.fields).map(str::to_owned);
    let fields = match data {
        Some(_) => Vec::new(),
        None => entry.fields.iter().map(field).collect(),
    };
    JournalEntry {
        index: entry.index,
        id: entry.id.to_string(),
        term: entry.term,
        at: rfc3339(entry.at_ms),
        author: entry.author,
        data,
        fields,
    }
}

/// What an entry says whose only field is `data`, if it is text.
fn data(fields: &[(Bytes, Bytes)]) -> Option<&str> {
    match fields {
        [(name, value)] if name == DATA => std::str::from_utf8(value).ok(),
        _ => None,
    }
}

fn field((name, value): &(Bytes, Bytes)) -> JournalField {
    let texts = (std::str::from_utf8(name), std::str::from_utf8(value));
    let (name, value, base64) = match texts {
        (Ok(name), Ok(value)) => (name.to_owned(), value.to_owned(), false),
        _ => (STANDARD.encode(name), STANDARD.encode(value), true),
    };
    JournalField {
        name,
        value,
        base64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &'static [u8], value: &'static [u8]) -> (Bytes, Bytes) {
        (Bytes::from_static(name), Bytes::from_static(value))
    }

    #[test]
    fn text_is_shown_as_it_is_and_other_bytes_in_base64() {
        assert_eq!(data(&[pair(b"data", "año".as_bytes())]), Some("año"));
        assert_eq!(data(&[pair(b"data", b"\xff")]), None);
        assert_eq!(data(&[pair(b"data", b"a"), pair(b"b", b"c")]), None);
        assert_eq!(data(&[pair(b"other", b"a")]), None);
        let plain = field(&pair(b"n", b"1"));
        assert_eq!((plain.value.as_str(), plain.base64), ("1", false));
        let coded = field(&pair(b"data", b"\xff\x00"));
        assert_eq!(
            (coded.name.as_str(), coded.value.as_str()),
            ("ZGF0YQ==", "/wA=")
        );
        assert!(coded.base64);
    }
}
