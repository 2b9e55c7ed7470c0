//! The pages of lotteries, as a browser without scripts sees them.

use std::time::{Duration, Instant};

use domain::lottery::verifiable;
use serde_json::json;

use crate::lotteries::{bet, close, hex, opened, store};
use crate::site::{ADMIN_PASSWORD, Answer, PASSWORD, PATIENCE};
use crate::web::{Browser, is_a_good_page};

#[track_caller]
fn says(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(page.text().contains(text), "{text} in {}", page.text());
    }
}

/// The page once it says this: a browser sees what it has seen before, and then what is newer.
async fn once(browser: &mut Browser<'_>, path: &str, text: &str) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = browser.get(path).await;
        if page.text().contains(text) {
            return page;
        }
        assert!(Instant::now() < deadline, "{text} in {}", page.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[track_caller]
fn says_nothing_of(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(!page.text().contains(text), "{text} in {}", page.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_follow_a_lottery_from_its_opening_to_its_winners() {
    let (site, admin) = opened(&json!({ "name": "Mayo <&>", "agencies": 3 })).await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    store(
        &site,
        &admin,
        1,
        &[bet("11111", 7574), bet("2", 74), bet("33333", 7574)],
    )
    .await;
    store(&site, &admin, 2, &[bet("4", 1)]).await;
    close(&site, &admin, 1).await;

    let list = once(&mut ana, "/lotteries", "agencias cerradas: 1 de 3").await;
    is_a_good_page(&list, "es");
    says(
        &list,
        &[
            "href=\"/lotteries\" aria-current=\"page\"",
            "href=\"/lotteries/1\"",
            "Mayo &lt;&amp;&gt;",
            "abierta, agencias cerradas: 1 de 3",
            "apuestas: 4 · número fijo",
            "data-every=\"5000\"",
        ],
    );
    says_nothing_of(&list, &["consorcio lottery open", "7574"]);
    let page = ana.get("/lotteries/1").await;
    is_a_good_page(&page, "es");
    let shown = site.get("/v1/lotteries/1", Some(&admin)).await.json();
    says(
        &page,
        &[
            shown["root"].as_str().unwrap(),
            "<strong>7574</strong>",
            "Sale cuando cierra la última agencia",
            "cerró",
            "Apuestas: 4 · Lotes: 2",
            "/v1/lotteries/1/record",
            "consorcio lottery record --lottery 1 --out registro.json",
            "Página de n1",
        ],
    );
    says_nothing_of(&page, &["11111", "Ganadoras", "Salió el"]);
    assert_eq!(
        page.text().matches("<th scope=\"row\">").count(),
        3,
        "all agencies"
    );
    let early = ana.get("/lotteries/1/agencies/1").await;
    is_a_good_page(&early, "es");
    says(&early, &["Todavía no se ha sorteado"]);

    for agency in [2, 3] {
        close(&site, &admin, agency).await;
    }
    let page = once(&mut ana, "/lotteries/current", "Salió el").await;
    is_a_good_page(&page, "es");
    says(
        &page,
        &[
            "Salió el <strong>7574</strong>",
            "2 apuestas ganadoras",
            "<a href=\"/lotteries/1/agencies/1\">2</a>",
            "sorteada",
        ],
    );
    says_nothing_of(&page, &["data-every", "/agencies/2"]);
    let winners = ana.get("/lotteries/1/agencies/1").await;
    is_a_good_page(&winners, "es");
    says(
        &winners,
        &["Ganadores de la agencia 1", "<li>11111</li><li>33333</li>"],
    );
    let none = ana.get("/lotteries/1/agencies/2").await;
    is_a_good_page(&none, "es");
    says(&none, &["nadie lo tenía"]);
    says(
        &ana.get("/lotteries").await,
        &["<span class=\"badge\">7574</span>"],
    );
    for missing in [
        "/lotteries/2",
        "/lotteries/x",
        "/lotteries/1/agencies/4",
        "/lotteries/1/agencies/x",
    ] {
        let answer = ana.get(missing).await;
        assert_eq!(answer.status, 404, "{missing}");
        is_a_good_page(&answer, "es");
    }
    let mut nobody = Browser::new(&site);
    for path in ["/lotteries", "/lotteries/1", "/lotteries/1/agencies/1"] {
        let answer = nobody.get(path).await;
        let to = answer.header("location").unwrap();
        assert!(to.starts_with("/sign-in?then="), "{path}: {to}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifiable_draw_shows_what_it_is_recomputed_from_and_what_it_does_not_prove() {
    let secret = [7; 32];
    let commitment = hex(&verifiable::commitment(&secret));
    let (site, admin) = opened(&json!({
        "name": "Verano", "agencies": 1, "rule": "verifiable",
        "commitment": commitment, "source": "El Gordo de 2026",
    }))
    .await;
    let open = json!({ "name": "Otoño", "agencies": 1, "rule": "external" });
    assert_eq!(
        site.post("/v1/lotteries", Some(&admin), &open).await.status,
        201
    );
    let mut browser = Browser::signed_in(&site, "admin", ADMIN_PASSWORD).await;
    browser
        .post("/language", "language=en&then=/lotteries")
        .await;
    let list = browser.get("/lotteries").await;
    is_a_good_page(&list, "en");
    says(
        &list,
        &[
            "verifiable draw",
            "official number",
            "consorcio lottery open",
        ],
    );
    let page = browser.get("/lotteries/1").await;
    is_a_good_page(&page, "en");
    says(
        &page,
        &[
            &commitment,
            "El Gordo de 2026",
            "Whoever made the secret has known it all along",
            "open, agencies closed: 0 of 1",
        ],
    );
    says_nothing_of(&page, &[&hex(&secret), "66513"]);
    says(
        &browser.get("/lotteries/2").await,
        &["an administrator enters it when all"],
    );

    close(&site, &admin, 1).await;
    once(&mut browser, "/lotteries/1", "closed: the draw is to come").await;
    let draw = json!({ "secret": hex(&secret), "source_value": "66513" });
    let drawn = site.post("/v1/lotteries/1/draw", Some(&admin), &draw).await;
    assert_eq!(drawn.status, 200, "{drawn:?}");
    let number = format!("{:04}", drawn.json()["number"].as_u64().unwrap());
    let page = once(&mut browser, "/lotteries/1", &number).await;
    is_a_good_page(&page, "en");
    says(
        &page,
        &[
            &format!("The number is <strong>{number}</strong>"),
            &hex(&secret),
            "66513",
            "nobody had it",
        ],
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_are_cut_into_pages() {
    let (site, admin) = opened(&json!({ "name": "Primera", "agencies": 1 })).await;
    for number in 2..=21 {
        let new = json!({ "name": format!("La {number}"), "agencies": 1 });
        assert_eq!(
            site.post("/v1/lotteries", Some(&admin), &new).await.status,
            201
        );
    }
    let mut browser = Browser::signed_in(&site, "admin", ADMIN_PASSWORD).await;
    let list = browser.get("/lotteries").await;
    assert_eq!(list.text().matches("<li>").count(), 20);
    says(&list, &["href=\"/lotteries?before=2\""]);
    let rest = browser.get("/lotteries?before=2").await;
    is_a_good_page(&rest, "es");
    assert_eq!(rest.text().matches("<li>").count(), 1);
    says_nothing_of(&rest, &["href=\"/lotteries?before="]);
    assert_eq!(browser.get("/lotteries?before=x").await.status, 422);
    site.stop().await;
}
