//! The list of lotteries.

use axum::response::Response;
use domain::accounts::Member;
use domain::lottery::{ListLotteries, Lottery};
use engine::Served;
use maud::{Markup, html};

use super::{COUNT_MS, facts, four_digits, rule};
use crate::http::Pairs;
use crate::problem::Trouble;
use crate::web::layout::{Frame, Live};
use crate::web::visit::Visit;

/// Lotteries on a page.
const PAGE_LOTTERIES: u32 = 20;

/// `GET /lotteries`
pub(in crate::web) async fn list(visit: Visit, query: Pairs) -> Result<Response, Trouble> {
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let question = move |_: &Member| ListLotteries {
        before,
        limit: PAGE_LOTTERIES,
    };
    let Served {
        value: (me, page),
        position,
    } = visit.app.ask(&visit.caller, question).await?;
    let title = visit.t("Loterías", "Lotteries");
    let content = html! {
        h1 { (title) }
        @if page.lotteries.is_empty() {
            p class="note" { (visit.t("Todavía no hay ninguna.", "There are none yet.")) }
        } @else {
            ul class="list" { @for lottery in &page.lotteries { (item(&visit, lottery)) } }
        }
        @if let Some(next) = page.next {
            p {
                a class="button" href={ "/lotteries?before=" (next) } {
                    (visit.t("Más antiguas", "Older"))
                }
            }
        }
        @if me.administrator { (how_to_open(&visit)) }
    };
    let open = page.lotteries.iter().any(|lottery| lottery.drawn.is_none());
    let frame = Frame {
        title,
        member: Some((me.name.as_str(), me.administrator)),
        current: "lotteries",
        live: if open {
            Live::Counting(COUNT_MS)
        } else {
            Live::Events(None)
        },
    };
    Ok(visit.page(frame, &position, content))
}

fn item(visit: &Visit, lottery: &Lottery) -> Markup {
    html! {
        li {
            div class="row" {
                a class="name" href={ "/lotteries/" (lottery.id) } { (lottery.name) }
                @if let Some(drawn) = &lottery.drawn {
                    span class="badge" { (four_digits(drawn.number)) }
                }
            }
            p class="meta" { (facts(visit, lottery)) }
            p class="meta" {
                (visit.t("apuestas:", "bets:")) " " (lottery.bets) " · "
                (rule::in_short(visit, &lottery.rule))
            }
        }
    }
}

fn how_to_open(visit: &Visit) -> Markup {
    let name = visit.t("Sorteo de mayo", "May draw");
    html! {
        p class="hint" {
            (visit.t("Para abrir una:", "To open one:")) " "
            code { "consorcio lottery open '" (name) "' --agencies 5" }
        }
    }
}
