//! gRPC at real nodes: whom they serve, and what a stream does when its node dies.

use std::net::SocketAddr;
use std::time::Duration;

use api::grpc::v1;
use api::grpc::v1::accounts_client::AccountsClient;
use api::grpc::v1::cluster_client::ClusterClient;
use api::grpc::v1::events_client::EventsClient;
use api::grpc::v1::news_client::NewsClient;
use api::grpc::v1::watch_events_response::Message;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::harness::{Cluster, PASSWORD, PATIENCE, Server, eventually};

fn channel(node: &Server) -> Channel {
    let local = SocketAddr::from(([127, 0, 0, 1], node.grpc.port()));
    let endpoint = Channel::from_shared(format!("http://{local}")).unwrap();
    endpoint.timeout(PATIENCE).connect_lazy()
}

fn signed<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    request
}

async fn log_in(node: &Server) -> Result<String, Status> {
    let ask = v1::LogInRequest {
        name: "admin".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let session = AccountsClient::new(channel(node)).log_in(ask).await?;
    Ok(session.into_inner().token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_machines_need_a_session_unless_it_is_said_that_they_do_not() {
    let everywhere = |node: &mut Server| node.grpc.set_ip([0, 0, 0, 0].into());
    let mut cluster = Cluster::prepared(1, everywhere).await;
    let node = &mut cluster.nodes[0];
    let mut ask = ClusterClient::new(channel(node));
    let refused = ask.get_cluster(v1::GetClusterRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    let token = log_in(node).await.unwrap();
    let seen = ask.get_cluster(signed(&token, v1::GetClusterRequest {}));
    assert_eq!(seen.await.unwrap().into_inner().node, "n1");
    node.stop().await;

    node.settings = vec![("CONSORCIO_GRPC_WITHOUT_SESSION", "true")];
    node.start(None);
    node.ready().await;
    let seen = ask.get_cluster(v1::GetClusterRequest {}).await.unwrap();
    assert_eq!(seen.into_inner().node, "n1");
}

/// Publishes under an id of its own until some node has done it.
async fn publish(nodes: &[Server], token: &str, number: usize) {
    let post = || v1::PublishRequest {
        area: Some(v1::AreaRef {
            r#ref: Some(v1::area_ref::Ref::Name("Obras".to_owned())),
        }),
        title: number.to_string(),
        text: "x".to_owned(),
    };
    eventually("it is published", async || {
        for node in nodes {
            let mut request = signed(token, post());
            let key = format!("post-{number}").parse().unwrap();
            request.metadata_mut().insert("idempotency-key", key);
            request.set_timeout(Duration::from_secs(3));
            if NewsClient::new(channel(node))
                .publish(request)
                .await
                .is_ok()
            {
                return Some(());
            }
        }
        None
    })
    .await;
}

/// Follows from a cursor on until so many posts were told; answers their titles and the cursor.
async fn follow(node: &Server, token: &str, after: String, count: usize) -> (Vec<String>, String) {
    let ask = v1::WatchEventsRequest {
        after,
        kinds: vec!["post.published".to_owned()],
        ..v1::WatchEventsRequest::default()
    };
    let mut events = EventsClient::new(channel(node));
    let stream = events.watch_events(signed(token, ask)).await.unwrap();
    let (mut stream, mut titles) = (stream.into_inner(), Vec::new());
    loop {
        let said = stream.message().await.unwrap().unwrap();
        let cursor = match said.message.unwrap() {
            Message::Event(event) => {
                let Some(v1::event::What::PostPublished(post)) = event.what else {
                    panic!("not asked for");
                };
                titles.push(post.title);
                event.id
            }
            Message::Progress(progress) => progress.cursor,
            Message::Tally(_) => panic!("not asked for"),
        };
        if titles.len() == count {
            return (titles, cursor);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_elsewhere_when_the_leader_is_killed() {
    let mut cluster = Cluster::start(3).await;
    let token = log_in(&cluster.nodes[0]).await.unwrap();
    let area = v1::AddAreaRequest {
        name: "Obras".to_owned(),
        description: String::new(),
    };
    let mut news = NewsClient::new(channel(&cluster.nodes[0]));
    news.add_area(signed(&token, area)).await.unwrap();
    let (none, start) = follow(&cluster.nodes[0], &token, String::new(), 0).await;
    assert_eq!(none, [""; 0]);
    for number in 0..10 {
        publish(&cluster.nodes, &token, number).await;
    }
    let (first, cursor) = follow(&cluster.nodes[0], &token, start, 6).await;
    let leader = cluster.nodes[0].status().await.unwrap().leader.unwrap();
    let place = cluster.nodes.iter().position(|node| node.name == leader);
    let place = place.unwrap();
    cluster.nodes[place].kill();
    for number in 10..20 {
        publish(&cluster.nodes, &token, number).await;
    }
    let other = &cluster.nodes[(place + 1) % 3];
    let (second, _) = follow(other, &token, cursor, 14).await;
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!([first, second].concat(), all);
}
