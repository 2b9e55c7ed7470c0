//! Lotteries: opening, bets, closing, drawing; winners, records and receipts.

use api::types::{
    AgencyClosed, BetsStored, DrawMade, Lotteries, LotteryMade, LotteryShown, NewBets, NewDraw,
    NewLottery, Receipt, Record, Winners,
};
use axum::extract::State;
use domain::accounts::Member;
use domain::lottery::{self, Disclosure, GetLottery, GetReceipt, ListLotteries, WinnersAnswer};
use domain::{Action, Reply};
use engine::Served;

use super::lottery_path::{AgencyPath, LeafPath, LotteryPath, lottery_id};
use crate::app::{App, Caller, odd_reply};
use crate::http::extract::{Content, Input};
use crate::http::{Answer, Pairs};
use crate::problem::{Kind, Trouble, forbidden_to_members};
use crate::render::lotteries as render;

/// Lotteries in a page that asks for no number.
const PAGE_DEFAULT: i64 = 50;

/// Lotteries in the longest page.
const PAGE_MAX: i64 = 200;

/// Batches in the longest page of a record, and in one that asks for no number: some 2 MB.
const RECORD_PAGE_MAX: i64 = 256;

impl Content for NewLottery {}
impl Content for NewBets {}
impl Content for NewDraw {}

/// The history of lotteries
///
/// Newest first. The first one, open or drawn, is the current one.
#[utoipa::path(get, path = "/v1/lotteries", tag = "lotteries",
    params(
        ("before" = Option<i64>, Query, description = "Ids below this"),
        ("limit" = Option<i64>, Query, description = "1 to 200; 50 if absent")),
    responses((status = 200, body = Lotteries)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Lotteries>, Trouble> {
    caller.token()?;
    let query = query.only(&["before", "limit"])?;
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE_DEFAULT) as u32;
    let question = move |_: &Member| ListLotteries { before, limit };
    let Served {
        value: (_, page),
        position,
    } = app.ask(&caller, question).await?;
    Ok(Answer::ok(position, render::lotteries(page)))
}

/// Open a lottery
///
/// It becomes the current one. Administrators only.
#[utoipa::path(post, path = "/v1/lotteries", tag = "lotteries", request_body = NewLottery,
    responses((status = 201, body = LotteryMade)))]
pub(super) async fn open(
    State(app): State<App>,
    Input { caller, body }: Input<NewLottery>,
) -> Result<Answer<LotteryMade>, Trouble> {
    let action = Action::OpenLottery {
        name: body.name.clone(),
        agencies: body.agencies,
        rule: render::rule_of(&body)?,
    };
    let written = app.write(&caller, action).await?;
    let Reply::LotteryOpened { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let name = body.name;
    let answer = Answer::created(written.position, LotteryMade { id, name });
    let answer = answer.at(format!("/v1/lotteries/{id}"));
    Ok(answer.replayed(written.replayed))
}

/// One lottery
///
/// With the agencies that have sent bets or closed.
#[utoipa::path(get, path = "/v1/lotteries/{lottery}", tag = "lotteries",
    params(("lottery" = String, Path, description = "Id or `current`")),
    responses((status = 200, body = LotteryShown)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    LotteryPath(lottery): LotteryPath,
) -> Result<Answer<LotteryShown>, Trouble> {
    let id = lottery_id(&app, &caller, lottery).await?;
    let question = move |_: &Member| GetLottery { id };
    let Served {
        value: (_, found),
        position,
    } = app.ask(&caller, question).await?;
    let (lottery, agencies) = found.ok_or_else(|| Trouble::missing("lottery", id))?;
    let shown = LotteryShown {
        lottery: render::lottery(lottery),
        by_agency: agencies.into_iter().map(render::agency).collect(),
    };
    Ok(Answer::ok(position, shown))
}

/// Store a batch of bets
///
/// All or none. Answers the receipt that the agency keeps. Administrators only; agencies send
/// theirs to the lottery's own port.
#[utoipa::path(post, path = "/v1/lotteries/{lottery}/bets", tag = "lotteries",
    params(("lottery" = i64, Path, description = "Id")),
    request_body = NewBets,
    responses((status = 201, body = BetsStored)))]
