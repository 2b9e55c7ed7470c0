//! The replicated store.

use crate::site::{Answer, Ask, Site};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_stored_read_and_removed() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let put =
        |path: &str, body: &[u8]| site.send(Ask::new("PUT", path).token(Some(&ana)).body(body));
    let bytes = b"\x00\xff' OR 1=1 --\n";
    let first = put("/v1/keys/uno", bytes).await;
    assert_eq!(first.status, 200);
    let one = version(&first);
    assert!(one > 0 && first.header("etag") == Some(&format!("\"{one}\"")));
    let second = put("/v1/keys/uno", bytes).await;
    let two = version(&second);
    let etag = format!("\"{two}\"");
    assert!(two > one && second.header("etag") == Some(&etag));
    let read = site.get("/v1/keys/uno", Some(&ana)).await;
    assert_eq!(read.body, bytes);
    assert_eq!(read.header("etag"), Some(etag.as_str()));
    assert_eq!(
        read.header("content-type"),
        Some("application/octet-stream")
    );
    let removed = site.delete("/v1/keys/uno", Some(&ana)).await;
    assert_eq!(version(&removed), two);
    site.get("/v1/keys/uno", Some(&ana))
        .await
        .is_problem(404, "not-found");
    let nothing = site.delete("/v1/keys/uno", Some(&ana)).await;
    assert_eq!(version(&nothing), 0);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_any_bytes_and_may_be_empty_handed() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let path = "/v1/keys/a%2Fb%00%FF%20c";
    let put = site.send(Ask::new("PUT", path).token(Some(&ana))).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(site.get(path, Some(&ana)).await.body, b"");
    site.get("/v1/keys/a%2Fb", Some(&ana))
        .await
        .is_problem(404, "not-found");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_values_have_bounds() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let long = format!("/v1/keys/{}", "k".repeat(domain::store::KEY_MAX_BYTES + 1));
    let put = Ask::new("PUT", &long).token(Some(&ana)).body("x");
    site.send(put).await.is_problem(422, "invalid");
    let most = vec![7; domain::store::VALUE_MAX_BYTES];
    let put = Ask::new("PUT", "/v1/keys/k")
        .token(Some(&ana))
        .body(most.clone());
    assert_eq!(site.send(put).await.status, 200);
    assert_eq!(site.get("/v1/keys/k", Some(&ana)).await.body, most);
    let more = vec![7; domain::store::VALUE_MAX_BYTES + 1];
    let put = Ask::new("PUT", "/v1/keys/k").token(Some(&ana)).body(more);
    site.send(put).await.is_problem(413, "too-large");
    site.get("/v1/keys/k", None)
        .await
        .is_problem(401, "not-signed-in");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_write_counts_once() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let put = |body: &str| {
        Ask::new("PUT", "/v1/keys/k")
            .token(Some(&ana))
            .key("r")
            .body(body)
    };
    let first = site.send(put("uno")).await;
    assert_eq!(version(&site.send(put("uno")).await), version(&first));
    site.send(put("dos"))
        .await
        .is_problem(409, "request-conflict");
    site.stop().await;
}

/// The version that an answer tells.
fn version(answer: &Answer) -> i64 {
    answer.json()["version"].as_i64().expect("a version")
}
