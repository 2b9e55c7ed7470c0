//! Polls: voting, changing one's mind, results, the record, and live tallies.

use api::types::{BallotProof, PollRecord};
use api::verify::{check_proof, find, recount};
use serde_json::{Value, json};

use crate::site::{Answer, Ask, Site, Stream, config, until};

const CODE: &str = "un-codigo-al-azar-1";
const VOTER: &str = "una-galleta-al-azar";

/// A poll with two options and whatever else; answers its id.
async fn poll(site: &Site, token: &str, more: Value) -> i64 {
    let mut body = json!({ "question": "¿Gatos o perros?", "options": ["Gatos", "Perros"] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = site.post("/v1/polls", Some(token), &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_i64().unwrap();
    let location = format!("/v1/polls/{id}");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    id
}

async fn vote(site: &Site, token: Option<&str>, poll: i64, body: Value) -> Answer {
    site.put(&format!("/v1/polls/{poll}/ballot"), token, &body)
        .await
}

fn ballot(choice: i64, code: &str) -> Value {
    json!({ "choice": choice, "code": code })
}

async fn close(site: &Site, token: &str, poll: i64) {
    let path = format!("/v1/polls/{poll}/close");
    let answer = site.send(Ask::new("POST", &path).token(Some(token))).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_counts_once_and_can_be_changed_until_the_close() {
    let site = Site::start().await;
    let (ana, beto) = (site.member("ana").await, site.member("beto").await);
    let id = poll(&site, &ana, json!({})).await;
    let first = vote(&site, Some(&ana), id, ballot(1, CODE)).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["changed"], false);
    assert_eq!(first.json()["leaf"].as_str().unwrap().len(), 64);
    let second = vote(&site, Some(&ana), id, ballot(2, CODE)).await.json();
    assert_eq!(
        (&second["changed"], &second["weight"]),
        (&json!(true), &json!(1))
    );
    let blank = json!({ "blank": true, "code": "otro-codigo-al-azar" });
    assert_eq!(vote(&site, Some(&beto), id, blank).await.status, 200);
    let path = format!("/v1/polls/{id}");
    let seen = site.get(&path, Some(&ana)).await.json();
    assert_eq!(seen["ballot"]["choice"], 2);
    assert_eq!(seen["tally"]["options"][0]["ballots"], 0);
    assert_eq!(seen["tally"]["options"][1]["ballots"], 1);
    assert_eq!(seen["tally"]["blank"]["ballots"], 1);
    let record = site.get(&format!("{path}/record"), Some(&ana)).await;
    record.is_problem(409, "result-hidden");
    let path_close = format!("{path}/close");
    let forbidden = site.send(Ask::new("POST", &path_close).token(Some(&beto)));
    forbidden.await.is_problem(403, "forbidden");
    close(&site, &ana, id).await;
    let late = vote(&site, Some(&ana), id, ballot(1, CODE)).await;
    late.is_problem(409, "poll-closed");
    let result = site
        .get(&format!("{path}/result"), Some(&beto))
        .await
        .json();
    assert_eq!(
        (&result["final"], &result["winner"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(result["turnout_permille"], 666, "two of three members");
    let listed = site.get("/v1/polls?limit=1", Some(&beto)).await.json();
    assert_eq!(listed["polls"][0]["state"], "closed");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_with_its_key_is_answered_again() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let id = poll(&site, &ana, json!({})).await;
    let path = format!("/v1/polls/{id}/ballot");
    let ask = |body: &Value| {
        let ask = Ask::new("PUT", &path).token(Some(&ana)).key("voto-1");
        site.send(ask.json(body))
    };
    let first = ask(&ballot(1, CODE)).await;
    let again = ask(&ballot(1, CODE)).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    ask(&ballot(2, CODE))
        .await
        .is_problem(409, "request-conflict");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_recounted_offline_and_has_a_proof_for_every_code() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let id = poll(
        &site,
        &ana,
        json!({ "voters": "anyone", "open_ballot": true }),
    )
    .await;
    vote(&site, Some(&ana), id, ballot(2, CODE)).await;
    for number in 0..20 {
        let secret = format!("{VOTER}-{number:03}");
        let body = json!({ "choice": 1 + number % 2, "code": secret, "voter": secret });
        assert_eq!(vote(&site, None, id, body).await.status, 200);
    }
    close(&site, &ana, id).await;
    let path = format!("/v1/polls/{id}/record");
    let whole: PollRecord = read(&site.get(&path, None).await);
    let counted = recount(&whole);
    assert_eq!((counted.faults, counted.shared_codes), (vec![], 0));
    assert_eq!(counted.tally.total.ballots, 21);
    assert_eq!(find(&whole, CODE)[0].1.name, "ana", "the poll said so");
    let mut pages: PollRecord = read(&site.get(&format!("{path}?limit=8"), None).await);
    while let Some(next) = pages.next {
        let page = site.get(&format!("{path}?limit=8&from={next}"), None).await;
        let page: PollRecord = read(&page);
        assert_eq!(page.root, None);
        pages.receipts.extend(page.receipts);
        pages.next = page.next;
    }
    assert_eq!(pages, whole);
    for code in (0..20)
        .map(|n| format!("{VOTER}-{n:03}"))
        .chain([CODE.to_owned()])
    {
        let proof = site
            .get(&format!("/v1/polls/{id}/proof?code={code}"), None)
            .await;
        let proof: BallotProof = read(&proof);
        assert_eq!(check_proof(&proof), Ok(()), "{code}");
        assert_eq!(Some(&proof.root), whole.root.as_ref());
    }
    let unknown = site
        .get(&format!("/v1/polls/{id}/proof?code=nadie"), None)
        .await;
    unknown.is_problem(404, "not-found");
    site.stop().await;
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> T {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_exported_as_csv() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let options = json!({ "options": ["Sí, \"claro\"", "=1+1"] });
    let id = poll(&site, &ana, options).await;
    vote(&site, Some(&ana), id, ballot(1, CODE)).await;
    let path = format!("/v1/polls/{id}/result");
    let csv = site.get(&format!("{path}?format=csv"), Some(&ana)).await;
    let expected = "number,option,ballots,weight\r\n1,\"Sí, \"\"claro\"\"\",1,1\r\n\
                    2,\"'=1+1\",0,0\r\n0,\"\",0,0\r\n";
    assert_eq!(csv.text(), expected);
    let ask = Ask::new("GET", &path).token(Some(&ana));
    let accepted = site.send(ask.header("Accept", "text/csv")).await;
    assert_eq!(accepted.text(), expected);
    assert!(
        accepted
            .header("content-type")
            .unwrap()
            .starts_with("text/csv")
    );
    let odd = site.get(&format!("{path}?format=xls"), Some(&ana)).await;
    odd.is_problem(422, "invalid");
    close(&site, &ana, id).await;
    let record = format!("/v1/polls/{id}/record?format=csv");
    let record = site.get(&record, Some(&ana)).await;
    assert_eq!(record.text().lines().count(), 2);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_record_names_the_next_one_in_either_form() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let id = poll(&site, &ana, json!({ "voters": "anyone" })).await;
    for number in 0..5 {
        let secret = format!("{VOTER}-{number:03}");
        let body = json!({ "choice": 1, "code": secret, "voter": secret });
        assert_eq!(vote(&site, None, id, body).await.status, 200);
    }
    close(&site, &ana, id).await;
    let whole = format!("/v1/polls/{id}/record?format=csv");
    let whole = site.get(&whole, None).await;
    assert_eq!(whole.header("link"), None, "there is no other page");
    for format in ["csv", "json"] {
        let mut path = Some(format!("/v1/polls/{id}/record?limit=2&format={format}"));
        let (mut pages, mut rows) = (0, Vec::new());
        while let Some(asked) = path.take() {
            let page = site.get(&asked, None).await;
            assert_eq!(page.status, 200, "{asked}");
            let link = page.header("link").map(str::to_owned);
            match format {
                "csv" => rows.extend(page.text().lines().skip(1).map(str::to_owned)),
                _ => {
                    let page: PollRecord = read(&page);
                    assert_eq!(page.next.is_some(), link.is_some(), "{asked}");
                    rows.extend(page.receipts.into_iter().map(|one| one.leaf));
                }
            }
            path = link.map(|link| {
                let path = link.strip_prefix('<').unwrap();
                path.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
            });
            pages += 1;
        }
        assert_eq!(pages, 3);
        let expected = whole.text().lines().skip(1).map(|row| match format {
            "csv" => row.to_owned(),
            _ => row.rsplit(',').next().unwrap().to_owned(),
        });
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_look_or_vote_is_told_so() {
    let site = Site::start().await;
    let (ana, beto) = (site.member("ana").await, site.member("beto").await);
    let list = json!({
        "voters": "listed", "list": [{ "name": "ana", "weight": 3 }], "live": false,
        "quorum_percent": 50, "majority": "two_thirds",
    });
    let id = poll(&site, &ana, list).await;
    let path = format!("/v1/polls/{id}");
    vote(&site, Some(&beto), id, ballot(1, CODE))
        .await
        .is_problem(403, "not-a-voter");
    site.get(&path, None).await.is_problem(401, "not-signed-in");
    let body = json!({ "choice": 1, "code": CODE, "voter": VOTER });
    vote(&site, None, id, body)
        .await
        .is_problem(401, "not-signed-in");
    let cast = vote(&site, Some(&ana), id, ballot(1, CODE)).await;
    assert_eq!(cast.json()["weight"], 3);
    assert_eq!(
        site.get(&path, Some(&ana)).await.json()["tally"],
        Value::Null
    );
    let hidden = site.get(&format!("{path}/result"), Some(&ana)).await;
    hidden.is_problem(409, "result-hidden");
    let stranger = Ask::new("GET", &format!("/v1/events?poll={id}"));
    site.send(stranger).await.is_problem(401, "not-signed-in");
    close(&site, &ana, id).await;
    let result = site
        .get(&format!("{path}/result"), Some(&beto))
        .await
        .json();
    assert_eq!(result["electorate"], json!({ "ballots": 1, "weight": 3 }));
    assert_eq!(result["quorum_reached"], true);
    assert_eq!(result["winner"], 1);
    site.get("/v1/polls", None)
        .await
        .is_problem(401, "not-signed-in");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_and_counts_nothing() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let id = poll(&site, &ana, json!({})).await;
    for body in [
        json!({ "choice": 0, "code": CODE }),
        json!({ "choice": 3, "code": CODE }),
        json!({ "choice": -1, "code": CODE }),
        json!({ "choice": 4_294_967_297_i64, "code": CODE }),
        json!({ "choice": 1.5, "code": CODE }),
        json!({ "choice": "1", "code": CODE }),
        json!({ "choice": 1, "blank": true, "code": CODE }),
        json!({ "blank": false, "code": CODE }),
        json!({ "code": CODE }),
        json!({ "choice": 1 }),
        json!({ "choice": 1, "code": "corto" }),
        json!({ "choice": 1, "code": "x".repeat(65) }),
        json!({ "choice": 1, "code": "con espacios no vale" }),
        json!({ "choice": 1, "code": "ñandúes-y-más-ñandúes" }),
        json!({ "choice": 1, "code": CODE, "peso": 100 }),
        json!([]),
    ] {
        let answer = vote(&site, Some(&ana), id, body.clone()).await;
        eprintln!("{body}");
        answer.is_problem(422, "invalid");
    }
    let body = json!({ "choice": 1, "code": CODE, "voter": "corto" });
    vote(&site, None, id, body).await.is_problem(422, "invalid");
    vote(&site, None, id, ballot(1, CODE))
        .await
        .is_problem(401, "not-signed-in");
    vote(&site, Some(&ana), 99, ballot(1, CODE))
        .await
        .is_problem(404, "not-found");
    for path in [
        "/v1/polls/x",
        "/v1/polls/99",
        "/v1/polls/-1",
        "/v1/polls/1e9",
    ] {
        site.get(path, Some(&ana))
            .await
            .is_problem(404, "not-found");
    }
    for query in [
        "limit=0",
        "limit=51",
        "before=x",
        "befor=1",
        "limit=1&limit=2",
    ] {
        let answer = site.get(&format!("/v1/polls?{query}"), Some(&ana)).await;
        answer.is_problem(422, "invalid");
    }
    let tally = site
        .get(&format!("/v1/polls/{id}"), Some(&ana))
        .await
        .json();
    assert_eq!(tally["tally"]["total"]["ballots"], 0);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_cannot_be_is_not_made() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let many: Vec<String> = (0..101).map(|nth| nth.to_string()).collect();
    for (field, wrong) in [
        ("options", json!(["Sí"])),
        ("options", json!(["Sí", "Sí"])),
        ("options", json!(["Sí", "\u{202e}oN"])),
        ("options", json!(many)),
        ("question", json!(" ")),
        ("question", json!("x".repeat(301))),
        ("question", json!("dos\nlíneas")),
        ("closes_at", json!("mañana")),
        ("closes_at", json!("2020-01-01T00:00:00Z")),
        ("quorum", json!(0)),
        ("quorum_percent", json!(101)),
        ("majority", json!("aplastante")),
        ("voters", json!("nadie")),
        ("voters", json!("listed")),
        ("list", json!([{ "name": "ana" }])),
        ("sin_nombre", json!(1)),
    ] {
        let mut body = json!({ "question": "¿?", "options": ["Sí", "No"] });
        body[field] = wrong;
        let answer = site.post("/v1/polls", Some(&ana), &body).await;
        eprintln!("{body}");
        answer.is_problem(422, "invalid");
    }
    let both = json!({ "question": "¿?", "options": ["Sí", "No"], "quorum": 1,
        "quorum_percent": 1 });
    site.post("/v1/polls", Some(&ana), &both)
        .await
        .is_problem(422, "invalid");
    site.post("/v1/polls", None, &both)
        .await
        .is_problem(401, "not-signed-in");
    let none = site.get("/v1/polls", Some(&ana)).await.json();
    assert_eq!(none["polls"], json!([]));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tallies_are_told_live_to_who_asks_and_move_no_cursor() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let id = poll(&site, &ana, json!({ "voters": "anyone" })).await;
    let other = poll(&site, &ana, json!({})).await;
    let mut all = Stream::open(&site, "/v1/events", &ana, None).await;
    let mut watched = Stream::open(&site, &format!("/v1/events?poll={id}"), &ana, None).await;
    let opening = watched.next().await.unwrap();
    assert!(opening.id.is_some());
    let first = watched.event().await;
    assert_eq!(
        (first.kind.as_deref(), &first.id),
        (Some("poll.tally"), &None)
    );
    assert_eq!(
        first.json()["tally"]["total"]["ballots"],
        0,
        "how it stands"
    );
    vote(&site, Some(&ana), other, ballot(1, CODE)).await;
    for number in 0..30 {
        let secret = format!("{VOTER}-{number:03}");
        let body = json!({ "choice": 1, "code": secret, "voter": secret });
        assert_eq!(vote(&site, None, id, body).await.status, 200);
    }
    let mut told = 0;
    while told < 30 {
        let event = watched.event().await;
        assert_eq!(
            (event.kind.as_deref(), &event.id),
            (Some("poll.tally"), &None)
        );
        let data = event.json();
        assert_eq!(data["poll"], id);
        let now = data["tally"]["options"][0]["ballots"].as_i64().unwrap();
        assert!(now >= told, "the newest tally wins");
        told = now;
    }
    close(&site, &ana, id).await;
    let closed = watched.event().await;
    assert_eq!(closed.kind.as_deref(), Some("poll.closed"));
    let closed_here = all.event().await;
    assert_eq!(closed_here, closed, "no tally for who did not ask");
    // Whoever comes back with the last id misses nothing and gets nothing twice.
    let path = format!("/v1/events?poll={id}");
    let mut back = Stream::open(&site, &path, &ana, opening.id.as_deref()).await;
    assert_eq!(back.event().await, closed);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_closes_by_itself_and_says_so() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let soon = jiff::Timestamp::now() + std::time::Duration::from_secs(2);
    let id = poll(&site, &ana, json!({ "closes_at": soon.to_string() })).await;
    let mut stream = Stream::open(&site, "/v1/events?kind=poll.closed", &ana, None).await;
    assert_eq!(
        vote(&site, Some(&ana), id, ballot(1, CODE)).await.status,
        200
    );
    assert_eq!(stream.event().await.json()["poll"], id);
    let late = vote(&site, Some(&ana), id, ballot(2, CODE)).await;
    late.is_problem(409, "poll-closed");
    let result = site
        .get(&format!("/v1/polls/{id}/result"), Some(&ana))
        .await;
    assert_eq!(result.json()["winner"], 1);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_count_the_same() {
    let one = Site::start().await;
    let two = Site::node("n2", Some(&one), config()).await;
    until("the second node is ready", || async {
        two.engine.is_ready()
    })
    .await;
    let ana = one.member("ana").await;
    let id = poll(&one, &ana, json!({ "voters": "anyone" })).await;
    let path = format!("/v1/events?poll={id}");
    let mut watched = Stream::open(&two, &path, &ana, None).await;
    for (site, number) in [(&one, 1), (&two, 2), (&one, 3)] {
        let secret = format!("{VOTER}-{number:03}");
        let body = json!({ "choice": 1, "code": secret, "voter": secret });
        assert_eq!(vote(site, None, id, body).await.status, 200);
    }
    let counted = |event: Value| event["tally"]["total"]["ballots"].as_i64().unwrap();
    while counted(watched.event().await.json()) < 3 {}
    for site in [&one, &two] {
        let path = format!("/v1/polls/{id}/result?consistency=linearizable");
        let result = site.get(&path, Some(&ana)).await.json();
        assert_eq!(result["tally"]["total"]["ballots"], 3);
    }
    two.stop().await;
    one.stop().await;
}
