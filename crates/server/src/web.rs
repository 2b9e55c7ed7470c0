//! The pages: plain HTML that works without scripts, and one small script that keeps it live.
//!
//! A page's handler does what an API handler does, parse, call the App, render; it only renders
//! for people. A problem becomes a page too, in [`pages`]: signing in, or what went wrong.

mod account;
mod areas;
mod assets;
mod cluster;
mod hits;
mod language;
mod layout;
mod lotteries;
mod members;
mod polls;
mod posts;
mod search;
mod sign;
mod visit;
mod words;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use crate::app::App;
use crate::problem::Trouble;
use language::Language;
pub(crate) use visit::remembered;

/// Every page.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(areas::home))
        .route("/sign-in", get(sign::in_form).post(sign::sign_in))
        .route("/sign-up", get(sign::up_form).post(sign::sign_up))
        .route("/sign-out", post(sign::sign_out))
        .route("/language", post(language::choose))
        .route("/account", get(account::show))
        .route("/account/password", post(account::change_password))
        .route("/account/feed", post(account::new_feed))
        .route(
            "/account/sign-out-everywhere",
            post(account::sign_out_everywhere),
        )
        .route("/areas", get(areas::home).post(areas::add))
        .route("/areas/new", get(areas::add_form))
        .route("/areas/{area}", get(areas::show).post(areas::edit))
        .route("/areas/{area}/edit", get(areas::edit_form))
        .route("/areas/{area}/remove", post(areas::remove))
        .route("/areas/{area}/subscription", post(areas::subscribe))
        .route("/areas/{area}/read", post(areas::read_all))
        .route("/areas/{area}/write", get(posts::write_form))
        .route("/areas/{area}/posts", post(posts::publish))
        .route("/areas/{area}/posts/{id}", get(posts::show))
        .route("/areas/{area}/posts/{id}/delete", post(posts::delete))
        .route("/areas/{area}/posts/{id}/hide", post(posts::hide))
        .route("/areas/{area}/posts/{id}/unread", post(posts::unread))
        .route("/search", get(search::show))
        .route("/polls", get(polls::list).post(polls::create))
        .route("/polls/{poll}", get(polls::show).post(polls::vote))
        .route("/polls/{poll}/close", post(polls::close))
        .route("/lotteries", get(lotteries::list))
        .route("/lotteries/{lottery}", get(lotteries::show))
        .route(
            "/lotteries/{lottery}/agencies/{agency}",
            get(lotteries::winners),
        )
        .route(
            "/members",
            get(members::show).post(members::set_administrator),
        )
        .route("/hits/{name}", get(hits::show))
        .route("/hits/{name}/badge.svg", get(hits::badge))
        .route("/cluster", get(cluster::show))
        .route("/cluster/token", post(cluster::token))
        .route("/cluster/nodes/remove", post(cluster::remove_node))
        .route("/cluster/nodes/rebuild", post(cluster::rebuild_node))
        .route_layer(from_fn(pages))
        .merge(assets::routes())
}

/// Turns a handler's problem into a page.
async fn pages(request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let here = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let response = next.run(request).await;
    match response.extensions().get::<Trouble>() {
        Some(trouble) => page_of(trouble.clone(), &method, &headers, &here),
        None => response,
    }
}

/// A problem as a page; without a session, the page to sign in.
fn page_of(trouble: Trouble, method: &Method, headers: &HeaderMap, here: &str) -> Response {
    if trouble.status() == StatusCode::UNAUTHORIZED {
        let back = if *method == Method::GET { here } else { "/" };
        return Redirect::to(&format!("/sign-in?then={}", layout::encoded(back))).into_response();
    }
    let page = layout::problem_page(Language::of(headers), &trouble, here);
    let mut response = (trouble.status(), layout::html_response(page)).into_response();
    response.headers_mut().extend(trouble.headers());
    response
}

/// A problem of no route at all: a page for a browser, JSON for programs.
pub(crate) fn or_page(path: &str, headers: &HeaderMap, trouble: Trouble) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let browser = text(ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if path.starts_with("/v1/") || !browser || text(CONTENT_TYPE).is_some() {
        return trouble.into_response();
    }
    page_of(trouble, &Method::GET, headers, path)
}
