//! Areas, posts, what is unread, and search.

use serde_json::{Value, json};

use crate::site::{Ask, Site};

/// Text that breaks whatever glues strings together.
const NASTY: &str = "Robert'); DROP TABLE posts;-- \"q\" \\ %_ <b>&amp;</b> ñ 😀 ' OR 1=1";

fn titles(page: &Value) -> Vec<String> {
    let posts = page["posts"].as_array().unwrap().iter();
    posts
        .map(|post| post["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_add_edit_and_remove_areas() {
    let site = Site::start().await;
    let (ana, admin) = (site.member("ana").await, site.admin().await);
    let body = json!({ "name": "Obras", "description": "Ruidos" });
    site.post("/v1/areas", Some(&ana), &body)
        .await
        .is_problem(403, "forbidden");
    let made = site.post("/v1/areas", Some(&admin), &body).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_i64().unwrap();
    assert_eq!(
        made.header("location"),
        Some(format!("/v1/areas/{id}").as_str())
    );
    site.post("/v1/areas", Some(&admin), &json!({ "name": "OBRAS" }))
        .await
        .is_problem(409, "taken");

    let rename = json!({ "name": "Obras y arreglos" });
    let edit = |token: &str, path: String| {
        site.send(Ask::new("PATCH", &path).token(Some(token)).json(&rename))
    };
    edit(&ana, format!("/v1/areas/{id}"))
        .await
        .is_problem(403, "forbidden");
    assert_eq!(edit(&admin, format!("/v1/areas/{id}")).await.status, 204);
    let by_name = site.get("/v1/areas/obras%20Y%20arreglos", Some(&ana)).await;
    assert_eq!(by_name.json()["id"], id);
    assert_eq!(by_name.json()["description"], "Ruidos");

    let path = format!("/v1/areas/{id}");
    site.delete(&path, Some(&ana))
        .await
        .is_problem(403, "forbidden");
    assert_eq!(site.delete(&path, Some(&admin)).await.status, 204);
    site.get(&path, Some(&ana))
        .await
        .is_problem(404, "not-found");
    site.delete(&path, Some(&admin))
        .await
        .is_problem(404, "not-found");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_comes_back_as_it_was_sent() {
    let site = Site::start().await;
    let (ana, admin) = (site.member("ana").await, site.admin().await);
    let area = json!({ "name": "Ñ' OR 1=1 --", "description": NASTY });
    let area = site.post("/v1/areas", Some(&admin), &area).await.json()["id"]
        .as_i64()
        .unwrap();
    let post = json!({ "title": NASTY, "text": NASTY });
    let made = site
        .post(&format!("/v1/areas/{area}/posts"), Some(&ana), &post)
        .await;
    let id = made.json()["id"].as_i64().unwrap();
    let read = site
        .get(&format!("/v1/areas/{area}/posts/{id}"), Some(&ana))
        .await
        .json();
    assert_eq!(
        (&read["title"], &read["text"]),
        (&json!(NASTY), &json!(NASTY))
    );
    assert_eq!(read["author"], "ana");
    let listed = site.get("/v1/areas", Some(&ana)).await.json();
    assert_eq!(listed["areas"][0]["description"], NASTY);
    let name = "%C3%91%27%20OR%201=1%20--";
    assert_eq!(
        site.get(&format!("/v1/areas/{name}"), Some(&ana))
            .await
            .json()["id"],
        area
    );
    let found = site
        .get("/v1/search?q=%27%29%3B%20drop%20table", Some(&ana))
        .await
        .json();
    assert_eq!(titles(&found), [NASTY]);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_listed_both_ways_in_pages() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    for title in ["uno", "dos", "tres", "cuatro", "cinco"] {
        site.publish(&ana, area, title).await;
    }
    let page = async |query: &str| {
        let path = format!("/v1/areas/Obras/posts?{query}");
        let answer = site.get(&path, Some(&ana)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let first = page("limit=2&after=&unread=").await;
    assert_eq!(titles(&first), ["uno", "dos"]);
    let next = first["next"].as_i64().unwrap();
    assert_eq!(
        titles(&page(&format!("limit=2&after={next}")).await),
        ["tres", "cuatro"]
    );
    assert!(page("limit=5").await["next"].is_null() || titles(&page("after=5").await).is_empty());
    let newest = page("order=newest&limit=2").await;
    assert_eq!(titles(&newest), ["cinco", "cuatro"]);
    let next = newest["next"].as_i64().unwrap();
    assert_eq!(
        titles(&page(&format!("before={next}&limit=2")).await),
        ["tres", "dos"]
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_change_what_is_unread_and_can_be_undone() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (ana, luis) = (site.member("ana").await, site.member("luis").await);
    for title in ["uno", "dos", "tres"] {
        site.publish(&ana, area, title).await;
    }
    let mark = async |body: Value| {
        let answer = site
            .post(&format!("/v1/areas/{area}/read"), Some(&luis), &body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["unread"].as_i64().unwrap()
    };
    let unread = async || {
        titles(
            &site
                .get("/v1/areas/Obras/posts?unread=true", Some(&luis))
                .await
                .json(),
        )
    };
    assert_eq!(unread().await, ["uno", "dos", "tres"]);
    assert_eq!(mark(json!({ "post": 2 })).await, 2);
    assert_eq!(unread().await, ["uno", "tres"]);
    assert_eq!(mark(json!({ "up_to": 2 })).await, 1);
    assert_eq!(mark(json!({ "all": true })).await, 0);
    assert_eq!(mark(json!({ "up_to": 1, "read": false })).await, 1);
    assert_eq!(unread().await, ["uno"]);
    for bad in [
        json!({}),
        json!({ "post": 1, "all": true }),
        json!({ "all": false }),
    ] {
        let answer = site
            .post(&format!("/v1/areas/{area}/read"), Some(&luis), &bad)
            .await;
        answer.is_problem(422, "invalid");
    }
    let own = site
        .get("/v1/areas/Obras/posts?unread=true", Some(&ana))
        .await
        .json();
    assert!(titles(&own).is_empty(), "one's own posts are read");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_count_what_is_unread() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (ana, luis) = (site.member("ana").await, site.member("luis").await);
    let path = "/v1/areas/obras/subscription";
    for _ in 0..2 {
        assert_eq!(
            site.send(Ask::new("PUT", path).token(Some(&luis)))
                .await
                .status,
            204
        );
    }
    site.publish(&ana, area, "uno").await;
    let mine = site.get("/v1/subscriptions", Some(&luis)).await.json();
    assert_eq!(mine["subscriptions"][0]["name"], "Obras");
    assert_eq!(
        (&mine["unread"], &mine["subscriptions"][0]["unread"]),
        (&json!(1), &json!(1))
    );
    for _ in 0..2 {
        assert_eq!(site.delete(path, Some(&luis)).await.status, 204);
    }
    let mine = site.get("/v1/subscriptions", Some(&luis)).await.json();
    assert_eq!(mine, json!({ "subscriptions": [], "unread": 0 }));
    let missing = Ask::new("PUT", "/v1/areas/99/subscription").token(Some(&luis));
    site.send(missing).await.is_problem(404, "not-found");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_author_deletes_and_only_administrators_hide() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (ana, luis) = (site.member("ana").await, site.member("luis").await);
    let admin = site.admin().await;
    let (one, two) = (
        site.publish(&ana, area, "uno").await,
        site.publish(&ana, area, "dos").await,
    );
    let path = |post: i64| format!("/v1/areas/{area}/posts/{post}");
    site.delete(&path(one), Some(&luis))
        .await
        .is_problem(403, "forbidden");
    site.delete(&path(one), Some(&admin))
        .await
        .is_problem(403, "forbidden");
    assert_eq!(site.delete(&path(one), Some(&ana)).await.status, 204);
    let tombstone = site.get(&path(one), Some(&luis)).await.json();
    assert_eq!(
        (&tombstone["state"], &tombstone["text"]),
        (&json!("deleted"), &json!(""))
    );
    site.delete(&path(one), Some(&ana))
        .await
        .is_problem(404, "not-found");

    let hide = format!("{}/hide", path(two));
    let reason = json!({ "reason": "Publicidad" });
    site.post(&hide, Some(&luis), &reason)
        .await
        .is_problem(403, "forbidden");
    site.post(&hide, Some(&admin), &json!({ "reason": "" }))
        .await
        .is_problem(422, "invalid");
    assert_eq!(site.post(&hide, Some(&admin), &reason).await.status, 204);
    let tombstone = site.get(&path(two), Some(&luis)).await.json();
    assert_eq!(
        (&tombstone["state"], &tombstone["reason"]),
        (&json!("hidden"), &json!("Publicidad"))
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_finds_every_word_newest_first() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    for title in ["Agua cortada", "Luz cortada", "Agua de vuelta"] {
        site.publish(&ana, area, title).await;
    }
    let found = site.get("/v1/search?q=AGUA", Some(&ana)).await.json();
    assert_eq!(titles(&found), ["Agua de vuelta", "Agua cortada"]);
    assert_eq!(found["posts"][0]["area_name"], "Obras");
    let found = site
        .get("/v1/search?q=cortada%20agu", Some(&ana))
        .await
        .json();
    assert_eq!(titles(&found), ["Agua cortada"]);
    let page = site
        .get("/v1/search?q=agua&limit=1", Some(&ana))
        .await
        .json();
    let next = page["next"].as_i64().unwrap();
    let page = site
        .get(
            &format!("/v1/search?q=agua&limit=1&before={next}"),
            Some(&ana),
        )
        .await;
    assert_eq!(titles(&page.json()), ["Agua cortada"]);
    site.get("/v1/search?q=", Some(&ana))
        .await
        .is_problem(422, "invalid");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_post_is_published_once() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let luis = site.member("luis").await;
    let path = format!("/v1/areas/{area}/posts");
    let publish = |token: &str, path: &str, title: &str| {
        let body = json!({ "title": title, "text": "Texto" });
        site.send(
            Ask::new("POST", path)
                .token(Some(token))
                .key("abc")
                .json(&body),
        )
    };
    let first = publish(&ana, &path, "uno").await;
    let second = publish(&ana, &path, "uno").await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.json(), second.json());
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    publish(&ana, &path, "otro")
        .await
        .is_problem(409, "request-conflict");
    assert_eq!(
        publish(&luis, &path, "uno").await.json()["id"],
        2,
        "another member's own id"
    );
    let listed = site.get(&path, Some(&ana)).await.json();
    assert_eq!(titles(&listed), ["uno", "uno"]);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_as_it_was_asked_for() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let admin = site.admin().await;
    let post = json!({ "title": "x", "text": "x" });
    let long = "x".repeat(5_000);
    for (path, detail) in [
        ("/v1/areas/Obraz", "there is no area \"Obraz\""),
        ("/v1/areas/Obraz/posts", "there is no area \"Obraz\""),
        ("/v1/areas/Obraz/atom", "there is no area \"Obraz\""),
        ("/v1/route/areas/Obraz", "there is no area \"Obraz\""),
        ("/v1/areas/%0A%22", "there is no area \"\\n\\\"\""),
        ("/v1/areas/99/posts", "there is no area 99"),
        (&format!("/v1/areas/{area}/posts/7"), "there is no post 7"),
        ("/v1/polls/9", "there is no poll 9"),
        ("/v1/polls/nueve", "there is no poll \"nueve\""),
        ("/v1/lotteries/9", "there is no lottery 9"),
        ("/v1/keys/nada", "there is no key \"nada\""),
        ("/v1/journals/nada", "there is no journal \"nada\""),
    ] {
        let missing = site.get(path, Some(&ana)).await;
        let missing = missing.is_problem(404, "not-found");
        assert_eq!(missing["detail"], detail, "{path}");
    }
    let missing = site.get(&format!("/v1/areas/{long}"), Some(&ana)).await;
    let missing = missing.is_problem(404, "not-found");
    assert!(missing["detail"].as_str().unwrap().len() < 200);
    for (path, detail) in [
        ("/v1/areas/Obraz/posts", "there is no area \"Obraz\""),
        ("/v1/areas/99/posts", "there is no area 99"),
    ] {
        let missing = site.post(path, Some(&ana), &post).await;
        let missing = missing.is_problem(404, "not-found");
        assert_eq!(missing["detail"], detail, "{path}");
    }
    for (path, detail) in [
        (format!("/v1/areas/{area}/posts/7"), "there is no post 7"),
        ("/v1/areas/99".to_owned(), "there is no area 99"),
    ] {
        let missing = site.delete(&path, Some(&admin)).await;
        let missing = missing.is_problem(404, "not-found");
        assert_eq!(missing["detail"], detail, "{path}");
    }
    site.stop().await;
}
