//! A node that must not be believed any more, or cannot go on: what its readers see.

use crate::cluster::three;
use crate::site::{Ask, Site, Stream, until};

/// Writes a key on a node; what came of it is for the caller to judge.
async fn put(site: &Site, token: &str, key: &str) -> u16 {
    let path = format!("/v1/keys/{key}");
    let ask = Ask::new("PUT", &path).token(Some(token)).body("x");
    site.send(ask).await.status
}

/// Reads a stream to its end; answers its last words.
async fn last_words(mut stream: Stream) -> String {
    let mut last = None;
    while let Some(message) = stream.next().await {
        last = message.comment.or(last);
    }
    last.expect("it says why it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outvoted_node_ends_its_streams_and_sends_everybody_elsewhere() {
    let sites = three().await;
    let odd = &sites[1];
    let ana = sites[0].member("ana").await;
    sites[0].member("berta").await;
    assert_eq!(put(odd, &ana, "a").await, 200);
    let ask = Ask::new("GET", "/v1/keys/a?consistency=linearizable").token(Some(&ana));
    assert_eq!(odd.send(ask).await.status, 200);
    let open = Stream::open(odd, "/v1/events", &ana, None).await;
    let mut elsewhere = Stream::open(&sites[2], "/v1/events", &ana, None).await;
    odd.tamper("DELETE FROM accounts WHERE name = 'berta'");
    // Where she is known her name is taken; the odd node makes another account.
    let again = serde_json::json!({ "name": "berta", "password": "otra contraseña" });
    let taken = sites[0].post("/v1/accounts", None, &again).await;
    assert_eq!(taken.status, 409, "{taken:?}");
    let said = last_words(open).await;
    assert!(
        said.contains("differs") && said.contains("ask another"),
        "{said}"
    );
    until("it is out of service", || async {
        let ready = odd.get("/health/ready", None).await;
        ready.status == 503 && ready.json()["status"].as_str().unwrap().contains("differs")
    })
    .await;
    for path in ["/v1/events", "/v1/keys/a", "/v1/areas"] {
        let refused = odd.get(path, Some(&ana)).await;
        assert_eq!(refused.status, 503, "{refused:?}");
    }
    assert_eq!(put(odd, &ana, "b").await, 503);
    // The others go on, and so do their streams.
    let area = sites[0].area("Obras").await;
    assert_eq!(elsewhere.event().await.json()["area"], area);
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_go_on_ends_its_streams() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let open = Stream::open(&site, "/v1/events", &ana, None).await;
    // Only commits, which come behind the answers, write this table.
    site.tamper("DROP TABLE engine");
    put(&site, &ana, "a").await;
    let said = last_words(open).await;
    assert!(said.contains("cannot go on"), "{said}");
    let refused = site.get("/v1/events", Some(&ana)).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    site.stop().await;
}
