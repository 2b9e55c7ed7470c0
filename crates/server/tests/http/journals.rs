//! Journals of the store.

use serde_json::{Value, json};

use crate::site::{Answer, Ask, Site};

/// Appends an entry.
async fn append(site: &Site, token: &str, path: &str, data: impl Into<Vec<u8>>) -> Answer {
    let ask = Ask::new("POST", path).token(Some(token)).body(data);
    site.send(ask).await
}

/// What the entries of a page say.
fn said(page: &Value) -> Vec<&str> {
    let entries = page["entries"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| entry["data"].as_str().expect("data"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_appended_once_and_read_by_index_and_range() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let uno = || {
        let ask = Ask::new("POST", "/v1/journals/acta").token(Some(&ana));
        ask.key("entry-1").body("uno")
    };
    let first = site.send(uno()).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.header("location"), Some("/v1/journals/acta/1"));
    let again = site.send(uno()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    for text in ["dos", "tres", "cuatro"] {
        append(&site, &ana, "/v1/journals/acta", text).await;
    }
    let shown = site.get("/v1/journals/acta/2", Some(&ana)).await;
    assert_eq!(shown.header("consorcio-node"), Some("n1"));
    let shown = shown.json();
    let expected = json!({ "index": 2, "node": "n1", "author": "ana", "data": "dos" });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert!(shown["term"].as_u64().unwrap() > 0 && shown["at"].is_string());
    for nothing in [
        "/v1/journals/acta/5",
        "/v1/journals/acta/x",
        "/v1/journals/nada",
    ] {
        site.get(nothing, Some(&ana))
            .await
            .is_problem(404, "not-found");
    }

    let page = site
        .get("/v1/journals/acta?from=2&limit=2", Some(&ana))
        .await;
    let page = page.json();
    assert_eq!(
        (said(&page), &page["next"]),
        (vec!["dos", "tres"], &4.into())
    );
    let rest = site
        .get("/v1/journals/acta?from=4", Some(&ana))
        .await
        .json();
    assert_eq!((said(&rest), &rest["next"]), (vec!["cuatro"], &Value::Null));
    let tail = site
        .get("/v1/journals/acta?tail=2", Some(&ana))
        .await
        .json();
    assert_eq!(said(&tail), ["tres", "cuatro"]);
    let trim = json!({ "keep_newest": 1 });
    let trimmed = site.post("/v1/journals/acta/trim", Some(&ana), &trim).await;
    assert_eq!(trimmed.json(), json!({ "dropped": 3 }));
    let left = site.get("/v1/journals/acta", Some(&ana)).await.json();
    let bounds = [&left["length"], &left["oldest"], &left["newest"]];
    assert_eq!(bounds, [1, 4, 4]);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_any_bytes_and_its_long_entries_come_in_shorter_pages() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let path = "/v1/journals/a%2Fb%FF";
    let appended = append(&site, &ana, path, b"\xff\x00".to_vec()).await;
    assert_eq!(appended.header("location"), Some("/v1/journals/a%2Fb%FF/1"));
    let shown = site.get(&format!("{path}/1"), Some(&ana)).await.json();
    assert_eq!(
        shown["fields"],
        json!([{ "name": "ZGF0YQ==", "value": "/wA=", "base64": true }])
    );
    let journals = site.get("/v1/journals", Some(&ana)).await.json();
    assert_eq!(
        journals["journals"],
        json!([{ "name": "a/b\u{FFFD}", "path": path }])
    );

    let long = "x".repeat(domain::store::VALUE_MAX_BYTES - 4);
    for _ in 0..3 {
        let appended = append(&site, &ana, "/v1/journals/long", long.clone()).await;
        assert_eq!(appended.status, 201, "{appended:?}");
    }
    let (mut from, mut lengths) = (Some(1), Vec::new());
    while let Some(next) = from {
        let page = format!("/v1/journals/long?from={next}");
        let page = site.get(&page, Some(&ana)).await.json();
        assert!(said(&page).len() < 3);
        lengths.extend(said(&page).iter().map(|data| data.len()));
        from = page["next"].as_i64();
    }
    assert_eq!(lengths, [long.len(); 3]);
    let more = append(&site, &ana, "/v1/journals/long", long + "y").await;
    more.is_problem(413, "too-large");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_without_a_trace() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let queries = [
        "from=0",
        "limit=0",
        "limit=1001",
        "tail=0",
        "tail=1&from=1",
        "x=1",
    ];
    append(&site, &ana, "/v1/journals/acta", "uno").await;
    for query in queries {
        let path = format!("/v1/journals/acta?{query}");
        site.get(&path, Some(&ana)).await.is_problem(422, "invalid");
    }
    let put = Ask::new("PUT", "/v1/keys/k").token(Some(&ana)).body("x");
    site.send(put).await;
    append(&site, &ana, "/v1/journals/k", "uno")
        .await
        .is_problem(422, "invalid");
    for path in ["/v1/journals", "/v1/journals/acta", "/v1/journals/acta/1"] {
        site.get(path, None).await.is_problem(401, "not-signed-in");
    }
    let unsigned = Ask::new("POST", "/v1/journals/acta").body("dos");
    site.send(unsigned).await.is_problem(401, "not-signed-in");
    let page = site.get("/v1/journals/acta", Some(&ana)).await.json();
    assert_eq!(said(&page), ["uno"]);
    site.stop().await;
}
