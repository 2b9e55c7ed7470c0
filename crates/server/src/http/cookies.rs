//! Cookies, for browsers only.

use http::HeaderMap;
use http::header::COOKIE;

/// Holds a session's token.
pub(crate) const SESSION_COOKIE: &str = "consorcio_session";

/// Holds the largest log index the browser has seen.
pub(crate) const INDEX_COOKIE: &str = "consorcio_index";

/// Holds the language the reader chose.
pub(crate) const LANGUAGE_COOKIE: &str = "consorcio_language";

/// Holds a random secret that stands for a voter who has not signed in.
pub(crate) const VOTER_COOKIE: &str = "consorcio_voter";

/// The value of a cookie in a request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
