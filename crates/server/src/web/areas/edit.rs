//! Adding, renaming and removing areas.

use axum::response::Response;
use domain::Action;
use domain::names::AreaName;
use engine::Served;
use http::StatusCode;
use maud::{Markup, html};

use crate::http::{AreaPath, Form};
use crate::problem::{Trouble, bad_name};
use crate::web::layout::{Frame, alert};
use crate::web::visit::{Visit, form_id, moved};

/// A form for an area, new or not.
struct Edited<'a> {
    area: Option<i64>,
    name: &'a str,
    description: &'a str,
    trouble: Option<&'a Trouble>,
}

/// `GET /areas/new`
pub(in crate::web) async fn add_form(visit: Visit) -> Result<Response, Trouble> {
    let edited = Edited {
        area: None,
        name: "",
        description: "",
        trouble: None,
    };
    edit_page(&visit, StatusCode::OK, &edited).await
}

/// `POST /areas`
pub(in crate::web) async fn add(visit: Visit, form: Form) -> Result<Response, Trouble> {
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
            let visit = visit.after(&trouble);
            edit_page(&visit, trouble.status(), &edited).await
        }
    }
}

/// `GET /areas/{area}/edit`
pub(in crate::web) async fn edit_form(
    visit: Visit,
    AreaPath(area): AreaPath,
) -> Result<Response, Trouble> {
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
pub(in crate::web) async fn edit(
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
            let visit = visit.after(&trouble);
            edit_page(&visit, trouble.status(), &edited).await
        }
    }
}

/// `POST /areas/{area}/remove`
pub(in crate::web) async fn remove(
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
