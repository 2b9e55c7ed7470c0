//! The API's own description: OpenAPI 3.1, and the page of problem types.

use api::types::{Problem, headers};
use axum::Router;
use axum::body::Bytes;
use axum::response::Html;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, License, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
    Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem;

/// Changes that no `Idempotency-Key` is for: what they answer is a secret that is stored nowhere,
/// or they change the node that is asked, or the cluster, and not what is in its log.
const WITHOUT_KEY: [&str; 7] = [
    "post /v1/sessions",
    "post /v1/feed",
    "post /v1/cluster/token",
    "delete /v1/cluster/nodes/{name}",
    "post /v1/cluster/nodes/{name}/rebuild",
    "post /v1/drills",
    "delete /v1/drills/current",
];

/// Adds to the routes what holds for all of them.
pub(super) fn describe(mut routes: OpenApiRouter<App>) -> OpenApiRouter<App> {
    let document = routes.get_openapi_mut();
    document.info = info();
    let components = document.components.get_or_insert_with(Components::new);
    add_problem(components);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                complete(operation, takes(method, path));
            }
        }
    }
    routes
}

/// The routes that serve the description.
pub(super) fn serve(document: &OpenApi) -> Router<App> {
    let json = Bytes::from(document.to_json().unwrap_or_default());
    let answer = ([(CONTENT_TYPE, "application/json")], json);
    Router::new()
        .route("/v1/openapi.json", get(async move || answer.clone()))
        .route("/problems", get(problems))
        .route("/problems/{kind}", get(problems))
}

async fn problems() -> Html<String> {
    Html(problem::page().into_string())
}

fn info() -> Info {
    let mut info = Info::new("Consorcio", env!("CARGO_PKG_VERSION"));
    let description = "News for a group of people, served by a cluster that agrees through Raft. \
        Every answer names the state it was made from in the headers Consorcio-Index, \
        Consorcio-Term, Consorcio-Node and Consorcio-Age-Ms.";
    info.description = Some(description.to_owned());
    info.license = Some(License::new("Apache-2.0"));
    info
}

fn add_problem(components: &mut Components) {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("session", SecurityScheme::Http(bearer));
}

/// The headers that are an operation's own.
enum Takes {
    /// How fresh the answer must be.
    Freshness,
    /// A request id.
    Key,
    Nothing,
}

fn takes(method: &str, path: &str) -> Takes {
    if method == "get" {
        Takes::Freshness
    } else if WITHOUT_KEY.contains(&&*format!("{method} {path}")) {
        Takes::Nothing
    } else {
        Takes::Key
    }
}

/// An operation also answers problems, takes the common headers, and needs a session unless it
/// says otherwise.
fn complete(operation: &mut Operation, takes: Takes) {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let problem = ResponseBuilder::new()
        .description("Any error: see `type`")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
    if operation.security.is_none() {
        let session = SecurityRequirement::new("session", Vec::<String>::new());
        operation.security = Some(vec![session]);
    }
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    match takes {
        Takes::Key => {
            let text = "1 to 128 visible characters; the same id never acts twice";
            parameters.push(header(headers::IDEMPOTENCY_KEY, text));
        }
        Takes::Freshness => {
            let text = "linearizable, session or stale; also as ?consistency=";
            parameters.push(header(headers::CONSISTENCY, text));
            let text = "The largest Consorcio-Index seen: the answer is not older";
            parameters.push(header(headers::INDEX, text));
        }
        Takes::Nothing => {}
    }
}

fn header(name: &str, description: &str) -> RefOr<Parameter> {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    RefOr::T(parameter)
}
