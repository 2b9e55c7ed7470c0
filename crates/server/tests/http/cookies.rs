//! What a browser is believed: its cookies, and where a change comes from.

use serde_json::json;

use crate::site::{Ask, PASSWORD, Site, config};
use crate::web::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn changes_from_other_sites_are_refused() {
    let site = Site::start().await;
    site.area("Obras").await;
    site.member("ana").await;
    let ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    let form = "request=ab&title=x&text=x";
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost.evil.example",
        "https://x:1",
    ] {
        let ask = ana
            .ask("POST", "/areas/1/posts")
            .header("Origin", origin)
            .form(form);
        let refused = site.send(ask).await;
        assert_eq!(refused.status, 403, "{origin}");
    }
    let bare = ana.ask("POST", "/areas/1/posts").form(form);
    assert_eq!(site.send(bare).await.status, 403, "no origin at all");
    let cross = ana
        .ask("POST", "/sign-in")
        .header("Sec-Fetch-Site", "cross-site")
        .form(form);
    assert_eq!(site.send(cross).await.status, 403);
    let json = json!({ "title": "x", "text": "x" });
    let api = ana
        .ask("POST", "/v1/areas/1/posts")
        .header("Origin", "http://evil.example");
    site.send(api.json(&json))
        .await
        .is_problem(403, "cross-site");
    let own = ana
        .ask("POST", "/v1/areas/1/posts")
        .header("Sec-Fetch-Site", "same-origin");
    assert_eq!(
        site.send(own.json(&json)).await.status,
        201,
        "the page's own script may"
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_kept_from_scripts_and_other_sites() {
    let site = Site::start().await;
    site.member("ana").await;
    let form = "name=ana&password=una+frase+larga&then=//evil.example";
    let ask = Ask::new("POST", "/sign-in")
        .header("Origin", "http://localhost")
        .form(form);
    let answer = site.send(ask).await;
    assert_eq!(
        answer.header("location"),
        Some("/"),
        "only this site's paths are gone to"
    );
    let cookies = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let session = cookies
        .map(|(_, cookie)| cookie)
        .find(|c| c.starts_with("consorcio_session="));
    let session = session.unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(session.contains(part), "{session}");
    }
    site.stop().await;
    let secure = server::Config {
        public_url: Some("https://x.example".into()),
        ..config()
    };
    let site = Site::with(secure).await;
    site.member("ana").await;
    // The proxy before it has asked for "localhost"; the browser was at the public URL.
    let ask = Ask::new("POST", "/sign-in")
        .header("Origin", "https://x.example")
        .form(form);
    let answer = site.send(ask).await;
    let mut cookies = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    assert!(cookies.any(|(_, c)| c.starts_with("consorcio_session") && c.ends_with("; Secure")));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_of_another_cluster_does_not_lock_anybody_out() {
    let site = Site::start().await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    for (name, value) in &mut ana.cookies {
        if name == "consorcio_index" {
            *value = "0badc0de.999999".to_owned();
        }
    }
    assert_eq!(ana.get("/").await.status, 200);
    let alien = format!("{}.fffff", "A".repeat(43));
    ana.cookies = vec![("consorcio_session".to_owned(), alien.clone())];
    assert_eq!(ana.get("/").await.status, 303, "signed out, not broken");
    site.get("/v1/areas", Some(&alien))
        .await
        .is_problem(401, "not-signed-in");
    let explicit = site
        .get("/v1/areas?consistency=session", Some(&alien))
        .await;
    explicit.is_problem(401, "not-signed-in");
    site.stop().await;
}
