//! Takes ballots from the lists of polls that have one: see [`domain::polls::lists`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::polls::lists::{Fed, ITEMS_MAX, ListBallot, ListFed, ListItem};
use domain::store::{Answer, Read, StoreReply};
use domain::{Action, Actor, Proposal, Reply};
use engine::{Consistency, Engine, Served};
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::app::{App, now_ms};

/// Between two looks at the lists: a person sees no difference.
const ROUND: Duration = Duration::from_millis(50);

/// The longest time between two looks at a list in which nothing comes: still within what a
/// person takes for at once, and an eighth of the readings.
const IDLE_MAX: Duration = Duration::from_millis(400);

/// How often a node that does not lead looks whether it does.
const AWAY_ROUND: Duration = Duration::from_millis(250);

/// Between two looks for polls with a list.
const POLLS_ROUND: Duration = Duration::from_millis(500);

/// Bytes of the items of one command, a first one larger than that excepted.
const ITEMS_MAX_BYTES: usize = 128 * 1024;

/// Has the leader count what is in the lists of polls, until the node stops.
pub(crate) async fn feed(app: App, stopping: CancellationToken) {
    let mut feeder = Feeder::default();
    let mut pause = ROUND;
    while stopping
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        let status = app.engine.status();
        let leads = status.leader.as_deref() == Some(&*status.node);
        pause = match leads {
            false => AWAY_ROUND,
            true if feeder.round(&app.engine).await => Duration::ZERO,
            true => ROUND,
        };
    }
}

/// The polls that have lists, as they were a moment ago.
#[derive(Default)]
struct Feeder {
    polls: Vec<Fed>,
    looked: Option<Instant>,
    /// Polls in whose lists there was nothing, or from which nothing could be taken.
    idle: Idle,
    /// The log index of the newest command that took something.
    seen: u64,
}

impl Feeder {
    /// Takes a command's worth from each list, so that none keeps the others waiting. True if
    /// there may be more.
    async fn round(&mut self, engine: &Engine) -> bool {
        if self
            .looked
            .is_none_or(|looked| looked.elapsed() > POLLS_ROUND)
        {
            let Ok(found) = engine.read(Consistency::Stale, ListFed).await else {
                return false;
            };
            self.polls = found.value;
            self.looked = Some(Instant::now());
            self.idle.keep_only(&self.polls);
        }
        let (now_ms, mut more) = (now_ms(), false);
        for poll in self.polls.iter().filter(|poll| poll.opens_at_ms <= now_ms) {
            if self.idle.rests(poll.poll, Instant::now()) {
                continue;
            }
            match count_some(engine, poll, &mut self.seen).await {
                true => {
                    self.idle.wake(poll.poll);
                    more = true;
                }
                false => self.idle.rest(poll.poll, Instant::now()),
            }
        }
        more
    }
}

/// Polls that have nothing to count, and when each is looked at again: the longer nothing comes,
/// the later.
#[derive(Default)]
struct Idle(BTreeMap<i64, Rest>);

struct Rest {
    until: Instant,
    length: Duration,
}

impl Idle {
    fn rests(&self, poll: i64, now: Instant) -> bool {
        self.0.get(&poll).is_some_and(|rest| now < rest.until)
    }

    fn rest(&mut self, poll: i64, now: Instant) {
        let before = self.0.get(&poll).map_or(Duration::ZERO, |rest| rest.length);
        let length = (before * 2).clamp(ROUND, IDLE_MAX);
        // A little less, for a round may come a little early.
        let until = now + length - ROUND / 2;
        self.0.insert(poll, Rest { until, length });
    }

    fn wake(&mut self, poll: i64) {
        self.0.remove(&poll);
    }

    fn keep_only(&mut self, polls: &[Fed]) {
        self.0
            .retain(|id, _| polls.iter().any(|poll| poll.poll == *id));
    }
}

/// Counts what is at the head of a poll's list. True if something was taken, and more may be there.
async fn count_some(engine: &Engine, poll: &Fed, seen: &mut u64) -> bool {
    let Some(items) = heads(engine, poll, *seen).await else {
        return false;
    };
    let count = items.len();
    let proposal = Proposal {
        actor: Actor::System,
        // Without an id: whatever became of a first try, a second one takes what is there.
        request: None,
        action: Action::CountList {
            poll: poll.poll,
            items,
        },
    };
    let taken = match engine.write(proposal).await {
        Ok(Served { value, position }) => {
            *seen = position.index.max(*seen);
            match value.result {
                Ok(Reply::ListCounted { counted, refused }) => {
                    tell(poll, refused);
                    counted as usize + refused as usize
                }
                Ok(_) => 0,
                Err(rejection) => {
                    tracing::debug!(poll = poll.poll, ?rejection, "a list is not counted");
                    0
                }
            }
        }
        Err(error) => {
            tracing::debug!(%error, poll = poll.poll, "a list cannot be counted now");
            0
        }
    };
    // Where somebody else took from it, or it is not the time, the next round looks again.
    taken == count
}

fn tell(poll: &Fed, refused: u32) {
    if refused > 0 {
        let list = &poll.list;
        tracing::warn!(
            poll = poll.poll,
            list,
            refused,
            "items of a list are no ballots"
        );
    }
}

