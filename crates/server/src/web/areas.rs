//! The areas, and the posts of one.

mod edit;

use axum::response::Response;
use domain::Action;
use domain::accounts::Member;
use domain::command::Which;
use domain::news::queries::{Area, Body, ListAreas, ListPosts, Page, Post};
use engine::Served;
use maud::{Markup, html};

use super::layout::{Frame, Live};
use super::visit::{Visit, moved};
use super::words::moment;
use crate::http::{AreaPath, Form, Pairs};
use crate::markdown;
use crate::problem::Trouble;
pub(super) use edit::{add, add_form, edit, edit_form, remove};

/// Posts on a page.
const PAGE_POSTS: u32 = 20;

/// Characters of a post that a list shows.
const EXCERPT_CHARS: usize = 240;

/// `GET /`
pub(super) async fn home(visit: Visit) -> Result<Response, Trouble> {
    let question = |me: &Member| ListAreas {
        viewer: me.account,
        subscribed_only: false,
    };
    let Served {
        value: (me, areas),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let (followed, others): (Vec<Area>, Vec<Area>) =
        areas.into_iter().partition(|area| area.subscribed);
    let unread: i64 = followed.iter().map(|area| area.unread).sum();
    let title = visit.t("Noticias", "News");
    let content = html! {
        h1 { (title) }
        p class="muted" { (summary(&visit, followed.is_empty(), unread)) }
        @if !followed.is_empty() {
            h2 { (visit.t("Lo que sigues", "What you follow")) }
            (area_list(&visit, &followed))
        }
        @if !others.is_empty() {
            h2 {
                @if followed.is_empty() { (visit.t("Temas", "Areas")) }
                @else { (visit.t("Otros temas", "Other areas")) }
            }
            (area_list(&visit, &others))
        }
        @if me.administrator {
            p { a class="button" href="/areas/new" { (visit.t("Añadir un tema", "Add an area")) } }
        }
    };
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "news",
        live: Live::Events(None),
    };
    Ok(visit.page(frame, &position, content))
}

fn summary(visit: &Visit, follows_nothing: bool, unread: i64) -> String {
    match (follows_nothing, unread) {
        (true, _) => visit
            .t(
                "Entra en un tema y síguelo para verlo aquí.",
                "Open an area and follow it.",
            )
            .to_owned(),
        (false, 0) => visit.t("Estás al día.", "You are up to date.").to_owned(),
        (false, 1) => visit
            .t("Te queda 1 por leer.", "1 left to read.")
            .to_owned(),
        (false, n) => match visit.t("es", "en") {
            "es" => format!("Te quedan {n} por leer."),
            _ => format!("{n} left to read."),
        },
    }
}

fn area_list(visit: &Visit, areas: &[Area]) -> Markup {
    html! {
        ul class="list" {
            @for area in areas {
                li {
                    div class="row" {
                        a class="name" href={ "/areas/" (area.id) } { (area.name) }
                        (unread_badge(visit, area.unread))
                    }
                    @if !area.description.is_empty() { p { (area.description) } }
                    p class="meta" { (volume(visit, area)) }
                }
            }
        }
    }
}

fn unread_badge(visit: &Visit, unread: i64) -> Markup {
    html! {
        @if unread > 0 {
            span class="badge" { (unread) " " (visit.t("sin leer", "unread")) }
        }
    }
}

fn volume(visit: &Visit, area: &Area) -> Markup {
    html! {
        @match area.posts {
            0 => (visit.t("Todavía nada", "Nothing yet")),
            1 => (visit.t("1 publicación", "1 post")),
            n => { (n) " " (visit.t("publicaciones", "posts")) },
        }
        @if let Some(at) = area.last_post_at_ms {
            " · " (visit.t("la última", "the last one")) " " (moment(visit.language, at))
        }
    }
}

