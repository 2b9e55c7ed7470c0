//! The cluster, and which of its nodes to ask.

use api::grpc::v1;
use api::grpc::v1::cluster_server::Cluster;
use domain::news::queries::GetArea;
use engine::{NodeStatus, Role, Served};

use crate::app::{App, Caller};
use crate::grpc::answer::{Answer, service};
use crate::grpc::render::{cluster, news};
use crate::problem::Trouble;
use crate::render::cluster::id;

service!(Cluster {
    get_cluster: v1::GetClusterRequest => v1::GetClusterResponse;
    list_elections: v1::ListElectionsRequest => v1::ListElectionsResponse;
    route_area: v1::RouteAreaRequest => v1::RouteAreaResponse;
    get_join_token: v1::GetJoinTokenRequest => v1::GetJoinTokenResponse;
    remove_node: v1::RemoveNodeRequest => v1::RemoveNodeResponse;
    rebuild_node: v1::RebuildNodeRequest => v1::RebuildNodeResponse;
    get_version: v1::GetVersionRequest => v1::GetVersionResponse;
});

async fn get_cluster(
    app: &App,
    _: &Caller,
    _: v1::GetClusterRequest,
) -> Result<Answer<v1::GetClusterResponse>, Trouble> {
    Ok(Answer::of_node(cluster::cluster(app.cluster())))
}

async fn list_elections(
    app: &App,
    _: &Caller,
    _: v1::ListElectionsRequest,
) -> Result<Answer<v1::ListElectionsResponse>, Trouble> {
    Ok(Answer::of_node(cluster::elections(app.elections().await)))
}

async fn route_area(
    app: &App,
    caller: &Caller,
    ask: v1::RouteAreaRequest,
) -> Result<Answer<v1::RouteAreaResponse>, Trouble> {
    let area = news::area_ref(ask.area)?;
    // Nobody in particular asks: where to ask is no secret.
    let which = area.clone();
    let Served { value, position } = app.read(caller, GetArea { viewer: 0, area }).await?;
    let area = value.ok_or_else(|| Trouble::no_area(&which))?.id;
    let status = app.engine.status();
    let shown = |(node, assigned): (&NodeStatus, bool)| v1::RouteNode {
        name: node.name.clone(),
        http: node.http.clone(),
        assigned,
        leader: node.role == Role::Leader,
    };
    let nodes = app.agent.route(&status, area).into_iter().map(shown);
    let nodes = nodes.collect();
    Ok(Answer::at(position, v1::RouteAreaResponse { area, nodes }))
}

async fn get_join_token(
    app: &App,
    caller: &Caller,
    _: v1::GetJoinTokenRequest,
) -> Result<Answer<v1::GetJoinTokenResponse>, Trouble> {
    let position = app.administrator(caller).await?.position;
    let token = app.engine.join_token();
    Ok(Answer::at(position, v1::GetJoinTokenResponse { token }))
}

async fn remove_node(
    app: &App,
    caller: &Caller,
    ask: v1::RemoveNodeRequest,
) -> Result<Answer<v1::RemoveNodeResponse>, Trouble> {
    app.administrator(caller).await?;
    app.engine.remove_node(&ask.name).await?;
    Ok(Answer::of_node(v1::RemoveNodeResponse {}))
}

async fn rebuild_node(
    app: &App,
    caller: &Caller,
    ask: v1::RebuildNodeRequest,
) -> Result<Answer<v1::RebuildNodeResponse>, Trouble> {
    app.administrator(caller).await?;
    let left = app.engine.rebuild_node(&ask.name, ask.confirmed).await?;
    let leaves = id(left);
    Ok(Answer::of_node(v1::RebuildNodeResponse { leaves }))
}

async fn get_version(
    _: &App,
    _: &Caller,
    _: v1::GetVersionRequest,
) -> Result<Answer<v1::GetVersionResponse>, Trouble> {
    Ok(Answer::of_node(v1::GetVersionResponse {
        name: "consorcio".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}
