//! A poll's page: the question, the ballot, how it stands, and what came of it.

mod list;
mod tally;

pub(super) use list::{create, list};

use axum::response::Response;
use domain::Action;
use domain::accounts::Member;
use domain::polls::queries::{Poll, State, VotersKind};
use engine::{Position, Served};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::layout::{Frame, Live, alert};
use super::visit::{Visit, form_id, moved, voter_cookie};
use super::words::{coming, moment};
use crate::app::Vote;
use crate::http::{Form, PollPath, VOTER_COOKIE, cookie};
use crate::polls::hex;
use crate::problem::Trouble;
use crate::token::Secret;

/// A ballot that was just cast.
struct Receipt {
    code: String,
    code_hash: String,
    changed: bool,
}

/// What a page shows besides the poll.
#[derive(Default)]
struct Shown<'a> {
    receipt: Option<Receipt>,
    trouble: Option<&'a Trouble>,
}

/// `GET /polls/{poll}`
pub(super) async fn show(
    visit: Visit,
    headers: HeaderMap,
    PollPath(poll): PollPath,
) -> Result<Response, Trouble> {
    page(&visit, &headers, poll, None, Shown::default()).await
}

/// `POST /polls/{poll}`: a ballot. The answer is the page itself, with the voter's code on it,
/// because nobody but the voter may keep that.
pub(super) async fn vote(
    visit: Visit,
    headers: HeaderMap,
    PollPath(poll): PollPath,
    form: Form,
) -> Result<Response, Trouble> {
    let voted = async {
        let choice = match form.fields.text("choice")? {
            Some("blank") => None,
            Some(number) => Some(number.parse().map_err(|_| choose())?),
            None => return Err(choose()),
        };
        let code = form.fields.text("code")?.unwrap_or_default().to_owned();
        let vote = Vote {
            poll,
            choice,
            code: code.clone(),
            voter: cookie(&headers, VOTER_COOKIE).map(str::to_owned),
        };
        let cast = visit.app.cast(&form.once("vote")?, vote).await?;
        let receipt = Receipt {
            code,
            code_hash: hex(&cast.code_hash),
            changed: cast.changed,
        };
        Ok((receipt, cast.position))
    };
    match voted.await {
        Ok((receipt, position)) => {
            let shown = Shown {
                receipt: Some(receipt),
                trouble: None,
            };
            page(&visit, &headers, poll, Some(position), shown).await
        }
        Err(trouble) if trouble.status() == StatusCode::UNAUTHORIZED => Err(trouble),
        Err(trouble) => {
            let shown = Shown {
                receipt: None,
                trouble: Some(&trouble),
            };
            let visit = visit.after(&trouble);
            page(&visit, &headers, poll, None, shown).await
        }
    }
}

fn choose() -> Trouble {
    Trouble::field("choice", "choose one of the options")
}

/// `POST /polls/{poll}/close`
pub(super) async fn close(
    visit: Visit,
    PollPath(poll): PollPath,
    _form: Form,
) -> Result<Response, Trouble> {
    let action = Action::ClosePoll { poll };
    let written = visit.app.write(&visit.caller, action).await?;
    let to = format!("/polls/{poll}");
    Ok(moved(&visit.app, &to, &written.position))
}

