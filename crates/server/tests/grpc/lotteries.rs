//! Lotteries.

use api::grpc::v1;
use api::grpc::v1::draw_request::Disclosure;
use api::grpc::v1::lottery_rule::Rule;
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::site::{Site, fields, refused, said, signed, with};

fn bet(document: &str, number: u32) -> v1::Bet {
    v1::Bet {
        first_name: "Santiago".to_owned(),
        last_name: "Lorca".to_owned(),
        document: document.to_owned(),
        birthdate: "1999-03-17".to_owned(),
        number,
    }
}

fn bets(lottery: i64, agency: u32, bets: Vec<v1::Bet>) -> v1::StoreBetsRequest {
    v1::StoreBetsRequest {
        lottery,
        agency,
        bets,
    }
}

async fn opened(site: &Site, admin: &str, agencies: u32, rule: Option<Rule>) -> i64 {
    let ask = v1::OpenLotteryRequest {
        name: "Navidad".to_owned(),
        agencies,
        rule: rule.map(|rule| v1::LotteryRule { rule: Some(rule) }),
    };
    let made = site.lotteries().open_lottery(signed(admin, ask)).await;
    made.unwrap().into_inner().id
}

#[tokio::test]
async fn a_lottery_is_opened_fed_closed_and_won() {
    let site = Site::start().await;
    let (admin, mut lotteries) = (site.admin().await, site.lotteries());
    let id = opened(&site, &admin, 2, None).await;
    let batch = bets(id, 1, vec![bet("30904465", 7574), bet("30904466", 1)]);
    let store = || with("idempotency-key", "batch-1", signed(&admin, batch.clone()));
    let stored = lotteries.store_bets(store()).await.unwrap().into_inner();
    assert_eq!((stored.first, stored.count, stored.leaf_index), (1, 2, 0));
    let again = lotteries.store_bets(store()).await.unwrap();
    assert_eq!(said(again.metadata(), "idempotency-replayed"), "true");
    assert_eq!(again.into_inner(), stored);

    let winners = |agency| v1::ListWinnersRequest {
        lottery: 0,
        agency,
        after: 0,
    };
    let early = lotteries.list_winners(signed(&admin, winners(1))).await;
    refused(&early.unwrap_err(), Code::FailedPrecondition, "not-drawn");
    for (agency, drawn) in [(1, false), (2, true)] {
        let close = v1::CloseAgencyRequest {
            lottery: id,
            agency,
        };
        let closed = lotteries.close_agency(signed(&admin, close)).await.unwrap();
        assert_eq!(closed.into_inner().drawn, drawn);
    }
    let late = lotteries.store_bets(signed(&admin, batch.clone())).await;
    refused(
        &late.unwrap_err(),
        Code::FailedPrecondition,
        "agency-closed",
    );
    let won = lotteries
        .list_winners(signed(&admin, winners(1)))
        .await
        .unwrap();
    let won = won.into_inner();
    assert_eq!(
        (won.lottery, won.number, won.documents),
        (id, 7574, vec!["30904465".to_owned()])
    );

    let get = v1::GetLotteryRequest { lottery: 0 };
    let shown = lotteries.get_lottery(signed(&admin, get)).await.unwrap();
    let shown = shown.into_inner();
    let lottery = shown.lottery.unwrap();
    assert_eq!(
        (lottery.state(), lottery.bets),
        (v1::LotteryState::Drawn, 2)
    );
    assert_eq!(shown.by_agency.len(), 2);
    let receipt = v1::GetReceiptRequest {
        lottery: id,
        leaf_index: 0,
    };
    let receipt = lotteries
        .get_receipt(signed(&admin, receipt))
        .await
        .unwrap();
    let receipt = receipt.into_inner();
    assert_eq!(receipt.root, lottery.root);
    assert_eq!(receipt.batch.unwrap().leaf, stored.leaf);
    let list = v1::ListLotteriesRequest::default();
    let list = lotteries
        .list_lotteries(signed(&admin, list))
        .await
        .unwrap();
    assert_eq!(list.into_inner().lotteries[0].id, id);
    site.stop().await;
}

#[tokio::test]
async fn a_verifiable_draw_reveals_what_was_committed_to() {
    let site = Site::start().await;
    let (admin, ana) = (site.admin().await, site.member("ana").await);
    let mut lotteries = site.lotteries();
    let secret = [7_u8; 32];
    let rule = Rule::Verifiable(v1::VerifiableNumber {
        commitment: Sha256::digest(secret).to_vec().into(),
        source: None,
    });
    let id = opened(&site, &admin, 1, Some(rule)).await;
    let batch = bets(id, 1, vec![bet("30904465", 1)]);
    lotteries.store_bets(signed(&admin, batch)).await.unwrap();
    let draw = |disclosure| v1::DrawRequest {
        lottery: id,
        disclosure,
        source_value: None,
    };
    let right = Some(Disclosure::Secret(secret.to_vec().into()));
    let early = lotteries.draw(signed(&admin, draw(right.clone()))).await;
    refused(
        &early.unwrap_err(),
        Code::FailedPrecondition,
        "agencies-open",
    );
    let close = v1::CloseAgencyRequest {
        lottery: id,
        agency: 1,
    };
    lotteries.close_agency(signed(&admin, close)).await.unwrap();
    for wrong in [
        None,
        Some(Disclosure::Secret(vec![7; 31].into())),
        Some(Disclosure::Number(5)),
    ] {
        let refusal = lotteries
            .draw(signed(&admin, draw(wrong)))
            .await
            .unwrap_err();
        refused(&refusal, Code::InvalidArgument, "invalid");
    }
    let made = lotteries.draw(signed(&admin, draw(right))).await.unwrap();
    let record = |bets| v1::GetLotteryRecordRequest {
        lottery: id,
        bets,
        ..v1::GetLotteryRecordRequest::default()
    };
    let personal = lotteries
        .get_lottery_record(signed(&ana, record(true)))
        .await;
    refused(&personal.unwrap_err(), Code::PermissionDenied, "forbidden");
    let public = lotteries
        .get_lottery_record(signed(&ana, record(false)))
        .await;
    let public = public.unwrap().into_inner();
    let draw = public.lottery.unwrap().draw.unwrap();
    assert_eq!(
        (draw.number, &draw.secret[..]),
        (made.into_inner().number, &secret[..])
    );
    assert_eq!((public.batches.len(), public.batches[0].bets.len()), (1, 0));
    site.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_bets_is_said() {
    let site = Site::start().await;
    let (admin, mut lotteries) = (site.admin().await, site.lotteries());
    let id = opened(&site, &admin, 1, None).await;
    let wrong = [
        (bets(id, 1, vec![bet("1", 70_000)]), "number"),
        (bets(0, 1, vec![bet("1", 7)]), "lottery"),
        (bets(id, 1, Vec::new()), "bets"),
    ];
    for (ask, field) in wrong {
        let refusal = lotteries.store_bets(signed(&admin, ask)).await.unwrap_err();
        refused(&refusal, Code::InvalidArgument, "invalid");
        assert_eq!(fields(&refusal), [field]);
    }
    let nowhere = lotteries.store_bets(signed(&admin, bets(99, 1, vec![bet("1", 7)])));
    refused(&nowhere.await.unwrap_err(), Code::NotFound, "not-found");
    site.stop().await;
}
