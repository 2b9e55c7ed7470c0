//! What no agency should send.

use api::lottery_packets::Request;
use tokio::io::AsyncWriteExt as _;

use crate::counter::{Counter, REFUSED, STORED, bet, hasty};

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_are_refused_and_the_connection_goes_on() {
    let counter = Counter::with_agencies(5).await;
    let mut agency = counter.agency().await;
    let good = "Ana;Paz;1;2000-01-01;1";
    let bodies = [
        "Hello".to_owned(),
        "Hello:1".to_owned(),
        "StoreBet:".to_owned(),
        "StoreBet:1".to_owned(),
        format!("StoreBet:0;{good}"),
        format!("StoreBet:6;{good}"),
        format!("StoreBet:uno;{good}"),
        "StoreBet:1;Ana;Paz;1;2000-01-01".to_owned(),
        format!("StoreBet:1;{good};2"),
        format!("StoreBet:1;{good}:{good}"),
        "StoreBet:1;Ana;Pa;z;1;2000-01-01;1".to_owned(),
        "StoreBet:1;An:a;Paz;1;2000-01-01;1".to_owned(),
        "StoreBet:1;Ana;Paz;1;2001-02-30;1".to_owned(),
        "StoreBet:1;Ana;Paz;1;2000-01-01;-1".to_owned(),
        "StoreBet:1;Ana;Paz;1;2000-01-01;10000".to_owned(),
        format!("StoreBet:1;{};Paz;1;2000-01-01;1", "a".repeat(51)),
        "StoreBet:1;Ana;Paz;12345678901;2000-01-01;1".to_owned(),
        "StoreBatch:".to_owned(),
        "StoreBatch:1:".to_owned(),
        format!("StoreBatch:1;{good}:"),
        format!("StoreBatch:1;{good}:Ana;Paz;1;2000-02-30;1"),
        format!("StoreBatch:1{}", format!(":{good}").repeat(64)),
        format!("StoreBatch:6:{good}"),
        format!("StoreBatchOnce::1;{good}"),
        "AgencyClose:".to_owned(),
        "WinnersRequest:0".to_owned(),
        "x".repeat(8190),
    ];
    for body in bodies {
        assert_eq!(
            agency.ask_body(body.as_bytes()).await,
            REFUSED,
            "{body:.100}"
        );
    }
    let not_utf8 = b"StoreBet:1;An\xc3;Paz;1;2000-01-01;1";
    assert_eq!(agency.ask_body(not_utf8).await, REFUSED);
    assert_eq!(
        counter.bets().await,
        0,
        "a batch is stored whole or not at all"
    );
    assert_eq!(
        agency
            .ask_body(format!("StoreBet:1;{good}").as_bytes())
            .await,
        STORED
    );
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_frame_closes_the_connection() {
    let counter = Counter::with_agencies(1).await;
    for length in [0_u16, 8191, 65_535] {
        let mut agency = counter.agency().await;
        agency.0.write_all(&length.to_be_bytes()).await.unwrap();
        agency.let_go().await;
    }
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    };
    assert_eq!(counter.ask(&one).await, STORED);
    counter.stop().await;
}

/// The original spun for ever when a client closed in the middle of a packet.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let counter = Counter::with_agencies(1).await;
    let mut packet = Vec::new();
    Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    }
    .render(&mut packet)
    .unwrap();
    for bytes in [1, 2, 3, packet.len() - 1] {
        let mut agency = counter.agency().await;
        agency.0.write_all(&packet[..bytes]).await.unwrap();
        agency.0.shutdown().await.unwrap();
        agency.let_go().await;
    }
    assert_eq!(counter.bets().await, 0);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_packet_is_not_waited_for_long() {
    let counter = Counter::start(hasty()).await;
    for bytes in [&[1][..], &[1, 0], &[1, 0, b'S']] {
        let mut agency = counter.agency().await;
        agency.0.write_all(bytes).await.unwrap();
        agency.let_go().await;
    }
    counter.stop().await;
}
