//! Lotteries: agencies, batches, draws, winners, records and receipts.

use domain::lottery::{canonical, merkle, verifiable};
use serde_json::{Value, json};

use crate::site::{Answer, Ask, Site, Stream};

/// A bet as the API takes it.
pub fn bet(document: &str, number: i64) -> Value {
    json!({
        "first_name": "Ana", "last_name": "Pérez", "document": document,
        "birthdate": "1999-03-17", "number": number,
    })
}

/// A site with an administrator and an open lottery.
pub async fn opened(new: &Value) -> (Site, String) {
    let site = Site::start().await;
    let admin = site.admin().await;
    let made = site.post("/v1/lotteries", Some(&admin), new).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/v1/lotteries/1")),
        "{made:?}"
    );
    (site, admin)
}

pub async fn store(site: &Site, admin: &str, agency: u32, bets: &[Value]) -> Answer {
    let body = json!({ "agency": agency, "bets": bets });
    site.post("/v1/lotteries/1/bets", Some(admin), &body).await
}

pub async fn close(site: &Site, admin: &str, agency: u32) -> Answer {
    let path = format!("/v1/lotteries/1/agencies/{agency}/close");
    site.send(Ask::new("POST", &path).token(Some(admin))).await
}

fn hash(value: &Value) -> [u8; 32] {
    let text = value.as_str().unwrap();
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lottery_from_its_opening_to_its_winners() {
    let (site, admin) = opened(&json!({ "name": "Mayo", "agencies": 2 })).await;
    let ana = site.member("ana").await;
    let stored = store(&site, &admin, 1, &[bet("1", 7574), bet("2", 74)]).await;
    assert_eq!(
        (stored.status, stored.header("location")),
        (201, Some("/v1/lotteries/1/receipts/0"))
    );
    let receipt = stored.json();
    assert_eq!(
        (&receipt["first"], &receipt["count"]),
        (&json!(1), &json!(2))
    );
    store(&site, &admin, 2, &[bet("3", 7574)]).await;
    let early = site
        .get("/v1/lotteries/1/agencies/1/winners", Some(&ana))
        .await;
    early.is_problem(409, "not-drawn");

    let first = close(&site, &admin, 1).await.json();
    assert_eq!(
        (&first["changed"], &first["drawn"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(close(&site, &admin, 1).await.json()["changed"], false);
    let late = store(&site, &admin, 1, &[bet("4", 1)]).await;
    late.is_problem(409, "agency-closed");
    let last = close(&site, &admin, 2).await.json();
    assert_eq!(
        (&last["open_agencies"], &last["drawn"]),
        (&json!(0), &json!(true))
    );

    for (agency, documents) in [(1, json!(["1"])), (2, json!(["3"]))] {
        let path = format!("/v1/lotteries/current/agencies/{agency}/winners");
        let winners = site.get(&path, Some(&ana)).await.json();
        assert_eq!(winners["documents"], documents);
        assert_eq!(
            (&winners["number"], &winners["next"]),
            (&json!(7574), &Value::Null)
        );
    }
    let shown = site.get("/v1/lotteries/1", Some(&ana)).await.json();
    assert_eq!(
        (&shown["state"], &shown["draw"]["winners"]),
        (&json!("drawn"), &json!(2))
    );
    assert_eq!(shown["by_agency"][0]["bets"], 2);
    site.post(
        "/v1/lotteries",
        Some(&admin),
        &json!({ "name": "Junio", "agencies": 1 }),
    )
    .await;
    let list = site.get("/v1/lotteries?limit=1", Some(&ana)).await.json();
    assert_eq!(
        (&list["lotteries"][0]["name"], &list["next"]),
        (&json!("Junio"), &json!(2))
    );
    let rest = site.get("/v1/lotteries?before=2", Some(&ana)).await.json();
    assert_eq!(
        (&rest["lotteries"][0]["id"], &rest["next"]),
        (&json!(1), &Value::Null)
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_all_or_nothing_and_a_retry_stores_it_once() {
    let (site, admin) = opened(&json!({ "name": "Mayo", "agencies": 5 })).await;
    let many: Vec<Value> = (0..64).map(|_| bet("1", 1)).collect();
    let field = |name: &str, value: &str| {
        let mut spoiled = bet("1", 1);
        spoiled[name] = json!(value);
        [bet("1", 1), spoiled]
    };
    let bad: Vec<Vec<Value>> = vec![
        field("birthdate", "2023-02-30").to_vec(),
        field("birthdate", "30/02/1999").to_vec(),
        field("first_name", "").to_vec(),
        field("first_name", &"x".repeat(51)).to_vec(),
        field("last_name", "a;b").to_vec(),
        field("last_name", "a:b").to_vec(),
        field("document", "12345678901").to_vec(),
        vec![bet("1", 1), bet("1", 10_000)],
        vec![bet("1", -1)],
        vec![bet("1", 70_000)],
        many[..64].to_vec(),
        Vec::new(),
    ];
    for bets in &bad {
        store(&site, &admin, 1, bets)
            .await
            .is_problem(422, "invalid");
    }
    let problem = store(&site, &admin, 1, &bad[0]).await.json();
    assert_eq!(problem["errors"][0]["field"], "bets[1].birthdate");
    for agency in [0, 6, 99] {
        let bets = [bet("1", 1)];
        store(&site, &admin, agency, &bets)
            .await
            .is_problem(404, "not-found");
        close(&site, &admin, agency)
            .await
            .is_problem(404, "not-found");
    }
    let shown = site.get("/v1/lotteries/1", Some(&admin)).await.json();
    assert_eq!(
        (&shown["bets"], &shown["open_agencies"]),
        (&json!(0), &json!(5))
    );

    let body = json!({ "agency": 1, "bets": &many[..63] });
    let ask = || {
        let ask = Ask::new("POST", "/v1/lotteries/1/bets").token(Some(&admin));
        ask.key("batch-1").json(&body)
    };
    let (first, again) = (site.send(ask()).await, site.send(ask()).await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let shown = site.get("/v1/lotteries/1", Some(&admin)).await.json();
    assert_eq!(shown["bets"], 63);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_change_and_only_members_look() {
    let (site, admin) = opened(&json!({ "name": "Mayo", "agencies": 1, "rule": "external" })).await;
    let ana = site.member("ana").await;
    let new = json!({ "name": "Otro", "agencies": 1 });
    let bets = json!({ "agency": 1, "bets": [bet("1", 1)] });
    let draw = json!({ "number": 1 });
    for (path, body) in [
        ("/v1/lotteries", &new),
        ("/v1/lotteries/1/bets", &bets),
        ("/v1/lotteries/1/agencies/1/close", &json!({})),
        ("/v1/lotteries/1/draw", &draw),
    ] {
        site.post(path, Some(&ana), body)
            .await
            .is_problem(403, "forbidden");
        site.post(path, None, body)
            .await
            .is_problem(401, "not-signed-in");
    }
    for path in [
        "/v1/lotteries",
        "/v1/lotteries/1",
        "/v1/lotteries/current",
        "/v1/lotteries/1/agencies/1/winners",
        "/v1/lotteries/1/record",
        "/v1/lotteries/1/receipts/0",
    ] {
        site.get(path, None).await.is_problem(401, "not-signed-in");
    }
    store(&site, &admin, 1, &[bet("1", 1)]).await;
    let path = "/v1/lotteries/1/record";
    let public = site.get(path, Some(&ana)).await.json();
    assert_eq!(public["batches"][0].get("bets"), None);
    let with_bets = format!("{path}?bets=true");
    site.get(&with_bets, Some(&ana))
        .await
        .is_problem(403, "forbidden");
    let whole = site.get(&with_bets, Some(&admin)).await.json();
    assert_eq!(whole["batches"][0]["bets"], json!([bet("1", 1)]));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_told() {
    let site = Site::start().await;
    let admin = site.admin().await;
    let commitment = hex(&[1; 32]);
    site.get("/v1/lotteries/current", Some(&admin))
        .await
        .is_problem(404, "not-found");
    for new in [
        json!({ "name": "", "agencies": 5 }),
        json!({ "name": "x".repeat(101), "agencies": 5 }),
        json!({ "name": "a", "agencies": 0 }),
        json!({ "name": "a", "agencies": 1001 }),
        json!({ "name": "a", "agencies": -1 }),
        json!({ "name": "a" }),
        json!({ "name": "a", "agencies": 5, "prize": 1 }),
        json!({ "name": "a", "agencies": 5, "rule": "fixed:10000" }),
        json!({ "name": "a", "agencies": 5, "rule": "random" }),
        json!({ "name": "a", "agencies": 5, "rule": "verifiable" }),
        json!({ "name": "a", "agencies": 5, "rule": "verifiable", "commitment": "ab" }),
        json!({ "name": "a", "agencies": 5, "rule": "external", "commitment": commitment }),
        json!({ "name": "a", "agencies": 5, "source": "a" }),
    ] {
        let answer = site.post("/v1/lotteries", Some(&admin), &new).await;
        answer.is_problem(422, "invalid");
    }
    let new = json!({ "name": "a", "agencies": 1, "rule": "external" });
    site.post("/v1/lotteries", Some(&admin), &new).await;
    for path in [
        "/v1/lotteries/2",
        "/v1/lotteries/0",
        "/v1/lotteries/-1",
        "/v1/lotteries/+1",
        "/v1/lotteries/newest",
        "/v1/lotteries/99999999999999999999",
        "/v1/lotteries/1/agencies/0/winners",
        "/v1/lotteries/1/agencies/2/winners",
        "/v1/lotteries/1/agencies/x/winners",
        "/v1/lotteries/1/receipts/0",
        "/v1/lotteries/1/receipts/-1",
        "/v1/lotteries/2/record",
    ] {
        site.get(path, Some(&admin))
            .await
            .is_problem(404, "not-found");
    }
    for path in [
        "/v1/lotteries?limit=0",
        "/v1/lotteries?limit=201",
        "/v1/lotteries?page=2",
        "/v1/lotteries/1/record?limit=257",
        "/v1/lotteries/1/record?from=-1",
        "/v1/lotteries/1/record?bets=maybe",
        "/v1/lotteries/1/agencies/1/winners?after=x",
    ] {
        site.get(path, Some(&admin))
            .await
            .is_problem(422, "invalid");
    }
    let draw = |body: Value| {
        let (site, admin) = (&site, &admin);
        async move { site.post("/v1/lotteries/1/draw", Some(admin), &body).await }
    };
    draw(json!({ "number": 1 }))
        .await
        .is_problem(409, "agencies-open");
    close(&site, &admin, 1).await;
    for body in [
        json!({}),
        json!({ "number": 10_000 }),
        json!({ "number": -1 }),
        json!({ "number": 1, "secret": commitment }),
        json!({ "secret": commitment }),
    ] {
        draw(body).await.is_problem(422, "invalid");
    }
    for (path, body) in [
        (
            "/v1/lotteries/current/bets",
            json!({ "agency": 1, "bets": [bet("1", 1)] }),
        ),
        ("/v1/lotteries/current/draw", json!({ "number": 12 })),
        ("/v1/lotteries/current/agencies/1/close", json!({})),
    ] {
        let answer = site.post(path, Some(&admin), &body).await;
        answer.is_problem(422, "invalid");
    }
    assert_eq!(draw(json!({ "number": 12 })).await.json()["number"], 12);
    draw(json!({ "number": 13 }))
        .await
        .is_problem(409, "already-drawn");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifiable_draw_is_recomputed_from_what_is_published() {
    let secret = [42; 32];
    let commitment = verifiable::commitment(&secret);
    let new = json!({
        "name": "Verano", "agencies": 1, "rule": "verifiable",
        "commitment": hex(&commitment), "source": "Gordo",
    });
    let (site, admin) = opened(&new).await;
    for document in ["1", "2", "3"] {
        store(&site, &admin, 1, &[bet(document, 1)]).await;
    }
    close(&site, &admin, 1).await;
    let path = "/v1/lotteries/1/draw";
    let other = json!({ "secret": hex(&[1; 32]), "source_value": "66513" });
    site.post(path, Some(&admin), &other)
        .await
        .is_problem(422, "invalid");
    let silent = json!({ "secret": hex(&secret) });
    site.post(path, Some(&admin), &silent)
        .await
        .is_problem(422, "invalid");
    let reveal = json!({ "secret": hex(&secret), "source_value": "66513" });
    let drawn = site.post(path, Some(&admin), &reveal).await.json();

    let record = site
        .get("/v1/lotteries/1/record?bets=true", Some(&admin))
        .await
        .json();
    let batches = record["batches"].as_array().unwrap();
    let leaves: Vec<[u8; 32]> = batches.iter().map(|batch| hash(&batch["leaf"])).collect();
    let root = merkle::root(&leaves);
    assert_eq!(hash(&record["lottery"]["root"]), root);
    let first: Vec<domain::lottery::Bet> =
        serde_json::from_value(batches[0]["bets"].clone()).unwrap();
    let place = canonical::Place {
        lottery: 1,
        leaf: 0,
        agency: 1,
        first: 1,
    };
    assert_eq!(
        merkle::leaf(canonical::write(place, &first).as_bytes()),
        leaves[0]
    );
    let published = &record["lottery"]["draw"];
    assert_eq!(
        verifiable::commitment(&hash(&published["secret"])),
        commitment
    );
    let number = verifiable::number(&secret, &root, published["source_value"].as_str());
    assert_eq!(drawn["number"], number);

    let page = site
        .get("/v1/lotteries/1/record?from=1&limit=1", Some(&admin))
        .await
        .json();
    assert_eq!(
        (&page["batches"][0]["leaf_index"], &page["next"]),
        (&json!(1), &json!(2))
    );
    let receipt = site
        .get("/v1/lotteries/1/receipts/2", Some(&admin))
        .await
        .json();
    let path: Vec<[u8; 32]> = receipt["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(hash)
        .collect();
    assert_eq!(hash(&receipt["root"]), root);
    assert!(merkle::includes(&root, 3, 2, &leaves[2], &path));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_closing_and_drawing_are_told_live_but_not_bets() {
    let site = Site::start().await;
    let admin = site.admin().await;
    let path = "/v1/events?kind=lottery.opened&kind=lottery.agency-closed&kind=lottery.drawn";
    let mut stream = Stream::open(&site, path, &admin, None).await;
    stream.next().await.unwrap();
    let new = json!({ "name": "Mayo", "agencies": 2, "rule": "fixed:12" });
    site.post("/v1/lotteries", Some(&admin), &new).await;
    store(&site, &admin, 1, &[bet("1", 12)]).await;
    close(&site, &admin, 1).await;
    close(&site, &admin, 2).await;
    let (opened, closed, drawn) = (
        stream.event().await,
        stream.event().await,
        stream.event().await,
    );
    assert_eq!(opened.kind.as_deref(), Some("lottery.opened"));
    let opened = opened.json();
    assert_eq!(
        (&opened["lottery"], &opened["name"]),
        (&json!(1), &json!("Mayo"))
    );
    let closed = closed.json();
    assert_eq!(
        (&closed["agency"], &closed["open_agencies"]),
        (&json!(1), &json!(1))
    );
    let drawn = drawn.json();
    assert_eq!(
        (&drawn["kind"], &drawn["number"]),
        (&json!("lottery.drawn"), &json!(12))
    );
    assert_eq!(
        (&drawn["winners"], &drawn["agency"]),
        (&json!(1), &json!(2))
    );
    site.stop().await;
}