/// `GET /areas/{area}`
pub(super) async fn show(
    visit: Visit,
    AreaPath(area): AreaPath,
    query: Pairs,
) -> Result<Response, Trouble> {
    let unread_only = query.flag("unread")?;
    let before = query.number("before", 0..=i64::MAX)?;
    let page = Page::Before(before.unwrap_or(i64::MAX));
    let which = area.clone();
    let question = move |me: &Member| {
        let (viewer, area) = (me.account, area.clone());
        ListPosts {
            viewer,
            area,
            unread_only,
            page,
            limit: PAGE_POSTS,
        }
    };
    let Served {
        value: (me, found),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let found = found.ok_or_else(|| Trouble::no_area(&which))?;
    visit.app.agent.count(found.area.id);
    let area = &found.area;
    let content = html! {
        h1 { (area.name) }
        @if !area.description.is_empty() { p { (area.description) } }
        (actions(&visit, area))
        (tabs(&visit, area, unread_only))
        (post_list(&visit, &found.posts, unread_only))
        (older(&visit, area.id, unread_only, found.next))
        @if me.administrator {
            p {
                a href={ "/areas/" (area.id) "/edit" } {
                    (visit.t("Cambiar o quitar este tema", "Change or remove this area"))
                }
            }
        }
    };
    let member = Some((me.name.as_str(), me.administrator));
    let live = Live::Events(Some(area.id));
    let frame = Frame {
        title: &area.name,
        member,
        current: "news",
        live,
    };
    Ok(visit.page(frame, &position, content))
}

fn actions(visit: &Visit, area: &Area) -> Markup {
    let path = format!("/areas/{}", area.id);
    let (follow, label) = match area.subscribed {
        true => ("false", visit.t("Dejar de seguir", "Unfollow")),
        false => ("true", visit.t("Seguir", "Follow")),
    };
    html! {
        div class="bar" {
            a class="button main" href={ (path) "/write" } accesskey="n" {
                (visit.t("Escribir", "Write"))
            }
            form method="post" action={ (path) "/subscription" } {
                input type="hidden" name="follow" value=(follow);
                button id="follow" { (label) }
            }
        }
    }
}

fn tabs(visit: &Visit, area: &Area, unread_only: bool) -> Markup {
    let path = format!("/areas/{}", area.id);
    let current = |is: bool| is.then_some("page");
    html! {
        div class="bar" {
            nav class="tabs" aria-label=(visit.t("Mostrar", "Show")) {
                a href=(path) aria-current=[current(!unread_only)] { (visit.t("Todo", "All")) }
                a href={ (path) "?unread=true" } aria-current=[current(unread_only)] {
                    (visit.t("Sin leer", "Unread"))
                    @if area.unread > 0 { " (" (area.unread) ")" }
                }
            }
            @if area.unread > 0 {
                form class="push" method="post" action={ (path) "/read" } {
                    button id="read-all" {
                        (visit.t("Marcar todo como leído", "Mark all as read"))
                    }
                }
            }
        }
    }
}

fn post_list(visit: &Visit, posts: &[Post], unread_only: bool) -> Markup {
    html! {
        @if posts.is_empty() {
            p class="note" {
                @if unread_only { (visit.t("No te queda nada por leer.", "Nothing left to read.")) }
                @else { (visit.t("Todavía no hay nada.", "There is nothing yet.")) }
            }
        } @else {
            ul class="list" {
                @for post in posts { (post_item(visit, post, None)) }
            }
        }
    }
}

/// A post in a list, with the name of its area where that is not clear.
pub(super) fn post_item(visit: &Visit, post: &Post, area: Option<&str>) -> Markup {
    let state = if post.read { "seen" } else { "unread" };
    let href = format!("/areas/{}/posts/{}", post.area, post.id);
    html! {
        li class=(state) {
            @match &post.body {
                Body::Text { title, text } => {
                    a class="name" href=(href) {
                        @if !post.read {
                            span class="hidden" { (visit.t("Sin leer:", "Unread:")) " " }
                        }
                        (title)
                    }
                    p { (markdown::excerpt(text, EXCERPT_CHARS)) }
                }
                Body::Deleted => {
                    p class="gone" {
                        (visit.t("Borrado por quien lo escribió", "Deleted by its author"))
                    }
                }
                Body::Hidden { reason } => {
                    p class="gone" {
                        (visit.t("Oculto por la administración:", "Hidden by an administrator:"))
                        " " (reason)
                    }
                }
            }
            p class="meta" {
                @if let Some(area) = area { (area) " · " }
                (post.author) " · " (moment(visit.language, post.at_ms))
            }
        }
    }
}

fn older(visit: &Visit, area: i64, unread_only: bool, next: Option<i64>) -> Markup {
    let unread = if unread_only { "&unread=true" } else { "" };
    html! {
        @if let Some(before) = next {
            p {
                a class="button" href={ "/areas/" (area) "?before=" (before) (unread) } {
                    (visit.t("Más antiguas", "Older"))
                }
            }
        }
    }
}

/// `POST /areas/{area}/subscription`
pub(super) async fn subscribe(
    visit: Visit,
    AreaPath(area): AreaPath,
    form: Form,
) -> Result<Response, Trouble> {
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let action = match form.fields.flag("follow")? {
        true => Action::Subscribe { area },
        false => Action::Unsubscribe { area },
    };
    let written = visit.app.write(&visit.caller, action).await?;
    Ok(moved(
        &visit.app,
        &format!("/areas/{area}"),
        &written.position,
    ))
}

/// `POST /areas/{area}/read`
pub(super) async fn read_all(
    visit: Visit,
    AreaPath(area): AreaPath,
    _form: Form,
) -> Result<Response, Trouble> {
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let action = Action::Mark {
        area,
        which: Which::All,
        read: true,
    };
    let written = visit.app.write(&visit.caller, action).await?;
    Ok(moved(
        &visit.app,
        &format!("/areas/{area}"),
        &written.position,
    ))
}
