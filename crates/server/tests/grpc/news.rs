//! Areas, subscriptions, posts; freshness.

use api::grpc::v1;
use api::grpc::v1::list_posts_request::Page;
use api::grpc::v1::mark_posts_request::Which;
use tonic::{Code, Request};

use crate::site::{Site, by_id, by_name, fields, index, post, refused, said, signed, with};

#[tokio::test]
async fn areas_are_added_changed_followed_and_removed() {
    let site = Site::start().await;
    let (mut news, admin) = (site.news(), site.admin().await);
    let member = site.member("ana").await;
    let add = |name: &str| v1::AddAreaRequest {
        name: name.to_owned(),
        description: "De todo".to_owned(),
    };
    let refusal = news.add_area(signed(&member, add("Obras"))).await;
    refused(&refusal.unwrap_err(), Code::PermissionDenied, "forbidden");
    let made = news.add_area(signed(&admin, add("Obras"))).await.unwrap();
    let id = made.into_inner().id;
    let twice = news.add_area(signed(&admin, add("OBRAS"))).await;
    refused(&twice.unwrap_err(), Code::AlreadyExists, "taken");

    let edit = v1::EditAreaRequest {
        area: by_name("obras"),
        name: Some("Agua".to_owned()),
        description: None,
    };
    news.edit_area(signed(&admin, edit)).await.unwrap();
    let follow = v1::SubscribeRequest { area: by_id(id) };
    news.subscribe(signed(&member, follow)).await.unwrap();
    let get = v1::GetAreaRequest {
        area: by_name("agua"),
    };
    let area = news.get_area(signed(&member, get.clone())).await.unwrap();
    let area = area.into_inner().area.unwrap();
    assert_eq!(
        (area.id, area.name.as_str(), area.subscribed),
        (id, "Agua", true)
    );
    assert_eq!(
        (area.description.as_str(), area.last_post_at),
        ("De todo", None)
    );
    let list = |subscribed_only| v1::ListAreasRequest { subscribed_only };
    let mine = news.list_areas(signed(&member, list(true))).await.unwrap();
    assert_eq!(mine.into_inner().areas.len(), 1);
    let leave = v1::UnsubscribeRequest { area: by_id(id) };
    news.unsubscribe(signed(&member, leave)).await.unwrap();
    let mine = news.list_areas(signed(&member, list(true))).await.unwrap();
    assert_eq!(mine.into_inner().areas, []);

    let remove = v1::RemoveAreaRequest { area: by_id(id) };
    news.remove_area(signed(&admin, remove)).await.unwrap();
    let gone = news.get_area(signed(&member, get)).await.unwrap_err();
    refused(&gone, Code::NotFound, "not-found");
    let nothing = v1::GetAreaRequest { area: None };
    let nothing = news.get_area(signed(&member, nothing)).await.unwrap_err();
    refused(&nothing, Code::InvalidArgument, "invalid");
    assert_eq!(fields(&nothing), ["area"]);
    site.stop().await;
}

