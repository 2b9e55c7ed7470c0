//! One's own account: password, private feed, signing out.

use axum::extract::State;
use axum::response::Response;
use domain::Action;
use domain::accounts::Member;
use engine::{Position, Served};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::layout::{Frame, alert};
use super::visit::{Visit, moved, session_cookie};
use crate::app::App;
use crate::http::Form;
use crate::password::PASSWORD_MIN_CHARS;
use crate::problem::{Kind, Trouble};

/// What the page says besides the forms.
#[derive(Default)]
struct Said<'a> {
    trouble: Option<&'a Trouble>,
    changed: bool,
    feed: Option<&'a str>,
}

/// `GET /account`
pub(super) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let Served {
        value: me,
        position,
    } = visit.app.member(&visit.caller).await?;
    Ok(page(
        &visit,
        StatusCode::OK,
        &me,
        &position,
        &Said::default(),
    ))
}

/// `POST /account/password`
pub(super) async fn change_password(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let current = form.fields.text("current_password")?.unwrap_or_default();
    let new = form.fields.text("new_password")?.unwrap_or_default();
    let me = visit.app.member(&visit.caller).await?;
    match visit.app.change_password(&visit.caller, current, new).await {
        Ok(written) => {
            let said = Said {
                changed: true,
                ..Said::default()
            };
            Ok(page(
                &visit,
                StatusCode::OK,
                &me.value,
                &written.position,
                &said,
            ))
        }
        Err(trouble) if trouble.kind == Kind::NotSignedIn => Err(trouble),
        Err(trouble) => {
            let said = Said {
                trouble: Some(&trouble),
                ..Said::default()
            };
            Ok(page(
                &visit,
                trouble.status(),
                &me.value,
                &me.position,
                &said,
            ))
        }
    }
}

/// `POST /account/feed`
pub(super) async fn new_feed(
    visit: Visit,
    headers: HeaderMap,
    _form: Form,
) -> Result<Response, Trouble> {
    let (token, position) = visit.app.new_feed_token(&visit.caller).await?;
    let me = visit.app.member(&visit.caller).await?.value;
    let url = format!("{}/feeds/{token}/all.atom", visit.app.public_url(&headers));
    let said = Said {
        feed: Some(&url),
        ..Said::default()
    };
    Ok(page(&visit, StatusCode::OK, &me, &position, &said))
}

/// `POST /account/sign-out-everywhere`
pub(super) async fn sign_out_everywhere(
    State(app): State<App>,
    form: Form,
) -> Result<Response, Trouble> {
    let written = app.write(&form.caller, Action::LogOutEverywhere).await?;
    let mut response = moved(&app, "/sign-in", &written.position);
    response
        .headers_mut()
        .append(SET_COOKIE, session_cookie(&app, None));
    Ok(response)
}

fn page(
    visit: &Visit,
    status: StatusCode,
    me: &Member,
    position: &Position,
    said: &Said<'_>,
) -> Response {
    let title = visit.t("Tu cuenta", "Your account");
    let content = html! {
        h1 { (title) }
        p {
            (visit.t("Has entrado como", "You are signed in as")) " " strong { (me.name) }
            @if me.administrator { ", " (visit.t("que administra", "an administrator")) } "."
        }
        div class="bar" {
            form method="post" action="/sign-out" {
                button { (visit.t("Salir", "Sign out")) }
            }
            form method="post" action="/account/sign-out-everywhere" {
                button { (visit.t("Salir en todas partes", "Sign out everywhere")) }
            }
        }
        (password_form(visit, said))
        (feed_form(visit, said.feed))
    };
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "account",
        ..Frame::default()
    };
    visit.page_with(status, frame, Some(position), content)
}

fn password_form(visit: &Visit, said: &Said<'_>) -> Markup {
    html! {
        h2 { (visit.t("Cambiar la contraseña", "Change the password")) }
        (alert(visit, said.trouble))
        @if said.changed {
            div class="note" role="status" {
                (visit.t(
                    "La contraseña ha cambiado. Tus otras sesiones se han cerrado.",
                    "The password has changed. Your other sessions have ended.",
                ))
            }
        }
        form class="form" method="post" action="/account/password" {
            div class="field" {
                label for="current" { (visit.t("Contraseña actual", "Current password")) }
                input id="current" name="current_password" type="password" required
                    autocomplete="current-password";
            }
            div class="field" {
                label for="new" { (visit.t("Contraseña nueva", "New password")) }
                input id="new" name="new_password" type="password" required
                    minlength=(PASSWORD_MIN_CHARS) autocomplete="new-password";
            }
            div { button { (visit.t("Cambiar", "Change")) } }
        }
    }
}

fn feed_form(visit: &Visit, feed: Option<&str>) -> Markup {
    html! {
        h2 { (visit.t("Leer en otro programa", "Read in another program")) }
        p {
            (visit.t(
                "Un lector de noticias (Atom) puede traerte lo que se publica en los temas que \
                 sigues. Su dirección es secreta: quien la tenga puede leerlos.",
                "A feed reader (Atom) can bring you what is published in the areas you follow. \
                 Its address is secret: whoever has it can read them.",
            ))
        }
        @if let Some(url) = feed {
            div class="note" role="status" {
                strong { (visit.t("Tu dirección nueva", "Your new address")) }
                p { a href=(url) { (url) } }
                p class="muted" {
                    (visit.t("No se volverá a mostrar.", "It will not be shown again."))
                }
            }
        }
        form method="post" action="/account/feed" {
            button { (visit.t("Crear una dirección nueva", "Make a new address")) }
        }
    }
}
