//! Several nodes, seen from their front doors.

use std::time::Duration;

use api::types::Doors;
use serde_json::{Value, json};
use server::Config;

use crate::site::{Ask, PASSWORD, Site, Stream, config, until};

/// A stream outlives its session by less than this, also on a busy machine: less than a heartbeat.
const SOON: Duration = Duration::from_secs(5);

pub async fn three() -> Vec<Site> {
    three_with(config()).await
}

pub async fn three_with(config: Config) -> Vec<Site> {
    let first = Site::with(config.clone()).await;
    let second = Site::node("n2", Some(&first), config.clone()).await;
    let third = Site::node("n3", Some(&first), config).await;
    let sites = vec![first, second, third];
    until("three voters that all see each other", || async {
        let mut well = true;
        for site in &sites {
            let nodes = site.get("/v1/cluster", None).await.json();
            let nodes = nodes["nodes"].as_array().unwrap().clone();
            well &= nodes.len() == 3
                && nodes
                    .iter()
                    .all(|node| node["healthy"] == true && node["role"] != "learner");
        }
        well
    })
    .await;
    sites
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_node_shows_itself() {
    let site = Site::start().await;
    let cluster = site.get("/v1/cluster", None).await.json();
    assert_eq!(
        (&cluster["node"], &cluster["leader"]),
        (&json!("n1"), &json!("n1"))
    );
    let node = &cluster["nodes"][0];
    assert_eq!(
        (&node["name"], &node["role"]),
        (&json!("n1"), &json!("leader"))
    );
    assert_eq!(node["http"], format!("http://{}", site.address));
    assert_eq!(node["healthy"], true);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_get_the_token_and_remove_nodes() {
    let site = Site::start().await;
    let (ana, admin) = (site.member("ana").await, site.admin().await);
    let token = |who: &str| site.send(Ask::new("POST", "/v1/cluster/token").token(Some(who)));
    token(&ana).await.is_problem(403, "forbidden");
    let made = token(&admin).await;
    assert_eq!(made.status, 201);
    assert!(
        made.json()["token"]
            .as_str()
            .unwrap()
            .starts_with("consorcio://")
    );
    let path = "/v1/cluster/nodes/n1";
    site.delete(path, Some(&ana))
        .await
        .is_problem(403, "forbidden");
    site.delete(path, Some(&admin))
        .await
        .is_problem(409, "membership-refused");
    site.delete("/v1/cluster/nodes/n9", Some(&admin))
        .await
        .is_problem(404, "not-found");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_have_a_node_begin_anew_and_only_where_it_can_come_back() {
    let sites = three().await;
    let (ana, admin) = (sites[0].member("ana").await, sites[0].admin().await);
    let rebuild = async |name: &str, token: &str, body: serde_json::Value| {
        let path = format!("/v1/cluster/nodes/{name}/rebuild");
        sites[0].post(&path, Some(token), &body).await
    };
    let member = rebuild("n2", &ana, json!({})).await;
    member.is_problem(403, "forbidden");
    let unknown = rebuild("n9", &admin, json!({})).await;
    unknown.is_problem(404, "not-found");
    let wrong = rebuild("n2", &admin, json!({ "sure": true })).await;
    wrong.is_problem(422, "invalid");
    // One after the other: the second would take the majority with it.
    let begun = rebuild("n2", &admin, json!({})).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    assert_eq!(begun.json()["name"], "n2");
    let again = rebuild("n2", &admin, json!({})).await;
    again.is_problem(409, "membership-refused");
    let second = rebuild("n3", &admin, json!({})).await;
    second.is_problem(409, "membership-refused");
    assert!(second.text().contains("2 are needed"), "{}", second.text());
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_nobody_could_take_in_again_does_not_begin_anew() {
    let site = Site::start().await;
    let admin = site.admin().await;
    let path = "/v1/cluster/nodes/n1/rebuild";
    let sure = json!({ "confirmed": true });
    let alone = site.post(path, Some(&admin), &sure);
    alone.await.is_problem(409, "membership-refused");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_serves_every_client_at_once() {
    let sites = three().await;
    let area = sites[0].area("Obras").await;
    // A client that carries nothing but its token, and asks another node each time.
    for round in 0..10 {
        let name = format!("m{round}");
        let body = json!({ "name": name, "password": PASSWORD });
        assert_eq!(
            sites[round % 3]
                .post("/v1/accounts", None, &body)
                .await
                .status,
            201
        );
        let token = sites[(round + 1) % 3].log_in(&name, PASSWORD).await;
        let current = sites[(round + 2) % 3]
            .get("/v1/sessions/current", Some(&token))
            .await;
        assert_eq!(current.status, 200, "{current:?}");
        let stale = "/v1/sessions/current?consistency=stale";
        assert_eq!(sites[round % 3].get(stale, Some(&token)).await.status, 200);
        let post = sites[round % 3].publish(&token, area, &name).await;
        let path = format!("/v1/areas/{area}/posts/{post}");
        let read = sites[(round + 1) % 3].get(&path, Some(&token)).await;
        assert_eq!(read.json()["title"], name, "{read:?}");
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_carries_its_index_reads_its_own_writes_anywhere() {
    let sites = three().await;
    let (area, ana) = (sites[0].area("Obras").await, sites[0].member("ana").await);
    for round in 0..30 {
        let body = json!({ "title": round.to_string(), "text": "x" });
        let path = format!("/v1/areas/{area}/posts");
        let made = sites[round % 3].post(&path, Some(&ana), &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("{path}/{}", made.json()["id"]);
        let index = made.index().to_string();
        let ask = Ask::new("GET", &path)
            .token(Some(&ana))
            .header("Consorcio-Index", &index);
        let read = sites[(round + 1) % 3].send(ask).await;
        assert_eq!(read.status, 200, "{read:?}");
        assert!(read.index() >= made.index());
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_session_without_an_index_gives_nothing_older_than_asking_for_nothing() {
    let sites = three().await;
    let (area, ana) = (sites[0].area("Obras").await, sites[0].member("ana").await);
    for round in 0..30 {
        let post = sites[round % 3].publish(&ana, area, "uno").await;
        for asked in ["", "?consistency=session"] {
            let path = format!("/v1/areas/{area}/posts/{post}{asked}");
            let read = sites[(round + 1) % 3].get(&path, Some(&ana)).await;
            assert_eq!(read.status, 200, "{asked}: {read:?}");
        }
        let path = "/v1/journals/acta?tail=1&consistency=session";
        let entry = Ask::new("POST", "/v1/journals/acta").token(Some(&ana));
        let made = sites[round % 3].send(entry.body("x")).await;
        let read = sites[(round + 1) % 3].get(path, Some(&ana)).await;
        assert_eq!(read.json()["newest"], made.json()["index"], "{read:?}");
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session_on_every_node() {
    let sites = three().await;
    let ana = sites[0].member("ana").await;
    let password = json!({ "current_password": PASSWORD, "new_password": "otra frase larga" });
    for (how, asked) in ["this", "every", "password"].into_iter().zip(1..) {
        let streamed = match how {
            "this" => ana.clone(),
            _ => sites[0].log_in("ana", PASSWORD).await,
        };
        let mut streams = Vec::new();
        for site in &sites {
            streams.push(Stream::open(site, "/v1/events", &streamed, None).await);
        }
        let node = &sites[asked % 3];
        let other = node.log_in("ana", PASSWORD).await;
        let ended = match how {
            "this" => node.delete("/v1/sessions/current", Some(&streamed)).await,
            "every" => node.delete("/v1/sessions", Some(&other)).await,
            _ => {
                let path = "/v1/accounts/current/password";
                node.put(path, Some(&other), &password).await
            }
        };
        assert_eq!(ended.status, 204, "{ended:?}");
        for stream in &mut streams {
            let over = async {
                let mut last = None;
                while let Some(message) = stream.next().await {
                    last = message.comment.or(last);
                }
                last.expect("a reason")
            };
            let last = tokio::time::timeout(SOON, over).await.expect(how);
            assert!(last.contains("session"), "{how}: {last}");
        }
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_on_another_node() {
    let sites = three().await;
    let (area, ana) = (sites[0].area("Obras").await, sites[0].member("ana").await);
    let path = "/v1/events?kind=post.published";
    let mut last = Stream::open(&sites[0], path, &ana, None)
        .await
        .next()
        .await
        .unwrap()
        .id;
    for number in 0..30 {
        let title = number.to_string();
        sites[number % 3].publish(&ana, area, &title).await;
        let site = &sites[(number + 1) % 3];
        let mut stream = Stream::open(site, path, &ana, last.as_deref()).await;
        let event = stream.event().await;
        assert_eq!(event.json()["title"], title);
        last = event.id;
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn areas_are_assigned_evenly_and_reassigned_when_a_node_fails() {
    let mut sites = three().await;
    for number in 1..=6 {
        sites[0].area(&format!("Zona {number}")).await;
    }
    let loads = |cluster: &Value| -> Vec<usize> {
        let nodes = cluster["nodes"].as_array().unwrap().iter();
        nodes
            .map(|node| node["areas"].as_array().unwrap().len())
            .collect()
    };
    for site in &sites {
        until("two areas a node, as every node says", || async {
            loads(&site.get("/v1/cluster", None).await.json()) == [2, 2, 2]
        })
        .await;
    }
    let route = sites[1].get("/v1/route/areas/1", None).await.json();
    let names = |route: &Value, assigned: bool| -> Vec<String> {
        let nodes = route["nodes"].as_array().unwrap().iter();
        let nodes = nodes.filter(|node| !assigned || node["assigned"] == true);
        nodes
            .map(|node| node["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&route, false).len(), 3);
    assert_eq!(names(&route, true), [names(&route, false)[0].clone()]);
    sites[0]
        .get("/v1/route/areas/Nada", None)
        .await
        .is_problem(404, "not-found");

    sites.remove(2).stop().await;
    for site in &sites {
        until("three areas on each of the two that are left", || async {
            let cluster = site.get("/v1/cluster", None).await.json();
            loads(&cluster)[..2] == [3, 3]
        })
        .await;
        let route = site.get("/v1/route/areas/1", None).await.json();
        assert!(!names(&route, false).contains(&"n3".to_owned()), "{route}");
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_reads_go_on_and_writes_say_so() {
    let mut sites = three().await;
    let (area, ana) = (sites[0].area("Obras").await, sites[0].member("ana").await);
    sites[0].publish(&ana, area, "uno").await;
    let survivor = sites.remove(1);
    let index = survivor.get("/v1/areas", Some(&ana)).await.index();
    for site in sites {
        site.stop().await;
    }
    until("the loss to be noticed", || async {
        survivor.get("/health/ready", None).await.status == 503
    })
    .await;
    for path in ["/v1/areas/1/posts", "/v1/areas/1/posts?consistency=stale"] {
        let read = survivor.get(path, Some(&ana)).await;
        assert_eq!(
            (read.status, read.index() >= index),
            (200, true),
            "{read:?}"
        );
        let age: u64 = read.header("consorcio-age-ms").unwrap().parse().unwrap();
        assert!(age > 0);
    }
    let exact = survivor
        .get("/v1/areas?consistency=linearizable", Some(&ana))
        .await;
    exact.is_problem(503, "no-leader");
    let body = json!({ "title": "x", "text": "x" });
    let write = survivor
        .post(&format!("/v1/areas/{area}/posts"), Some(&ana), &body)
        .await;
    write.is_problem(503, "no-leader");
    assert!(write.header("retry-after").is_some());
    survivor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_means_another_cluster_is_refused_and_nothing_is_done() {
    let site = Site::start().await;
    let own = site.get("/v1/cluster", None).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = |method, path, cluster: &str| {
        let ask = Ask::new(method, path).header("Consorcio-Cluster", cluster);
        site.send(ask.json(&json!({ "name": "eva", "password": PASSWORD })))
    };
    for (method, path) in [
        ("POST", "/v1/accounts"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/cluster"),
        ("GET", "/v1/areas"),
    ] {
        let other = ask(method, path, &"0".repeat(32)).await;
        other.is_problem(421, "wrong-cluster");
    }
    assert_eq!(ask("POST", "/v1/accounts", &own).await.status, 201);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_tell_where_their_other_doors_are_and_what_elections_they_remember() {
    let with_doors = |node: &str| Config {
        doors: Doors {
            redis: Some(format!("{node}.invalid:6379")),
            lottery: Some(format!("{node}.invalid:12345")),
            ..Doors::default()
        },
        ..config()
    };
    let first = Site::with(with_doors("n1")).await;
    let second = Site::node("n2", Some(&first), with_doors("n2")).await;
    for site in [&first, &second] {
        until("both doors are known", || async {
            let cluster = site.get("/v1/cluster", None).await.json();
            let door = |node: usize| cluster["nodes"][node]["doors"].clone();
            let doors = |node: &str| {
                json!({
                    "redis": format!("{node}.invalid:6379"),
                    "grpc": null,
                    "lottery": format!("{node}.invalid:12345"),
                })
            };
            door(0) == doors("n1") && door(1) == doors("n2")
        })
        .await;
    }
    let cluster = second.get("/v1/cluster", None).await.json();
    for node in cluster["nodes"].as_array().unwrap() {
        assert_eq!(node["voted_for"], "n1", "{node}");
        assert_eq!(node["term"], cluster["term"]);
        assert!(
            node["last_log"].as_u64() >= node["applied"].as_u64(),
            "{node}"
        );
        assert!(node["lag"].is_u64() && node["purged"].is_u64(), "{node}");
    }
    let told = second.get("/v1/cluster/elections", None).await.json();
    assert_eq!(told["silent"], json!([]));
    let elections = told["elections"].as_array().unwrap();
    let of = |node: &str, event: &str| {
        let mut all = elections.iter();
        all.find(|e| e["node"] == node && e["event"] == event)
            .unwrap_or_else(|| panic!("{node} {event} in {told}"))
    };
    assert_eq!(of("n1", "stood")["cause"], "founded");
    assert_eq!(of("n1", "leads")["who"], "n1");
    assert_eq!(of("n2", "leads")["who"], "n1");
    assert_eq!(of("n2", "leads")["cause"], Value::Null);
    assert_eq!(of("n2", "started")["term"], 0);
    second.stop().await;
    first.stop().await;
}
