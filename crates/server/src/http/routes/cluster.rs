//! The cluster, and which of its nodes to ask.

use api::types::{Cluster, Elections, JoinToken, Rebuild, Rebuilding, Route, RouteNode};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::news::queries::{AreaRef, GetArea};
use engine::{Role, Served};
use http::StatusCode;

use crate::app::{App, Caller};
use crate::http::extract::Input;
use crate::http::{Answer, AreaPath};
use crate::problem::Trouble;
use crate::render;
use crate::render::cluster::Beside;

/// The nodes to ask about an area
///
/// Best first. Any node answers; asking these spreads the load.
#[utoipa::path(get, path = "/v1/route/areas/{area}", tag = "cluster", security(()),
    params(("area" = String, Path, description = "Id or name")),
    responses((status = 200, body = Route)))]
pub(super) async fn route(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
) -> Result<Answer<Route>, Trouble> {
    let area = existing(&app, &caller, area).await?;
    let Served {
        value: area,
        position,
    } = area;
    let status = app.engine.status();
    let shown = |(node, assigned): (&engine::NodeStatus, bool)| RouteNode {
        name: node.name.clone(),
        http: node.http.clone(),
        assigned,
        leader: node.role == Role::Leader,
    };
    let nodes = app
        .agent
        .route(&status, area)
        .into_iter()
        .map(shown)
        .collect();
    Ok(Answer::ok(position, Route { area, nodes }))
}

/// The area's id. Nobody in particular asks: where to ask is no secret.
async fn existing(app: &App, caller: &Caller, area: AreaRef) -> Result<Served<i64>, Trouble> {
    let which = area.clone();
    let Served { value, position } = app.read(caller, GetArea { viewer: 0, area }).await?;
    let area = value.ok_or_else(|| Trouble::no_area(&which))?;
    Ok(Served {
        value: area.id,
        position,
    })
}

/// The cluster as this node sees it
#[utoipa::path(get, path = "/v1/cluster", tag = "cluster", security(()),
    responses((status = 200, body = Cluster)))]
pub(super) async fn show(State(app): State<App>, _caller: Caller) -> axum::Json<Cluster> {
    axum::Json(app.cluster())
}

/// The elections that the nodes remember
///
/// Each node tells what it lived through: when it stood and why, whom it gave its vote, who led
/// then. Newest first; a node keeps its last 100 entries.
#[utoipa::path(get, path = "/v1/cluster/elections", tag = "cluster", security(()),
    responses((status = 200, body = Elections)))]
pub(super) async fn elections(State(app): State<App>, _caller: Caller) -> axum::Json<Elections> {
    axum::Json(app.elections().await)
}

/// The token with which another node joins
///
/// Administrators only. It is a secret: who has it can join.
#[utoipa::path(post, path = "/v1/cluster/token", tag = "cluster",
    responses((status = 201, body = JoinToken)))]
pub(super) async fn token(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<JoinToken>, Trouble> {
    let position = app.administrator(&caller).await?.position;
    Ok(Answer::created(
        position,
        JoinToken {
            token: app.engine.join_token(),
        },
    ))
}

/// Take a node out of the cluster
///
/// Administrators only. Refused if it would leave the cluster without a working majority.
#[utoipa::path(delete, path = "/v1/cluster/nodes/{name}", tag = "cluster",
    params(("name" = String, Path, description = "The node's name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn remove_node(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Trouble> {
    app.administrator(&caller).await?;
    app.engine.remove_node(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Have a node begin anew
///
/// Administrators only; any node may be asked. It puts its data away, joins under another id and
/// takes its own place once it has caught up: what to do with a node whose state differs. Refused
/// if too few voters answer without it, unless `confirmed`.
#[utoipa::path(post, path = "/v1/cluster/nodes/{name}/rebuild", tag = "cluster",
    params(("name" = String, Path, description = "The node's name")), request_body = Rebuild,
    responses((status = 202, body = Rebuilding)))]
pub(super) async fn rebuild_node(
    State(app): State<App>,
    Path(name): Path<String>,
    Input { caller, body }: Input<Rebuild>,
) -> Result<Answer<Rebuilding>, Trouble> {
    let position = app.administrator(&caller).await?.position;
    let left = app.engine.rebuild_node(&name, body.confirmed).await?;
    let leaves = render::cluster::id(left);
    Ok(Answer::accepted(position, Rebuilding { name, leaves }))
}

impl App {
    /// The elections that the nodes remember.
    pub(crate) async fn elections(&self) -> Elections {
        render::cluster::elections(self.engine.elections().await)
    }

    /// The cluster with the areas that each node is assigned, and its other front doors.
    pub(crate) fn cluster(&self) -> Cluster {
        let assignment = self.agent.assignment();
        let areas_of = |name: &str| {
            let theirs = assignment
                .iter()
                .filter(|(_, nodes)| nodes.iter().any(|n| n == name));
            theirs.map(|(area, _)| *area).collect()
        };
        let status = self.engine.status();
        let doors_of = |node: &engine::NodeStatus| match *node.name == *status.node {
            true => self.config.doors.clone(),
            false => crate::agent::doors_of(node),
        };
        render::cluster::cluster(&status, |node| Beside {
            areas: areas_of(&node.name),
            doors: doors_of(node),
        })
    }
}