#[tokio::test]
async fn posts_are_published_listed_found_marked_and_taken_back() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (mut news, ana) = (site.news(), site.member("ana").await);
    let luis = site.member("luis").await;
    for title in ["Uno", "Dos", "Tres"] {
        site.publish(&ana, area, title).await;
    }
    let list = |page, limit| v1::ListPostsRequest {
        area: by_id(area),
        unread_only: false,
        page,
        limit,
    };
    let titles = |posts: &[v1::Post]| -> Vec<String> {
        posts.iter().map(|post| post.title.clone()).collect()
    };
    let oldest = news.list_posts(signed(&luis, list(None, 2))).await.unwrap();
    let oldest = oldest.into_inner();
    assert_eq!(
        (titles(&oldest.posts), oldest.next),
        (vec!["Uno".into(), "Dos".into()], Some(2))
    );
    let newest = list(Some(Page::Before(0)), 2);
    let newest = news.list_posts(signed(&luis, newest)).await.unwrap();
    let newest = newest.into_inner();
    assert_eq!(
        (titles(&newest.posts), newest.next),
        (vec!["Tres".into(), "Dos".into()], Some(2))
    );
    let rest = list(Some(Page::After(2)), 2);
    let rest = news.list_posts(signed(&luis, rest)).await.unwrap();
    assert_eq!(rest.into_inner().next, None);

    let mark = |which| v1::MarkPostsRequest {
        area: by_id(area),
        which,
        unread: false,
    };
    let left = news.mark_posts(signed(&luis, mark(Some(Which::UpTo(2)))));
    assert_eq!(left.await.unwrap().into_inner().unread, 1);
    let none = news
        .mark_posts(signed(&luis, mark(None)))
        .await
        .unwrap_err();
    refused(&none, Code::InvalidArgument, "invalid");

    let find = v1::SearchPostsRequest {
        query: "tre".to_owned(),
        ..v1::SearchPostsRequest::default()
    };
    let found = news.search_posts(signed(&luis, find)).await.unwrap();
    let found = found.into_inner().posts;
    assert_eq!((found.len(), found[0].area_name.as_str()), (1, "Obras"));

    let (get, one) = (
        |post| v1::GetPostRequest {
            area: by_id(area),
            post,
        },
        1,
    );
    let shown = news.get_post(signed(&luis, get(one))).await.unwrap();
    let shown = shown.into_inner().post.unwrap();
    assert_eq!((shown.author.as_str(), shown.read), ("ana", true));
    assert_eq!(
        (shown.state(), shown.text.as_str()),
        (v1::PostState::Published, "*Uno*")
    );
    let delete = |post| v1::DeletePostRequest {
        area: by_id(area),
        post,
    };
    let foreign = news.delete_post(signed(&luis, delete(one))).await;
    refused(&foreign.unwrap_err(), Code::PermissionDenied, "forbidden");
    news.delete_post(signed(&ana, delete(one))).await.unwrap();
    let hide = v1::HidePostRequest {
        area: by_id(area),
        post: 2,
        reason: "Insultos".to_owned(),
    };
    news.hide_post(signed(&site.admin().await, hide))
        .await
        .unwrap();
    let gone = news
        .get_post(signed(&luis, get(one)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(gone.post.unwrap().state(), v1::PostState::Deleted);
    let hidden = news
        .get_post(signed(&luis, get(2)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(hidden.post.unwrap().reason, "Insultos");
    site.stop().await;
}

#[tokio::test]
async fn a_page_of_long_posts_fits_what_a_client_takes() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (mut news, ana) = (site.news(), site.member("ana").await);
    for number in 0..70 {
        let long = v1::PublishRequest {
            text: "x".repeat(65_536),
            ..post(area, &format!("Largo {number}"))
        };
        news.publish(signed(&ana, long)).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), Some(0));
    let mut pages = 0;
    while let Some(from) = after {
        let ask = v1::ListPostsRequest {
            area: by_id(area),
            page: Some(Page::After(from)),
            limit: 200,
            ..v1::ListPostsRequest::default()
        };
        let page = news
            .list_posts(signed(&ana, ask))
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.posts.iter().map(|post| post.id));
        after = page.next;
        pages += 1;
    }
    assert_eq!(seen, (1..=70).collect::<Vec<_>>());
    assert_eq!(pages, 2);
    site.stop().await;
}

#[tokio::test]
async fn freshness_is_asked_for_in_metadata() {
    let site = Site::start().await;
    let area = site.area("Obras").await;
    let (mut news, ana) = (site.news(), site.member("ana").await);
    let written = news.publish(signed(&ana, post(area, "Uno"))).await.unwrap();
    let written = index(written.metadata());
    let list = || signed(&ana, v1::ListAreasRequest::default());
    for consistency in ["linearizable", "session", "stale"] {
        let ask = with("consorcio-consistency", consistency, list());
        let ask = with("consorcio-index", &written.to_string(), ask);
        let seen = news.list_areas(ask).await.unwrap();
        assert!(consistency == "stale" || index(seen.metadata()) >= written);
        said(seen.metadata(), "consorcio-age-ms");
    }
    let future = with("consorcio-index", "999999999", list());
    let future = with("consorcio-consistency", "session", future);
    let future = news.list_areas(future).await.unwrap_err();
    refused(&future, Code::Unavailable, "behind");
    for (name, value) in [
        ("consorcio-consistency", "fresh"),
        ("consorcio-index", "-1"),
    ] {
        let bad = news
            .list_areas(with(name, value, list()))
            .await
            .unwrap_err();
        assert_eq!(bad.code(), Code::InvalidArgument, "{bad:?}");
    }
    let cluster = with("consorcio-cluster", &"0".repeat(32), list());
    let cluster = news.list_areas(cluster).await.unwrap_err();
    refused(&cluster, Code::FailedPrecondition, "wrong-cluster");
    let nobody = news.list_areas(Request::new(v1::ListAreasRequest::default()));
    refused(
        &nobody.await.unwrap_err(),
        Code::Unauthenticated,
        "not-signed-in",
    );
    site.stop().await;
}
