//! Health, metrics and the version.

use api::types::{Health, Version};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::app::App;

/// Which program answers
#[utoipa::path(get, path = "/v1/version", tag = "system", security(()),
    responses((status = 200, body = Version)))]
pub(super) async fn version() -> Json<Version> {
    Json(Version {
        name: "consorcio".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: "v1".to_owned(),
    })
}

/// Whether the process runs
#[utoipa::path(get, path = "/health/live", tag = "system", security(()),
    responses((status = 200, body = Health)))]
pub(super) async fn live(State(app): State<App>) -> Json<Health> {
    Json(health(&app, "live"))
}

/// Whether the node can serve: it knows a leader, and is not stopping
#[utoipa::path(get, path = "/health/ready", tag = "system", security(()),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn ready(State(app): State<App>) -> Response {
    if app.engine.is_ready() && !app.stopping.is_cancelled() {
        return Json(health(&app, "ready")).into_response();
    }
    let health = health(&app, app.engine.why_not_ready());
    (StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response()
}

fn health(app: &App, status: &str) -> Health {
    let cluster = app.engine.status();
    Health {
        status: status.to_owned(),
        node: cluster.node.to_string(),
        leader: cluster.leader.clone(),
        disk_full: !app.engine.has_room(),
    }
}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "system", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = app.metrics_text().await;
    (
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
