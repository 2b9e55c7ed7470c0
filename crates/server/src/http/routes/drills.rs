//! Failures on purpose, at this node.

use api::types::{Drill, Drills, NewDrill};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::app::{App, Caller};
use crate::http::Answer;
use crate::http::extract::Input;
use crate::problem::{Kind, Trouble};

/// The failures of this node
///
/// Administrators only. A drill is the node's own: ask each node for its own.
#[utoipa::path(get, path = "/v1/drills", tag = "drills",
    responses((status = 200, body = Drills)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Drills>, Trouble> {
    let position = app.administrator(&caller).await?.position;
    let (running, past) = app.drills.all();
    let drills = Drills {
        node: app.engine.status().node.to_string(),
        allowed: app.config.allow_drills,
        running,
        past,
    };
    Ok(Answer::ok(position, drills))
}

/// Make something fail at this node
///
/// Administrators only, and only where the node's settings allow drills. It ends by itself; one
/// lasts at a time. Refused if no majority would be left, unless `confirmed`.
#[utoipa::path(post, path = "/v1/drills", tag = "drills", request_body = NewDrill,
    responses((status = 201, body = Drill)))]
pub(super) async fn begin(
    State(app): State<App>,
    Input { caller, body }: Input<NewDrill>,
) -> Result<Answer<Drill>, Trouble> {
    let position = app.administrator(&caller).await?.position;
    if !app.config.allow_drills {
        let detail = "the settings of this node do not allow drills (`serve --allow-drills`)";
        return Err(Trouble::new(Kind::DrillsNotAllowed, detail));
    }
    let drill = app.drills.begin(&app.engine, &body).await?;
    Ok(Answer::created(position, drill))
}

/// End what fails at this node, at once
///
/// Administrators only. A node that was killed or paused cannot be asked.
#[utoipa::path(delete, path = "/v1/drills/current", tag = "drills",
    responses((status = 204, description = "Nothing fails on purpose any more")))]
pub(super) async fn stop(State(app): State<App>, caller: Caller) -> Result<Response, Trouble> {
    app.administrator(&caller).await?;
    app.drills.stop(&app.engine);
    Ok(StatusCode::NO_CONTENT.into_response())
}
