//! How a path names a lottery, one of its agencies, or a leaf of its tree.

use axum::extract::{FromRequestParts, Path};
use domain::accounts::Member;
use domain::lottery::CurrentLottery;
use http::request::Parts;

use crate::app::{App, Caller};
use crate::http::extract::bad_path;
use crate::problem::Trouble;

/// How a path names a lottery.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LotteryRef {
    /// By its id.
    Id(i64),
    /// `current`: the one that was opened last.
    Current,
}

/// `{lottery}`.
pub(crate) struct LotteryPath(pub LotteryRef);

/// `{lottery}/agencies/{agency}`.
pub(crate) struct AgencyPath(pub LotteryRef, pub u32);

/// `{lottery}/receipts/{leaf}`.
pub(super) struct LeafPath(pub LotteryRef, pub i64);

/// The id of the lottery that a reading means; the caller must be signed in.
pub(crate) async fn lottery_id(
    app: &App,
    caller: &Caller,
    lottery: LotteryRef,
) -> Result<i64, Trouble> {
    caller.token()?;
    match lottery {
        LotteryRef::Id(id) => Ok(id),
        LotteryRef::Current => {
            let current = app.ask(caller, |_: &Member| CurrentLottery).await?.value.1;
            let current = current.ok_or_else(|| Trouble::not_found("lottery"))?;
            Ok(current.id)
        }
    }
}

impl LotteryRef {
    /// The id, for a change: its repetition must not mean another lottery, opened meanwhile.
    pub(super) fn id(self) -> Result<i64, Trouble> {
        match self {
            LotteryRef::Id(id) => Ok(id),
            LotteryRef::Current => Err(Trouble::field(
                "lottery",
                "a change names the lottery by its id",
            )),
        }
    }
}

fn lottery_ref(text: &str) -> Result<LotteryRef, Trouble> {
    match text {
        "current" => Ok(LotteryRef::Current),
        _ => digits(text)
            .map(LotteryRef::Id)
            .ok_or_else(|| Trouble::missing_name("lottery", text)),
    }
}

/// A number written in digits alone.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl<S: Send + Sync> FromRequestParts<S> for LotteryPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(lottery) = path.map_err(bad_path)?;
        Ok(LotteryPath(lottery_ref(&lottery)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AgencyPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((lottery, agency)) = path.map_err(bad_path)?;
        let number = digits(&agency).ok_or_else(|| Trouble::missing_name("agency", &agency))?;
        Ok(AgencyPath(lottery_ref(&lottery)?, number))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for LeafPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((lottery, leaf)) = path.map_err(bad_path)?;
        let index = digits(&leaf).ok_or_else(|| Trouble::missing_name("receipt", &leaf))?;
        Ok(LeafPath(lottery_ref(&lottery)?, index))
    }
}
