//! Journals: appended to, read by index, followed.

use api::grpc::v1;
use bytes::Bytes;
use tonic::{Code, Streaming};
use tonic_types::StatusExt;

use crate::site::{PATIENCE, Site, config, fields, open, refused, said, signed, with};

fn append(journal: &str, text: &str) -> v1::AppendRequest {
    v1::AppendRequest {
        journal: Bytes::copy_from_slice(journal.as_bytes()),
        fields: vec![v1::Pair {
            name: Bytes::from_static(b"text"),
            value: Bytes::copy_from_slice(text.as_bytes()),
        }],
        keep_newest: 0,
    }
}

fn texts(entries: &[v1::JournalEntry]) -> Vec<String> {
    let text = |entry: &v1::JournalEntry| entry.fields[0].value.to_vec();
    entries
        .iter()
        .map(|entry| String::from_utf8(text(entry)).unwrap())
        .collect()
}

/// Follows until so many entries were told.
async fn follow(stream: &mut Streaming<v1::WatchJournalResponse>, count: usize) -> Vec<u64> {
    let mut indexes = Vec::new();
    while indexes.len() < count {
        let next = tokio::time::timeout(PATIENCE, stream.message());
        let said = next.await.expect("a message").unwrap().expect("no end");
        indexes.extend(said.entries.iter().map(|entry| entry.index));
    }
    indexes
}

#[tokio::test]
async fn entries_are_appended_once_and_read_by_their_index() {
    let site = Site::start().await;
    let (mut journals, ana) = (site.journals(), site.member("ana").await);
    let ask = || {
        with(
            "idempotency-key",
            "entry-1",
            signed(&ana, append("acta", "uno")),
        )
    };
    let first = journals.append(ask()).await.unwrap();
    let again = journals.append(ask()).await.unwrap();
    assert_eq!(said(again.metadata(), "idempotency-replayed"), "true");
    assert_eq!(first.into_inner(), again.into_inner());
    journals.append(append("acta", "dos")).await.unwrap();
    let empty = v1::AppendRequest {
        fields: Vec::new(),
        ..append("acta", "")
    };
    let nothing_said = journals.append(empty).await.unwrap_err();
    assert_eq!(fields(&nothing_said), ["fields"]);
    let acta = Bytes::from_static(b"acta");
    let read = v1::ReadJournalRequest {
        journal: acta.clone(),
        ..v1::ReadJournalRequest::default()
    };
    let entries = journals
        .read_journal(read)
        .await
        .unwrap()
        .into_inner()
        .entries;
    assert_eq!(texts(&entries), ["uno", "dos"]);
    let authors: Vec<&str> = entries.iter().map(|entry| entry.author.as_str()).collect();
    assert_eq!(authors, ["ana", ""]);
    let get = |index| v1::GetEntryRequest {
        journal: acta.clone(),
        index,
    };
    let second = journals.get_entry(get(2)).await.unwrap().into_inner().entry;
    let second = second.unwrap();
    assert_eq!(
        (second.index, texts(&[second])),
        (2, vec!["dos".to_owned()])
    );
    let none = journals.get_entry(get(3)).await.unwrap_err();
    refused(&none, Code::NotFound, "not-found");

    let trim = v1::TrimJournalRequest {
        journal: acta.clone(),
        keep_newest: 1,
    };
    let trimmed = journals.trim_journal(trim).await.unwrap().into_inner();
    assert_eq!(trimmed.dropped, 1);
    let about = v1::GetJournalRequest { journal: acta };
    let about = journals.get_journal(about).await.unwrap().into_inner();
    assert_eq!((about.length, about.oldest, about.newest), (1, 2, 2));
    let nothing = v1::GetJournalRequest {
        journal: Bytes::from_static(b"nada"),
    };
    let nothing = journals.get_journal(nothing).await.unwrap_err();
    refused(&nothing, Code::NotFound, "not-found");
    site.stop().await;
}

#[tokio::test]
async fn a_journal_is_followed_without_gap_or_repeat_on_any_node() {
    let site = Site::start().await;
    let other = Site::node("n2", Some(&site), config(), open()).await;
    let watch = |from| v1::WatchJournalRequest {
        journal: Bytes::from_static(b"acta"),
        from,
    };
    let mut stream = site
        .journals()
        .watch_journal(watch(0))
        .await
        .unwrap()
        .into_inner();
    for number in 0..250 {
        site.journals()
            .append(append("acta", &number.to_string()))
            .await
            .unwrap();
    }
    assert_eq!(
        follow(&mut stream, 100).await[..100],
        (1..=100).collect::<Vec<_>>()
    );
    drop(stream);
    let mut stream = other
        .journals()
        .watch_journal(watch(101))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        follow(&mut stream, 150).await,
        (101..=250).collect::<Vec<_>>()
    );
    site.journals().append(append("acta", "x")).await.unwrap();
    assert_eq!(follow(&mut stream, 1).await, [251]);
    drop(stream);
    other.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn long_entries_come_in_shorter_pages() {
    let site = Site::start().await;
    let long = "x".repeat(500_000);
    for _ in 0..3 {
        site.journals().append(append("acta", &long)).await.unwrap();
    }
    let read = v1::ReadJournalRequest {
        journal: Bytes::from_static(b"acta"),
        ..v1::ReadJournalRequest::default()
    };
    let page = site
        .journals()
        .read_journal(read)
        .await
        .unwrap()
        .into_inner();
    assert!((1..3).contains(&page.entries.len()));
    let watch = v1::WatchJournalRequest {
        journal: Bytes::from_static(b"acta"),
        from: 1,
    };
    let stream = site.journals().watch_journal(watch).await;
    let mut stream = stream.unwrap().into_inner();
    assert_eq!(follow(&mut stream, 3).await, [1, 2, 3]);
    drop(stream);
    site.stop().await;
}

#[tokio::test]
async fn what_was_trimmed_is_said_to_be_gone() {
    let site = Site::start().await;
    for number in 0..5 {
        let short = v1::AppendRequest {
            keep_newest: 2,
            ..append("acta", &number.to_string())
        };
        site.journals().append(short).await.unwrap();
    }
    let watch = v1::WatchJournalRequest {
        journal: Bytes::from_static(b"acta"),
        from: 2,
    };
    let mut stream = site
        .journals()
        .watch_journal(watch)
        .await
        .unwrap()
        .into_inner();
    let end = stream.message().await.unwrap_err();
    refused(&end, Code::OutOfRange, "history-gone");
    let details = end.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["oldest"], "4");
    site.stop().await;
}
