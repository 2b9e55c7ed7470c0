//! Exactly once, under the client's own id.

use api::grpc::v1;
use tonic::Code;

use crate::site::{PASSWORD, Site, by_id, post, refused, said, signed, with};

#[tokio::test]
async fn the_same_id_never_acts_twice() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (mut news, ana) = (site.news(), site.member("ana").await);
    let publish = |title: &str| with("idempotency-key", "post-1", signed(&ana, post(area, title)));
    let first = news.publish(publish("Uno")).await.unwrap();
    assert!(first.metadata().get("idempotency-replayed").is_none());
    let again = news.publish(publish("Uno")).await.unwrap();
    assert_eq!(said(again.metadata(), "idempotency-replayed"), "true");
    assert_eq!(first.into_inner(), again.into_inner());
    let other = news.publish(publish("Otra cosa")).await.unwrap_err();
    refused(&other, Code::FailedPrecondition, "request-conflict");
    // Another method is another request, whatever its message is.
    let elsewhere = v1::SubscribeRequest { area: by_id(area) };
    let elsewhere = with("idempotency-key", "post-1", signed(&ana, elsewhere));
    let elsewhere = news.subscribe(elsewhere).await.unwrap_err();
    refused(&elsewhere, Code::FailedPrecondition, "request-conflict");
    let list = v1::ListPostsRequest {
        area: by_id(area),
        ..v1::ListPostsRequest::default()
    };
    let posts = news.list_posts(signed(&ana, list)).await.unwrap();
    assert_eq!(posts.into_inner().posts.len(), 1);
    site.stop().await;
}

#[tokio::test]
async fn an_id_is_of_so_many_visible_characters() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    for key in [String::new(), "a b".to_owned(), "x".repeat(129)] {
        let ask = with("idempotency-key", &key, signed(&ana, post(area, "Uno")));
        let refusal = site.news().publish(ask).await.unwrap_err();
        refused(&refusal, Code::InvalidArgument, "malformed-request");
    }
    let longest = with(
        "idempotency-key",
        &"x".repeat(128),
        signed(&ana, post(area, "Uno")),
    );
    site.news().publish(longest).await.unwrap();
    site.stop().await;
}

#[tokio::test]
async fn an_account_is_made_once_with_its_password() {
    let site = Site::start().await;
    let register = |name: &str, password: &str| {
        let ask = v1::RegisterRequest {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        with("idempotency-key", "register-1", tonic::Request::new(ask))
    };
    let mut accounts = site.accounts();
    let first = accounts.register(register("ana", PASSWORD)).await.unwrap();
    let again = accounts.register(register("ana", PASSWORD)).await.unwrap();
    assert_eq!(said(again.metadata(), "idempotency-replayed"), "true");
    assert_eq!(first.into_inner(), again.into_inner());
    for (name, password) in [("luis", PASSWORD), ("ana", "otra frase larga")] {
        let other = accounts.register(register(name, password)).await;
        let other = other.unwrap_err();
        refused(&other, Code::FailedPrecondition, "request-conflict");
    }
    site.log_in("ana", PASSWORD).await;
    site.stop().await;
}
