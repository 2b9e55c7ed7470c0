//! Whatever is sent, there is a clear answer, and nothing is written that was not asked for.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Answer, Ask, Site};

/// How much there is, to see that nothing was written.
async fn counts(site: &Site, admin: &str) -> (usize, usize, u64) {
    let areas = site.get("/v1/areas", Some(admin)).await;
    let accounts = site.get("/v1/accounts", Some(admin)).await.json();
    let length = |value: &Value| value.as_array().unwrap().len();
    (
        length(&areas.json()["areas"]),
        length(&accounts["accounts"]),
        areas.index(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_must_be_are_refused_and_write_nothing() {
    let site = Site::start().await;
    let admin = site.admin().await;
    let before = counts(&site, &admin).await;
    let cases: [(&[u8], u16, &str); 16] = [
        (b"", 400, "malformed-request"),
        (b"{\"name\":\"x\"", 400, "malformed-request"),
        (b"{\"name\":\"x\"}}", 400, "malformed-request"),
        (b"not json", 400, "malformed-request"),
        (b"\xff\xfe{\"name\":\"x\"}", 400, "malformed-request"),
        (b"{\"name\":\"\xc3\x28\"}", 400, "malformed-request"),
        (b"{\"name\":\"\\ud800\"}", 400, "malformed-request"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"{}", 422, "invalid"),
        (b"{\"name\":5}", 422, "invalid"),
        (b"{\"name\":null}", 422, "invalid"),
        (b"{\"name\":\"x\",\"name\":\"y\"}", 422, "invalid"),
        (b"{\"name\":\"x\",\"descripcion\":\"\"}", 422, "invalid"),
        (b"{\"name\":\"\"}", 422, "invalid"),
        (b"{\"name\":\"x\\u0000y\"}", 422, "invalid"),
    ];
    for (body, status, kind) in cases {
        let ask = Ask::new("POST", "/v1/areas").token(Some(&admin));
        let answer = site
            .send(ask.header("Content-Type", "application/json").body(body))
            .await;
        eprintln!("{}", String::from_utf8_lossy(body));
        answer.is_problem(status, kind);
    }
    assert_eq!(counts(&site, &admin).await, before);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_the_place_of_objects_are_refused() {
    let site = Site::start().await;
    let (area, admin) = (site.area("Obras").await, site.admin().await);
    site.publish(&admin, area, "uno").await;
    let before = counts(&site, &admin).await;
    let name_and_password = json!(["zeta", "una frase larga"]);
    let cases = [
        ("/v1/accounts".to_owned(), name_and_password.clone()),
        ("/v1/sessions".to_owned(), name_and_password),
        ("/v1/areas".to_owned(), json!(["Fiestas", ""])),
        (format!("/v1/areas/{area}/posts"), json!(["dos", "texto"])),
        (
            format!("/v1/areas/{area}/read"),
            json!([1, null, null, true]),
        ),
        (
            "/v1/polls".to_owned(),
            json!({ "question": "¿?", "options": ["a", "b"], "list": [["ana", 1]] }),
        ),
    ];
    for (path, body) in cases {
        let refused = site.post(&path, Some(&admin), &body).await;
        let refused = refused.is_problem(422, "invalid");
        let detail = refused["detail"].as_str().unwrap();
        assert!(
            detail.contains("invalid type: sequence"),
            "{path}: {detail}"
        );
    }
    assert_eq!(counts(&site, &admin).await, before);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_and_absurd_json_is_refused() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let deep = "[".repeat(100_000);
    for body in [
        format!("{{\"all\":{deep}"),
        "{\"post\":1e400}".to_owned(),
        "{\"post\":99999999999999999999999999}".to_owned(),
        "{\"post\":1.5}".to_owned(),
        "{\"post\":\"1\"}".to_owned(),
        "{\"post\":-9223372036854775809}".to_owned(),
    ] {
        let ask = Ask::new("POST", &format!("/v1/areas/{area}/read")).token(Some(&ana));
        let answer = site
            .send(ask.header("Content-Type", "application/json").body(body))
            .await;
        assert!([400, 422].contains(&answer.status), "{answer:?}");
        answer.is_problem(
            answer.status,
            if answer.status == 400 {
                "malformed-request"
            } else {
                "invalid"
            },
        );
    }
    for post in [-1, 0, i64::MAX, i64::MIN] {
        let body = json!({ "post": post });
        let answer = site
            .post(&format!("/v1/areas/{area}/read"), Some(&ana), &body)
            .await;
        assert!([404, 422].contains(&answer.status), "{answer:?}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_refused_with_an_answer_that_arrives() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let path = format!("/v1/areas/{area}/posts");
    let text = json!({ "title": "x", "text": "ñ".repeat(32 * 1024) });
    assert_eq!(
        site.post(&path, Some(&ana), &text).await.status,
        201,
        "just what fits"
    );
    let text = json!({ "title": "x", "text": "x".repeat(64 * 1024 + 1) });
    let refused = site
        .post(&path, Some(&ana), &text)
        .await
        .is_problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "text");
    let title = json!({ "title": "x".repeat(201), "text": "x" });
    site.post(&path, Some(&ana), &title)
        .await
        .is_problem(422, "invalid");
    for size in [600 * 1024, 8 * 1024 * 1024] {
        let ask = Ask::new("POST", &path).token(Some(&ana));
        let ask = ask
            .header("Content-Type", "application/json")
            .body(vec![b' '; size]);
        site.send(ask).await.is_problem(413, "too-large");
    }
    let huge = "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Content-Length: 99999999999\r\n\r\n{";
    site.raw(huge.as_bytes()).await.is_problem(413, "too-large");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_a_body_must_be_right() {
    let site = Site::start().await;
    let admin = site.admin().await;
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("ñ"),
    ] {
        let mut ask = Ask::new("POST", "/v1/areas")
            .token(Some(&admin))
            .body("{\"name\":\"x\"}");
        if let Some(kind) = kind {
            ask = ask.header("Content-Type", kind);
        }
        site.send(ask)
            .await
            .is_problem(415, "unsupported-media-type");
    }
    let ask = Ask::new("POST", "/v1/areas")
        .token(Some(&admin))
        .body("{\"name\":\"x\"}");
    let ask = ask.header("Content-Type", "Application/JSON; charset=utf-8");
    assert_eq!(site.send(ask).await.status, 201);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_queries_and_headers_are_checked() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    for (path, status, kind) in [
        ("/v1/nowhere", 404, "not-found"),
        ("/v1/areas/Nada", 404, "not-found"),
        ("/v1/areas/99999999999999999999", 404, "not-found"),
        ("/v1/areas/%ff", 400, "malformed-request"),
        ("/v1/areas/1/posts/abc", 404, "not-found"),
        ("/v1/areas/1/posts/-1", 404, "not-found"),
        ("/v1/areas/1/posts/99999999999999999999", 404, "not-found"),
        ("/v1/areas/'%20OR%201=1/posts", 404, "not-found"),
        ("/v1/areas/1/posts?limit=0", 422, "invalid"),
        ("/v1/areas/1/posts?limit=201", 422, "invalid"),
        ("/v1/areas/1/posts?limit=1e9", 422, "invalid"),
        ("/v1/areas/1/posts?after=-1", 422, "invalid"),
        (
            "/v1/areas/1/posts?after=99999999999999999999",
            422,
            "invalid",
        ),
        ("/v1/areas/1/posts?after=1&before=2", 422, "invalid"),
        ("/v1/areas/1/posts?order=up", 422, "invalid"),
        ("/v1/areas/1/posts?unread=si", 422, "invalid"),
        ("/v1/areas/1/posts?limit=1&limit=2", 422, "invalid"),
        ("/v1/areas/1/posts?unknown=1", 422, "invalid"),
        ("/v1/areas/1/posts?order=%ff", 400, "malformed-request"),
        ("/v1/areas?consistency=maybe", 422, "invalid"),
        ("/v1/search?q=x&limit=101", 422, "invalid"),
        ("/v1/events?after=x", 422, "invalid"),
        ("/v1/events?kind=post.exploded", 422, "invalid"),
        ("/v1/events?area=Nada", 404, "not-found"),
    ] {
        eprintln!("{path}");
        site.get(path, Some(&ana)).await.is_problem(status, kind);
    }
    for (name, value) in [
        ("Consorcio-Index", "many"),
        ("Consorcio-Index", "-1"),
        ("Idempotency-Key", "with space"),
        ("Idempotency-Key", "ñ"),
        ("Idempotency-Key", ""),
    ] {
        let ask = Ask::new("GET", "/v1/areas")
            .token(Some(&ana))
            .header(name, value);
        site.send(ask).await.is_problem(400, "malformed-request");
    }
    let long = "k".repeat(129);
    let ask = Ask::new("DELETE", &format!("/v1/areas/{area}"))
        .token(Some(&ana))
        .key(&long);
    site.send(ask).await.is_problem(400, "malformed-request");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_a_route_has_not_are_told_which_it_has() {
    let site = Site::start().await;
    let answer = site.send(Ask::new("PUT", "/v1/areas")).await;
    answer.is_problem(405, "method-not-allowed");
    let allowed = answer.header("allow").unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    site.send(Ask::new("BREW", "/v1/cluster"))
        .await
        .is_problem(405, "method-not-allowed");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_nothing_of_the_news_is_shown_or_done() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    site.publish(&ana, area, "uno").await;
    let asks = [
        ("GET", "/v1/areas"),
        ("POST", "/v1/areas"),
        ("GET", "/v1/areas/1"),
        ("PATCH", "/v1/areas/1"),
        ("DELETE", "/v1/areas/1"),
        ("PUT", "/v1/areas/1/subscription"),
        ("DELETE", "/v1/areas/Obras/subscription"),
        ("GET", "/v1/subscriptions"),
        ("GET", "/v1/areas/1/posts"),
        ("POST", "/v1/areas/1/posts"),
        ("GET", "/v1/areas/1/posts/1"),
        ("DELETE", "/v1/areas/1/posts/1"),
        ("POST", "/v1/areas/1/posts/1/hide"),
        ("POST", "/v1/areas/1/read"),
        ("GET", "/v1/areas/1/atom"),
        ("GET", "/v1/search?q=uno"),
        ("GET", "/v1/events"),
        ("POST", "/v1/feed"),
        ("GET", "/v1/accounts"),
        ("PUT", "/v1/accounts/current/password"),
        ("PUT", "/v1/accounts/ana/administrator"),
        ("DELETE", "/v1/accounts/ana/administrator"),
        ("GET", "/v1/sessions/current"),
        ("DELETE", "/v1/sessions/current"),
        ("DELETE", "/v1/sessions"),
        ("GET", "/v1/keys/k"),
        ("PUT", "/v1/keys/k"),
        ("DELETE", "/v1/keys/k"),
        ("POST", "/v1/cluster/token"),
        ("DELETE", "/v1/cluster/nodes/n1"),
        ("POST", "/v1/cluster/nodes/n1/rebuild"),
    ];
    for (method, path) in asks {
        eprintln!("{method} {path}");
        site.send(Ask::new(method, path))
            .await
            .is_problem(401, "not-signed-in");
        let made_up = format!("{}.1", "A".repeat(43));
        let ask = Ask::new(method, path)
            .token(Some(&made_up))
            .json(&json!({ "name": "x" }));
        let answer = site.send(ask).await;
        assert!([401, 422].contains(&answer.status), "{answer:?}");
    }
    for bad in ["Bearer", "Bearer x", "Basic YTpi", "Bearer ' OR 1=1 --"] {
        let ask = Ask::new("GET", "/v1/areas").header("Authorization", bad);
        site.send(ask).await.is_problem(401, "not-signed-in");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_answered_or_closed_and_the_node_goes_on() {
    let site = Site::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an orderly end here.
        let _ = stream.read_to_end(&mut answer).await;
        if !answer.is_empty() {
            let status = Answer::parse(&answer).status;
            assert!((400..500).contains(&status) || status == 505, "{status}");
        }
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    if !answer.is_empty() {
        assert!([414, 431].contains(&Answer::parse(&answer).status));
    }
    assert_eq!(site.get("/health/live", None).await.status, 200);
    site.stop().await;
}
