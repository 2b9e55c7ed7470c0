//! The control room: which nodes there are, how they are, and who leads.

mod elections;

use axum::response::Response;
use domain::accounts::Member;
use engine::{ClusterStatus, NodeStatus, Role, Served};
use http::StatusCode;
use maud::{Markup, html};

use super::layout::{Frame, Live, alert};
use super::visit::{Visit, moved};
use crate::http::Form;
use crate::problem::Trouble;

/// How often the page looks again, where scripts run.
const EVERY_MS: u32 = 1_000;

/// Digits of a hash that are enough to see whether two are equal.
const HASH_CHARS: usize = 12;

/// `GET /cluster`
pub(super) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let me = visit.app.member(&visit.caller).await?;
    Ok(page(&visit, StatusCode::OK, &me, None, None))
}

/// `POST /cluster/token`
pub(super) async fn token(visit: Visit, _form: Form) -> Result<Response, Trouble> {
    let me = visit.app.administrator(&visit.caller).await?;
    let token = visit.app.engine.join_token();
    Ok(page(&visit, StatusCode::OK, &me, Some(&token), None))
}

/// `POST /cluster/nodes/remove`
pub(super) async fn remove_node(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let me = visit.app.administrator(&visit.caller).await?;
    let name = form.fields.text("name")?.unwrap_or_default();
    match visit
        .app
        .engine
        .remove_node(name)
        .await
        .map_err(Trouble::from)
    {
        Ok(()) => Ok(moved(&visit.app, "/cluster", &me.position)),
        Err(trouble) => Ok(page(&visit, trouble.status(), &me, None, Some(&trouble))),
    }
}

/// `POST /cluster/nodes/rebuild`
pub(super) async fn rebuild_node(visit: Visit, form: Form) -> Result<Response, Trouble> {
    let me = visit.app.administrator(&visit.caller).await?;
    let name = form.fields.text("name")?.unwrap_or_default();
    match visit.app.engine.rebuild_node(name, false).await {
        Ok(_) => Ok(moved(&visit.app, "/cluster", &me.position)),
        Err(error) => {
            let trouble = Trouble::from(error);
            Ok(page(&visit, trouble.status(), &me, None, Some(&trouble)))
        }
    }
}

fn page(
    visit: &Visit,
    status: StatusCode,
    Served {
        value: me,
        position,
    }: &Served<Member>,
    token: Option<&str>,
    trouble: Option<&Trouble>,
) -> Response {
    let cluster = visit.app.engine.status();
    let title = visit.t("Sala de control", "Control room");
    let content = html! {
        h1 { (title) }
        (alert(visit, trouble))
        (state(visit, &cluster))
        @if let Some(token) = token { (shown_token(visit, token)) }
        ul class="nodes" {
            @for node in &cluster.nodes { (node_card(visit, &cluster, node, me.administrator)) }
        }
        p class="meta" {
            (visit.t("Clúster", "Cluster")) " " (short(&cluster.cluster)) " · "
            (visit.t("mandato", "term")) " " (cluster.term) " · "
            (visit.t("índice confirmado", "committed index")) " " (cluster.committed)
        }
        (elections::list(visit))
        @if me.administrator { (token_form(visit)) }
    };
    // A page with a secret or a problem stays as it is.
    let live = if token.or(trouble.map(|_| "")).is_some() {
        Live::No
    } else {
        Live::Every(EVERY_MS)
    };
    let member = Some((me.name.as_str(), me.administrator));
    let frame = Frame {
        title,
        member,
        current: "cluster",
        live,
    };
    visit.page_with(status, frame, Some(position), content)
}

/// How the cluster is, in one sentence.
fn state(visit: &Visit, cluster: &ClusterStatus) -> Markup {
    let voters = cluster
        .nodes
        .iter()
        .filter(|node| node.role != Role::Learner);
    let (all, well) = voters.fold((0, 0), |(all, well), node| {
        (all + 1, well + usize::from(node.healthy))
    });
    let spares = well.saturating_sub(all / 2 + 1);
    let leader = cluster.leader.as_deref().filter(|_| well > all / 2);
    let class = match leader {
        None => "state bad",
        Some(_) if well < all => "state worried",
        Some(_) => "state",
    };
    html! {
        div class=(class) role="status" {
            div {
                strong {
                    @match leader {
                        None => (visit.t("Solo lectura: falta mayoría", "Read only: no majority")),
                        Some(_) if well < all => (visit.t("Falta algún nodo", "A node is away")),
                        Some(_) => (visit.t("Todo en orden", "All is well")),
                    }
                }
                " · " (well) "/" (all) " " (visit.t("nodos responden", "nodes answer"))
                @if let Some(leader) = leader {
                    " · " (visit.t("dirige", "led by")) " " strong { (leader) }
                    " · " (visit.t("puede faltar", "may lose")) " " (spares) " "
                    (visit.t("más", "more"))
                }
            }
        }
    }
}

