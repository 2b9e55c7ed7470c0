//! A leader that is paused and does not know that another leads now.

use std::time::Duration;

use api::Client;
use api::client::{Consistency, Error, PostsQuery};
use api::types::NewPost;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::harness::{Cluster, sign_in};
use super::load::same_state;

/// Far longer than an election.
const PAUSE: Duration = Duration::from_secs(10);

/// Readings that wait in the paused leader's sockets and are the first thing it sees.
const WAITING_READS: usize = 20;

/// Readings right after it goes on.
const LATER_READS: usize = 50;

fn post(title: &str) -> NewPost {
    NewPost {
        title: title.to_owned(),
        text: "Texto.".to_owned(),
    }
}

/// Reads at one node; the titles, or why there is no answer.
async fn read(client: &Client) -> Result<Vec<String>, Error> {
    let page = client.posts("Obras", PostsQuery::default()).await?;
    Ok(page.posts.into_iter().map(|post| post.title).collect())
}

fn assert_fresh(reading: Result<Vec<String>, Error>) -> bool {
    match reading {
        Ok(titles) => {
            assert!(
                titles.contains(&"durante".to_owned()),
                "a stale read: {titles:?}"
            );
            true
        }
        Err(Error::Unavailable(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_serves_no_stale_read_when_it_goes_on() {
    let cluster = Cluster::start(3).await;
    let client = cluster.admin_with_area("Obras").await;
    client.publish("Obras", &post("antes")).await.unwrap();
    let old = &cluster.nodes[cluster.leader().await];
    let patient = Client::builder().endpoint(old.url()).learn(false);
    let patient = patient
        .attempt_timeout(PAUSE * 2)
        .deadline(PAUSE * 2)
        .build()
        .unwrap();
    let reader = sign_in(&patient)
        .await
        .with_consistency(Consistency::Linearizable);

    old.signal(Signal::STOP);
    let paused = Instant::now();
    // The client goes to the other nodes, which elect a leader.
    client.publish("Obras", &post("durante")).await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..WAITING_READS {
        let reader = reader.clone();
        waiting.spawn(async move { read(&reader).await });
    }
    tokio::time::sleep_until(paused + PAUSE).await;
    old.signal(Signal::CONT);

    while let Some(reading) = waiting.join_next().await {
        assert_fresh(reading.unwrap());
    }
    let mut answered = 0;
    for _ in 0..LATER_READS {
        answered += usize::from(assert_fresh(read(&reader).await));
    }
    assert!(answered > 0, "the old leader serves again");
    let session = client.with_consistency(Consistency::Session);
    assert_fresh(read(&session).await);
    same_state(&cluster).await;
}
