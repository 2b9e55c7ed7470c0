//! `If-Match` and `If-None-Match`, as RFC 9110 has them (section 13.1). A file's entity tag is its
//! root: the same bytes have the same tag, whoever put them and when.

use api::types::Hex32;
use domain::files::{Condition, ROOTS_MAX};
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::headers::bad_header;
use crate::problem::{Kind, Trouble};

/// What a header names.
enum Named {
    /// `*`: whatever is there.
    Anything,
    /// These roots. Tags that are no root are nobody's, and are left out.
    Roots(Vec<[u8; 32]>),
}

/// What a request that changes a file demands of what is there.
pub(crate) fn condition(headers: &HeaderMap) -> Result<Condition, Trouble> {
    match (named(headers, IF_MATCH)?, named(headers, IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::Any),
        (Some(Named::Anything), None) => Ok(Condition::Present),
        (Some(Named::Roots(roots)), None) => Ok(Condition::OneOf(roots)),
        (None, Some(Named::Anything)) => Ok(Condition::Absent),
        (None, Some(Named::Roots(roots))) => Ok(Condition::NoneOf(roots)),
        (Some(_), Some(_)) => {
            let detail = "If-Match and If-None-Match do not go together";
            Err(Trouble::new(Kind::Malformed, detail))
        }
    }
}

/// Whether a request that reads has this version already.
pub(crate) fn matches_none(headers: &HeaderMap, root: &[u8; 32]) -> Result<bool, Trouble> {
    Ok(match named(headers, IF_NONE_MATCH)? {
        None => true,
        Some(Named::Anything) => false,
        Some(Named::Roots(roots)) => !roots.contains(root),
    })
}

fn named(headers: &HeaderMap, name: HeaderName) -> Result<Option<Named>, Trouble> {
    let mut tags = Vec::new();
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| bad_header(name.as_str()))?;
        tags.extend(text.split(',').map(str::trim));
    }
    match tags[..] {
        [] => Ok(None),
        ["*"] => Ok(Some(Named::Anything)),
        _ if tags.len() > ROOTS_MAX => Err(bad_header(name.as_str())),
        _ => {
            let weak_counts = name == IF_NONE_MATCH;
            let mut roots = Vec::new();
            for tag in tags {
                let root = root(tag, weak_counts);
                roots.extend(root.ok_or_else(|| bad_header(name.as_str()))?);
            }
            Ok(Some(Named::Roots(roots)))
        }
    }
}

/// The root that a tag is, if it is one; `None` for what is no tag. A weak tag says that something
/// is about the same, which is not enough to change it.
fn root(tag: &str, weak_counts: bool) -> Option<Option<[u8; 32]>> {
    let (tag, weak) = match tag.strip_prefix("W/") {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let inside = tag.strip_prefix('"')?.strip_suffix('"')?;
    let root = inside.parse().ok().map(|Hex32(root)| root);
    Some(root.filter(|_| weak_counts || !weak))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderValue;

    use super::*;

    const ONE: [u8; 32] = [0x11; 32];

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn tag() -> String {
        format!("\"{}\"", "11".repeat(32))
    }

    #[test]
    fn headers_become_conditions() {
        let (tag, weak) = (tag(), format!("W/{}", tag()));
        let other = format!("\"x\", {tag}");
        for (name, value, expected) in [
            (IF_MATCH, "*", Condition::Present),
            (IF_MATCH, tag.as_str(), Condition::OneOf(vec![ONE])),
            (IF_MATCH, other.as_str(), Condition::OneOf(vec![ONE])),
            (IF_MATCH, weak.as_str(), Condition::OneOf(vec![])),
            (IF_NONE_MATCH, "*", Condition::Absent),
            (IF_NONE_MATCH, weak.as_str(), Condition::NoneOf(vec![ONE])),
        ] {
            let found = condition(&headers(&[(name, value)])).unwrap();
            assert_eq!(found, expected, "{value}");
        }
        assert_eq!(condition(&headers(&[])).unwrap(), Condition::Any);
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for value in ["", "x", "\"x", "*, *", "11"] {
            assert!(
                condition(&headers(&[(IF_MATCH, value)])).is_err(),
                "{value}"
            );
        }
        let both = headers(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]);
        assert!(condition(&both).is_err());
    }

    #[test]
    fn a_reader_that_has_it_needs_nothing() {
        let has = headers(&[(IF_NONE_MATCH, &tag())]);
        assert!(!matches_none(&has, &ONE).unwrap());
        assert!(matches_none(&has, &[2; 32]).unwrap());
        assert!(matches_none(&headers(&[]), &ONE).unwrap());
    }
}