fn node_card(visit: &Visit, cluster: &ClusterStatus, node: &NodeStatus, admin: bool) -> Markup {
    let class = if node.healthy { "node" } else { "node away" };
    let behind = cluster.committed.saturating_sub(node.applied);
    html! {
        li class=(class) {
            h3 {
                (node.name)
                span class=(if node.role == Role::Leader { "role leader" } else { "role" }) {
                    (role(visit, node.role))
                }
            }
            dl {
                dt { (visit.t("Responde", "Answers")) }
                dd { (contact(visit, node)) }
                dt { (visit.t("Aplicado", "Applied")) }
                dd {
                    (node.applied)
                    @if behind > 0 { " (−" (behind) ")" }
                }
                dt { (visit.t("Registro", "Log")) }
                dd {
                    (node.last_log)
                    @if let Some(lag @ 1..) = node.lag { " (−" (lag) ")" }
                }
                dt { (visit.t("Votó a", "Voted for")) }
                dd { (node.voted_for.as_deref().unwrap_or("–")) }
                dt { (visit.t("Huella", "State hash")) }
                dd { code { (short(&node.state_hash)) } }
                dt { (visit.t("Temas", "Areas")) }
                dd { (areas_of(visit, &node.name)) }
                dt { "HTTP" }
                dd { a href=(node.http) { (node.http) } }
            }
            @if admin && *node.name != *cluster.node {
                @if node.differs { (rebuild_form(visit, &node.name)) }
                (remove_form(visit, &node.name))
            }
        }
    }
}

fn role(visit: &Visit, role: Role) -> &'static str {
    match role {
        Role::Leader => visit.t("líder", "leader"),
        Role::Follower => visit.t("seguidor", "follower"),
        Role::Candidate => visit.t("candidato", "candidate"),
        Role::Learner => visit.t("aprendiz", "learner"),
    }
}

fn contact(visit: &Visit, node: &NodeStatus) -> String {
    let yes = visit.t("sí", "yes");
    let no = visit.t("no", "no");
    if node.differs {
        return visit
            .t("no: sus datos difieren", "no: its data differ")
            .to_owned();
    }
    match (node.healthy, node.round_trip_us, node.last_contact_ms) {
        (true, Some(us), _) => format!("{yes}, {}.{} ms", us / 1000, us % 1000 / 100),
        (true, None, _) => yes.to_owned(),
        (false, _, Some(ms)) => format!("{no}, {} s", ms / 1000),
        (false, _, None) => no.to_owned(),
    }
}

fn areas_of(visit: &Visit, node: &str) -> String {
    let assignment = visit.app.agent.assignment();
    let theirs = assignment
        .iter()
        .filter(|(_, nodes)| nodes.iter().any(|name| name == node));
    let ids: Vec<String> = theirs.map(|(area, _)| area.to_string()).collect();
    if ids.is_empty() {
        "–".to_owned()
    } else {
        ids.join(", ")
    }
}

fn remove_form(visit: &Visit, name: &str) -> Markup {
    let sure = visit.t(
        "¿Quitar este nodo del clúster?",
        "Remove this node from the cluster?",
    );
    html! {
        form method="post" action="/cluster/nodes/remove" {
            input type="hidden" name="name" value=(name);
            button class="plain" data-ask=(sure) id={ "remove-" (name) } {
                (visit.t("Quitar", "Remove")) " " (name)
            }
        }
    }
}

/// Only for a node whose data are known to be wrong: to others it would do no good.
fn rebuild_form(visit: &Visit, name: &str) -> Markup {
    let sure = visit.t(
        "¿Apartar los datos de este nodo y unirlo de nuevo?",
        "Put this node's data away and join it anew?",
    );
    html! {
        form method="post" action="/cluster/nodes/rebuild" {
            input type="hidden" name="name" value=(name);
            button data-ask=(sure) id={ "rebuild-" (name) } {
                (visit.t("Rehacer", "Rebuild")) " " (name)
            }
        }
    }
}

fn token_form(visit: &Visit) -> Markup {
    html! {
        h2 { (visit.t("Añadir un nodo", "Add a node")) }
        p {
            (visit.t(
                "Instala el programa en otra máquina y arráncalo con la orden que sale aquí.",
                "Install the program on another machine and start it with the command shown here.",
            ))
        }
        form method="post" action="/cluster/token" {
            button id="token" { (visit.t("Mostrar la orden", "Show the command")) }
        }
    }
}

fn shown_token(visit: &Visit, token: &str) -> Markup {
    html! {
        div class="note" role="status" {
            strong { (visit.t("En la otra máquina:", "On the other machine:")) }
            p { code { "consorcio serve --join '" (token) "'" } }
            p class="muted" {
                (visit.t(
                    "Es un secreto: quien lo tenga puede unirse al clúster.",
                    "It is a secret: whoever has it can join the cluster.",
                ))
            }
        }
    }
}

fn short(hash: &str) -> &str {
    hash.get(..HASH_CHARS).unwrap_or(hash)
}
