//! The list of polls, and the form to make one.

use api::types::{ListedVoter, NewPoll, PollMajority, PollVoters};
use axum::response::Response;
use domain::polls::Majority;
use domain::polls::queries::{ListPolls, Poll, State, Viewer};
use domain::{Action, Reply};
use engine::Served;
use http::StatusCode;
use maud::{Markup, html};

use super::{facts, tally};
use crate::app::{now_ms, odd_reply};
use crate::http::{Form, Pairs};
use crate::polls;
use crate::problem::Trouble;
use crate::render::rfc3339;
use crate::web::layout::{Frame, Live, alert};
use crate::web::visit::{Visit, form_id, moved};

/// Polls on a page.
const PAGE_POLLS: u32 = 20;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// When a poll made on the page may close, in hours from now.
const CLOSINGS: [(i64, &str, &str); 5] = [
    (1, "dentro de una hora", "in an hour"),
    (24, "dentro de un día", "in a day"),
    (72, "dentro de tres días", "in three days"),
    (168, "dentro de una semana", "in a week"),
    (336, "dentro de dos semanas", "in two weeks"),
];

/// What was filled in before.
#[derive(Default)]
struct Draft<'a> {
    question: &'a str,
    options: &'a str,
    list: &'a str,
    trouble: Option<&'a Trouble>,
}

/// `GET /polls`
pub(in crate::web) async fn list(visit: Visit, query: Pairs) -> Result<Response, Trouble> {
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    list_page(&visit, StatusCode::OK, before, &Draft::default()).await
}

/// `POST /polls`
pub(in crate::web) async fn create(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let text = |name| Ok::<_, Trouble>(form.fields.text(name)?.unwrap_or_default());
    let mut draft = Draft {
        question: text("question")?,
        options: text("options")?,
        list: text("list")?,
        trouble: None,
    };
    let made = async {
        let caller = form.once("poll")?;
        caller.token()?;
        let poll = polls::new_poll(filled(&form.fields, &draft)?)?;
        visit.app.write(&caller, Action::CreatePoll { poll }).await
    };
    match made.await {
        Ok(written) => {
            let Reply::Poll { id } = written.reply else {
                return Err(odd_reply(&written.reply));
            };
            let to = format!("/polls/{id}");
            Ok(moved(&visit.app, &to, &written.position))
        }
        Err(trouble) => {
            draft.trouble = Some(&trouble);
            let visit = visit.after(&trouble);
            list_page(&visit, trouble.status(), i64::MAX, &draft).await
        }
    }
}

/// The poll that a form describes.
fn filled(fields: &Pairs, draft: &Draft<'_>) -> Result<NewPoll, Trouble> {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    let list: Result<Vec<_>, _> = lines(draft.list).iter().map(|line| listed(line)).collect();
    let voters = match fields.text("voters")? {
        Some("anyone") => PollVoters::Anyone,
        Some("listed") => PollVoters::Listed,
        _ => PollVoters::Members,
    };
    let hours = fields.number("closes", 1..=366 * 24)?;
    Ok(NewPoll {
        question: draft.question.trim().to_owned(),
        options: lines(draft.options),
        list: match voters {
            PollVoters::Listed => list?,
            PollVoters::Members | PollVoters::Anyone => Vec::new(),
        },
        voters,
        live: fields.text("results")? != Some("after"),
        open_ballot: fields.flag("open_ballot")?,
        opens_at: None,
        closes_at: hours.map(|hours| rfc3339(now_ms() + hours * HOUR_MS)),
        quorum: None,
        quorum_percent: fields.number("quorum", 1..=100)?,
        majority: match fields.text("majority")? {
            Some("absolute") => PollMajority::Absolute,
            Some("two_thirds") => PollMajority::TwoThirds,
            Some("three_quarters") => PollMajority::ThreeQuarters,
            Some("electorate") => PollMajority::Electorate,
            _ => PollMajority::Simple,
        },
        from_list: None,
    })
}

/// `ana`, or with a weight `ana 3`.
fn listed(line: &str) -> Result<ListedVoter, Trouble> {
    let (name, weight) = line.rsplit_once([' ', '\t']).unwrap_or((line, "1"));
    let not_a_weight = |_| Trouble::field("list", "a line is a name, or a name and a weight");
    Ok(ListedVoter {
        name: name.trim().to_owned(),
        weight: weight.parse().map_err(not_a_weight)?,
    })
}

async fn list_page(
    visit: &Visit,
    status: StatusCode,
    before: i64,
    draft: &Draft<'_>,
) -> Result<Response, Trouble> {
    visit.caller.token()?;
    let question = move |viewer: Viewer| ListPolls {
        viewer,
        before,
        limit: PAGE_POLLS,
    };
    let Served {
        value: (me, found),
        position,
    } = visit.app.ask_polls(&visit.caller, None, question).await?;
    let title = visit.t("Votaciones", "Polls");
    let older = found.last().filter(|_| found.len() == PAGE_POLLS as usize);
    let content = html! {
        h1 { (title) }
        (alert(visit, draft.trouble))
        (poll_list(visit, &found))
        @if let Some(last) = older {
            p {
                a class="button" href={ "/polls?before=" (last.id) } {
                    (visit.t("Más antiguas", "Older"))
                }
            }
        }
        (create_form(visit, draft)?)
    };
    let frame = Frame {
        title,
        member: me.as_ref().map(|me| (me.name.as_str(), me.administrator)),
        current: "polls",
        live: Live::Events(None),
    };
    Ok(visit.page_with(status, frame, Some(&position), content))
}