/// What is at the head of a list; `None` if it is empty.
async fn heads(engine: &Engine, poll: &Fed, seen: u64) -> Option<Vec<ListItem>> {
    let key = Bytes::copy_from_slice(poll.list.as_bytes());
    let range = |stop| Read::ListRange {
        key: key.clone(),
        start: 0,
        stop,
    };
    let length = Read::ListLength { key: key.clone() };
    match read(engine, seen, length).await? {
        Ok(StoreReply::Integer(1..)) => {}
        _ => return None,
    }
    let found = match read(engine, seen, range(ITEMS_MAX as i64 - 1)).await? {
        Ok(StoreReply::Values(found)) => found,
        // All together they are too large.
        _ => match read(engine, seen, range(0)).await? {
            Ok(StoreReply::Values(found)) => found,
            _ => return None,
        },
    };
    let mut bytes = 0;
    let fits = |item: &Bytes| {
        let first = bytes == 0;
        bytes += item.len().max(1);
        first || bytes <= ITEMS_MAX_BYTES
    };
    let items = found.into_iter().flatten().take_while(fits);
    let items: Vec<ListItem> = items
        .map(|item| ListItem {
            ballot: ballot(&item, &poll.options),
            item,
        })
        .collect();
    (!items.is_empty()).then_some(items)
}

async fn read(engine: &Engine, seen: u64, read: Read) -> Option<Answer> {
    let reads = vec![read];
    let answers = engine.store(Consistency::Session(seen), reads).await.ok()?;
    answers.value.into_iter().next()
}

/// An item as voting front ends write it.
#[derive(Deserialize)]
struct Item {
    voter_id: Value,
    vote: Value,
}

/// The ballot that an item is, if it is one.
fn ballot(item: &[u8], options: &[String]) -> Option<ListBallot> {
    let Item { voter_id, vote } = serde_json::from_slice(item).ok()?;
    let voter = match voter_id {
        Value::String(name) if !name.is_empty() => name,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let choice = match vote {
        Value::Null => None,
        Value::String(text) => Some(option(&text, options)?),
        Value::Number(number) => Some(numbered(number.as_u64()?, options)?),
        _ => return None,
    };
    // Unlike the hash of any browser's cookie.
    let voter = blake3::derive_key("consorcio 2026 a voter of a list", voter.as_bytes());
    Some(ListBallot { voter, choice })
}

/// The number of an option: of its text, or of its letter or number in the order of the options.
fn option(text: &str, options: &[String]) -> Option<u32> {
    if let Some(place) = options.iter().position(|option| option == text) {
        return numbered(place as u64 + 1, options);
    }
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            let place = letter.to_ascii_lowercase() - b'a';
            numbered(u64::from(place) + 1, options)
        }
        _ => numbered(text.parse().ok()?, options),
    }
}

fn numbered(number: u64, options: &[String]) -> Option<u32> {
    let fits = (1..=options.len() as u64).contains(&number);
    fits.then(|| u32::try_from(number).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_nothing_looks_less_and_less_often() {
        let (mut idle, mut now) = (Idle::default(), Instant::now());
        let begun = now;
        let mut looks = 0;
        while now - begun < Duration::from_secs(8) {
            if !idle.rests(1, now) {
                looks += 1;
                idle.rest(1, now);
            }
            now += ROUND;
        }
        assert!((20..=25).contains(&looks), "{looks}");
        assert!(!idle.rests(2, now), "others are looked at");
        idle.rest(1, now);
        idle.wake(1);
        assert!(!idle.rests(1, now));
        idle.rest(1, now);
        assert!(!idle.rests(1, now + ROUND), "it begins anew");
    }

    #[test]
    fn items_are_understood_or_refused() {
        let options = ["Gatos".to_owned(), "Perros".to_owned(), "a b".to_owned()];
        let choice = |item: &str| ballot(item.as_bytes(), &options).map(|found| found.choice);
        for (item, expected) in [
            (r#"{"voter_id": "ana", "vote": "a"}"#, Some(Some(1))),
            (r#"{"vote":"B","voter_id":7,"at":"noon"}"#, Some(Some(2))),
            (r#"{"voter_id": "ana", "vote": "Perros"}"#, Some(Some(2))),
            (r#"{"voter_id": "ana", "vote": "a b"}"#, Some(Some(3))),
            (r#"{"voter_id": "ana", "vote": 3}"#, Some(Some(3))),
            (r#"{"voter_id": "ana", "vote": "3"}"#, Some(Some(3))),
            (r#"{"voter_id": "ana", "vote": null}"#, Some(None)),
            (r#"{"voter_id": "ana", "vote": "d"}"#, None),
            (r#"{"voter_id": "ana", "vote": 0}"#, None),
            (r#"{"voter_id": "ana", "vote": 1.5}"#, None),
            (r#"{"voter_id": "ana", "vote": "perros"}"#, None),
            (r#"{"voter_id": "", "vote": "a"}"#, None),
            (r#"{"voter_id": null, "vote": "a"}"#, None),
            (r#"{"vote": "a"}"#, None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(choice(item), expected, "{item}");
        }
        let voter = |item: &str| ballot(item.as_bytes(), &options).map(|found| found.voter);
        let same = voter(r#"{"voter_id": "7", "vote": "a"}"#);
        assert_eq!(same, voter(r#"{"voter_id": 7, "vote": "b"}"#));
        assert_ne!(same, voter(r#"{"voter_id": "8", "vote": "a"}"#));
    }
}
