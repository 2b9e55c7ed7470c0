//! Visits: counters that anybody may count up by looking.

use domain::store::{Answer, Executed, Operation, Read, StoreReply, Write};
use domain::{Action, Actor, Proposal, Reply};
use engine::{Consistency, Position, Served};

use super::{App, odd_reply};
use crate::problem::{Kind, Trouble};

/// The hash that holds the counters: `HGETALL consorcio:hits` shows them all to a Redis client.
const HASH: &[u8] = b"consorcio:hits";

/// Counters that there may be. Anybody can begin one, and nobody takes them away.
const COUNTERS_MAX: i64 = 1_000;

/// A counter's name has at most this many bytes.
const NAME_MAX_BYTES: usize = 64;

/// A counter as a visit made it, or found it.
pub(crate) struct Seen {
    /// Visits, this one included if it counts.
    pub times: i64,
    pub position: Position,
}

impl App {
    /// Counts a visit; the number is the one that this visit made it.
    pub async fn count_visit(&self, name: &str) -> Result<Seen, Trouble> {
        check(name)?;
        self.check_room(name).await?;
        let add = Write::HashAdd {
            key: HASH.into(),
            field: name.to_owned().into(),
            by: 1,
        };
        let proposal = Proposal {
            actor: Actor::Anonymous,
            request: None,
            action: Action::Store {
                conditions: Vec::new(),
                operations: vec![Operation::Write(add)],
            },
        };
        let Served { value, position } = self.engine.write(proposal).await?;
        let reply = value.result?;
        match &reply {
            Reply::Store(Executed::Done { results, .. }) => Ok(Seen {
                times: number(results.first())?,
                position,
            }),
            _ => Err(odd_reply(&reply)),
        }
    }

    /// A counter without counting.
    pub async fn visits(&self, name: &str) -> Result<Seen, Trouble> {
        check(name)?;
        let (found, _, position) = self.look_up(name).await?;
        let times = match &found {
            Ok(StoreReply::Bytes(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let times = times.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Seen { times, position })
    }

    /// A new counter needs room. Two that are begun at once may both find it.
    async fn check_room(&self, name: &str) -> Result<(), Trouble> {
        let (found, count, _) = self.look_up(name).await?;
        if found == Ok(StoreReply::Nil) && number(Some(&count))? >= COUNTERS_MAX {
            let detail = format!("there are {COUNTERS_MAX} counters of visits already");
            return Err(Trouble::new(Kind::LimitReached, detail));
        }
        Ok(())
    }

    /// A counter as this node knows it, and how many there are.
    async fn look_up(&self, name: &str) -> Result<(Answer, Answer, Position), Trouble> {
        let reads = vec![
            Read::HashGet {
                key: HASH.into(),
                field: name.to_owned().into(),
            },
            Read::HashLength { key: HASH.into() },
        ];
        let Served { value, position } = self.engine.store(Consistency::Session(0), reads).await?;
        let answers: Result<[Answer; 2], _> = value.try_into();
        let [found, count] = answers.map_err(|_| Trouble::internal("two reads, other answers"))?;
        Ok((found, count, position))
    }
}

fn number(answer: Option<&Answer>) -> Result<i64, Trouble> {
    match answer {
        Some(Ok(StoreReply::Integer(number))) => Ok(*number),
        // Somebody has written something else there.
        Some(Err(error)) => {
            let reason = format!("visits are counted in the hash consorcio:hits: {error}");
            Err(Trouble::field("name", reason))
        }
        other => Err(Trouble::internal(format_args!(
            "visits are counted as {other:?}"
        ))),
    }
}

fn check(name: &str) -> Result<(), Trouble> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let reason =
        format!("a counter's name is 1 to {NAME_MAX_BYTES} letters, digits, '-', '_', '.'");
    Err(Trouble::field("name", reason))
}
