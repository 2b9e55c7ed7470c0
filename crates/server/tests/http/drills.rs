//! Failures on purpose: who may begin them, what is refused, and that they end.

use serde_json::{Value, json};
use server::Config;

use crate::cluster::three_with;
use crate::site::{Site, config, until};

fn allowed() -> Config {
    Config {
        allow_drills: true,
        ..config()
    }
}

async fn begin(site: &Site, token: &str, body: Value) -> crate::site::Answer {
    site.post("/v1/drills", Some(token), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_begin_them_and_only_where_they_are_allowed() {
    let site = Site::start().await;
    let (ana, admin) = (site.member("ana").await, site.admin().await);
    let drill = json!({"fault": "clock-skew", "seconds": 1});
    let none = site.post("/v1/drills", None, &drill).await;
    none.is_problem(401, "not-signed-in");
    let member = begin(&site, &ana, drill.clone()).await;
    member.is_problem(403, "forbidden");
    let forbidden = begin(&site, &admin, drill).await;
    forbidden.is_problem(403, "drills-not-allowed");
    let all = site.get("/v1/drills", Some(&admin)).await.json();
    assert_eq!(
        all,
        json!({"node": "n1", "allowed": false, "running": null, "past": []})
    );
    site.get("/v1/drills", Some(&ana))
        .await
        .is_problem(403, "forbidden");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_and_nothing_fails() {
    let site = Site::with(allowed()).await;
    let admin = site.admin().await;
    let wrong = [
        (json!({"fault": "flood", "seconds": 1}), "invalid"),
        (json!({"fault": "kill"}), "invalid"),
        (json!({"fault": "pause", "seconds": 0}), "invalid"),
        (json!({"fault": "pause", "seconds": 121}), "invalid"),
        (
            json!({"fault": "pause", "seconds": 1, "why": "so"}),
            "invalid",
        ),
        (json!({"fault": "partition", "seconds": 1}), "invalid"),
        (
            json!({"fault": "play-dead", "seconds": 1, "peers": ["n2"]}),
            "invalid",
        ),
        (
            json!({"fault": "slow-link", "seconds": 1, "peers": ["n9"]}),
            "invalid",
        ),
        (
            json!({"fault": "slow-disk", "seconds": 1, "delay_ms": 5_001}),
            "invalid",
        ),
        (
            json!({"fault": "kill", "seconds": 1, "delay_ms": 5}),
            "invalid",
        ),
        (
            json!({"fault": "clock-skew", "seconds": 1, "skew_ms": 86_400_001}),
            "invalid",
        ),
    ];
    for (body, kind) in wrong {
        begin(&site, &admin, body).await.is_problem(422, kind);
    }
    // It is its own majority.
    for fault in ["kill", "pause", "play-dead", "full-disk"] {
        let refused = begin(&site, &admin, json!({"fault": fault, "seconds": 1})).await;
        refused.is_problem(409, "drill-refused");
    }
    let all = site.get("/v1/drills", Some(&admin)).await.json();
    assert_eq!((&all["running"], &all["past"]), (&json!(null), &json!([])));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_plays_dead_is_left_out_until_it_is_stopped_or_its_time_is_over() {
    let sites = three_with(allowed()).await;
    let admin = sites[0].admin().await;
    let dead = &sites[2];
    let seen_by = async |site: &Site| {
        let cluster = site.get("/v1/cluster", None).await.json();
        cluster["nodes"][2]["healthy"] == true
    };
    let seen_by_others = async || seen_by(&sites[0]).await && seen_by(&sites[1]).await;
    let seen_by_any = async || seen_by(&sites[0]).await || seen_by(&sites[1]).await;
    let begun = begin(dead, &admin, json!({"fault": "play-dead", "seconds": 100})).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let second = begin(dead, &admin, json!({"fault": "slow-link", "seconds": 1})).await;
    second.is_problem(409, "drill-refused");
    until("the others miss it", async || !seen_by_any().await).await;
    // Two that fail would be too many.
    let refused = begin(
        &sites[1],
        &admin,
        json!({"fault": "play-dead", "seconds": 1}),
    )
    .await;
    refused.is_problem(409, "drill-refused");
    sites[0].area("Obras").await;
    let stopped = dead.delete("/v1/drills/current", Some(&admin)).await;
    assert_eq!(stopped.status, 204);
    until("the others see it", seen_by_others).await;
    let all = dead.get("/v1/drills", Some(&admin)).await.json();
    assert_eq!(all["running"], json!(null));
    assert_eq!(all["past"][0]["fault"], "play-dead");
    assert_eq!(all["past"][0]["stopped"], true);

    let again = begin(
        dead,
        &admin,
        json!({"fault": "partition", "seconds": 1, "peers": ["n1"]}),
    );
    assert_eq!(again.await.status, 201);
    until("its time is over", async || {
        let all = dead.get("/v1/drills", Some(&admin)).await.json();
        all["running"] == json!(null) && all["past"][0]["stopped"] == false
    })
    .await;
    for site in sites {
        site.stop().await;
    }
}
