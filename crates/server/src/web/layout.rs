//! What all pages share.

use api::client::ESCAPED;
use axum::response::{IntoResponse, Response};
use engine::Position;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use maud::{DOCTYPE, Markup, html};
use percent_encoding::utf8_percent_encode;

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use super::language::Language;
use super::visit::Visit;
use super::words::{advice, title};
use crate::problem::Trouble;

/// The frame of a page.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame<'a> {
    /// In the window's title and, unless the content brings its own, nowhere else.
    pub title: &'a str,
    /// The member who looks, if one is signed in, and whether that is an administrator.
    pub member: Option<(&'a str, bool)>,
    /// Which entry of the menu this is.
    pub current: &'a str,
    /// How the page keeps itself up to date.
    pub live: Live,
}

/// How a page keeps itself up to date, where scripts run.
#[derive(Clone, Copy, Default)]
pub(super) enum Live {
    /// It does not.
    #[default]
    No,
    /// When something happens in any area, or in this one.
    Events(Option<i64>),
    /// When something happens to this poll, and how it stands.
    Poll(i64),
    /// Every so many milliseconds.
    Every(u32),
    /// When something happens, and every so many milliseconds: what has no events is counted.
    Counting(u32),
}

/// A page of a visit.
pub(super) fn page(
    visit: &Visit,
    frame: &Frame<'_>,
    position: Option<&Position>,
    content: Markup,
) -> Markup {
    let header = header(visit, frame);
    let node = position.map(|position| &*position.node);
    let live = live(frame.live, position);
    document(
        visit.language,
        frame.title,
        &visit.here,
        live,
        header,
        node,
        content,
    )
}

/// What the script needs to know: after which event the page was made, and which area
/// or poll it is about.
fn live(live: Live, position: Option<&Position>) -> [Option<String>; 4] {
    let after = position.map(|position| format!("{}-{}", position.index, u32::MAX));
    match live {
        Live::Events(area) => [after, area.map(|area| area.to_string()), None, None],
        Live::Poll(poll) => [after, None, None, Some(poll.to_string())],
        Live::Every(ms) => [None, None, Some(ms.to_string()), None],
        Live::Counting(ms) => [after, None, Some(ms.to_string()), None],
        Live::No => [None, None, None, None],
    }
}

fn document(
    language: Language,
    title: &str,
    here: &str,
    [after, area, every, poll]: [Option<String>; 4],
    header: Markup,
    node: Option<&str>,
    content: Markup,
) -> Markup {
    let t = |spanish, english| language.pick(spanish, english);
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Consorcio" }
                link rel="stylesheet" href=(STYLE_PATH);
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                script src=(SCRIPT_PATH) defer {}
            }
            body data-after=[after] data-area=[area] data-every=[every] data-poll=[poll] {
                a class="skip" href="#main" { (t("Saltar al contenido", "Skip to content")) }
                (header)
                main id="main" tabindex="-1" {
                    p id="live" class="live" role="status" aria-live="polite" {}
                    div id="content" { (content) }
                }
                footer {
                    (language_switch(language, here))
                    a href="/cluster" { (t("Sala de control", "Control room")) }
                    a href="/v1/openapi.json" { "API" }
                    @if let Some(node) = node {
                        span class="muted" { (t("Página de", "Page from")) " " (node) }
                    }
                }
            }
        }
    }
}

fn header(visit: &Visit, frame: &Frame<'_>) -> Markup {
    let here = |name: &str| (frame.current == name).then_some("page");
    html! {
        header class="top" {
            a class="brand" href="/" { (mark()) "Consorcio" }
            @if let Some((name, administrator)) = frame.member {
                form class="find" role="search" action="/search" method="get" {
                    label class="hidden" for="q" { (visit.t("Buscar", "Search")) }
                    input id="q" name="q" type="search" accesskey="s" maxlength="200"
                        placeholder=(visit.t("Buscar", "Search"));
                }
                nav aria-label=(visit.t("Principal", "Main")) {
                    a href="/" aria-current=[here("news")] accesskey="h" {
                        (visit.t("Noticias", "News"))
                    }
                    a href="/polls" aria-current=[here("polls")] {
                        (visit.t("Votaciones", "Polls"))
                    }
                    a href="/lotteries" aria-current=[here("lotteries")] {
                        (visit.t("Loterías", "Lotteries"))
                    }
                    @if administrator {
                        a href="/members" aria-current=[here("members")] {
                            (visit.t("Socios", "Members"))
                        }
                    }
                    a href="/account" aria-current=[here("account")] { (name) }
                }
            } @else {
                nav aria-label=(visit.t("Principal", "Main")) {
                    a href="/sign-in" aria-current=[here("sign-in")] {
                        (visit.t("Entrar", "Sign in"))
                    }
                    a href="/sign-up" aria-current=[here("sign-up")] {
                        (visit.t("Crear cuenta", "Sign up"))
                    }
                }
            }
        }
    }
}

/// Three houses that share a roof line.
fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" {
            path d="M2 16 9 9l7 7 7-7 7 7v12H2z" {}
            circle cx="16" cy="6" r="3.5" {}
        }
    }
}

fn language_switch(language: Language, here: &str) -> Markup {
    let other = language.other();
    html! {
        form method="post" action="/language" {
            input type="hidden" name="language" value=(other.tag());
            input type="hidden" name="then" value=(here);
            button class="plain" lang=(other.tag()) { (other.pick("Español", "English")) }
        }
    }
}

/// The page of a problem.
pub(super) fn problem_page(language: Language, trouble: &Trouble, here: &str) -> Markup {
    let title = title(language, trouble.kind);
    let header = html! {
        header class="top" { a class="brand" href="/" { (mark()) "Consorcio" } }
    };
    let content = html! {
        h1 { (title) }
        p { (advice(language, trouble)) }
        p {
            a class="button" href="/" {
                (language.pick("Volver a las noticias", "Back to the news"))
            }
        }
    };
    document(
        language,
        title,
        here,
        [None, None, None, None],
        header,
        None,
        content,
    )
}

/// What went wrong with a form, above it.
pub(super) fn alert(visit: &Visit, trouble: Option<&Trouble>) -> Markup {
    html! {
        @if let Some(trouble) = trouble {
            div class="alert" role="alert" {
                strong { (title(visit.language, trouble.kind)) }
                p { (advice(visit.language, trouble)) }
            }
        }
    }
}

/// HTML that is not kept by anybody: it is a member's own view.
pub(super) fn html_response(page: Markup) -> Response {
    let mut response = page.into_string().into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Text as part of a URL.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
