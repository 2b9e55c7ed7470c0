//! Areas and subscriptions.

use api::types::{Area, AreaEdit, AreaMade, Areas, NewArea, Subscriptions};
use axum::extract::State;
use domain::accounts::Member;
use domain::names::AreaName;
use domain::news::queries::ListAreas;
use domain::{Action, Reply};
use engine::Served;

use crate::app::{App, Caller, odd_reply};
use crate::http::extract::Input;
use crate::http::{Answer, AreaPath};
use crate::problem::{Trouble, bad_name};
use crate::render;

/// List the areas
///
/// Ordered by name, with what the member has not read.
#[utoipa::path(get, path = "/v1/areas", tag = "news", responses((status = 200, body = Areas)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Answer<Areas>, Trouble> {
    let question = |me: &Member| ListAreas {
        viewer: me.account,
        subscribed_only: false,
    };
    let Served {
        value: (_, areas),
        position,
    } = app.ask(&caller, question).await?;
    let areas = areas.into_iter().map(render::area).collect();
    Ok(Answer::ok(position, Areas { areas }))
}

/// Add an area
///
/// Administrators only.
#[utoipa::path(post, path = "/v1/areas", tag = "news", request_body = NewArea,
    responses((status = 201, body = AreaMade)))]
pub(super) async fn add(
    State(app): State<App>,
    Input { caller, body }: Input<NewArea>,
) -> Result<Answer<AreaMade>, Trouble> {
    let name = AreaName::parse(&body.name).map_err(bad_name("name"))?;
    let action = Action::AddArea {
        name: name.clone(),
        description: body.description,
    };
    let written = app.write(&caller, action).await?;
    let Reply::Area { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = AreaMade {
        id,
        name: name.as_str().to_owned(),
    };
    let answer = Answer::created(written.position, made).at(format!("/v1/areas/{id}"));
    Ok(answer.replayed(written.replayed))
}

/// One area
#[utoipa::path(get, path = "/v1/areas/{area}", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    responses((status = 200, body = Area)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
) -> Result<Answer<Area>, Trouble> {
    let Served {
        value: (_, area),
        position,
    } = app.area(&caller, &area).await?;
    Ok(Answer::ok(position, render::area(area)))
}

/// Rename or describe an area
///
/// Administrators only.
#[utoipa::path(patch, path = "/v1/areas/{area}", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    request_body = AreaEdit,
    responses((status = 204, description = "Changed")))]
pub(super) async fn edit(
    State(app): State<App>,
    AreaPath(area): AreaPath,
    Input { caller, body }: Input<AreaEdit>,
) -> Result<Answer<()>, Trouble> {
    let name = body
        .name
        .as_deref()
        .map(AreaName::parse)
        .transpose()
        .map_err(bad_name("name"))?;
    let area = app.area_id(&caller, &area).await?;
    let action = Action::EditArea {
        area,
        name,
        description: body.description,
    };
    Ok(Answer::done(app.write(&caller, action).await?))
}

/// Remove an area
///
/// With its posts and subscriptions. Administrators only.
#[utoipa::path(delete, path = "/v1/areas/{area}", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
) -> Result<Answer<()>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    Ok(Answer::done(
        app.write(&caller, Action::RemoveArea { area }).await?,
    ))
}

/// Subscribe to an area
#[utoipa::path(put, path = "/v1/areas/{area}/subscription", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    responses((status = 204, description = "Subscribed")))]
pub(super) async fn subscribe(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
) -> Result<Answer<()>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    Ok(Answer::done(
        app.write(&caller, Action::Subscribe { area }).await?,
    ))
}

/// Unsubscribe from an area
#[utoipa::path(delete, path = "/v1/areas/{area}/subscription", tag = "news",
    params(("area" = String, Path, description = "Id or name")),
    responses((status = 204, description = "No longer subscribed")))]
pub(super) async fn unsubscribe(
    State(app): State<App>,
    caller: Caller,
    AreaPath(area): AreaPath,
) -> Result<Answer<()>, Trouble> {
    let area = app.area_id(&caller, &area).await?;
    Ok(Answer::done(
        app.write(&caller, Action::Unsubscribe { area }).await?,
    ))
}

/// The areas one is subscribed to
#[utoipa::path(get, path = "/v1/subscriptions", tag = "news",
    responses((status = 200, body = Subscriptions)))]
pub(super) async fn subscriptions(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Subscriptions>, Trouble> {
    let question = |me: &Member| ListAreas {
        viewer: me.account,
        subscribed_only: true,
    };
    let Served {
        value: (_, areas),
        position,
    } = app.ask(&caller, question).await?;
    let unread = areas.iter().map(|area| area.unread).sum();
    let subscriptions = areas.into_iter().map(render::area).collect();
    Ok(Answer::ok(
        position,
        Subscriptions {
            subscriptions,
            unread,
        },
    ))
}
