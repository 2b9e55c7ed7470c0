//! Reading, writing and removing posts.

use axum::response::Response;
use domain::accounts::Member;
use domain::command::Which;
use domain::news::queries::{Area, AreaRef, Body, GetArea, GetPost, Post};
use domain::{Action, Fault, Query, Reply, Sql};
use engine::{Position, Served};
use http::StatusCode;
use maud::{Markup, PreEscaped, html};

use super::layout::{Frame, Live, alert};
use super::visit::{Visit, form_id, moved};
use super::words::moment;
use crate::app::odd_reply;
use crate::http::{AreaPath, Form, PostPath};
use crate::markdown;
use crate::problem::Trouble;

/// A post with its area.
#[derive(Clone)]
struct GetBoth {
    viewer: i64,
    area: AreaRef,
    post: i64,
}

impl Query for GetBoth {
    type Answer = Option<(Area, Post)>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let GetBoth { viewer, area, post } = self.clone();
        let found = GetPost {
            viewer,
            area: area.clone(),
            post,
        }
        .run(sql)?;
        let area = GetArea { viewer, area }.run(sql)?;
        Ok(area.zip(found))
    }
}

/// `GET /areas/{area}/posts/{id}`
///
/// Showing an unread post marks it read. That is the reader's own note of what it has seen, and
/// doing it again changes nothing, so it may follow from a GET.
pub(super) async fn show(
    visit: Visit,
    PostPath(area, post): PostPath,
) -> Result<Response, Trouble> {
    let question = move |me: &Member| GetBoth {
        viewer: me.account,
        area: area.clone(),
        post,
    };
    let Served {
        value: (me, found),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let (area, post) = found.ok_or_else(|| Trouble::missing("post", post))?;
    visit.app.agent.count(area.id);
    let position = mark_read(&visit, &post).await.unwrap_or(position);
    let title = match &post.body {
        Body::Text { title, .. } => title.as_str(),
        Body::Deleted | Body::Hidden { .. } => visit.t("Publicación retirada", "A removed post"),
    };
    let content = html! {
        p { a href={ "/areas/" (area.id) } { "← " (area.name) } }
        article {
            h1 { (title) }
            p class="meta" { (post.author) " · " (moment(visit.language, post.at_ms)) }
            div class="post" { (body(&visit, &post.body)) }
        }
        @if let Body::Text { .. } = post.body { (actions(&visit, &me, &post)) }
    };
    let member = Some((me.name.as_str(), me.administrator));
    let live = Live::Events(Some(area.id));
    let frame = Frame {
        title,
        member,
        current: "news",
        live,
    };
    Ok(visit.page(frame, &position, content))
}

/// Where the mark stands. That it could not be made does not keep the post from being read.
async fn mark_read(visit: &Visit, post: &Post) -> Option<Position> {
    if post.read {
        return None;
    }
    let action = Action::Mark {
        area: post.area,
        which: Which::One(post.id),
        read: true,
    };
    Some(visit.app.write(&visit.caller, action).await.ok()?.position)
}

fn body(visit: &Visit, body: &Body) -> Markup {
    html! {
        @match body {
            Body::Text { text, .. } => (PreEscaped(markdown::to_html(text))),
            Body::Deleted => {
                p class="gone" {
                    (visit.t("La borró quien la escribió.", "Its author deleted it."))
                }
            }
            Body::Hidden { reason } => {
                p class="gone" {
                    (visit.t("La ocultó la administración:", "An administrator hid it:"))
                    " " (reason)
                }
            }
        }
    }
}

fn actions(visit: &Visit, me: &Member, post: &Post) -> Markup {
    let path = format!("/areas/{}/posts/{}", post.area, post.id);
    html! {
        div class="bar" {
            form method="post" action={ (path) "/unread" } {
                button { (visit.t("Marcar como no leída", "Mark as unread")) }
            }
            @if post.author_id == me.account {
                form method="post" action={ (path) "/delete" } {
                    button class="danger" data-ask=(visit.t("¿Borrarla?", "Delete it?")) {
                        (visit.t("Borrar", "Delete"))
                    }
                }
            }
        }
        @if me.administrator { (hide_form(visit, &path)) }
    }
}

fn hide_form(visit: &Visit, path: &str) -> Markup {
    html! {
        details id="hide" {
            summary { (visit.t("Ocultar esta publicación", "Hide this post")) }
            form class="form" method="post" action={ (path) "/hide" } {
                div class="field" {
                    label for="reason" {
                        (visit.t("Motivo, a la vista de todos", "Reason, for all to see"))
                    }
                    input id="reason" name="reason" required maxlength="500";
                }
                div { button class="danger" { (visit.t("Ocultar", "Hide")) } }
            }
        }
    }
}

/// `POST /areas/{area}/posts/{id}/delete`
pub(super) async fn delete(
    visit: Visit,
    PostPath(area, post): PostPath,
    _form: Form,
) -> Result<Response, Trouble> {
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let written = visit
        .app
        .write(&visit.caller, Action::DeletePost { area, post })
        .await?;
    Ok(moved(
        &visit.app,
        &format!("/areas/{area}"),
        &written.position,
    ))
}

/// `POST /areas/{area}/posts/{id}/hide`
pub(super) async fn hide(
    visit: Visit,
    PostPath(area, post): PostPath,
    form: Form,
) -> Result<Response, Trouble> {
    let reason = form.fields.text("reason")?.unwrap_or_default().to_owned();
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let written = visit
        .app
        .write(&visit.caller, Action::HidePost { area, post, reason })
        .await?;
    Ok(moved(
        &visit.app,
        &format!("/areas/{area}/posts/{post}"),
        &written.position,
    ))
}

/// `POST /areas/{area}/posts/{id}/unread`
pub(super) async fn unread(
    visit: Visit,
    PostPath(area, post): PostPath,
    _form: Form,
) -> Result<Response, Trouble> {
    let area = visit.app.area_id(&visit.caller, &area).await?;
    let action = Action::Mark {
        area,
        which: Which::One(post),
        read: false,
    };
    let written = visit.app.write(&visit.caller, action).await?;
    Ok(moved(
        &visit.app,
        &format!("/areas/{area}"),
        &written.position,
    ))
}

/// A post being written.
#[derive(Default)]
struct Draft<'a> {
    title: &'a str,
    text: &'a str,
    trouble: Option<&'a Trouble>,
}

