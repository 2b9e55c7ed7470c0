//! The pages.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::app::App;
use crate::problem::Trouble;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}

pub(crate) fn or_page(_path: &str, _headers: &HeaderMap, trouble: Trouble) -> Response {
    trouble.into_response()
}