fn poll_list(visit: &Visit, found: &[Poll]) -> Markup {
    html! {
        @if found.is_empty() {
            p class="note" { (visit.t("Todavía no hay ninguna.", "There are none yet.")) }
        } @else {
            ul class="list" {
                @for poll in found {
                    li {
                        div class="row" {
                            a class="name" href={ "/polls/" (poll.id) } { (poll.question) }
                            @if poll.state == State::Open && poll.may_vote && poll.own.is_none() {
                                span class="badge" { (visit.t("vota", "vote")) }
                            }
                        }
                        p class="meta" { (facts(visit, poll)) }
                    }
                }
            }
        }
    }
}

fn create_form(visit: &Visit, draft: &Draft<'_>) -> Result<Markup, Trouble> {
    Ok(html! {
        details id="create" open[draft.trouble.is_some()] {
            summary { (visit.t("Preguntar algo", "Ask something")) }
            form class="form" method="post" action="/polls" {
                input type="hidden" name="request" value=(form_id()?);
                div class="field" {
                    label for="question" { (visit.t("Pregunta", "Question")) }
                    input id="question" name="question" value=(draft.question) required
                        maxlength="300" placeholder="¿Gatos o perros?";
                }
                div class="field" {
                    label for="options" { (visit.t("Opciones", "Options")) }
                    textarea class="short" id="options" name="options" required
                        aria-describedby="options-hint" { "\n" (draft.options) }
                    span class="hint" id="options-hint" {
                        (visit.t("Una en cada línea, de 2 a 100.", "One a line, 2 to 100."))
                    }
                }
                (when_and_how(visit))
                (who(visit, draft))
                div { button class="main" { (visit.t("Abrir la votación", "Open the poll")) } }
            }
        }
    })
}

fn when_and_how(visit: &Visit) -> Markup {
    let majorities = [
        ("simple", Majority::Simple),
        ("absolute", Majority::Absolute),
        ("two_thirds", Majority::TwoThirds),
        ("three_quarters", Majority::ThreeQuarters),
        ("electorate", Majority::Electorate),
    ];
    html! {
        div class="field" {
            label for="closes" { (visit.t("Se cierra", "It closes")) }
            select id="closes" name="closes" {
                option value="" { (visit.t("cuando yo la cierre", "when I close it")) }
                @for (hours, spanish, english) in CLOSINGS {
                    option value=(hours) { (visit.t(spanish, english)) }
                }
            }
        }
        div class="field" {
            label for="results" { (visit.t("El resultado se ve", "The result shows")) }
            select id="results" name="results" {
                option value="live" { (visit.t("mientras se vota", "while people vote")) }
                option value="after" { (visit.t("solo al cerrarse", "only after the close")) }
            }
        }
        div class="field" {
            label for="majority" { (visit.t("Para ganar", "To win")) }
            select id="majority" name="majority" {
                @for (value, rule) in majorities {
                    option value=(value) { (tally::majority(visit, rule)) }
                }
            }
        }
        div class="field" {
            label for="quorum" { (visit.t("Quórum, en % (opcional)", "Quorum, in % (optional)")) }
            input id="quorum" name="quorum" type="number" min="1" max="100";
        }
    }
}

fn who(visit: &Visit, draft: &Draft<'_>) -> Markup {
    html! {
        div class="field" {
            label for="voters" { (visit.t("Quién vota", "Who votes")) }
            select id="voters" name="voters" {
                option value="members" { (visit.t("todos los socios", "all members")) }
                option value="listed" selected[!draft.list.is_empty()] {
                    (visit.t("la lista de abajo", "the list below"))
                }
                option value="anyone" {
                    (visit.t("cualquiera, también sin entrar", "anyone, also without signing in"))
                }
            }
        }
        div class="field" {
            label for="list" { (visit.t("Lista (opcional)", "List (optional)")) }
            textarea class="short" id="list" name="list" aria-describedby="list-hint" {
                "\n" (draft.list)
            }
            span class="hint" id="list-hint" {
                (visit.t(
                    "Un socio en cada línea; si pesa más de un voto, el peso detrás: ana 3. El \
                     registro muestra los pesos: uno que solo tiene una persona dice qué votó.",
                    "One member a line; with its weight behind if that is not 1: ana 3. The \
                     record shows the weights: one that only one voter has names that voter.",
                ))
            }
        }
        label class="choice" for="open_ballot" {
            input id="open_ballot" type="checkbox" name="open_ballot" value="true";
            span {
                (visit.t("Votación abierta: se sabrá quién votó qué",
                    "Open ballot: all will know who voted what"))
            }
        }
    }
}
