//! Lotteries. A reading names the lottery by its id or as `current`; a change by its id alone, so
//! that its repetition never means another one that was opened meanwhile.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{
    AgencyClosed, BetsStored, DrawMade, Lotteries, LotteryMade, LotteryShown, NewBets, NewDraw,
    NewLottery, Receipt, Record, Winners,
};

impl Client {
    /// A page of the history, newest first; `before` is `next` of the page before.
    pub async fn lotteries(&self, before: Option<i64>) -> Result<Lotteries, Error> {
        let before = before.map(|id| id.to_string());
        let call = Call::get(&["v1", "lotteries"]).query("before", before.as_deref());
        self.fetch(call).await
    }

    /// One lottery with its agencies.
    pub async fn lottery(&self, lottery: &str) -> Result<LotteryShown, Error> {
        self.fetch(Call::get(&["v1", "lotteries", lottery])).await
    }

    /// Opens a lottery, which becomes the current one (administrators only).
    pub async fn open_lottery(&self, lottery: &NewLottery) -> Result<LotteryMade, Error> {
        let call = Call::change(Method::POST, &["v1", "lotteries"]).json(lottery)?;
        self.fetch(call).await
    }

    /// Stores a batch of bets, all or none (administrators only).
    pub async fn store_bets(&self, lottery: &str, bets: &NewBets) -> Result<BetsStored, Error> {
        let call = Call::change(Method::POST, &["v1", "lotteries", lottery, "bets"]);
        self.fetch(call.json(bets)?).await
    }

    /// Closes an agency (administrators only).
    pub async fn close_agency(&self, lottery: &str, agency: u32) -> Result<AgencyClosed, Error> {
        let agency = agency.to_string();
        let segments = ["v1", "lotteries", lottery, "agencies", &agency, "close"];
        self.fetch(Call::change(Method::POST, &segments)).await
    }

    /// Draws a lottery (administrators only).
    pub async fn draw_lottery(&self, lottery: &str, draw: &NewDraw) -> Result<DrawMade, Error> {
        let call = Call::change(Method::POST, &["v1", "lotteries", lottery, "draw"]);
        self.fetch(call.json(draw)?).await
    }

    /// A page of an agency's winners; `after` is `next` of the page before.
    pub async fn winners(
        &self,
        lottery: &str,
        agency: u32,
        after: Option<i64>,
    ) -> Result<Winners, Error> {
        let agency = agency.to_string();
        let after = after.map(|count| count.to_string());
        let segments = ["v1", "lotteries", lottery, "agencies", &agency, "winners"];
        let call = Call::get(&segments).query("after", after.as_deref());
        self.fetch(call).await
    }

    /// A page of a lottery's record; `from` is `next` of the page before. The bets themselves are
    /// for administrators.
    pub async fn lottery_record(
        &self,
        lottery: &str,
        from: Option<i64>,
        with_bets: bool,
    ) -> Result<Record, Error> {
        let from = from.map(|leaf| leaf.to_string());
        let call = Call::get(&["v1", "lotteries", lottery, "record"])
            .query("from", from.as_deref())
            .query("bets", with_bets.then_some("true"));
        self.fetch(call).await
    }

    /// The receipt of a batch, by its leaf, with the proof that it is in the tree.
    pub async fn lottery_receipt(&self, lottery: &str, leaf: i64) -> Result<Receipt, Error> {
        let leaf = leaf.to_string();
        let segments = ["v1", "lotteries", lottery, "receipts", &leaf];
        self.fetch(Call::get(&segments)).await
    }
}
