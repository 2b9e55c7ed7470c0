//! Query strings: every parameter is known, given once, and within its bounds.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::{Kind, Trouble};

/// More parameters than any route has.
const PAIRS_MAX: usize = 64;

/// The parameters of a request. An empty one counts as absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads a query string.
    pub fn parse(query: &str) -> Result<Self, Trouble> {
        check_utf8(query)?;
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        let pairs: Vec<(String, String)> = pairs.take(PAIRS_MAX + 1).collect();
        if pairs.len() > PAIRS_MAX {
            return Err(Trouble::new(
                Kind::Malformed,
                "the query has too many parameters",
            ));
        }
        Ok(Pairs(pairs))
    }

    /// Refuses parameters that are not in `names`; `consistency` may always be there.
    pub fn only(self, names: &[&str]) -> Result<Self, Trouble> {
        let known = |name: &str| name == "consistency" || names.contains(&name);
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(Trouble::field(name, "there is no such parameter here")),
            None => Ok(self),
        }
    }

    /// A parameter's text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Trouble> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Trouble::field(name, "it is given more than once")),
        }
    }

    /// Every value of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = move |(key, value): &'a (String, String)| {
            (key == name && !value.is_empty()).then_some(value.as_str())
        };
        self.0
            .iter()
            .filter_map(named)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The values of all parameters.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number, a flag or a cursor; `what` says how it must look.
    pub fn value<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Trouble> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| Trouble::field(name, format!("it must be {what}")))
    }

    /// A number within bounds.
    pub fn number(
        &self,
        name: &str,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, Trouble> {
        let what = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        match self.value(name, &what)? {
            Some(number) if !bounds.contains(&number) => {
                Err(Trouble::field(name, format!("it must be {what}")))
            }
            number => Ok(number),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<bool, Trouble> {
        Ok(self.value(name, "true or false")?.unwrap_or(false))
    }
}

/// A query whose percent-encoding does not spell UTF-8 is refused, not mended.
fn check_utf8(query: &str) -> Result<(), Trouble> {
    let decoded = percent_encoding::percent_decode_str(query);
    match decoded.decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(Trouble::new(Kind::Malformed, "the query is not UTF-8")),
    }
}

impl<S: Sync> FromRequestParts<S> for Pairs {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        Pairs::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_read_and_bounded() {
        let pairs = Pairs::parse("q=a+%C3%B1&limit=20&unread=true&after=").unwrap();
        assert_eq!(pairs.text("q").unwrap(), Some("a ñ"));
        assert_eq!(pairs.number("limit", 1..=200).unwrap(), Some(20));
        assert!(pairs.flag("unread").unwrap());
        assert_eq!(pairs.number("after", 0..=9).unwrap(), None);
        assert!(pairs.number("limit", 1..=10).is_err());
        assert!(pairs.number("q", 1..=10).is_err());
    }

    #[test]
    fn the_unknown_the_repeated_and_the_unreadable_are_refused() {
        assert!(
            Pairs::parse("consistency=stale&x=1")
                .unwrap()
                .only(&["q"])
                .is_err()
        );
        assert!(Pairs::parse("q=1&q=2").unwrap().text("q").is_err());
        assert!(Pairs::parse("q=%ff").is_err());
        assert!(Pairs::parse(&"a=1&".repeat(100)).is_err());
    }
}
