//! The replicated store.

use crate::site::{Ask, Site};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_stored_read_and_removed() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let put =
        |path: &str, body: &[u8]| site.send(Ask::new("PUT", path).token(Some(&ana)).body(body));
    let bytes = b"\x00\xff' OR 1=1 --\n";
    let first = put("/v1/keys/uno", bytes).await;
    assert_eq!((first.status, first.header("etag")), (200, Some("\"1\"")));
    assert_eq!(first.json()["version"], 1);
    assert_eq!(
        put("/v1/keys/uno", bytes).await.header("etag"),
        Some("\"2\"")
    );
    let read = site.get("/v1/keys/uno", Some(&ana)).await;
    assert_eq!(read.body, bytes);
    assert_eq!(read.header("etag"), Some("\"2\""));
    assert_eq!(
        read.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        site.delete("/v1/keys/uno", Some(&ana)).await.json()["version"],
        2
    );
    site.get("/v1/keys/uno", Some(&ana))
        .await
        .is_problem(404, "not-found");
    assert_eq!(
        site.delete("/v1/keys/uno", Some(&ana)).await.json()["version"],
        0
    );
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
    let long = format!("/v1/keys/{}", "k".repeat(domain::keys::KEY_MAX_BYTES + 1));
    let put = Ask::new("PUT", &long).token(Some(&ana)).body("x");
    site.send(put).await.is_problem(422, "invalid");
    let most = vec![7; domain::keys::VALUE_MAX_BYTES];
    let put = Ask::new("PUT", "/v1/keys/k")
        .token(Some(&ana))
        .body(most.clone());
    assert_eq!(site.send(put).await.status, 200);
    assert_eq!(site.get("/v1/keys/k", Some(&ana)).await.body, most);
    let more = vec![7; domain::keys::VALUE_MAX_BYTES + 1];
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
    assert_eq!(site.send(put("uno")).await.json()["version"], 1);
    assert_eq!(site.send(put("uno")).await.json()["version"], 1);
    site.send(put("dos"))
        .await
        .is_problem(409, "request-conflict");
    site.stop().await;
}
