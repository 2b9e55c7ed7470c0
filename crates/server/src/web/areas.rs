//! The areas, and the posts of one.

use axum::response::Response;
use domain::Action;
use domain::accounts::Member;
use domain::command::Which;
use domain::names::AreaName;
use domain::news::queries::{Area, Body, ListAreas, ListPosts, Page, Post};
use engine::Served;
use http::StatusCode;
use maud::{Markup, html};

use super::layout::{Frame, Live, alert};
use super::visit::{Visit, form_id, moved};
use super::words::moment;
use crate::http::{AreaPath, Form, Pairs};
use crate::markdown;
use crate::problem::{Trouble, bad_name};

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
    let found = found.ok_or_else(|| Trouble::not_found("area"))?;
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

/// A form for an area, new or not.
struct Edited<'a> {
    area: Option<i64>,
    name: &'a str,
    description: &'a str,
    trouble: Option<&'a Trouble>,
}

/// `GET /areas/new`
pub(super) async fn add_form(visit: Visit) -> Result<Response, Trouble> {
    let edited = Edited {
        area: None,
        name: "",
        description: "",
        trouble: None,
    };
    edit_page(&visit, StatusCode::OK, &edited).await
}

/// `POST /areas`
pub(super) async fn add(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let name = form.fields.text("name")?.unwrap_or_default();
    let description = form.fields.text("description")?.unwrap_or_default();
    let added = async {
        let caller = form.once("add")?;
        let name = AreaName::parse(name).map_err(bad_name("name"))?;
        let description = description.to_owned();
        visit
            .app
            .write(&caller, Action::AddArea { name, description })
            .await
    };
    match added.await {
        Ok(written) => Ok(moved(&visit.app, "/", &written.position)),
        Err(trouble) => {
            let edited = Edited {
                area: None,
                name,
                description,
                trouble: Some(&trouble),
            };
            edit_page(&visit, trouble.status(), &edited).await
        }
    }
}

/// `GET /areas/{area}/edit`
pub(super) async fn edit_form(visit: Visit, AreaPath(area): AreaPath) -> Result<Response, Trouble> {
    let (_, area) = visit.app.area(&visit.caller, &area).await?.value;
    let (name, description) = (area.name.as_str(), area.description.as_str());
    let edited = Edited {
        area: Some(area.id),
        name,
        description,
        trouble: None,
    };
    edit_page(&visit, StatusCode::OK, &edited).await
}

/// `POST /areas/{area}`
pub(super) async fn edit(
    visit: Visit,
    AreaPath(area): AreaPath,
    form: Form,
) -> Result<Response, Trouble> {
    let name = form.fields.text("name")?.unwrap_or_default();
    let description = form.fields.text("description")?.unwrap_or_default();
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let edited = async {
        let name = Some(AreaName::parse(name).map_err(bad_name("name"))?);
        let description = Some(description.to_owned());
        visit
            .app
            .write(
                &visit.caller,
                Action::EditArea {
                    area,
                    name,
                    description,
                },
            )
            .await
    };
    match edited.await {
        Ok(written) => Ok(moved(
            &visit.app,
            &format!("/areas/{area}"),
            &written.position,
        )),
        Err(trouble) => {
            let edited = Edited {
                area: Some(area),
                name,
                description,
                trouble: Some(&trouble),
            };
            edit_page(&visit, trouble.status(), &edited).await
        }
    }
}

/// `POST /areas/{area}/remove`
pub(super) async fn remove(
    visit: Visit,
    AreaPath(area): AreaPath,
    _form: Form,
) -> Result<Response, Trouble> {
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let written = visit
        .app
        .write(&visit.caller, Action::RemoveArea { area })
        .await?;
    Ok(moved(&visit.app, "/", &written.position))
}

async fn edit_page(
    visit: &Visit,
    status: StatusCode,
    edited: &Edited<'_>,
) -> Result<Response, Trouble> {
    let Served {
        value: me,
        position,
    } = visit.app.administrator(&visit.caller).await?;
    let (title, action, button) = match edited.area {
        None => (
            visit.t("Añadir un tema", "Add an area"),
            "/areas".to_owned(),
            visit.t("Añadir", "Add"),
        ),
        Some(id) => (
            visit.t("Cambiar el tema", "Change the area"),
            format!("/areas/{id}"),
            visit.t("Guardar", "Save"),
        ),
    };
    let content = html! {
        h1 { (title) }
        (alert(visit, edited.trouble))
        form class="form" method="post" action=(action) {
            input type="hidden" name="request" value=(form_id()?);
            (area_fields(visit, edited))
            div { button class="main" { (button) } }
        }
        @if let Some(id) = edited.area { (remove_form(visit, id)) }
    };
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "news",
        ..Frame::default()
    };
    Ok(visit.page_with(status, frame, Some(&position), content))
}

fn area_fields(visit: &Visit, edited: &Edited<'_>) -> Markup {
    html! {
        div class="field" {
            label for="name" { (visit.t("Nombre", "Name")) }
            input id="name" name="name" value=(edited.name) required maxlength="60" autofocus;
        }
        div class="field" {
            label for="description" { (visit.t("Para qué es", "What it is for")) }
            textarea class="short" id="description" name="description" maxlength="1000" {
                (edited.description)
            }
        }
    }
}

fn remove_form(visit: &Visit, area: i64) -> Markup {
    let sure = visit.t(
        "Se borrará el tema con todo lo publicado. ¿Seguro?",
        "The area will be removed with all its posts. Are you sure?",
    );
    html! {
        details id="remove" {
            summary { (visit.t("Quitar este tema", "Remove this area")) }
            form method="post" action={ "/areas/" (area) "/remove" } {
                p {
                    (visit.t(
                        "Se borra con todo lo publicado, y no se puede deshacer.",
                        "It is removed with all its posts, and that cannot be undone.",
                    ))
                }
                button class="danger" data-ask=(sure) {
                    (visit.t("Quitar el tema", "Remove the area"))
                }
            }
        }
    }
}