pub(super) async fn store_bets(
    State(app): State<App>,
    LotteryPath(lottery): LotteryPath,
    Input { caller, body }: Input<NewBets>,
) -> Result<Answer<BetsStored>, Trouble> {
    let lottery = lottery.id()?;
    let agency = body.agency;
    let bets = body.bets.into_iter().map(render::bet_of).collect();
    let action = Action::StoreBets {
        lottery,
        agency,
        current: false,
        bets,
    };
    let written = app.write(&caller, action).await?;
    let stored = render::stored(lottery, agency, &written.reply)?;
    let leaf_index = stored.leaf_index;
    let answer = Answer::created(written.position, stored);
    let answer = answer.at(format!("/v1/lotteries/{lottery}/receipts/{leaf_index}"));
    Ok(answer.replayed(written.replayed))
}

/// Close an agency
///
/// A second time changes nothing. With a fixed number, the last closing draws. Administrators only.
#[utoipa::path(post, path = "/v1/lotteries/{lottery}/agencies/{agency}/close", tag = "lotteries",
    params(
        ("lottery" = i64, Path, description = "Id"),
        ("agency" = u32, Path, description = "From 1")),
    responses((status = 200, body = AgencyClosed)))]
pub(super) async fn close(
    State(app): State<App>,
    caller: Caller,
    AgencyPath(lottery, agency): AgencyPath,
) -> Result<Answer<AgencyClosed>, Trouble> {
    caller.token()?;
    let lottery = lottery.id()?;
    let action = Action::CloseAgency {
        lottery,
        agency,
        current: false,
    };
    let written = app.write(&caller, action).await?;
    let Reply::AgencyClosed {
        changed,
        open_agencies,
        drawn,
    } = written.reply
    else {
        return Err(odd_reply(&written.reply));
    };
    let closed = AgencyClosed {
        lottery,
        agency,
        changed,
        open_agencies,
        drawn,
    };
    Ok(Answer::ok(written.position, closed).replayed(written.replayed))
}

/// Draw a lottery
///
/// With the official number (`external`) or the secret (`verifiable`), once all agencies have
/// closed. Administrators only.
#[utoipa::path(post, path = "/v1/lotteries/{lottery}/draw", tag = "lotteries",
    params(("lottery" = i64, Path, description = "Id")),
    request_body = NewDraw,
    responses((status = 200, body = DrawMade)))]
pub(super) async fn draw(
    State(app): State<App>,
    LotteryPath(lottery): LotteryPath,
    Input { caller, body }: Input<NewDraw>,
) -> Result<Answer<DrawMade>, Trouble> {
    let disclosure = disclosure(body)?;
    let lottery = lottery.id()?;
    let action = Action::DrawLottery {
        lottery,
        disclosure,
    };
    let written = app.write(&caller, action).await?;
    let Reply::Drawn { number, winners } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let made = DrawMade {
        lottery,
        number,
        winners,
    };
    Ok(Answer::ok(written.position, made).replayed(written.replayed))
}

fn disclosure(draw: NewDraw) -> Result<Disclosure, Trouble> {
    match (draw.number, draw.secret, draw.source_value) {
        (Some(number), None, None) => Ok(Disclosure::Number(number)),
        (None, Some(secret), source_value) => Ok(Disclosure::Secret {
            secret: secret.0,
            source_value,
        }),
        _ => Err(Trouble::field(
            "number",
            "give the number, or the secret (with the source's value if a source was named)",
        )),
    }
}

/// The winners of an agency
///
/// Their documents in the order of the bets, at most 4,096 in a page.
#[utoipa::path(get, path = "/v1/lotteries/{lottery}/agencies/{agency}/winners", tag = "lotteries",
    params(
        ("lottery" = String, Path, description = "Id or `current`"),
        ("agency" = u32, Path, description = "From 1"),
        ("after" = Option<i64>, Query, description = "Leave out so many, of earlier pages")),
    responses((status = 200, body = Winners)))]
