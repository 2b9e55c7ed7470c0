//! Lotteries: opening, bets, closing, drawing; winners, records and receipts.

use api::grpc::v1;
use api::grpc::v1::draw_request::Disclosure as Disclosed;
use api::grpc::v1::lotteries_server::Lotteries;
use domain::accounts::Member;
use domain::lottery::{
    CurrentLottery, Disclosure, GetLottery, GetReceipt, ListLotteries, Record, Winners,
    WinnersAnswer,
};
use domain::{Action, Reply};
use engine::Served;

use crate::app::{App, Caller, odd_reply};
use crate::grpc::answer::{Answer, service};
use crate::grpc::render::{before, limit, lotteries as render, not_negative};
use crate::problem::{Kind, Trouble, forbidden_to_members};

/// Lotteries in a page that asks for no number.
const PAGE_DEFAULT: u32 = 50;

/// Lotteries in the longest page.
const PAGE_MAX: u32 = 200;

/// Batches in the longest page of a record, and in one that asks for no number: some 2 MB.
const RECORD_PAGE_MAX: u32 = 256;

service!(Lotteries {
    list_lotteries: v1::ListLotteriesRequest => v1::ListLotteriesResponse;
    open_lottery: v1::OpenLotteryRequest => v1::OpenLotteryResponse;
    get_lottery: v1::GetLotteryRequest => v1::GetLotteryResponse;
    store_bets: v1::StoreBetsRequest => v1::StoreBetsResponse;
    close_agency: v1::CloseAgencyRequest => v1::CloseAgencyResponse;
    draw: v1::DrawRequest => v1::DrawResponse;
    list_winners: v1::ListWinnersRequest => v1::ListWinnersResponse;
    get_lottery_record: v1::GetLotteryRecordRequest => v1::GetLotteryRecordResponse;
    get_receipt: v1::GetReceiptRequest => v1::GetReceiptResponse;
});

/// The lottery that a reading means: 0 is the current one.
async fn meant(app: &App, caller: &Caller, lottery: i64) -> Result<i64, Trouble> {
    caller.token()?;
    if lottery != 0 {
        return Ok(lottery);
    }
    let current = app.ask(caller, |_: &Member| CurrentLottery).await?.value.1;
    let current = current.ok_or_else(|| Trouble::not_found("lottery"))?;
    Ok(current.id)
}

/// The lottery that a change means: its repetition must not mean another one, opened meanwhile.
fn changed(caller: &Caller, lottery: i64) -> Result<i64, Trouble> {
    caller.token()?;
    match lottery {
        0 => Err(Trouble::field(
            "lottery",
            "a change names the lottery by its id",
        )),
        id => Ok(id),
    }
}

