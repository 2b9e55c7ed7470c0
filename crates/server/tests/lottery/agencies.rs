//! Agencies that do what they should, and one or another that does not.

use api::lottery_packets::{Answer, Request};
use domain::lottery::GetReceipt;
use engine::Consistency;
use tokio::task::JoinSet;

use crate::counter::{Counter, DRAWN, REFUSED, STORED, bet, won};

#[tokio::test(flavor = "multi_thread")]
async fn bets_are_stored_agencies_close_and_each_gets_its_own_winners() {
    let counter = Counter::with_agencies(2).await;
    assert_eq!(counter.winners(1).await, Some(Answer::NotReady));
    let mut first = counter.agency().await;
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", DRAWN),
    };
    assert_eq!(first.ask(&one).await, STORED);
    let bets = vec![bet("2", 1), bet("3", DRAWN), bet("4", 0)];
    assert_eq!(
        first.ask(&Request::StoreBatch { agency: 1, bets }).await,
        STORED
    );
    let bets = vec![bet("5", 9999)];
    assert_eq!(
        counter.ask(&Request::StoreBatch { agency: 2, bets }).await,
        STORED
    );
    assert_eq!(counter.bets().await, 5);
    assert_eq!(counter.close_and_wait(1).await, Some(Answer::NotReady));
    assert_eq!(first.ask(&one).await, REFUSED, "it has closed");
    assert_eq!(counter.close_and_wait(2).await, won(&[]));
    assert_eq!(
        first.ask(&Request::WinnersRequest { agency: 1 }).await,
        won(&["1", "3"])
    );
    assert_eq!(
        counter.close_and_wait(2).await,
        won(&[]),
        "a second draw changes nothing"
    );
    assert_eq!(counter.bets().await, 5);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_a_batch_are_taken() {
    let counter = Counter::with_agencies(1).await;
    let line = "Ana;Paz;1;2000-01-01;7574";
    assert_eq!(
        counter
            .ask_text(&format!("StoreBatch:1;{line}:{line}"))
            .await,
        STORED
    );
    assert_eq!(
        counter
            .ask_text(&format!("StoreBatch:1:{line}:{line}"))
            .await,
        STORED
    );
    assert_eq!(counter.bets_by_agency(1).await, [(1, 4)]);
    assert_eq!(counter.close_and_wait(1).await, won(&["1", "1", "1", "1"]));
    counter.stop().await;
}

