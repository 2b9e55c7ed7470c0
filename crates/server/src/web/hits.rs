//! The counter of visits: a page, and a badge for other pages.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use maud::{Markup, PreEscaped, html};

use super::layout::Frame;
use super::visit::Visit;
use crate::app::{App, Seen};
use crate::http::Positioned;
use crate::problem::Trouble;

/// What the badge says before the number.
const LABEL: &str = "visits";

/// Width of a digit or letter of the badge, about, in pixels.
const LETTER_WIDTH: usize = 7;

/// Room beside the text of each half of the badge.
const MARGIN: usize = 12;

/// `GET /hits/{name}`: counts a visit. With `.svg` at its end it is the badge.
pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    method: Method,
    visit: Visit,
) -> Result<Response, Trouble> {
    if let Some(name) = name.strip_suffix(".svg") {
        return draw(&app, name, &method).await;
    }
    let seen = look(&app, &name, &method).await?;
    let sentence = format!(
        "Hello from Consorcio! I have been seen {} times.",
        seen.times
    );
    let content = html! {
        h1 { (name) }
        p lang="en" { (sentence) }
        p class="meta" {
            (visit.t("Te atiende el nodo", "You are served by the node")) " "
            strong { (seen.position.node) } ". "
            a href={ "/hits/" (name) "/badge.svg" } { (visit.t("La insignia", "The badge")) }
        }
    };
    let frame = Frame {
        title: &name,
        ..Frame::default()
    };
    let mut response = visit.page(frame, &seen.position, content);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /hits/{name}/badge.svg`: counts a visit and shows only the number.
pub(super) async fn badge(
    State(app): State<App>,
    Path(name): Path<String>,
    method: Method,
) -> Result<Response, Trouble> {
    draw(&app, &name, &method).await
}

/// Who asks for the head alone has not been here.
async fn look(app: &App, name: &str, method: &Method) -> Result<Seen, Trouble> {
    match *method {
        Method::HEAD => app.visits(name).await,
        _ => app.count_visit(name).await,
    }
}

async fn draw(app: &App, name: &str, method: &Method) -> Result<Response, Trouble> {
    let seen = look(app, name, method).await?;
    let image = picture(&seen.times.to_string()).into_string();
    let headers = [
        (CONTENT_TYPE, "image/svg+xml; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // It is made to be shown on other pages.
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ];
    Ok(Positioned(seen.position, (headers, image)).into_response())
}

fn picture(number: &str) -> Markup {
    let left = LABEL.len() * LETTER_WIDTH + MARGIN;
    let right = number.len() * LETTER_WIDTH + MARGIN;
    let (width, middle, rest) = (left + right, left / 2, left + right / 2);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height="20" role="img"
            aria-label={ (LABEL) ": " (number) } {
            title { (LABEL) ": " (number) }
            rect width=(width) height="20" rx="3" fill="#444" {}
            rect x=(left) width=(right) height="20" rx="3" fill="#1a6b3c" {}
            g fill="#fff" text-anchor="middle" font-family="Verdana,sans-serif" font-size="11" {
                text x=(middle) y="14" { (LABEL) }
                text x=(rest) y="14" { (number) }
            }
        }
    }
}
