//! Between the agencies and the engine: which lottery it is about, what is tried again, and what
//! became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::lottery_packets as packets;
use api::types::Hex32;
use domain::command::Thing;
use domain::event::Topic;
use domain::lottery::{CurrentLottery, CurrentWinners, Winners, WinnersAnswer};
use domain::{Action, Actor, Proposal, Query, Rejection, Reply, RequestId};
use engine::{Consistency, Engine, Missed, ReadError, Served, Watch, WriteError};
use tokio_util::sync::CancellationToken;

use super::{LotteryConfig, LotteryLimits};
use crate::door::Allowed;

/// Between two attempts while there is no leader or too much to do.
const RETRY: Duration = Duration::from_millis(50);

/// No lottery has this id.
pub(super) const NONE: i64 = 0;

/// Takes what agencies bring.
pub(super) struct Counter {
    engine: Engine,
    config: LotteryConfig,
    /// The lottery that was opened last as far as this node knows; [`NONE`] if none was.
    /// Events keep it. A node may lag, so the rules are told that the current one is meant.
    current: AtomicI64,
    /// The random part of this door's own request ids.
    door: String,
    /// How many of them there are.
    packets: AtomicU64,
}

/// Bets that are stored together or not at all.
pub(super) struct Batch<'a> {
    pub agency: u32,
    pub bets: &'a [packets::Bet<'a>],
    /// By what a repetition of it is known, if it is.
    pub once: Option<Once<'a>>,
}

/// A request id, under which bets are stored once, however often they are proposed.
#[derive(Clone, Copy)]
pub(super) enum Once<'a> {
    /// The agency's, and what it is about.
    Agency(&'a str, &'a [u8]),
    /// The door's own, for a packet without one: so the door can propose it to the next leader when
    /// the one before was lost with it. An agency that sends the packet again gets another.
    Door(u64),
}

/// What became of a change.
pub(super) enum Stored {
    /// It is durable; of bets, with their place in the lottery.
    Yes(Option<packets::Receipt>),
    /// It was not made and never will be.
    No(String),
    /// Nobody knows.
    Unknown(String),
}

/// What is known of an agency's winners.
pub(super) enum Asked {
    /// Their documents, in the order of their bets.
    Winners(Vec<String>),
    /// The number is not drawn yet.
    NotDrawn,
    /// There is no such lottery or agency.
    Nobody(String),
    /// More than a packet holds.
    TooMany {
        /// Where all of them are.
        list: String,
    },
    /// The node cannot say.
    Unknown(String),
}

impl Counter {
    /// `door` is unlike that of any other door that was ever opened.
    pub fn new(engine: Engine, config: LotteryConfig, door: [u8; 16]) -> Self {
        Counter {
            engine,
            config,
            current: AtomicI64::new(NONE),
            door: format!("{:032x}", u128::from_be_bytes(door)),
            packets: AtomicU64::new(0),
        }
    }

