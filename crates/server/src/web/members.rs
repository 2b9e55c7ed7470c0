//! The members, for administrators.

use axum::response::Response;
use domain::Action;
use domain::accounts::{Account, ListAccounts, Member};
use domain::names::Name;
use engine::{Position, Served};
use http::StatusCode;
use maud::{Markup, html};

use super::layout::{Frame, alert, encoded};
use super::visit::{Visit, moved};
use super::words::moment;
use crate::http::{Form, Pairs};
use crate::problem::{Trouble, bad_name, forbidden_to_members};

/// Members on a page.
const PAGE_MEMBERS: u32 = 100;

/// `GET /members`
pub(super) async fn show(visit: Visit, query: Pairs) -> Result<Response, Trouble> {
    let after = query.text("after")?.unwrap_or_default().to_owned();
    page(&visit, StatusCode::OK, after, None).await
}

/// `POST /members`
pub(super) async fn set_administrator(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let administrator = form.fields.flag("administrator")?;
    let name = form.fields.text("name")?.unwrap_or_default();
    let name = Name::parse(name).map_err(bad_name("name"))?;
    let action = Action::SetAdministrator {
        name,
        administrator,
    };
    match visit.app.write(&visit.caller, action).await {
        Ok(written) => Ok(moved(&visit.app, "/members", &written.position)),
        Err(trouble) => {
            let visit = visit.after(&trouble);
            page(&visit, trouble.status(), String::new(), Some(&trouble)).await
        }
    }
}

async fn page(
    visit: &Visit,
    status: StatusCode,
    after: String,
    trouble: Option<&Trouble>,
) -> Result<Response, Trouble> {
    let question = move |_: &Member| ListAccounts {
        after: after.clone(),
        limit: PAGE_MEMBERS,
    };
    let Served {
        value: (me, accounts),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    if !me.administrator {
        return Err(forbidden_to_members());
    }
    let title = visit.t("Socios", "Members");
    let content = html! {
        h1 { (title) }
        (alert(visit, trouble))
        ul class="list" {
            @for account in &accounts { (member_item(visit, account)) }
        }
        (next_page(visit, &accounts))
    };
    Ok(framed(visit, status, title, &me, &position, content))
}

fn framed(
    visit: &Visit,
    status: StatusCode,
    title: &str,
    me: &Member,
    position: &Position,
    content: Markup,
) -> Response {
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "members",
        ..Frame::default()
    };
    visit.page_with(status, frame, Some(position), content)
}

fn member_item(visit: &Visit, account: &Account) -> Markup {
    let (flag, label) = match account.administrator {
        true => (
            "false",
            visit.t("Que deje de administrar", "Unmake administrator"),
        ),
        false => ("true", visit.t("Que administre", "Make administrator")),
    };
    html! {
        li {
            div class="row" {
                div {
                    strong { (account.name) } " "
                    @if account.administrator {
                        span class="badge" { (visit.t("administra", "administrator")) }
                    }
                    p class="meta" {
                        (visit.t("Alta:", "Joined:")) " "
                        (moment(visit.language, account.created_at_ms))
                    }
                }
                form method="post" action="/members" {
                    input type="hidden" name="name" value=(account.name);
                    input type="hidden" name="administrator" value=(flag);
                    button aria-label={ (label) ": " (account.name) } { (label) }
                }
            }
        }
    }
}

fn next_page(visit: &Visit, accounts: &[Account]) -> Markup {
    let full = accounts.len() == PAGE_MEMBERS as usize;
    html! {
        @if let Some(last) = accounts.last().filter(|_| full) {
            p {
                a class="button" href={ "/members?after=" (encoded(&last.name)) } {
                    (visit.t("Siguientes", "Next"))
                }
            }
        }
    }
}