async fn list_lotteries(
    app: &App,
    caller: &Caller,
    ask: v1::ListLotteriesRequest,
) -> Result<Answer<v1::ListLotteriesResponse>, Trouble> {
    caller.token()?;
    let before = before(ask.before)?;
    let limit = limit(ask.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let question = move |_: &Member| ListLotteries { before, limit };
    let Served {
        value: (_, page),
        position,
    } = app.ask(caller, question).await?;
    let shown = v1::ListLotteriesResponse {
        lotteries: page.lotteries.into_iter().map(render::lottery).collect(),
        next: page.next,
    };
    Ok(Answer::at(position, shown))
}

async fn open_lottery(
    app: &App,
    caller: &Caller,
    ask: v1::OpenLotteryRequest,
) -> Result<Answer<v1::OpenLotteryResponse>, Trouble> {
    caller.token()?;
    let action = Action::OpenLottery {
        name: ask.name,
        agencies: ask.agencies,
        rule: render::rule_of(ask.rule)?,
    };
    let written = app.write(caller, action).await?;
    let Reply::LotteryOpened { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = v1::OpenLotteryResponse { id };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

async fn get_lottery(
    app: &App,
    caller: &Caller,
    ask: v1::GetLotteryRequest,
) -> Result<Answer<v1::GetLotteryResponse>, Trouble> {
    let id = meant(app, caller, ask.lottery).await?;
    let question = move |_: &Member| GetLottery { id };
    let Served {
        value: (_, found),
        position,
    } = app.ask(caller, question).await?;
    let (lottery, agencies) = found.ok_or_else(|| Trouble::not_found("lottery"))?;
    let shown = v1::GetLotteryResponse {
        lottery: Some(render::lottery(lottery)),
        by_agency: agencies.into_iter().map(render::agency).collect(),
    };
    Ok(Answer::at(position, shown))
}

async fn store_bets(
    app: &App,
    caller: &Caller,
    ask: v1::StoreBetsRequest,
) -> Result<Answer<v1::StoreBetsResponse>, Trouble> {
    let bets = ask.bets.into_iter().map(render::bet_of);
    let action = Action::StoreBets {
        lottery: changed(caller, ask.lottery)?,
        agency: ask.agency,
        current: false,
        bets: bets.collect::<Result<_, _>>()?,
    };
    let written = app.write(caller, action).await?;
    let Reply::BetsStored {
        first,
        count,
        leaf_index,
        leaf,
    } = written.reply
    else {
        return Err(odd_reply(&written.reply));
    };
    let stored = v1::StoreBetsResponse {
        first,
        count,
        leaf_index,
        leaf: leaf.to_vec().into(),
    };
    Ok(Answer::at(written.position, stored).replayed(written.replayed))
}

async fn close_agency(
    app: &App,
    caller: &Caller,
    ask: v1::CloseAgencyRequest,
) -> Result<Answer<v1::CloseAgencyResponse>, Trouble> {
    let action = Action::CloseAgency {
        lottery: changed(caller, ask.lottery)?,
        agency: ask.agency,
        current: false,
    };
    let written = app.write(caller, action).await?;
    let Reply::AgencyClosed {
        changed,
        open_agencies,
        drawn,
    } = written.reply
    else {
        return Err(odd_reply(&written.reply));
    };
    let closed = v1::CloseAgencyResponse {
        changed,
        open_agencies,
        drawn,
    };
    Ok(Answer::at(written.position, closed).replayed(written.replayed))
}

async fn draw(
    app: &App,
    caller: &Caller,
    ask: v1::DrawRequest,
) -> Result<Answer<v1::DrawResponse>, Trouble> {
    let action = Action::DrawLottery {
        lottery: changed(caller, ask.lottery)?,
        disclosure: disclosure(ask)?,
    };
    let written = app.write(caller, action).await?;
    let Reply::Drawn { number, winners } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = v1::DrawResponse {
        number: number.into(),
        winners,
    };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

fn disclosure(ask: v1::DrawRequest) -> Result<Disclosure, Trouble> {
    match (ask.disclosure, ask.source_value) {
        (Some(Disclosed::Number(number)), None) => {
            Ok(Disclosure::Number(render::number("number", number)?))
        }
        (Some(Disclosed::Secret(secret)), source_value) => Ok(Disclosure::Secret {
            secret: render::bytes32("secret", &secret)?,
            source_value,
        }),
        _ => Err(Trouble::field(
            "number",
            "give the number, or the secret (with the source's value if a source was named)",
        )),
    }
}

async fn list_winners(
    app: &App,
    caller: &Caller,
    ask: v1::ListWinnersRequest,
) -> Result<Answer<v1::ListWinnersResponse>, Trouble> {
    let after = not_negative("after", ask.after)?;
    let (lottery, agency) = (meant(app, caller, ask.lottery).await?, ask.agency);
    let question = move |_: &Member| Winners {
        lottery,
        agency,
        after,
    };
    let Served {
        value: (_, answer),
        position,
    } = app.ask(caller, question).await?;
    let page = match answer {
        WinnersAnswer::Page(page) => page,
        WinnersAnswer::NoLottery => return Err(Trouble::not_found("lottery")),
        WinnersAnswer::NoAgency => return Err(Trouble::not_found("agency")),
        WinnersAnswer::NotReady { open_agencies } => {
            let detail =
                format!("it has not been drawn yet; agencies that are still open: {open_agencies}");
            return Err(Trouble::new(Kind::NotDrawn, detail));
        }
    };
    let winners = v1::ListWinnersResponse {
        lottery,
        number: page.number.into(),
        winners: page.total,
        documents: page.documents,
        next: page.next,
    };
    Ok(Answer::at(position, winners))
}

async fn get_lottery_record(
    app: &App,
    caller: &Caller,
    ask: v1::GetLotteryRecordRequest,
) -> Result<Answer<v1::GetLotteryRecordResponse>, Trouble> {
    let (from_leaf, bets) = (not_negative("from", ask.from)?, ask.bets);
    let limit = limit(ask.limit, RECORD_PAGE_MAX, RECORD_PAGE_MAX)?;
    let lottery = meant(app, caller, ask.lottery).await?;
    let question = move |me: &Member| Record {
        lottery,
        from_leaf,
        limit,
        with_bets: bets && me.administrator,
    };
    let Served {
        value: (me, page),
        position,
    } = app.ask(caller, question).await?;
    if bets && !me.administrator {
        return Err(forbidden_to_members());
    }
    let page = page.ok_or_else(|| Trouble::not_found("lottery"))?;
    let record = v1::GetLotteryRecordResponse {
        lottery: Some(render::lottery(page.lottery)),
        batches: page.batches.into_iter().map(render::batch).collect(),
        next: page.next,
    };
    Ok(Answer::at(position, record))
}

async fn get_receipt(
    app: &App,
    caller: &Caller,
    ask: v1::GetReceiptRequest,
) -> Result<Answer<v1::GetReceiptResponse>, Trouble> {
    let lottery = meant(app, caller, ask.lottery).await?;
    let leaf_index = not_negative("leaf_index", ask.leaf_index)?;
    let question = move |_: &Member| GetReceipt {
        lottery,
        leaf_index,
    };
    let Served {
        value: (_, receipt),
        position,
    } = app.ask(caller, question).await?;
    let receipt = receipt.ok_or_else(|| Trouble::not_found("receipt"))?;
    let hashes = receipt.path.iter().map(|hash| hash.to_vec().into());
    let shown = v1::GetReceiptResponse {
        lottery,
        tree_size: receipt.tree_size,
        root: receipt.root.to_vec().into(),
        path: hashes.collect(),
        batch: Some(render::batch(receipt.batch)),
    };
    Ok(Answer::at(position, shown))
}
