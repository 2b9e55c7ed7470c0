//! The cluster.

use api::grpc::v1;
use tonic::Code;

use crate::site::{Site, by_name, config, eventually, open, refused, signed};

#[tokio::test]
async fn the_cluster_shows_itself_and_lets_nodes_go() {
    let site = Site::start().await;
    let other = Site::node("n2", Some(&site), config(), open()).await;
    let mut cluster = site.cluster();
    let both_vote = || async {
        let seen = site.cluster().get_cluster(v1::GetClusterRequest {}).await;
        let nodes = seen.unwrap().into_inner().nodes;
        let votes = |node: &v1::Node| node.role() == v1::NodeRole::Follower && node.healthy;
        nodes.iter().any(votes)
    };
    eventually("n2 votes", both_vote).await;
    let seen = cluster.get_cluster(v1::GetClusterRequest {}).await.unwrap();
    let seen = seen.into_inner();
    assert_eq!(
        (seen.node.as_str(), seen.leader.as_deref()),
        ("n1", Some("n1"))
    );
    assert!(seen.ready && seen.applied > 0 && seen.id.len() == 32);
    let names: Vec<&str> = seen.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["n1", "n2"]);

    let second = &seen.nodes[1];
    assert_eq!(second.voted_for.as_deref(), Some("n1"));
    assert!(second.last_log >= second.applied && second.lag.is_some());
    let told = cluster.list_elections(v1::ListElectionsRequest {}).await;
    let told = told.unwrap().into_inner();
    let first_led = told
        .elections
        .iter()
        .find(|past| past.node == "n1" && past.event() == v1::ElectionEvent::Leads);
    let first_led = first_led.expect("n1 was elected");
    assert_eq!(first_led.who.as_deref(), Some("n1"));
    assert_eq!(first_led.cause(), v1::ElectionCause::Founded);
    assert!(first_led.at.is_some_and(|at| at.seconds > 1_700_000_000));
    assert!(told.silent.is_empty());

    site.area("Obras").await;
    let route = v1::RouteAreaRequest {
        area: by_name("obras"),
    };
    let route = cluster.route_area(route).await.unwrap().into_inner();
    assert_eq!(route.nodes.len(), 2);
    let nowhere = v1::RouteAreaRequest {
        area: by_name("nada"),
    };
    let nowhere = cluster.route_area(nowhere).await.unwrap_err();
    refused(&nowhere, Code::NotFound, "not-found");

    let (admin, ana) = (site.admin().await, site.member("ana").await);
    let token = cluster.get_join_token(signed(&ana, v1::GetJoinTokenRequest {}));
    refused(
        &token.await.unwrap_err(),
        Code::PermissionDenied,
        "forbidden",
    );
    let token = cluster.get_join_token(signed(&admin, v1::GetJoinTokenRequest {}));
    assert!(
        token
            .await
            .unwrap()
            .into_inner()
            .token
            .starts_with("consorcio://")
    );
    let remove = |name: &str| v1::RemoveNodeRequest {
        name: name.to_owned(),
    };
    let unknown = cluster.remove_node(signed(&admin, remove("n9"))).await;
    refused(&unknown.unwrap_err(), Code::NotFound, "not-found");
    cluster
        .remove_node(signed(&admin, remove("n2")))
        .await
        .unwrap();
    let version = cluster.get_version(v1::GetVersionRequest {}).await.unwrap();
    assert_eq!(version.into_inner().name, "consorcio");
    other.stop().await;
    site.stop().await;
}
