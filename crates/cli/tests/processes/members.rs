//! Nodes that come, go, and are replaced.

use api::client::PostsQuery;
use api::types::NewPost;

use super::harness::{Cluster, Server, eventually, run, sign_in, stderr, stdout};
use super::load::{Load, same_state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_joins_with_the_token_and_is_removed() {
    let mut cluster = Cluster::start(2).await;
    let client = cluster.admin_with_area("Obras").await;
    let post = NewPost {
        title: "Antes".into(),
        text: "De que venga n3.".into(),
    };
    client.publish("Obras", &post).await.unwrap();
    let (config, server) = (cluster.dir.path().join("config"), cluster.nodes[0].url());
    let command = |arguments: &[&str]| run(&config, &server, arguments);
    assert!(command(&["account", "login", "admin"]).status.success());
    let token = stdout(&command(&["cluster", "token"]));
    assert!(token.starts_with("consorcio://"), "{token}");

    let mut third = Server::new(cluster.dir.path(), "n3");
    third.start(Some(token.trim()));
    cluster.nodes.push(third);
    cluster.all_ready().await;
    cluster.all_vote().await;
    let here = sign_in(&cluster.nodes[2].client()).await;
    let posts = here.posts("Obras", PostsQuery::default()).await.unwrap();
    assert_eq!(posts.posts[0].title, "Antes");
    same_state(&cluster).await;

    let removed = command(&["cluster", "remove", "n3"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    let gone = cluster.nodes.pop().unwrap();
    eventually("n3 says what became of it", async || {
        let said = gone
            .logged()
            .contains("this node was removed from the cluster");
        said.then_some(())
    })
    .await;
    let ready = gone.raw("GET /health/ready HTTP/1.1", "");
    assert!(
        ready.contains(" 503 ") && ready.contains("removed"),
        "{ready}"
    );
    drop(gone);
    cluster.all_vote().await;
    eventually("n1 says who is left", async || {
        let log = cluster.nodes[0].logged();
        let (_, after) = log.rsplit_once("n3 has caught up")?;
        after.contains("the members: n1, n2\n").then_some(())
    })
    .await;
    let status = stdout(&command(&["cluster", "status"]));
    assert!(status.contains("n2") && !status.contains("n3"), "{status}");
    let unknown = command(&["cluster", "remove", "n9"]);
    assert_eq!(unknown.status.code(), Some(5), "{}", stderr(&unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_disk_is_lost_is_replaced_under_load() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let mut load = Load::start(&client, "Obras");
    load.goes_on(40).await;
    let id_of_third = async |cluster: &Cluster| {
        let status = cluster.nodes[0].status().await?;
        let third = status.nodes.iter().find(|node| node.name == "n3")?;
        Some(third.id.clone())
    };
    let old_id = eventually("n3 has an id", async || id_of_third(&cluster).await).await;
    cluster.nodes[2].kill();
    std::fs::remove_dir_all(&cluster.nodes[2].data).unwrap();
    // Its name can be taken once the others have noticed that it is gone.
    eventually("n3 is missed", async || {
        let status = cluster.nodes[0].status().await?;
        status
            .nodes
            .iter()
            .any(|node| node.name == "n3" && !node.healthy)
            .then_some(())
    })
    .await;
    eventually("it is said once", async || {
        let log = cluster.nodes[0].logged();
        (log.matches("n3 has not answered for 2 s").count() == 1).then_some(())
    })
    .await;
    let token = cluster.nodes[0].token().await;
    cluster.nodes[2].start(Some(&token));
    cluster.all_ready().await;
    cluster.all_vote().await;
    let new_id = eventually("n3 has an id", async || id_of_third(&cluster).await).await;
    assert_ne!(old_id, new_id, "a node without its disk is another node");
    load.goes_on(40).await;
    load.stop().await;
    load.audit(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_survivor_starts_over() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    let post = NewPost {
        title: "Acta".into(),
        text: "Lo que se acordó.".into(),
    };
    client.publish("Obras", &post).await.unwrap();
    same_state(&cluster).await;
    let config = cluster.dir.path().join("config");
    let data = cluster.nodes[0].data.to_str().unwrap().to_owned();
    let recover = ["cluster", "recover", "--force", "--data", &data];
    let running = run(&config, "http://127.0.0.1:1", &recover);
    assert!(stderr(&running).contains("uses it"), "{}", stderr(&running));

    let mut left_behind = cluster.nodes.swap_remove(1);
    left_behind.kill();
    cluster.nodes.truncate(1);
    cluster.nodes[0].kill();
    assert_eq!(
        run(&config, "x", &recover[..2]).status.code(),
        Some(2),
        "needs --force"
    );
    let recovered = run(&config, "http://127.0.0.1:1", &recover);
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    assert!(
        stdout(&recovered).contains("n2, n3"),
        "{}",
        stdout(&recovered)
    );
    cluster.nodes[0].start(None);
    cluster.all_ready().await;
    cluster.all_vote().await;
    let client = sign_in(&cluster.nodes[0].client()).await;
    let posts = client.posts("Obras", PostsQuery::default()).await.unwrap();
    assert_eq!(posts.posts[0].title, "Acta");
    client.publish("Obras", &post).await.unwrap();

    left_behind.start(None);
    eventually("it says why it is not ready", async || {
        let log = left_behind.logged();
        log.contains("at the address of n1 is a node of another cluster")
            .then_some(())
    })
    .await;
    let ready = left_behind.raw("GET /health/ready HTTP/1.1", "");
    assert!(ready.contains("its peers belong to another"), "{ready}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_disk_is_not_taken_for_the_cluster_it_was_in() {
    let mut cluster = Cluster::start(3).await;
    let config = cluster.dir.path().join("config");
    let third = cluster.nodes[2].url();
    let login = run(&config, &third, &["account", "login", "admin"]);
    assert!(login.status.success(), "{}", stderr(&login));
    cluster.nodes[2].kill();
    std::fs::remove_dir_all(&cluster.nodes[2].data).unwrap();
    cluster.nodes[2].start(None);
    cluster.nodes[2].ready().await;
    eventually("it says what it did", async || {
        let logged = cluster.nodes[2].logged();
        let warned = logged.contains("has founded a NEW cluster")
            && logged.contains("looks for one of its own at this address");
        warned.then_some(())
    })
    .await;
    // The others answer in its place.
    let added = run(&config, &third, &["area", "add", "Obras"]);
    assert!(added.status.success(), "{}", stderr(&added));
    let areas = cluster.admin().await.areas().await.unwrap().areas;
    assert_eq!(areas.len(), 1);

    // Without them it is refused, until the user says that it is meant.
    cluster.nodes[0].kill();
    cluster.nodes[1].kill();
    let alone = ["area", "list", "--timeout", "3"];
    let refused = run(&config, &third, &alone);
    assert_ne!(refused.status.code(), Some(0), "{}", stdout(&refused));
    let login = ["account", "login", "admin", "--new-cluster"];
    let login = run(&config, &third, &login);
    assert!(login.status.success(), "{}", stderr(&login));
    let areas = run(&config, &third, &alone);
    assert!(areas.status.success(), "{}", stderr(&areas));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_founded_anew_is_told_from_the_one_that_is_remembered() {
    let mut cluster = Cluster::start(1).await;
    let config = cluster.dir.path().join("config");
    let server = cluster.nodes[0].url();
    let register = run(&config, &server, &["account", "register", "ana"]);
    assert!(register.status.success(), "{}", stderr(&register));
    cluster.nodes[0].kill();
    std::fs::remove_dir_all(&cluster.nodes[0].data).unwrap();
    cluster.nodes[0].start(None);
    cluster.nodes[0].ready().await;
    for command in [&["area", "list"][..], &["account", "register", "ana"]] {
        let refused = run(&config, &server, command);
        assert_eq!(refused.status.code(), Some(7), "{}", stderr(&refused));
        assert!(
            stderr(&refused).contains("add --new-cluster once"),
            "{}",
            stderr(&refused)
        );
    }
    let meant = ["account", "register", "ana", "--new-cluster"];
    let register = run(&config, &server, &meant);
    assert!(register.status.success(), "{}", stderr(&register));
    let areas = run(&config, &server, &["area", "list"]);
    assert!(areas.status.success(), "{}", stderr(&areas));
}