pub(super) async fn winners(
    State(app): State<App>,
    caller: Caller,
    AgencyPath(lottery, agency): AgencyPath,
    query: Pairs,
) -> Result<Answer<Winners>, Trouble> {
    caller.token()?;
    let after = query.only(&["after"])?.number("after", 0..=i64::MAX)?;
    let lottery = lottery_id(&app, &caller, lottery).await?;
    let question = move |_: &Member| lottery::Winners {
        lottery,
        agency,
        after: after.unwrap_or(0),
    };
    let Served {
        value: (_, answer),
        position,
    } = app.ask(&caller, question).await?;
    let page = match answer {
        WinnersAnswer::Page(page) => page,
        WinnersAnswer::NoLottery => return Err(Trouble::missing("lottery", lottery)),
        WinnersAnswer::NoAgency => return Err(Trouble::missing("agency", agency)),
        WinnersAnswer::NotReady { open_agencies } => {
            let detail =
                format!("it has not been drawn yet; agencies that are still open: {open_agencies}");
            return Err(Trouble::new(Kind::NotDrawn, detail));
        }
    };
    let winners = Winners {
        lottery,
        agency,
        number: page.number,
        winners: page.total,
        documents: page.documents,
        next: page.next,
    };
    Ok(Answer::ok(position, winners))
}

/// The record of a lottery
///
/// A page of all that is needed to recompute the draw. The bets themselves, which are personal
/// data, are for administrators; without them the leaves lead to the root and to the number.
#[utoipa::path(get, path = "/v1/lotteries/{lottery}/record", tag = "lotteries",
    params(
        ("lottery" = String, Path, description = "Id or `current`"),
        ("from" = Option<i64>, Query, description = "The leaf to start at, from 0"),
        ("limit" = Option<i64>, Query, description = "1 to 256 batches; 256 if absent"),
        ("bets" = Option<bool>, Query, description = "`true`: with the bets (administrators)")),
    responses((status = 200, body = Record)))]
pub(super) async fn record(
    State(app): State<App>,
    caller: Caller,
    LotteryPath(lottery): LotteryPath,
    query: Pairs,
) -> Result<Answer<Record>, Trouble> {
    caller.token()?;
    let query = query.only(&["from", "limit", "bets"])?;
    let from_leaf = query.number("from", 0..=i64::MAX)?.unwrap_or(0);
    let limit = query.number("limit", 1..=RECORD_PAGE_MAX)?;
    let limit = limit.unwrap_or(RECORD_PAGE_MAX) as u32;
    let bets = query.flag("bets")?;
    let lottery = lottery_id(&app, &caller, lottery).await?;
    let question = move |me: &Member| lottery::Record {
        lottery,
        from_leaf,
        limit,
        with_bets: bets && me.administrator,
    };
    let Served {
        value: (me, page),
        position,
    } = app.ask(&caller, question).await?;
    if bets && !me.administrator {
        return Err(forbidden_to_members());
    }
    let page = page.ok_or_else(|| Trouble::missing("lottery", lottery))?;
    Ok(Answer::ok(position, render::record(page)))
}

/// The receipt of a batch
///
/// With the proof that the batch is in the lottery's Merkle tree.
#[utoipa::path(get, path = "/v1/lotteries/{lottery}/receipts/{leaf}", tag = "lotteries",
    params(
        ("lottery" = String, Path, description = "Id or `current`"),
        ("leaf" = i64, Path, description = "Index of the leaf, from 0")),
    responses((status = 200, body = Receipt)))]
pub(super) async fn receipt(
    State(app): State<App>,
    caller: Caller,
    LeafPath(lottery, leaf_index): LeafPath,
) -> Result<Answer<Receipt>, Trouble> {
    let lottery = lottery_id(&app, &caller, lottery).await?;
    let question = move |_: &Member| GetReceipt {
        lottery,
        leaf_index,
    };
    let Served {
        value: (_, receipt),
        position,
    } = app.ask(&caller, question).await?;
    let receipt = receipt.ok_or_else(|| Trouble::missing("receipt", leaf_index))?;
    Ok(Answer::ok(position, render::receipt(lottery, receipt)))
}