/// The original counted it towards the draw, and then never drew.
#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_there_is_not_closes_nothing() {
    let counter = Counter::with_agencies(2).await;
    assert_eq!(
        counter.close_and_wait(99).await,
        REFUSED,
        "nobody can have won there"
    );
    for agency in [3, 99] {
        let stranger = Request::StoreBet {
            agency,
            bet: bet("1", 1),
        };
        assert_eq!(counter.ask(&stranger).await, REFUSED);
    }
    assert_eq!(counter.ask_text("AgencyClose:0").await, REFUSED);
    counter.close_and_wait(1).await;
    counter.close_and_wait(1).await;
    assert_eq!(counter.winners(1).await, Some(Answer::NotReady));
    assert_eq!(counter.close_and_wait(2).await, won(&[]));
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_stored_once() {
    let counter = Counter::with_agencies(2).await;
    let once = |id, agency, number| Request::StoreBatchOnce {
        id,
        agency,
        bets: vec![bet("1", number), bet("2", number)],
        receipt: false,
    };
    for _ in 0..3 {
        assert_eq!(counter.ask(&once("a-1", 1, 5)).await, STORED);
    }
    assert_eq!(counter.ask(&once("a-2", 1, 5)).await, STORED);
    assert_eq!(
        counter.ask(&once("a-1", 2, 5)).await,
        STORED,
        "an id is an agency's own"
    );
    assert_eq!(
        counter.ask(&once("a-1", 1, 6)).await,
        REFUSED,
        "these are other bets"
    );
    assert_eq!(counter.bets_by_agency(1).await, [(1, 4), (2, 2)]);
    counter.close_and_wait(1).await;
    assert_eq!(
        counter.ask(&once("a-1", 1, 5)).await,
        STORED,
        "it was, before the agency closed"
    );
    assert_eq!(counter.ask(&once("a-3", 1, 5)).await, REFUSED);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lottery_that_was_opened_last_is_the_current_one() {
    let counter = Counter::start(server::LotteryConfig::default()).await;
    let one = Request::StoreBatchOnce {
        id: "x",
        agency: 1,
        bets: vec![bet("1", DRAWN)],
        receipt: false,
    };
    assert_eq!(counter.ask(&one).await, REFUSED, "none is open");
    assert_eq!(counter.winners(1).await, REFUSED);
    let first = counter.open(1).await;
    assert_eq!(counter.ask(&one).await, STORED);
    assert_eq!(counter.close_and_wait(1).await, won(&["1"]));
    let second = counter.open(1).await;
    assert_eq!(
        counter.ask(&one).await,
        STORED,
        "the same file may be sent to the next lottery"
    );
    assert_eq!(counter.bets_by_agency(first).await, [(1, 1)]);
    assert_eq!(counter.bets_by_agency(second).await, [(1, 1)]);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_may_serve_one_lottery_for_good() {
    let config = server::LotteryConfig {
        lottery: Some(1),
        ..Default::default()
    };
    let counter = Counter::start(config).await;
    counter.open(1).await;
    counter.open(1).await;
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", DRAWN),
    };
    assert_eq!(counter.ask(&one).await, STORED);
    assert_eq!(counter.bets_by_agency(1).await, [(1, 1)]);
    assert_eq!(counter.close_and_wait(1).await, won(&["1"]));
    assert_eq!(
        counter.ask(&one).await,
        REFUSED,
        "it does not go to another lottery"
    );
    counter.stop().await;
}

/// An agency that waits for its winners must neither close in the next lottery nor be told of its
/// winners.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_be_bound_to_one_lottery() {
    let counter = Counter::start(server::LotteryConfig::default()).await;
    let mut bound = counter.agency().await;
    let mean = |lottery| Request::Lottery { lottery };
    let none = Some(Answer::Lottery(0));
    assert_eq!(bound.ask(&mean(None)).await, none, "none is open");
    let first = counter.open(1).await;
    assert_eq!(bound.ask(&mean(None)).await, Some(Answer::Lottery(first)));
    let one = |document| Request::StoreBet {
        agency: 1,
        bet: bet(document, DRAWN),
    };
    assert_eq!(bound.ask(&one("1")).await, STORED);
    let second = counter.open(1).await;
    assert_eq!(bound.ask(&one("2")).await, STORED);
    assert_eq!(counter.bets_by_agency(first).await, [(1, 2)]);
    bound.send(&Request::AgencyClose { agency: 1 }).await;
    let winners = Request::WinnersRequest { agency: 1 };
    assert_eq!(bound.ask(&winners).await, won(&["1", "2"]));
    assert_eq!(bound.ask(&one("3")).await, REFUSED);
    assert_eq!(counter.bets_by_agency(second).await, []);
    assert_eq!(
        counter.winners(1).await,
        Some(Answer::NotReady),
        "of the second"
    );
    // It may be bound to another, and to none that is not there.
    assert_eq!(bound.ask(&mean(Some(second + 1))).await, none);
    assert_eq!(bound.ask(&winners).await, won(&["1", "2"]));
    let asked = bound.ask(&mean(Some(second))).await;
    assert_eq!(asked, Some(Answer::Lottery(second)));
    assert_eq!(bound.ask(&winners).await, Some(Answer::NotReady));
    drop(bound);
    counter.stop().await;
}

