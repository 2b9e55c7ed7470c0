//! How a lottery's number is found, in words, and what of it is published.

use domain::lottery::{Lottery, Rule};
use maud::{Markup, html};

use super::four_digits;
use crate::polls::hex;
use crate::web::visit::Visit;

/// The rule in a few words.
pub(super) fn in_short(visit: &Visit, rule: &Rule) -> &'static str {
    match rule {
        Rule::Fixed { .. } => visit.t("número fijo", "fixed number"),
        Rule::External => visit.t("número oficial", "official number"),
        Rule::Verifiable { .. } => visit.t("sorteo verificable", "verifiable draw"),
    }
}

/// The rule, and what it needs or has got.
pub(super) fn section(visit: &Visit, lottery: &Lottery) -> Markup {
    html! {
        h2 { (visit.t("Cómo sale el número", "How the number is found")) }
        @match &lottery.rule {
            Rule::Fixed { number } => {
                p {
                    (visit.t("Está fijado desde el principio:", "It is fixed from the start:")) " "
                    strong { (four_digits(*number)) } ". "
                    (visit.t(
                        "Sale cuando cierra la última agencia.",
                        "It is drawn when the last agency closes.",
                    ))
                }
            }
            Rule::External => {
                p {
                    (visit.t(
                        "Es el oficial de otro sorteo: lo anota quien administra cuando han \
                         cerrado todas las agencias.",
                        "It is the official number of another draw: an administrator enters it \
                         when all agencies have closed.",
                    ))
                }
            }
            Rule::Verifiable { commitment, source } => {
                (verifiable(visit, lottery, commitment, source.as_deref()))
            }
        }
    }
}

fn verifiable(
    visit: &Visit,
    lottery: &Lottery,
    commitment: &[u8; 32],
    source: Option<&str>,
) -> Markup {
    let drawn = lottery.drawn.as_ref();
    let secret = drawn.and_then(|drawn| drawn.secret);
    let value = drawn.and_then(|drawn| drawn.source_value.as_deref());
    html! {
        p {
            (visit.t(
                "Sale de un secreto, fijado antes de la primera apuesta, y de todas las apuestas; \
                 cualquiera puede recalcularlo.",
                "It follows from a secret, which was fixed before the first bet, and from all \
                 bets; anybody can recompute it.",
            ))
        }
        dl class="facts" {
            dt { (visit.t("Compromiso: SHA-256 del secreto", "Commitment: SHA-256 of the secret")) }
            dd { code { (hex(commitment)) } }
            @if let Some(secret) = secret {
                dt { (visit.t("Secreto", "Secret")) }
                dd { code { (hex(&secret)) } }
            }
            @if let Some(source) = source {
                dt { (visit.t("Fuente pública", "Public source")) }
                dd { (source) }
            }
            @if let Some(value) = value {
                dt { (visit.t("Valor de la fuente", "The source's value")) }
                dd { (value) }
            }
        }
        p class="meta" { (honesty(visit, source.is_some())) }
    }
}

/// What the draw does not prove.
fn honesty(visit: &Visit, has_source: bool) -> &'static str {
    match has_source {
        true => visit.t(
            "Quien hizo el secreto lo sabe desde el principio; pero el número depende también de \
             la fuente, que nadie debe conocer antes de que cierren todas las agencias.",
            "Whoever made the secret has known it all along; but the number also depends on the \
             source, which nobody must know before all agencies have closed.",
        ),
        false => visit.t(
            "Quien hizo el secreto lo sabe desde el principio, y si además mete el último lote \
             puede probar muchos hasta que salga el número que quiere. Una fuente pública, \
             posterior al cierre, lo impediría.",
            "Whoever made the secret has known it all along, and who also stores the last batch \
             can try many until the number suits. A public source, dated after the closing, \
             would prevent that.",
        ),
    }
}
