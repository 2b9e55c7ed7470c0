//! The stylesheet, the script and the icon: parts of the program, fetched from no other host.

use axum::Router;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::App;

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Where the pages find the stylesheet; the version makes a new program's be fetched anew.
pub(super) const STYLE_PATH: &str = concat!("/assets/style.css?", env!("CARGO_PKG_VERSION"));

/// Where the pages find the script.
pub(super) const SCRIPT_PATH: &str = concat!("/assets/live.js?", env!("CARGO_PKG_VERSION"));

/// An hour: an update of the program shows soon, and a page costs one request.
const KEPT: &str = "public, max-age=3600";

pub(super) fn routes() -> Router<App> {
    let asset = |kind: &'static str, text: &'static str| {
        get(async move || ([(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT)], text))
    };
    Router::new()
        .route("/assets/style.css", asset("text/css; charset=utf-8", STYLE))
        .route(
            "/assets/live.js",
            asset("text/javascript; charset=utf-8", SCRIPT),
        )
        .route("/assets/icon.svg", asset("image/svg+xml", ICON))
        .route("/favicon.ico", asset("image/svg+xml", ICON))
}
