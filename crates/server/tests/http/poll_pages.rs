//! The pages of polls, as a browser without scripts sees them.

use serde_json::json;

use crate::cluster::three;
use crate::site::{Ask, PASSWORD, Site};
use crate::web::{Browser, hidden, is_a_good_page};

const NEW: &str = "question=%C2%BFGatos+o+perros%3F&options=Gatos%0D%0APerros%0D%0A&closes=\
                   &results=live&majority=simple&quorum=&voters=members&list=";

#[tokio::test(flavor = "multi_thread")]
async fn a_member_asks_votes_changes_and_closes_on_pages() {
    let site = Site::start().await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    let list = ana.get("/polls").await;
    is_a_good_page(&list, "es");
    assert!(
        list.text()
            .contains("href=\"/polls\" aria-current=\"page\"")
    );
    let made = ana.post("/polls", NEW).await;
    assert_eq!(made.header("location"), Some("/polls/1"), "{made:?}");
    let page = ana.get("/polls/1").await;
    is_a_good_page(&page, "es");
    for text in ["data-poll=\"1\"", "Gatos", "En blanco", "Página de n1"] {
        assert!(page.text().contains(text), "{text} in {}", page.text());
    }
    let code = hidden(page.text(), "code");
    let request = hidden(page.text(), "request");
    let form = format!("choice=2&code={code}&request={request}");
    let voted = ana.post("/polls/1", &form).await;
    is_a_good_page(&voted, "es");
    assert!(voted.text().contains(&code) && voted.text().contains("Tu voto se ha guardado"));
    assert!(voted.text().contains("1 · 100 %"), "{}", voted.text());
    // Sending the form again, as a reload does, is the same vote.
    let again = ana.post("/polls/1", &form).await;
    assert!(again.text().contains("Tu voto se ha guardado"));
    let next = hidden(again.text(), "code");
    let changed = ana
        .post("/polls/1", &format!("choice=blank&code={next}"))
        .await;
    assert!(changed.text().contains("Tu voto se ha cambiado"));
    let nothing = ana.post("/polls/1", &format!("code={next}")).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.text().contains("elige una de las opciones"));
    let closed = ana.post("/polls/1/close", "").await;
    assert_eq!(closed.header("location"), Some("/polls/1"));
    let page = ana.get("/polls/1").await;
    is_a_good_page(&page, "es");
    assert!(
        page.text().contains("No se alcanzó la mayoría"),
        "{}",
        page.text()
    );
    let late = ana.post("/polls/1", &form.replace(&request, "ff")).await;
    assert_eq!(late.status, 409);
    assert!(late.text().contains("La votación está cerrada"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_that_comes_too_late_is_answered_with_the_closed_poll() {
    let sites = three().await;
    let ana = sites[0].member("ana").await;
    let body = json!({ "question": "¿Fiesta?", "options": ["Sí", "No"] });
    let mut browser = Browser::signed_in(&sites[2], "ana", PASSWORD).await;
    for poll in 1..=10 {
        let made = sites[0].post("/v1/polls", Some(&ana), &body).await;
        assert_eq!(made.json()["id"], poll);
        let path = format!("/polls/{poll}");
        let code = loop {
            let page = browser.get(&path).await;
            match page.status {
                200 => break hidden(page.text(), "code"),
                status => assert_eq!(status, 404, "not there yet"),
            }
        };
        let close = Ask::new("POST", &format!("/v1/polls/{poll}/close")).token(Some(&ana));
        let closed = sites[0].send(close).await;
        assert_eq!(closed.status, 204);
        let late = browser.post(&path, &format!("choice=1&code={code}")).await;
        assert_eq!(late.status, 409);
        assert!(late.index() > closed.index(), "{late:?}");
        let text = late.text();
        assert!(
            text.contains("cerrada") && !text.contains("abierta"),
            "{text}"
        );
        assert!(!text.contains("id=\"vote\""), "{text}");
        let ballot = json!({ "choice": 1, "code": code });
        let path = format!("/v1/polls/{poll}/ballot");
        let refused = sites[1].put(&path, Some(&ana), &ballot).await;
        refused.is_problem(409, "poll-closed");
        assert!(refused.index() > late.index(), "{refused:?}");
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_votes_by_cookie_where_anyone_may() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let body = json!({ "question": "¿Fiesta?", "options": ["Sí", "No"], "voters": "anyone" });
    assert_eq!(site.post("/v1/polls", Some(&ana), &body).await.status, 201);
    let (mut one, mut other) = (Browser::new(&site), Browser::new(&site));
    for browser in [&mut one, &mut other] {
        let page = browser.get("/polls/1").await;
        is_a_good_page(&page, "es");
        let code = hidden(page.text(), "code");
        let voted = browser
            .post("/polls/1", &format!("choice=1&code={code}"))
            .await;
        assert!(voted.text().contains("Tu voto se ha guardado"), "{voted:?}");
    }
    let page = one.get("/polls/1").await;
    assert!(page.text().contains("Cambiar mi voto") && page.text().contains("2 · 100 %"));
    let hers = json!({ "question": "¿Cuota?", "options": ["Sí", "No"] });
    assert_eq!(site.post("/v1/polls", Some(&ana), &hers).await.status, 201);
    for hidden in ["/polls/2", "/polls/9", "/polls"] {
        let answer = one.get(hidden).await;
        assert!(
            answer.header("location").unwrap().starts_with("/sign-in"),
            "{hidden}"
        );
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_list_says_what_its_weights_give_away() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let list = json!([{ "name": "ana", "weight": 600 }]);
    for more in [json!({}), json!({ "voters": "listed", "list": list })] {
        let mut body = json!({ "question": "¿Ascensor?", "options": ["Sí", "No"] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        assert_eq!(site.post("/v1/polls", Some(&ana), &body).await.status, 201);
    }
    let mut browser = Browser::signed_in(&site, "ana", PASSWORD).await;
    let says = "un peso que solo tiene una persona dice qué votó";
    let members = browser.get("/polls/1").await;
    assert!(members.text().contains("no es un voto secreto"));
    assert!(!members.text().contains(says), "all weigh alike");
    let listed = browser.get("/polls/2").await;
    is_a_good_page(&listed, "es");
    assert!(listed.text().contains(says), "{}", listed.text());
    assert!(listed.text().contains("No es un voto secreto"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_must_be_corrected_keeps_what_was_typed() {
    let site = Site::start().await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    for (wrong, said) in [
        (
            NEW.replace("%0D%0APerros", ""),
            "tiene que haber de 2 a 100",
        ),
        (
            NEW.replace("members", "listed"),
            "tiene que haber de 1 a 5000 votantes",
        ),
        (
            NEW.replace("voters=members&list=", "voters=listed&list=ana+x"),
            "en cada línea va un nombre",
        ),
    ] {
        let answer = ana.post("/polls", &wrong).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        is_a_good_page(&answer, "es");
        assert!(answer.text().contains(said), "{}", answer.text());
        assert!(answer.text().contains("Gatos o perros?\""));
    }
    let refused = site
        .send(crate::site::Ask::new("POST", "/polls/1").form("choice=1"))
        .await;
    assert_eq!(refused.status, 403, "a form of another site: {refused:?}");
    site.stop().await;
}
