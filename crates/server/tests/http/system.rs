//! Health, metrics, the document of the API, the page of problems.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::site::{Ask, Site, until};

#[tokio::test(flavor = "multi_thread")]
async fn health_version_and_headers() {
    let site = Site::start().await;
    assert_eq!(
        site.get("/health/live", None).await.json()["status"],
        "live"
    );
    until("readiness", || async {
        site.get("/health/ready", None).await.status == 200
    })
    .await;
    let ready = site.get("/health/ready", None).await;
    assert_eq!(
        (&ready.json()["status"], &ready.json()["leader"]),
        (&"ready".into(), &"n1".into())
    );
    assert_eq!(
        site.get("/v1/version", None).await.json()["name"],
        "consorcio"
    );
    for path in [
        "/health/live",
        "/v1/cluster",
        "/v1/nowhere",
        "/metrics",
        "/problems",
    ] {
        let answer = site.get(path, None).await;
        assert_eq!(answer.header("consorcio-node"), Some("n1"), "{path}");
        for header in ["consorcio-index", "consorcio-term", "consorcio-age-ms"] {
            let value = answer
                .header(header)
                .unwrap_or_else(|| panic!("{header} on {path}"));
            assert!(value.parse::<u64>().is_ok(), "{header}: {value}");
        }
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_and_never_name_what_is_private() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    site.publish(&ana, area, "uno").await;
    site.get("/feeds/secret/all.atom", None)
        .await
        .is_problem(404, "not-found");
    let text = site.get("/metrics", None).await;
    let text = text.text();
    for line in [
        "consorcio_leader 1",
        "consorcio_ready 1",
        "consorcio_accounts 2",
        "consorcio_areas 1",
        "consorcio_node_healthy{node=\"n1\"} 1",
        "route=\"/v1/areas/{area}/posts\",status=\"201\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(!text.contains("secret"));
    site.stop().await;
}

/// The routes that the API must have.
const ROUTES: &str = "
    GET POST /v1/accounts
    PUT /v1/accounts/current/password
    PUT DELETE /v1/accounts/{name}/administrator
    POST DELETE /v1/sessions
    GET DELETE /v1/sessions/current
    GET POST /v1/areas
    GET PATCH DELETE /v1/areas/{area}
    PUT DELETE /v1/areas/{area}/subscription
    GET /v1/subscriptions
    GET POST /v1/areas/{area}/posts
    GET DELETE /v1/areas/{area}/posts/{id}
    POST /v1/areas/{area}/posts/{id}/hide
    POST /v1/areas/{area}/read
    GET /v1/search
    GET /v1/events
    POST /v1/feed
    GET /v1/areas/{area}/atom
    GET /feeds/{token}/all.atom
    GET /feeds/{token}/areas/{file}
    GET PUT DELETE /v1/keys/{key}
    GET /v1/files
    GET PUT DELETE PATCH /v1/files/{name}
    GET /v1/files/{name}/info
    GET /v1/files/{name}/chunks
    GET /v1/usage/files
    GET /v1/journals
    GET POST /v1/journals/{name}
    GET /v1/journals/{name}/{index}
    POST /v1/journals/{name}/trim
    GET POST /v1/lotteries
    GET /v1/lotteries/{lottery}
    POST /v1/lotteries/{lottery}/bets
    POST /v1/lotteries/{lottery}/agencies/{agency}/close
    POST /v1/lotteries/{lottery}/draw
    GET /v1/lotteries/{lottery}/agencies/{agency}/winners
    GET /v1/lotteries/{lottery}/record
    GET /v1/lotteries/{lottery}/receipts/{leaf}
    GET POST /v1/polls
    GET /v1/polls/{poll}
    PUT /v1/polls/{poll}/ballot
    POST /v1/polls/{poll}/close
    GET /v1/polls/{poll}/result
    GET /v1/polls/{poll}/record
    GET /v1/polls/{poll}/proof
    GET /v1/route/areas/{area}
    GET /v1/cluster
    GET /v1/cluster/elections
    POST /v1/cluster/token
    DELETE /v1/cluster/nodes/{name}
    POST /v1/cluster/nodes/{name}/rebuild
    GET POST /v1/drills
    DELETE /v1/drills/current
    GET /v1/version
    GET /health/live
    GET /health/ready
    GET /metrics";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_describes_every_route_and_no_other() {
    let site = Site::start().await;
    let document = site.get("/v1/openapi.json", None).await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    let document = document.json();
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert(format!("{} {path}", method.to_uppercase()));
            check_operation(operation, &document);
            check_body(&format!("{method} {path}"), operation, &document);
        }
    }
    let wanted: BTreeSet<String> = ROUTES
        .lines()
        .filter_map(|line| line.trim().rsplit_once(' '))
        .flat_map(|(methods, path)| methods.split(' ').map(move |m| format!("{m} {path}")))
        .collect();
    assert_eq!(described, wanted);
    for route in &described {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path
            .replace("{area}", "1")
            .replace("{id}", "1")
            .replace(['{', '}'], "");
        let answer = site.send(Ask::new(method, &path)).await;
        assert_ne!(answer.status, 405, "{route}");
        let nowhere =
            answer.status == 404 && answer.json()["detail"] == "there is nothing at this address";
        assert!(!nowhere, "{route}");
    }
    site.stop().await;
}

