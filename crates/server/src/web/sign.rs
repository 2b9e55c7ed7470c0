//! Signing up, in and out.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use maud::{Markup, html};

use super::layout::{Frame, alert};
use super::visit::{Visit, local_path, moved, session_cookie};
use crate::app::{App, NewSession};
use crate::first::{DEMO_MEMBER, DEMO_PASSWORD};
use crate::http::{Form, Pairs};
use crate::password::PASSWORD_MIN_CHARS;
use crate::problem::Trouble;
use domain::Action;

/// What a form shows when it comes back.
#[derive(Default)]
struct Filled<'a> {
    name: &'a str,
    then: &'a str,
    trouble: Option<&'a Trouble>,
}

/// `GET /sign-in`
pub(super) async fn in_form(visit: Visit, query: Pairs) -> Result<Response, Trouble> {
    let then = local_path(query.text("then")?);
    Ok(in_page(
        &visit,
        StatusCode::OK,
        &Filled {
            then: &then,
            ..Filled::default()
        },
    ))
}

/// `POST /sign-in`
pub(super) async fn sign_in(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let name = form.fields.text("name")?.unwrap_or_default();
    let password = form.fields.text("password")?.unwrap_or_default();
    let then = local_path(form.fields.text("then")?);
    match visit.app.log_in(&visit.caller, name, password).await {
        Ok(session) => Ok(welcomed(&visit.app, &session, &then)),
        Err(trouble) => {
            let filled = Filled {
                name,
                then: &then,
                trouble: Some(&trouble),
            };
            Ok(in_page(&visit, trouble.status(), &filled))
        }
    }
}

fn welcomed(app: &App, session: &NewSession, then: &str) -> Response {
    let mut response = moved(app, then, &session.position);
    response
        .headers_mut()
        .append(SET_COOKIE, session_cookie(app, Some(&session.token)));
    response
}

fn in_page(visit: &Visit, status: StatusCode, filled: &Filled<'_>) -> Response {
    let title = visit.t("Entrar", "Sign in");
    let content = html! {
        h1 { (title) }
        (alert(visit, filled.trouble))
        @if visit.app.config.demo { (demo_note(visit)) }
        form class="form" method="post" action="/sign-in" {
            input type="hidden" name="then" value=(filled.then);
            (name_field(visit, filled.name))
            div class="field" {
                label for="password" { (visit.t("Contraseña", "Password")) }
                input id="password" name="password" type="password" required
                    autocomplete="current-password";
            }
            div { button class="main" { (title) } }
        }
        p {
            (visit.t("¿Aún no tienes cuenta?", "No account yet?")) " "
            a href="/sign-up" { (visit.t("Crea una", "Sign up")) }
        }
    };
    let frame = Frame {
        title,
        current: "sign-in",
        ..Frame::default()
    };
    visit.page_with(status, frame, None, content)
}

fn name_field(visit: &Visit, name: &str) -> Markup {
    html! {
        div class="field" {
            label for="name" { (visit.t("Nombre", "Name")) }
            input id="name" name="name" value=(name) required autofocus maxlength="64"
                autocomplete="username" autocapitalize="none" spellcheck="false";
        }
    }
}

fn demo_note(visit: &Visit) -> Markup {
    html! {
        div class="note" {
            strong { (visit.t("Esto es una demostración", "This is a demonstration")) }
            p {
                (visit.t("Entra como", "Sign in as")) " " code { (DEMO_MEMBER) } " "
                (visit.t("con la contraseña", "with the password")) " " code { (DEMO_PASSWORD) } "."
            }
        }
    }
}

/// `GET /sign-up`
pub(super) async fn up_form(visit: Visit) -> Response {
    up_page(&visit, StatusCode::OK, &Filled::default())
}

/// `POST /sign-up`
pub(super) async fn sign_up(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let name = form.fields.text("name")?.unwrap_or_default();
    let password = form.fields.text("password")?.unwrap_or_default();
    let signed_up = async {
        visit.app.register(&visit.caller, name, password).await?;
        visit.app.log_in(&visit.caller, name, password).await
    };
    match signed_up.await {
        Ok(session) => Ok(welcomed(&visit.app, &session, "/")),
        Err(trouble) => {
            let filled = Filled {
                name,
                trouble: Some(&trouble),
                ..Filled::default()
            };
            Ok(up_page(&visit, trouble.status(), &filled))
        }
    }
}

fn up_page(visit: &Visit, status: StatusCode, filled: &Filled<'_>) -> Response {
    let title = visit.t("Crear cuenta", "Sign up");
    let content = html! {
        h1 { (title) }
        (alert(visit, filled.trouble))
        form class="form" method="post" action="/sign-up" {
            (name_field(visit, filled.name))
            div class="field" {
                label for="password" { (visit.t("Contraseña", "Password")) }
                input id="password" name="password" type="password" required
                    minlength=(PASSWORD_MIN_CHARS) autocomplete="new-password"
                    aria-describedby="password-hint";
                span class="hint" id="password-hint" {
                    (visit.t(
                        "Al menos 8 letras. Una frase larga se recuerda mejor.",
                        "At least 8 characters. A long phrase is easier to remember.",
                    ))
                }
            }
            div { button class="main" { (title) } }
        }
    };
    let frame = Frame {
        title,
        current: "sign-up",
        ..Frame::default()
    };
    visit.page_with(status, frame, None, content)
}

/// `POST /sign-out`
pub(super) async fn sign_out(State(app): State<App>, form: Form) -> Result<Response, Trouble> {
    let written = app.write(&form.caller, Action::LogOut).await?;
    let mut response = moved(&app, "/sign-in", &written.position);
    response
        .headers_mut()
        .append(SET_COOKIE, session_cookie(&app, None));
    Ok(response)
}