async fn page(
    visit: &Visit,
    headers: &HeaderMap,
    poll: i64,
    after: Option<Position>,
    shown: Shown<'_>,
) -> Result<Response, Trouble> {
    let mut caller = visit.caller.clone();
    // The page shows the ballot that was just cast.
    caller.seen = caller.seen.max(after.map(|position| position.index));
    let secret = cookie(headers, VOTER_COOKIE);
    let Served {
        value: (me, poll),
        position,
    } = visit.app.poll(&caller, secret, poll).await?;
    let content = html! {
        @if me.is_some() { p { a href="/polls" { "← " (visit.t("Votaciones", "Polls")) } } }
        h1 { (poll.question) }
        p class="meta" { (facts(visit, &poll)) }
        (alert(visit, shown.trouble))
        @if let Some(receipt) = &shown.receipt { (receipt_note(visit, receipt)) }
        (ballot(visit, me.as_ref(), &poll)?)
        (tally::standing(visit, &poll))
        (closing(visit, me.as_ref(), &poll))
        (honesty(visit, &poll))
    };
    let frame = Frame {
        title: &poll.question,
        member: me.as_ref().map(|me| (me.name.as_str(), me.administrator)),
        current: "polls",
        live: Live::Poll(poll.id),
    };
    let status = shown.trouble.map_or(StatusCode::OK, Trouble::status);
    let mut response = visit.page_with(status, frame, Some(&position), content);
    if me.is_none() && secret.is_none() {
        let cookie = voter_cookie(&visit.app, &Secret::generate()?);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Who asks, and until when.
pub(super) fn facts(visit: &Visit, poll: &Poll) -> Markup {
    html! {
        (poll.author) " · "
        @match poll.state {
            State::Planned => {
                (visit.t("se abre", "opens")) " " (coming(visit.language, poll.opens_at_ms))
            }
            State::Open => {
                (visit.t("abierta", "open"))
                @if let Some(closes) = poll.closes_at_ms {
                    ", " (visit.t("se cierra", "closes")) " " (coming(visit.language, closes))
                }
            }
            State::Closed => {
                (visit.t("cerrada", "closed"))
                @if let Some(closed) = poll.closes_at_ms {
                    " " (moment(visit.language, closed))
                }
            }
        }
        @match poll.voters {
            VotersKind::Members => {}
            VotersKind::Listed => { " · " (visit.t("para una lista", "for a list")) }
            VotersKind::Anyone => {
                " · " (visit.t("para cualquiera", "for anyone"))
            }
        }
    }
}

fn receipt_note(visit: &Visit, receipt: &Receipt) -> Markup {
    let done = match receipt.changed {
        true => visit.t("Tu voto se ha cambiado.", "Your vote was changed."),
        false => visit.t("Tu voto se ha guardado.", "Your vote was saved."),
    };
    html! {
        div class="note" data-keep {
            strong { (done) }
            p {
                (visit.t(
                    "Guarda este código: con él encuentras tu voto en el registro tras el cierre.",
                    "Keep this code: it finds your vote in the record after the close.",
                ))
            }
            p { code { (receipt.code) } }
            p class="meta" { "SHA-256 " code { (receipt.code_hash) } }
        }
    }
}

/// The form to vote, or why there is none.
fn ballot(visit: &Visit, me: Option<&Member>, poll: &Poll) -> Result<Markup, Trouble> {
    if poll.state == State::Closed {
        return Ok(html! {});
    }
    if poll.state == State::Planned || !poll.may_vote {
        let why = match poll.may_vote {
            true => visit.t("Todavía no se puede votar.", "Voting has not begun yet."),
            false => visit.t(
                "Esta votación es para otras personas.",
                "This poll is for other people.",
            ),
        };
        return Ok(html! { p class="note" { (why) } });
    }
    let own = poll.own.map(|own| own.choice);
    let button = match own {
        Some(_) => visit.t("Cambiar mi voto", "Change my vote"),
        None => visit.t("Votar", "Vote"),
    };
    // The front door chooses the code for a browser without scripts; it keeps only its hash.
    let code = form_id()?;
    Ok(html! {
        form class="form full ballot" method="post" action={ "/polls/" (poll.id) } {
            input type="hidden" name="request" value=(form_id()?);
            input type="hidden" name="code" value=(code);
            fieldset {
                legend { (visit.t("Tu voto", "Your vote")) }
                @for (number, label) in (1u32..).zip(&poll.options) {
                    (choice(&number.to_string(), label, own == Some(Some(number))))
                }
                (choice("blank", visit.t("En blanco", "Blank"), own == Some(None)))
            }
            div { button class="main" id="vote" { (button) } }
            @if me.is_none() {
                p class="hint" {
                    (visit.t(
                        "Votas sin entrar: una galleta al azar te distingue de los demás.",
                        "You vote without signing in: a random cookie tells you from others.",
                    ))
                }
            }
        }
    })
}

fn choice(value: &str, label: &str, checked: bool) -> Markup {
    let id = format!("choice-{value}");
    html! {
        label class="choice" for=(id) {
            input id=(id) type="radio" name="choice" value=(value) required checked[checked];
            span { (label) }
        }
    }
}

/// The button to close it, for whoever may.
fn closing(visit: &Visit, me: Option<&Member>, poll: &Poll) -> Markup {
    let may = me.is_some_and(|me| me.administrator || me.account == poll.author_id);
    let sure = visit.t(
        "¿Cerrarla ahora? No se puede volver a abrir.",
        "Close it now? It cannot be opened again.",
    );
    html! {
        @if may && poll.state != State::Closed {
            form class="bar" method="post" action={ "/polls/" (poll.id) "/close" } {
                button class="danger" data-ask=(sure) {
                    (visit.t("Cerrar la votación", "Close the poll"))
                }
            }
        }
    }
}

/// What the software does not hide.
fn honesty(visit: &Visit, poll: &Poll) -> Markup {
    let text = if poll.open_ballot {
        visit.t(
            "Votación abierta: el registro dice quién votó qué.",
            "An open ballot: the record says who voted what.",
        )
    } else if poll.voters == VotersKind::Listed {
        visit.t(
            "El registro público no da nombres, pero sí el peso de cada voto: un peso que solo \
             tiene una persona dice qué votó. No es un voto secreto: quien administra un nodo \
             puede ver qué votó cada cual.",
            "The public record gives no names, but it gives each ballot's weight: a weight that \
             only one voter has tells what that voter chose. This is not a secret ballot: whoever \
             runs a node can see who voted what.",
        )
    } else {
        visit.t(
            "El registro público no da nombres, pero no es un voto secreto: quien administra un \
             nodo puede ver qué votó cada cual.",
            "The public record gives no names, but this is not a secret ballot: whoever runs a \
             node can see who voted what.",
        )
    };
    html! { p class="meta" { (text) } }
}