    /// A request id for a packet that has none. It costs every node a row, so the leader goes
    /// without: if it dies, its door and the agency's connection die with it.
    pub fn own_id(&self) -> Option<Once<'static>> {
        let leads = self.engine.is_leading();
        (!leads).then(|| Once::Door(self.packets.fetch_add(1, Ordering::Relaxed)))
    }

    pub fn allowed(&self) -> &Allowed {
        &self.config.allowed
    }

    pub fn limits(&self) -> &LotteryLimits {
        &self.config.limits
    }

    /// Keeps up with which lottery is current, and tells of draws, until the node stops.
    pub async fn follow(self: Arc<Self>, mut watch: Watch, stopping: CancellationToken) {
        self.refresh().await;
        loop {
            let next = tokio::select! {
                () = stopping.cancelled() => return,
                next = watch.next() => next,
            };
            match next {
                Ok(Some(event)) => self.hear(&event.topic),
                Ok(None) => return,
                Err(Missed) => self.refresh().await,
            }
        }
    }

    fn hear(&self, topic: &Topic) {
        match topic {
            Topic::LotteryOpened { lottery, .. } => self.advance(*lottery),
            Topic::LotteryDrawn {
                lottery,
                number,
                winners,
                ..
            } if self.config.lottery.is_none_or(|served| served == *lottery) => {
                tracing::info!(lottery, number, winners, "action: sorteo | result: success");
            }
            _ => {}
        }
    }

    /// Lotteries are numbered in the order in which they are opened, without gaps.
    fn advance(&self, newest: i64) {
        self.current.fetch_max(newest, Ordering::Relaxed);
    }

    fn current(&self) -> i64 {
        self.current.load(Ordering::Relaxed)
    }

    /// Reads which lottery is current as far as this node knows.
    async fn refresh(&self) {
        match self.engine.read(Consistency::Stale, CurrentLottery).await {
            Ok(Served { value, .. }) => self.advance(value.map_or(NONE, |lottery| lottery.id)),
            Err(ReadError::Stopping) => {}
            Err(error) => tracing::warn!(%error, "the current lottery cannot be read"),
        }
    }

    /// Asks the leader which lottery is current.
    async fn look_up(&self) -> Result<i64, ReadError> {
        let newest = self.ask(&CurrentLottery).await?;
        self.advance(newest.map_or(NONE, |lottery| lottery.id));
        Ok(self.current())
    }

    /// Reads linearizably, with patience while there is no leader.
    async fn ask<Q: Query + Clone>(&self, question: &Q) -> Result<Q::Answer, ReadError> {
        let until = Instant::now() + self.config.limits.patience;
        loop {
            let read = self
                .engine
                .read(Consistency::Linearizable, question.clone());
            match read.await {
                Ok(Served { value, .. }) => return Ok(value),
                Err(ReadError::Busy { .. } | ReadError::NoLeader) if Instant::now() < until => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Which lottery a connection means at first: the one that the settings name, if they do.
    pub fn named(&self) -> Option<i64> {
        self.config.lottery
    }

    /// The id of the lottery that is asked for, or of the current one; [`NONE`] if it is not there,
    /// or the settings name another.
    pub async fn find(&self, asked: Option<i64>) -> Result<i64, ReadError> {
        let newest = match self.look_up().await {
            // Nothing can be stored either, and that is what the agency is to be told.
            Err(ReadError::DiskFull) => self.current(),
            found => found?,
        };
        let id = asked.or(self.config.lottery).unwrap_or(newest);
        let is_served = self.config.lottery.is_none_or(|named| named == id);
        Ok(if is_served && id <= newest { id } else { NONE })
    }

    /// Stores bets in a lottery, or in the current one.
    pub async fn store(&self, meant: Option<i64>, batch: &Batch<'_>) -> Stored {
        let action = |lottery| Action::StoreBets {
            lottery,
            agency: batch.agency,
            current: meant.is_none(),
            bets: batch.bets.iter().map(owned).collect(),
        };
        let request = |lottery| {
            batch
                .once
                .map(|once| self.request_id(lottery, batch.agency, once))
        };
        let own = matches!(batch.once, Some(Once::Door(_)));
        self.change(meant, &action, &request, own).await
    }

    /// An agency's request id is its own, and that of one lottery: the same file may be sent to
    /// the next one.
    fn request_id(&self, lottery: i64, agency: u32, once: Once<'_>) -> RequestId {
        let mut fingerprint = [0; 16];
        let key = match once {
            Once::Agency(id, about) => {
                let hash = blake3::hash(about);
                fingerprint.copy_from_slice(&hash.as_bytes()[..16]);
                format!("lottery/{lottery}/{agency}/{id}")
            }
            Once::Door(number) => format!("door/{lottery}/{}/{number}", self.door),
        };
        RequestId { key, fingerprint }
    }

    /// Closes an agency. Closing twice is closing once, so an unknown outcome is tried again.
    pub async fn close(&self, meant: Option<i64>, agency: u32) -> Stored {
        let action = |lottery| Action::CloseAgency {
            lottery,
            agency,
            current: meant.is_none(),
        };
        let until = Instant::now() + self.config.limits.patience;
        loop {
            match self.change(meant, &action, &|_| None, false).await {
                Stored::Unknown(_) if Instant::now() < until => {}
                stored => return stored,
            }
        }
    }

    /// Has a change made of the lottery that is meant, or of the current one. When that is refused,
    /// or was made before, and another lottery has been opened meanwhile, it is meant for that one;
    /// but what was made before under an id of the door's own (`own`) was made by this very call.
    async fn change(
        &self,
        meant: Option<i64>,
        action: &(impl Fn(i64) -> Action + Sync),
        request: &(impl Fn(i64) -> Option<RequestId> + Sync),
        own: bool,
    ) -> Stored {
        let mut lottery = meant.unwrap_or_else(|| self.current());
        // A refusal under a request id is remembered, so nothing is proposed before there is one.
        if lottery == NONE || lottery > self.current() {
            match self.look_up().await {
                Ok(newest) if newest == NONE || lottery > newest => {
                    return Stored::No("no such lottery is open".to_owned());
                }
                Ok(newest) => lottery = meant.unwrap_or(newest),
                Err(error) => return Stored::No(error.to_string()),
            }
        }
        loop {
            let proposal = || Proposal {
                actor: Actor::System,
                request: request(lottery),
                action: action(lottery),
            };
            let stored = match self.propose(proposal).await {
                // A repetition may be of what the lottery before was sent.
                Ok(Ok((reply, true))) if !own => Stored::Yes(receipt(lottery, &reply)),
                Ok(Ok((reply, _))) => return Stored::Yes(receipt(lottery, &reply)),
                Ok(Err(rejection)) if is_over(&rejection) => Stored::No(reason(&rejection)),
                Ok(Err(rejection)) => return Stored::No(reason(&rejection)),
                Err(stored) => return stored,
            };
            if meant.is_some() {
                return stored;
            }
            match self.look_up().await {
                Ok(current) if current == lottery => return stored,
                Ok(current) => lottery = current,
                // Whether that was meant for another lottery is not known.
                Err(error) => return Stored::Unknown(error.to_string()),
            }
        }
    }

    /// Has a proposal applied, with patience while nothing of it is done. Answers the reply and
    /// whether the proposal had been applied before.
    async fn propose(
        &self,
        proposal: impl Fn() -> Proposal + Sync,
    ) -> Result<Result<(Reply, bool), Rejection>, Stored> {
        let until = Instant::now() + self.config.limits.patience;
        let mut doubtful = false;
        loop {
            let proposal = proposal();
            let repeatable = proposal.request.is_some();
            let error = match self.engine.write(proposal).await {
                Ok(Served { value, .. }) => {
                    return Ok(value.result.map(|reply| (reply, value.replayed)));
                }
                Err(error) => error,
            };
            let again = match error {
                WriteError::Busy { .. } | WriteError::NoLeader => true,
                WriteError::OutcomeUnknown => {
                    doubtful = true;
                    repeatable
                }
                WriteError::DiskFull
                | WriteError::Stopping
                | WriteError::Outvoted
                | WriteError::Removed
                | WriteError::CannotGoOn
                | WriteError::TooLarge { .. } => false,
            };
            if !again || Instant::now() > until {
                let why = error.to_string();
                return Err(if doubtful {
                    Stored::Unknown(why)
                } else {
                    Stored::No(why)
                });
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Who has won of an agency's.
    pub async fn winners(&self, meant: Option<i64>, agency: u32) -> Asked {
        let answer = match meant {
            Some(lottery) => {
                let question = Winners {
                    lottery,
                    agency,
                    after: 0,
                };
                let answer = self.ask(&question).await;
                answer.map(|answer| (lottery, answer))
            }
            None => {
                let answer = self.ask(&CurrentWinners { agency }).await;
                answer.map(|answer| answer.unwrap_or((NONE, WinnersAnswer::NoLottery)))
            }
        };
        match answer {
            Ok((lottery, answer)) => asked(answer, lottery, agency),
            Err(error) => Asked::Unknown(error.to_string()),
        }
    }
}

fn asked(answer: WinnersAnswer, lottery: i64, agency: u32) -> Asked {
    match answer {
        WinnersAnswer::NoLottery => Asked::Nobody("there is no such lottery".to_owned()),
        WinnersAnswer::NoAgency => Asked::Nobody("the lottery has no such agency".to_owned()),
        WinnersAnswer::NotReady { .. } => Asked::NotDrawn,
        WinnersAnswer::Page(page) if page.next.is_none() && fits(&page.documents) => {
            Asked::Winners(page.documents)
        }
        WinnersAnswer::Page(_) => Asked::TooMany {
            list: format!("/v1/lotteries/{lottery}/agencies/{agency}/winners"),
        },
    }
}

/// Whether an answer with these documents is a packet.
fn fits(documents: &[String]) -> bool {
    let bytes: usize = documents.iter().map(|document| document.len() + 1).sum();
    "WinnersResponse:".len() + bytes.saturating_sub(1) <= packets::BODY_MAX_BYTES
}

fn receipt(lottery: i64, reply: &Reply) -> Option<packets::Receipt> {
    match *reply {
        Reply::BetsStored {
            first,
            leaf_index,
            leaf,
            ..
        } => Some(packets::Receipt {
            lottery,
            first,
            leaf_index,
            leaf: Hex32(leaf),
        }),
        _ => None,
    }
}

fn owned(bet: &packets::Bet<'_>) -> domain::lottery::Bet {
    domain::lottery::Bet {
        first_name: bet.first_name.to_owned(),
        last_name: bet.last_name.to_owned(),
        document: bet.document.to_owned(),
        birthdate: bet.birthdate.to_owned(),
        number: bet.number,
    }
}

/// The lottery takes nothing more, or there is none: perhaps another was opened.
fn is_over(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::AgencyClosed
            | Rejection::AlreadyDrawn { .. }
            | Rejection::NotFound(Thing::Lottery | Thing::Agency)
    )
}

fn reason(rejection: &Rejection) -> String {
    match rejection {
        Rejection::AgencyClosed => "the agency has closed".to_owned(),
        Rejection::NotFound(Thing::Agency) => "the lottery has no such agency".to_owned(),
        Rejection::NotFound(Thing::Lottery) => "there is no such lottery".to_owned(),
        Rejection::RequestConflict => "the request id was used with other bets".to_owned(),
        Rejection::Invalid { field, reason } => format!("{field}: {reason}"),
        other => format!("{other:?}"),
    }
}
