//! A lottery's page: how its number is found, how its agencies stand, and what was drawn.
//!
//! Lotteries are opened, closed and drawn by command or over the API; here they are looked at.

mod list;
mod rule;

pub(super) use list::list;

use axum::response::Response;
use domain::accounts::Member;
use domain::lottery::{self, Agency, Drawn, GetLottery, Lottery, WinnersAnswer, WinnersPage};
use engine::Served;
use maud::{Markup, html};

use super::layout::{Frame, Live};
use super::visit::Visit;
use super::words::moment;
use crate::http::{AgencyPath, LotteryPath, Pairs, lottery_id};
use crate::polls::hex;
use crate::problem::Trouble;

/// How often the page of a lottery that takes bets is looked at again, where scripts run: bets
/// make no events.
const COUNT_MS: u32 = 5_000;

/// `GET /lotteries/{lottery}`
pub(super) async fn show(
    visit: Visit,
    LotteryPath(lottery): LotteryPath,
) -> Result<Response, Trouble> {
    let id = lottery_id(&visit.app, &visit.caller, lottery).await?;
    let question = move |_: &Member| GetLottery { id };
    let Served {
        value: (me, found),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let (lottery, agencies) = found.ok_or_else(|| Trouble::missing("lottery", id))?;
    let content = html! {
        p { a href="/lotteries" { "← " (visit.t("Loterías", "Lotteries")) } }
        h1 { (lottery.name) }
        p class="meta" { (facts(&visit, &lottery)) }
        @if let Some(drawn) = &lottery.drawn { (draw(&visit, drawn)) }
        (rule::section(&visit, &lottery))
        (agency_table(&visit, &lottery, &agencies))
        (record(&visit, &lottery))
    };
    let live = match lottery.drawn {
        Some(_) => Live::Events(None),
        None => Live::Counting(COUNT_MS),
    };
    let frame = Frame {
        title: &lottery.name,
        member: Some((me.name.as_str(), me.administrator)),
        current: "lotteries",
        live,
    };
    Ok(visit.page(frame, &position, content))
}

/// Whether it takes bets, and since when.
fn facts(visit: &Visit, lottery: &Lottery) -> Markup {
    html! {
        @match (&lottery.drawn, lottery.open_agencies) {
            (Some(drawn), _) => {
                (visit.t("sorteada", "drawn")) " " (moment(visit.language, drawn.at_ms))
            }
            (None, 0) => {
                (visit.t("cerrada: falta el sorteo", "closed: the draw is to come"))
            }
            (None, open) => {
                (visit.t("abierta", "open")) ", "
                (visit.t("agencias cerradas:", "agencies closed:")) " "
                (lottery.agencies - open) " " (visit.t("de", "of")) " " (lottery.agencies)
            }
        }
        " · " (visit.t("se abrió", "opened")) " " (moment(visit.language, lottery.opened_at_ms))
    }
}

fn draw(visit: &Visit, drawn: &Drawn) -> Markup {
    html! {
        div class="state" {
            span {
                (visit.t("Salió el", "The number is")) " "
                strong { (four_digits(drawn.number)) }
            }
            span class="muted" { (winning(visit, drawn.winners)) }
        }
    }
}

/// A number as it is written on a ticket.
fn four_digits(number: u16) -> String {
    format!("{number:04}")
}

fn winning(visit: &Visit, winners: i64) -> Markup {
    html! {
        @match winners {
            0 => { (visit.t("nadie lo tenía", "nobody had it")) }
            1 => { (visit.t("1 apuesta ganadora", "1 winning bet")) }
            many => { (many) " " (visit.t("apuestas ganadoras", "winning bets")) }
        }
    }
}

/// All agencies, also those that have not sent anything yet.
fn agency_table(visit: &Visit, lottery: &Lottery, known: &[Agency]) -> Markup {
    let drawn = lottery.drawn.is_some();
    let mut known = known.iter().peekable();
    html! {
        h2 id="agencies" { (visit.t("Agencias", "Agencies")) }
        div class="scroll" tabindex="0" role="region" aria-labelledby="agencies" {
            table {
                thead {
                    tr {
                        th scope="col" { (visit.t("Agencia", "Agency")) }
                        th scope="col" { (visit.t("Estado", "State")) }
                        th class="number" scope="col" { (visit.t("Apuestas", "Bets")) }
                        @if drawn {
                            th class="number" scope="col" { (visit.t("Ganadoras", "Winning")) }
                        }
                    }
                }
                tbody {
                    @for number in 1..=lottery.agencies {
                        (agency_row(visit, lottery, number, known.next_if(|a| a.agency == number)))
                    }
                }
            }
        }
    }
}

fn agency_row(visit: &Visit, lottery: &Lottery, number: u32, known: Option<&Agency>) -> Markup {
    let winners = known.map_or(0, |agency| agency.winners);
    html! {
        tr {
            th scope="row" { (number) }
            td {
                @if let Some(closed) = known.and_then(|agency| agency.closed_at_ms) {
                    (visit.t("cerró", "closed")) " " (moment(visit.language, closed))
                } @else {
                    (visit.t("abierta", "open"))
                }
            }
            td class="number" { (known.map_or(0, |agency| agency.bets)) }
            @if lottery.drawn.is_some() {
                td class="number" {
                    @if winners == 0 { "0" }
                    @else {
                        a href={ "/lotteries/" (lottery.id) "/agencies/" (number) } { (winners) }
                    }
                }
            }
        }
    }
}

/// What proves which bets took part.
fn record(visit: &Visit, lottery: &Lottery) -> Markup {
    let file = visit.t("registro.json", "record.json");
    html! {
        h2 { (visit.t("Registro", "Record")) }
        p class="meta" {
            (visit.t("Apuestas:", "Bets:")) " " (lottery.bets) " · "
            (visit.t("Lotes:", "Batches:")) " " (lottery.batches) " · "
            (visit.t("Raíz de Merkle de todos los lotes:", "Merkle root of all batches:"))
        }
        p class="note" { code { (hex(&lottery.root)) } }
        p class="meta" {
            (visit.t(
                "Con cada lote que entra cambia. Un lote añadido, quitado o cambiado después del \
                 sorteo daría otra.",
                "It changes with every batch that comes. One that was added, removed or changed \
                 after the draw would give another.",
            ))
        }
        div class="bar" {
            a class="button" href={ "/v1/lotteries/" (lottery.id) "/record" } {
                (visit.t("Registro de lotes", "Record of batches"))
            }
        }
        p class="hint" {
            (visit.t("Para recalcularlo todo:", "To recompute all of it:")) " "
            code { "consorcio lottery record --lottery " (lottery.id) " --out " (file) } " "
            (visit.t("y", "and")) " " code { "consorcio lottery verify " (file) }
        }
    }
}

/// `GET /lotteries/{lottery}/agencies/{agency}`: who has won of an agency's.
pub(super) async fn winners(
    visit: Visit,
    AgencyPath(lottery, agency): AgencyPath,
    query: Pairs,
) -> Result<Response, Trouble> {
    let after = query.number("after", 0..=i64::MAX)?.unwrap_or(0);
    let lottery = lottery_id(&visit.app, &visit.caller, lottery).await?;
    let question = move |_: &Member| lottery::Winners {
        lottery,
        agency,
        after,
    };
    let Served {
        value: (me, answer),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let found = match answer {
        WinnersAnswer::NoLottery => return Err(Trouble::missing("lottery", lottery)),
        WinnersAnswer::NoAgency => return Err(Trouble::missing("agency", agency)),
        WinnersAnswer::NotReady { .. } => None,
        WinnersAnswer::Page(page) => Some(page),
    };
    let own = format!("/lotteries/{lottery}/agencies/{agency}");
    let title = format!(
        "{} {agency}",
        visit.t("Ganadores de la agencia", "Winners of agency")
    );
    let content = html! {
        p {
            a href={ "/lotteries/" (lottery) } { "← " (visit.t("La lotería", "The lottery")) }
        }
        h1 { (title) }
        @if let Some(page) = &found {
            (documents(&visit, page))
            @if let Some(next) = page.next {
                p {
                    a class="button" href={ (own) "?after=" (next) } {
                        (visit.t("Más", "More"))
                    }
                }
            }
        } @else {
            p class="note" { (visit.t("Todavía no se ha sorteado.", "It has not been drawn yet.")) }
        }
    };
    let frame = Frame {
        title: &title,
        member: Some((me.name.as_str(), me.administrator)),
        current: "lotteries",
        live: Live::Events(None),
    };
    Ok(visit.page(frame, &position, content))
}

fn documents(visit: &Visit, page: &WinnersPage) -> Markup {
    html! {
        p class="meta" {
            (visit.t("Salió el", "The number is")) " " (four_digits(page.number)) " · "
            (winning(visit, page.total))
        }
        @if !page.documents.is_empty() {
            p { (visit.t("Sus documentos, en el orden de las apuestas:",
                "Their documents, in the order of the bets:")) }
            ul class="list" {
                @for document in &page.documents { li { (document) } }
            }
        }
    }
}
