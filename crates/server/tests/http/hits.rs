//! The counter of visits.

use domain::store::Write;

use crate::site::{Ask, Site};

fn sentence(times: usize) -> String {
    format!("Hello from Consorcio! I have been seen {times} times.")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_visit_sees_the_number_that_it_made() {
    const VISITS: usize = 40;
    let site = std::sync::Arc::new(Site::start().await);
    let visits = (0..VISITS).map(|_| {
        let site = site.clone();
        tokio::spawn(async move { site.get("/hits/home", None).await })
    });
    let mut pages = Vec::new();
    for visit in visits.collect::<Vec<_>>() {
        pages.push(visit.await.unwrap());
    }
    for times in 1..=VISITS {
        let with = pages
            .iter()
            .filter(|page| page.text().contains(&sentence(times)));
        assert_eq!(with.count(), 1, "{times}");
    }
    assert!(pages[0].text().contains("<strong>n1</strong>"));
    assert_eq!(pages[0].header("cache-control").unwrap(), "no-store");
    let other = site.get("/hits/other", None).await;
    assert!(other.text().contains(&sentence(1)));
    std::sync::Arc::into_inner(site).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_badge_counts_too_and_other_pages_may_show_it() {
    let site = Site::start().await;
    for (number, path) in (1..).zip(["/hits/home.svg", "/hits/home/badge.svg"]) {
        let badge = site.get(path, None).await;
        assert_eq!(badge.status, 200);
        let kind = badge.header("content-type").unwrap();
        assert_eq!(kind, "image/svg+xml; charset=utf-8");
        let resource = badge.header("cross-origin-resource-policy").unwrap();
        assert_eq!(resource, "cross-origin");
        let text = badge.text();
        assert!(text.starts_with("<?xml") && text.contains(&format!("visits: {number}<")));
    }
    let head = site.send(Ask::new("HEAD", "/hits/home")).await;
    assert_eq!(head.status, 200);
    let page = site.get("/hits/home", None).await;
    assert!(page.text().contains(&sentence(3)), "a HEAD is no visit");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_bounded_and_nothing_of_them_is_markup() {
    let site = Site::start().await;
    let long = "x".repeat(65);
    for name in [
        "%3Cscript%3E",
        "a%20b",
        "%C3%B1",
        long.as_str(),
        "a%2Fb",
        ".svg",
    ] {
        let page = site.get(&format!("/hits/{name}"), None).await;
        assert_eq!(page.status, 422, "{name}");
        assert!(!page.text().contains("<script>alert"), "{name}");
    }
    site.stop().await;
}

/// What a client of Redis might do.
async fn store(site: &Site, write: Write) {
    let proposal = domain::Proposal {
        actor: domain::Actor::Anonymous,
        request: None,
        action: domain::Action::Store {
            conditions: Vec::new(),
            operations: vec![domain::store::Operation::Write(write)],
        },
    };
    site.engine.write(proposal).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_keep_in_the_counters_is_told_and_nothing_breaks() {
    let site = Site::start().await;
    site.get("/hits/good", None).await;
    let text = Write::HashPut {
        key: "consorcio:hits".into(),
        pairs: vec![("bad".into(), "abc".into())],
    };
    store(&site, text).await;
    let refused = site.get("/hits/bad", None).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(site.get("/hits/good", None).await.status, 200);
    store(&site, Write::set("consorcio:hits", "x")).await;
    let refused = site.get("/hits/good", None).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text().contains("consorcio:hits"), "{refused:?}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_counters() {
    let site = Site::start().await;
    let fill = (0..1_000)
        .map(|n| (format!("c{n}").into(), "1".into()))
        .collect();
    let write = Write::HashPut {
        key: "consorcio:hits".into(),
        pairs: fill,
    };
    store(&site, write).await;
    let refused = site.get("/hits/one-more", None).await;
    assert!(
        refused.status >= 400 && refused.text().contains("1000"),
        "{refused:?}"
    );
    let known = site.get("/hits/c7", None).await;
    assert!(known.text().contains(&sentence(2)), "{known:?}");
    site.stop().await;
}
