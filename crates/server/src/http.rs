//! The HTTP front door: parse, call the App, render.

mod answer;
mod cookies;
mod docs;
mod extract;
mod guard;
mod objects;
mod query;
mod routes;

pub(crate) use answer::{Answer, Positioned, fallback_position, position_headers};
pub(crate) use cookies::{INDEX_COOKIE, LANGUAGE_COOKIE, SESSION_COOKIE, VOTER_COOKIE, cookie};
pub(crate) use extract::{AreaPath, Form, PollPath, PostPath};
pub(crate) use query::Pairs;
pub(crate) use routes::{AgencyPath, FILE_PATH, LotteryPath, lottery_id};

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::app::App;
use crate::web;

/// The address that a connection came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub std::net::SocketAddr);

/// Every route, with the bounds that hold for all of them.
pub(crate) fn router(app: App) -> Router {
    let (api, document) = docs::describe(routes::all()).split_for_parts();
    api.merge(docs::serve(&document))
        .merge(web::routes())
        .fallback(guard::no_such_route)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(from_fn_with_state(app.clone(), guard::every_request))
        .with_state(app)
}
