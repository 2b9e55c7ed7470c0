//! Spanish and English: by what the reader chose, or by what the browser asks for.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT_LANGUAGE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::visit::local_path;
use crate::app::App;
use crate::http::{Form, LANGUAGE_COOKIE, cookie};
use crate::problem::Trouble;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Spanish,
    English,
}

impl Language {
    /// The language of whoever sends these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Self::named);
        let wanted = || {
            headers
                .get(ACCEPT_LANGUAGE)?
                .to_str()
                .ok()
                .and_then(preferred)
        };
        chosen.or_else(wanted).unwrap_or(Language::Spanish)
    }

    fn named(text: &str) -> Option<Self> {
        match text.get(..2)?.to_ascii_lowercase().as_str() {
            "es" => Some(Language::Spanish),
            "en" => Some(Language::English),
            _ => None,
        }
    }

    /// The tag in `<html lang>`.
    pub fn tag(self) -> &'static str {
        self.pick("es", "en")
    }

    /// The text of this language.
    pub fn pick(self, spanish: &'static str, english: &'static str) -> &'static str {
        match self {
            Language::Spanish => spanish,
            Language::English => english,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Language::Spanish => Language::English,
            Language::English => Language::Spanish,
        }
    }
}

/// The language with the highest weight in an `Accept-Language` that there is a page for.
fn preferred(header: &str) -> Option<Language> {
    let weighed = header.split(',').filter_map(|range| {
        let (name, rest) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight: f32 = rest.trim().strip_prefix("q=")?.trim().parse().ok()?;
        Some((Language::named(name.trim())?, weight))
    });
    // The first of equals: they are in the order of preference.
    weighed
        .rev()
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(language, _)| language)
}

/// Remembers a chosen language.
pub(super) async fn choose(State(_): State<App>, form: Form) -> Result<Response, Trouble> {
    let language = form.fields.text("language")?.and_then(Language::named);
    let tag = language.unwrap_or(Language::Spanish).tag();
    let back = local_path(form.fields.text("then")?);
    let mut response = Redirect::to(&back).into_response();
    let cookie = format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age=31536000; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_language_wins() {
        assert_eq!(
            preferred("en-GB,en;q=0.9,es;q=0.8"),
            Some(Language::English)
        );
        assert_eq!(preferred("fr, es;q=0.5, en;q=0.4"), Some(Language::Spanish));
        assert_eq!(preferred("en;q=0.3, es-MX;q=0.7"), Some(Language::Spanish));
        assert_eq!(preferred("es, en"), Some(Language::Spanish));
        assert_eq!(preferred("fr, de"), None);
        assert_eq!(preferred(";;q=,,"), None);
    }
}