/// `GET /areas/{area}/write`
pub(super) async fn write_form(
    visit: Visit,
    AreaPath(area): AreaPath,
) -> Result<Response, Trouble> {
    write_page(&visit, StatusCode::OK, &area, &Draft::default()).await
}

/// `POST /areas/{area}/posts`
pub(super) async fn publish(
    visit: Visit,
    AreaPath(area): AreaPath,
    form: Form,
) -> Result<Response, Trouble> {
    let title = form.fields.text("title")?.unwrap_or_default();
    // A browser ends the lines of a form with CR LF.
    let text = form
        .fields
        .text("text")?
        .unwrap_or_default()
        .replace("\r\n", "\n");
    let id = visit.app.area_id(&visit.caller, &area).await?;
    let published = async {
        let action = Action::Publish {
            area: id,
            title: title.to_owned(),
            text: text.clone(),
        };
        visit.app.write(&form.once("publish")?, action).await
    };
    match published.await {
        Ok(written) => {
            let Reply::Post { id: post, .. } = written.reply else {
                return Err(odd_reply(&written.reply));
            };
            Ok(moved(
                &visit.app,
                &format!("/areas/{id}/posts/{post}"),
                &written.position,
            ))
        }
        Err(trouble) => {
            let draft = Draft {
                title,
                text: &text,
                trouble: Some(&trouble),
            };
            let visit = visit.after(&trouble);
            write_page(&visit, trouble.status(), &area, &draft).await
        }
    }
}

async fn write_page(
    visit: &Visit,
    status: StatusCode,
    area: &AreaRef,
    draft: &Draft<'_>,
) -> Result<Response, Trouble> {
    let Served {
        value: (me, area),
        position,
    } = visit.app.area(&visit.caller, area).await?;
    let title = visit.t("Escribir", "Write");
    let content = html! {
        p { a href={ "/areas/" (area.id) } { "← " (area.name) } }
        h1 { (title) }
        (alert(visit, draft.trouble))
        form class="form full" method="post" action={ "/areas/" (area.id) "/posts" } {
            input type="hidden" name="request" value=(form_id()?);
            (draft_fields(visit, draft))
            div { button class="main" { (visit.t("Publicar", "Publish")) } }
        }
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

fn draft_fields(visit: &Visit, draft: &Draft<'_>) -> Markup {
    html! {
        div class="field" {
            label for="title" { (visit.t("Título", "Title")) }
            input id="title" name="title" value=(draft.title) required maxlength="200" autofocus;
        }
        div class="field" {
            label for="text" { (visit.t("Texto", "Text")) }
            textarea id="text" name="text" required aria-describedby="text-hint" {
                // A browser drops the first line break of a text area.
                "\n" (draft.text)
            }
            span class="hint" id="text-hint" {
                (visit.t(
                    "Deja una línea en blanco entre párrafos. **Negrita**, *cursiva*, listas con \
                     guiones y [enlaces](https://…).",
                    "Leave a blank line between paragraphs. **Bold**, *italics*, lists with \
                     dashes and [links](https://…).",
                ))
            }
        }
    }
}
