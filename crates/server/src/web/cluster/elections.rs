//! The last elections, as the node that answers lived through them.

use engine::{Cause, Election, Happened};
use maud::{Markup, html};

use crate::render::rfc3339;
use crate::web::visit::Visit;

/// So many are shown, the newest; `consorcio cluster elections` has more, of all nodes.
const SHOWN_MAX: usize = 6;

/// The newest of what the node remembers.
pub(super) fn list(visit: &Visit) -> Markup {
    let remembered = visit.app.engine.own_elections();
    let node = visit.app.engine.status().node.clone();
    html! {
        h2 { (visit.t("Elecciones, según ", "Elections, as told by ")) (node) }
        ul class="elections" {
            @for past in remembered.iter().rev().take(SHOWN_MAX) {
                li {
                    time datetime=(rfc3339(past.at_ms)) { (rfc3339(past.at_ms)) }
                    " · " (visit.t("mandato", "term")) " " (past.term) " · "
                    (words(visit, &node, past))
                }
            }
        }
    }
}

fn words(visit: &Visit, node: &str, past: &Election) -> String {
    let why = |cause: &Cause| format!(": {}", why(visit, cause));
    match &past.what {
        Happened::Started => format!("{node} {}", visit.t("arrancó", "started")),
        Happened::Stood(cause) => {
            let stood = visit.t("pidió votos", "asked for votes");
            format!("{node} {stood}{}", why(cause))
        }
        Happened::Voted { candidate, cause } => {
            let voted = visit.t("votó a", "voted for");
            format!("{node} {voted} {candidate}{}", why(cause))
        }
        Happened::Leads { leader, cause } => {
            let leads = visit.t("dirige", "leads");
            format!(
                "{leader} {leads}{}",
                cause.as_ref().map(why).unwrap_or_default()
            )
        }
    }
}

fn why(visit: &Visit, cause: &Cause) -> String {
    match cause {
        Cause::Founded => visit.t("se fundó el clúster", "the cluster was founded"),
        Cause::OnlyVoter => visit.t("nadie más vota", "nobody else votes"),
        Cause::Silence { silent_ms } => {
            let silent = visit.t("silencio del líder", "silence of the leader");
            return format!("{silent}, {silent_ms} ms");
        }
        Cause::NoLeader => visit.t("no se conocía líder", "no leader was known"),
        Cause::HandedOver { from } => {
            return format!("{from} {}", visit.t("cedió el puesto", "handed over"));
        }
        Cause::Forced => visit.t(
            "a la fuerza, desde un superviviente",
            "by force, from one survivor",
        ),
    }
    .to_owned()
}
