//! Atom.

use serde_json::json;

use crate::site::{Ask, Site};

#[tokio::test(flavor = "multi_thread")]
async fn an_area_is_an_atom_feed_with_a_tag() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras & más").await, site.member("ana").await);
    let path = format!("/v1/areas/{area}/atom");
    let empty = site.get(&path, Some(&ana)).await;
    assert_eq!(empty.status, 200);
    let post = json!({ "title": "<b>Agua</b>", "text": "**negrita** <script>" });
    site.post(&format!("/v1/areas/{area}/posts"), Some(&ana), &post)
        .await;
    let feed = site.get(&path, Some(&ana)).await;
    assert_eq!(
        feed.header("content-type"),
        Some("application/atom+xml; charset=utf-8")
    );
    assert!(
        feed.text()
            .contains("<title>&lt;b&gt;Agua&lt;/b&gt;</title>"),
        "{}",
        feed.text()
    );
    assert!(!feed.text().contains("<script>"), "{}", feed.text());
    let tag = feed.header("etag").unwrap();
    assert_ne!(empty.header("etag"), Some(tag));
    let again = |tag: &str| {
        Ask::new("GET", &path)
            .token(Some(&ana))
            .header("If-None-Match", tag)
    };
    let strong = tag.strip_prefix("W/").unwrap();
    let same = site.send(again(&format!("\"other\", {strong}"))).await;
    assert_eq!((same.status, same.header("etag")), (304, Some(tag)));
    let same = site.send(again(&format!("\"other\", {tag}"))).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_eq!(same.header("etag"), Some(tag));
    assert_eq!(site.send(again("\"other\"")).await.status, 200);

    // Another node has another address, and with it other links; what is new is no other.
    let elsewhere = |ask: Ask| ask.host("n3.example:8080");
    let other = Ask::new("GET", &path).token(Some(&ana));
    let other = site.send(elsewhere(other)).await;
    assert!(
        other.text().contains("http://n3.example:8080/"),
        "{other:?}"
    );
    assert_eq!(other.header("etag"), Some(tag));
    assert_eq!(site.send(elsewhere(again(tag))).await.status, 304);
    site.get("/v1/areas/99/atom", Some(&ana))
        .await
        .is_problem(404, "not-found");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_feed_needs_no_session_and_shows_what_its_owner_follows() {
    let site = Site::start().await;
    let (obras, huerto) = (site.area("Obras").await, site.area("Huerto").await);
    let (ana, luis) = (site.member("ana").await, site.member("luis").await);
    let subscribe = Ask::new("PUT", &format!("/v1/areas/{obras}/subscription"));
    site.send(subscribe.token(Some(&luis))).await;
    site.publish(&ana, obras, "uno").await;
    site.publish(&ana, huerto, "dos").await;
    let made = site
        .send(Ask::new("POST", "/v1/feed").token(Some(&luis)))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("http://localhost").unwrap();
    let feed = site.get(path, None).await;
    assert_eq!(feed.status, 200, "{feed:?}");
    assert!(
        feed.text().contains("<title>uno</title>"),
        "{}",
        feed.text()
    );
    assert!(
        !feed.text().contains("<title>dos</title>"),
        "{}",
        feed.text()
    );
    let one = made.json()["area_url"]
        .as_str()
        .unwrap()
        .replace("{area}", "Huerto");
    let one = site
        .get(one.strip_prefix("http://localhost").unwrap(), None)
        .await;
    assert!(one.text().contains("<title>dos</title>"), "{}", one.text());

    let renewed = site
        .send(Ask::new("POST", "/v1/feed").token(Some(&luis)))
        .await;
    assert_ne!(renewed.json()["url"], url);
    site.get(path, None).await.is_problem(404, "not-found");
    site.get("/feeds/x/all.atom", None)
        .await
        .is_problem(404, "not-found");
    site.stop().await;
}
