//! A visit: who looks at a page, in which language, and what goes back with the page.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use domain::RequestId;
use engine::Position;
use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::Markup;

use super::language::Language;
use super::layout::{self, Frame, html_response};
use crate::app::{App, Caller};
use crate::http::{Form, INDEX_COOKIE, Positioned, SESSION_COOKIE, VOTER_COOKIE};
use crate::problem::Trouble;
use crate::token::{Secret, random};

/// A form's request id has this many bytes: enough never to meet another.
const FORM_ID_BYTES: usize = 16;

/// Who looks at a page.
pub(super) struct Visit {
    pub app: App,
    pub caller: Caller,
    pub language: Language,
    /// Path and query, to come back to.
    pub here: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let here = parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        Ok(Visit {
            app: app.clone(),
            caller,
            language: Language::of(&parts.headers),
            here,
        })
    }
}

impl Visit {
    /// The text in the visitor's language.
    pub fn t(&self, spanish: &'static str, english: &'static str) -> &'static str {
        self.language.pick(spanish, english)
    }

    /// The visit after a refusal: what is shown now is at least as new as what the refusal knew.
    pub fn after(mut self, trouble: &Trouble) -> Self {
        let refused_at = trouble.refused_at.as_ref().map(|position| position.index);
        self.caller.seen = self.caller.seen.max(refused_at);
        self
    }

    /// A whole page.
    pub fn page(&self, frame: Frame<'_>, position: &Position, content: Markup) -> Response {
        self.page_with(StatusCode::OK, frame, Some(position), content)
    }

    /// A whole page with a status of its own: a form that must be corrected.
    pub fn page_with(
        &self,
        status: StatusCode,
        frame: Frame<'_>,
        position: Option<&Position>,
        content: Markup,
    ) -> Response {
        let page = (
            status,
            html_response(layout::page(self, &frame, position, content)),
        );
        let Some(position) = position else {
            return page.into_response();
        };
        let mut response = Positioned(position.clone(), page).into_response();
        remember(&self.app, response.headers_mut(), position);
        response
    }
}

/// On to another page, after a change.
pub(super) fn moved(app: &App, to: &str, position: &Position) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    remember(app, response.headers_mut(), position);
    Positioned(position.clone(), response).into_response()
}

/// Has the browser carry what it has seen, so that any node shows it at least that. The cluster's
/// id keeps the index of another cluster under the same name from counting here.
fn remember(app: &App, headers: &mut HeaderMap, position: &Position) {
    let value = format!("{}.{}", short_cluster(app), position.index);
    let cookie = format!("{INDEX_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// Enough of the cluster's id to tell it from another.
fn short_cluster(app: &App) -> String {
    app.engine.status().cluster.chars().take(8).collect()
}

/// The index in the browser's cookie, if it is this cluster's.
pub(crate) fn remembered(app: &App, cookie: &str) -> Option<u64> {
    let (cluster, index) = cookie.split_once('.')?;
    (cluster == short_cluster(app)).then(|| index.parse().ok())?
}

/// The cookie that opens (or, without a token, ends) the browser's session.
pub(super) fn session_cookie(app: &App, token: Option<&str>) -> HeaderValue {
    let secure = secure(app);
    let (token, age) = match token {
        Some(token) => (token, app.config.session_lifetime.as_secs()),
        None => ("", 0),
    };
    let cookie = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

/// The cookie that tells one voter who has not signed in from another, for a year. Whoever deletes
/// it is somebody else.
pub(super) fn voter_cookie(app: &App, secret: &Secret) -> HeaderValue {
    let secret = secret.voter();
    let secure = secure(app);
    let cookie = format!(
        "{VOTER_COOKIE}={secret}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

/// What a cookie says on a site that is reached through TLS.
fn secure(app: &App) -> &'static str {
    match app.config.public_url.as_deref() {
        Some(url) if url.starts_with("https://") => "; Secure",
        _ => "",
    }
}

/// A path of this site to come back to; anything else becomes the first page.
pub(super) fn local_path(text: Option<&str>) -> String {
    let is_local = |text: &&str| {
        text.starts_with('/')
            && !text.starts_with("//")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    text.filter(is_local).unwrap_or("/").to_owned()
}

/// A fresh id for a form, so that sending it twice does it once.
pub(super) fn form_id() -> Result<String, Trouble> {
    let bytes = random::<FORM_ID_BYTES>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Form {
    /// The caller with the form's own id as request id; the fields are what it stands for.
    pub(super) fn once(&self, what: &str) -> Result<Caller, Trouble> {
        let mut caller = self.caller.clone();
        if let Some(id) = self.fields.text("request")? {
            let mut hasher = blake3::Hasher::new();
            for part in std::iter::once(what).chain(self.fields.values()) {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            let mut fingerprint = [0; 16];
            hasher.finalize_xof().fill(&mut fingerprint);
            let digits = id
                .chars()
                .filter(char::is_ascii_hexdigit)
                .take(2 * FORM_ID_BYTES);
            let key = format!("page-{}", digits.collect::<String>());
            caller.request = Some(RequestId { key, fingerprint });
        }
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_back_to() {
        assert_eq!(
            local_path(Some("/areas/3?unread=true")),
            "/areas/3?unread=true"
        );
        for bad in ["", "https://x", "//x", "/\\x", "/a\r\nSet-Cookie: x", "x"] {
            assert_eq!(local_path(Some(bad)), "/", "{bad}");
        }
        assert_eq!(local_path(None), "/");
    }
}
