//! How a poll stands, as bars, and what came of it. The script changes the numbers in place.

use domain::polls::Majority;
use domain::polls::queries::{Poll, State};
use domain::polls::verdict::{Count, Verdict};
use maud::{Markup, html};

use crate::web::visit::Visit;

/// The bars, or that they show later.
pub(super) fn standing(visit: &Visit, poll: &Poll) -> Markup {
    let (Some(tally), Some(verdict)) = (&poll.tally, poll.verdict()) else {
        return html! {
            p class="note" {
                (visit.t("El resultado se verá al cerrarse.", "The result shows after the close."))
            }
        };
    };
    let total = verdict.total;
    let adopted = verdict.winner.filter(|_| poll.state == State::Closed);
    html! {
        section id="tally" aria-labelledby="standing" {
            h2 id="standing" {
                @if poll.state == State::Closed { (visit.t("Resultado", "Result")) }
                @else { (visit.t("Así va", "How it stands")) }
            }
            @for (number, (label, count)) in (1u32..).zip(poll.options.iter().zip(&tally.options)) {
                (bar(number, label, *count, total, adopted == Some(number)))
            }
            (bar(0, visit.t("En blanco", "Blank"), tally.blank, total, false))
            p class="meta" {
                (visit.t("Votos:", "Votes:")) " " span id="total" { (counted(total)) }
                @if let Some(all) = poll.electorate {
                    " " (visit.t("de", "of")) " " (counted(all))
                }
            }
            @if poll.state == State::Closed { (outcome(visit, poll, &verdict)) }
        }
    }
}

fn bar(number: u32, label: &str, count: Count, total: Count, won: bool) -> Markup {
    html! {
        div class={ "option" @if won { " won" } } data-option=(number) {
            span class="label" { (label) }
            span class="number" { (share(count, total)) }
            progress value=(count.weight) max=(total.weight.max(1)) aria-label=(label) {}
        }
    }
}

/// `12 · 40 %`; the script says it the same way.
fn share(count: Count, total: Count) -> String {
    let percent = (200 * count.weight + total.weight).checked_div(2 * total.weight);
    format!("{} · {} %", counted(count), percent.unwrap_or(0))
}

/// `12`, or with weights `12 (340)`.
fn counted(count: Count) -> String {
    match count.ballots == count.weight {
        true => count.ballots.to_string(),
        false => format!("{} ({})", count.ballots, count.weight),
    }
}

fn outcome(visit: &Visit, poll: &Poll, verdict: &Verdict) -> Markup {
    let label = |number: u32| poll.options.get(number as usize - 1).map(String::as_str);
    let winner = verdict.winner.and_then(label);
    let base = format!("/v1/polls/{}", poll.id);
    html! {
        div class={ "state" @if winner.is_none() { " worried" } } {
            @if let Some(winner) = winner {
                span { (visit.t("Gana", "Adopted:")) " " strong { (winner) } }
            } @else {
                span { (why_not(visit, verdict)) }
            }
        }
        p class="meta" { (majority(visit, poll.majority)) }
        div class="bar" {
            a class="button" href={ (base) "/result?format=csv" } {
                (visit.t("Resultado en CSV", "Result as CSV"))
            }
            a class="button" href={ (base) "/record" } {
                (visit.t("Registro de votos", "Record of ballots"))
            }
        }
        p class="hint" {
            (visit.t("Para recontarlo:", "To recount it:")) " "
            code { "consorcio poll record " (poll.id) " > acta.json" } " "
            (visit.t("y", "and")) " " code { "consorcio poll verify acta.json" }
        }
    }
}

fn why_not(visit: &Visit, verdict: &Verdict) -> &'static str {
    if verdict.total.ballots == 0 {
        visit.t("No votó nadie.", "Nobody voted.")
    } else if verdict.quorum_reached == Some(false) {
        visit.t("No se alcanzó el quórum.", "The quorum was not reached.")
    } else if verdict.leading.len() > 1 {
        visit.t("Hay empate.", "It is a draw.")
    } else {
        visit.t("No se alcanzó la mayoría.", "The majority was not reached.")
    }
}

/// What it takes to win, in words.
pub(super) fn majority(visit: &Visit, majority: Majority) -> &'static str {
    match majority {
        Majority::Simple => visit.t("Mayoría simple", "Simple majority"),
        Majority::Absolute => visit.t(
            "Mayoría absoluta: más de la mitad de lo votado",
            "Absolute majority: more than half of what is cast",
        ),
        Majority::TwoThirds => visit.t(
            "Mayoría de dos tercios de lo votado",
            "Two thirds of what is cast",
        ),
        Majority::ThreeQuarters => visit.t(
            "Mayoría de tres cuartos de lo votado",
            "Three quarters of what is cast",
        ),
        Majority::Electorate => visit.t(
            "Más de la mitad de quienes pueden votar",
            "More than half of all who may vote",
        ),
    }
}
