//! Finding posts.

use axum::response::Response;
use domain::accounts::Member;
use domain::news::search::Search;
use engine::Served;
use maud::html;

use super::areas::post_item;
use super::layout::{Frame, encoded};
use super::visit::Visit;
use crate::http::Pairs;
use crate::problem::Trouble;

/// Posts on a page.
const PAGE_POSTS: u32 = 20;

/// `GET /search`
pub(super) async fn show(visit: Visit, query: Pairs) -> Result<Response, Trouble> {
    let text = query.text("q")?.unwrap_or_default().to_owned();
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let wanted = text.clone();
    let question = move |me: &Member| Search {
        viewer: me.account,
        text: wanted.clone(),
        before,
        limit: PAGE_POSTS,
    };
    let Served {
        value: (me, found),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let title = visit.t("Buscar", "Search");
    let content = html! {
        h1 { (title) @if !text.is_empty() { ": " (text) } }
        @if text.is_empty() {
            p class="note" {
                (visit.t("Escribe arriba lo que buscas.", "Type above what you look for."))
            }
        } @else if found.posts.is_empty() {
            p class="note" {
                (visit.t(
                    "No hay nada con todas esas palabras.",
                    "There is nothing with all of these words.",
                ))
            }
        } @else {
            ul class="list" {
                @for (area, post) in &found.posts { (post_item(&visit, post, Some(area))) }
            }
        }
        @if let Some(before) = found.next {
            p {
                a class="button" href={ "/search?q=" (encoded(&text)) "&before=" (before) } {
                    (visit.t("Más antiguas", "Older"))
                }
            }
        }
    };
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "search",
        ..Frame::default()
    };
    Ok(visit.page(frame, &position, content))
}