/// The changes that take nothing but their path.
const WITHOUT_BODY: [&str; 6] = [
    "put /v1/accounts/{name}/administrator",
    "put /v1/areas/{area}/subscription",
    "post /v1/feed",
    "post /v1/lotteries/{lottery}/agencies/{agency}/close",
    "post /v1/polls/{poll}/close",
    "post /v1/cluster/token",
];

/// The changes that take bytes as they are.
const RAW_BODY: [&str; 3] = [
    "put /v1/keys/{key}",
    "post /v1/journals/{name}",
    "put /v1/files/{name}",
];

/// A change says what it takes: the schema of a JSON object that is in the document.
fn check_body(route: &str, operation: &Value, document: &Value) {
    let method = route.split(' ').next().unwrap();
    let takes = ["post", "put", "patch"].contains(&method) && !WITHOUT_BODY.contains(&route);
    let content = &operation["requestBody"]["content"];
    assert_eq!(content.is_object(), takes, "{route}");
    if takes && !RAW_BODY.contains(&route) {
        let schema = &content["application/json"]["schema"]["$ref"];
        let name = schema.as_str().unwrap_or_else(|| panic!("{route}"));
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        let schema = &document["components"]["schemas"][name];
        assert_eq!(schema["type"], "object", "{route}");
        assert!(schema["properties"].is_object(), "{route}");
        assert_eq!(operation["requestBody"]["required"], true, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_offers_a_request_id_where_it_is_used() {
    let site = Site::start().await;
    let document = site.get("/v1/openapi.json", None).await.json();
    let offers = |method: &str, path: &str| {
        let parameters = &document["paths"][path][method]["parameters"];
        let parameters = parameters.as_array().into_iter().flatten();
        parameters
            .filter_map(|parameter| parameter["name"].as_str())
            .any(|name| name == "idempotency-key")
    };
    for (method, path) in [("post", "/v1/accounts"), ("delete", "/v1/sessions")] {
        assert!(offers(method, path), "{method} {path}");
    }
    for path in [
        "/v1/sessions",
        "/v1/feed",
        "/v1/cluster/token",
        "/v1/cluster/nodes/{name}/rebuild",
        "/v1/drills",
    ] {
        assert!(!offers("post", path), "{path}");
    }
    for path in ["/v1/cluster/nodes/{name}", "/v1/drills/current"] {
        assert!(!offers("delete", path), "{path}");
    }
    site.stop().await;
}

/// An operation names itself, a success, and problems; what it refers to exists.
fn check_operation(operation: &Value, document: &Value) {
    assert!(
        operation["summary"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{operation}"
    );
    let responses = operation["responses"].as_object().unwrap();
    assert!(
        responses.keys().any(|status| status.starts_with('2')),
        "{operation}"
    );
    let problem = &responses["default"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(problem, "#/components/schemas/Problem");
    resolves(operation, document);
    resolves(&document["components"], document);
}

/// Every schema that is referred to is there.
fn resolves(part: &Value, document: &Value) {
    let text = part.to_string();
    for name in text.split("#/components/schemas/").skip(1) {
        let name = name.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is missing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_problems_names_every_type() {
    let site = Site::start().await;
    let page = site.get("/problems/busy", None).await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    for kind in [
        "not-signed-in",
        "request-conflict",
        "outcome-unknown",
        "disk-full",
    ] {
        assert!(page.text().contains(&format!("id=\"{kind}\"")), "{kind}");
    }
    site.stop().await;
}