/// An agency keeps where its batch stands in the tree, also if the first answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_may_be_answered_with_its_receipt() {
    let counter = Counter::with_agencies(1).await;
    let batch = |receipt| Request::StoreBatchOnce {
        id: "agency-1-0",
        agency: 1,
        bets: vec![bet("1", DRAWN), bet("2", 5)],
        receipt,
    };
    assert_eq!(counter.ask(&batch(false)).await, STORED);
    let Some(Answer::Receipt(receipt)) = counter.ask(&batch(true)).await else {
        panic!("no receipt");
    };
    let question = GetReceipt {
        lottery: receipt.lottery,
        leaf_index: receipt.leaf_index,
    };
    let read = counter.engine.read(Consistency::Linearizable, question);
    let kept = read.await.unwrap().value.unwrap();
    assert_eq!(
        (receipt.first, receipt.leaf.0),
        (kept.batch.first, kept.batch.leaf)
    );
    assert_eq!(
        counter.bets().await,
        2,
        "asking for it stored nothing twice"
    );
    counter.stop().await;
}

/// What was refused before there was a lottery is not held against the agency for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_came_before_its_lottery_may_come_again() {
    let config = server::LotteryConfig {
        lottery: Some(1),
        ..Default::default()
    };
    let counter = Counter::start(config).await;
    let once = || Request::StoreBatchOnce {
        id: "agency-1-0",
        agency: 1,
        bets: vec![bet("1", DRAWN)],
        receipt: false,
    };
    assert_eq!(counter.ask(&once()).await, REFUSED);
    counter.open(1).await;
    assert_eq!(counter.ask(&once()).await, STORED);
    assert_eq!(counter.ask(&once()).await, STORED);
    assert_eq!(counter.bets_by_agency(1).await, [(1, 1)]);
    counter.stop().await;
}

/// In the original 2,000 winners of one agency broke the connection in the middle of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn winners_that_do_not_fit_a_packet_are_not_sent_by_halves() {
    let counter = Counter::with_agencies(2).await;
    let documents: Vec<String> = (0..2000).map(|n| (30_000_000 + n).to_string()).collect();
    let mut connection = counter.agency().await;
    for batch in documents.chunks(50) {
        let bets = batch.iter().map(|document| bet(document, DRAWN)).collect();
        let request = Request::StoreBatch { agency: 1, bets };
        assert_eq!(connection.ask(&request).await, STORED);
    }
    let bets = vec![bet("7", DRAWN)];
    connection
        .ask(&Request::StoreBatch { agency: 2, bets })
        .await;
    counter.close_and_wait(1).await;
    counter.close_and_wait(2).await;
    assert_eq!(
        connection.ask(&Request::WinnersRequest { agency: 1 }).await,
        None
    );
    assert_eq!(counter.close_and_wait(1).await, None);
    assert_eq!(counter.winners(2).await, won(&["7"]));
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_may_come_in_any_pieces() {
    let counter = Counter::with_agencies(1).await;
    let mut agency = counter.agency().await;
    let mut packets = Vec::new();
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", DRAWN),
    };
    for _ in 0..3 {
        one.render(&mut packets).unwrap();
    }
    Request::AgencyClose { agency: 1 }
        .render(&mut packets)
        .unwrap();
    Request::WinnersRequest { agency: 1 }
        .render(&mut packets)
        .unwrap();
    use tokio::io::AsyncWriteExt as _;
    for piece in packets.chunks(7) {
        agency.0.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        assert_eq!(agency.answer().await, STORED);
    }
    assert_eq!(agency.answer().await, won(&["1", "1", "1"]));
    counter.stop().await;
}

/// A client that does not wait in line: one connection a packet, all in the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_does_not_stall() {
    let counter = Counter::with_agencies(1).await;
    let address = counter.address;
    let mut clients = JoinSet::new();
    for number in 0..500_u32 {
        clients.spawn(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let document = number.to_string();
            let request = Request::StoreBet {
                agency: 1,
                bet: bet(&document, 1),
            };
            crate::counter::Agency(stream).ask(&request).await
        });
    }
    while let Some(answer) = clients.join_next().await {
        assert_eq!(answer.unwrap(), STORED);
    }
    assert_eq!(counter.bets().await, 500);
    counter.stop().await;
}
