//! The load of a drill: one writer for each service, each write after the one before, so that the
//! order of what was acknowledged is known.

use std::time::{Duration, Instant};

use api::types::{Bet, CastBallot, NewArea, NewBets, NewLottery, NewPoll, NewPost, PollVoters};
use api::{Client, Error};
use bytes::Bytes;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::ledger::{Entry, Fate, Ledger};
use crate::failure::Outcome;

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Posts,
    Ballots,
    Bets,
    Keys,
    Journal,
}

impl Service {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Service::Posts => "posts",
            Service::Ballots => "ballots",
            Service::Bets => "bets",
            Service::Keys => "keys",
            Service::Journal => "journal",
        }
    }
}

/// Where the writes of a drill go: made for it, and told apart from everything else by a tag.
#[derive(Clone, Debug)]
pub struct Places {
    pub tag: String,
    pub area: String,
    pub poll: i64,
    /// None if a lottery was open: a new one would take its place as the current one.
    pub lottery: Option<String>,
}

impl Places {
    /// Makes them.
    pub async fn make(client: &Client, tag: &str) -> Outcome<Self> {
        let area = client
            .add_area(&NewArea {
                name: format!("Simulacro {tag}"),
                description: "Lo escribe un simulacro de fallos; se puede borrar.".to_owned(),
            })
            .await?;
        let poll = client.create_poll(&poll(tag)).await?;
        let current = client.lotteries(None).await?.lotteries.into_iter().next();
        let is_open = current.is_some_and(|lottery| lottery.draw.is_none());
        let lottery = match is_open {
            true => None,
            false => {
                let new = NewLottery {
                    name: format!("Simulacro {tag}"),
                    agencies: 1,
                    rule: None,
                    commitment: None,
                    source: None,
                };
                Some(client.open_lottery(&new).await?.id.to_string())
            }
        };
        Ok(Places {
            tag: tag.to_owned(),
            area: area.id.to_string(),
            poll: poll.id,
            lottery,
        })
    }

    /// The services that the drill uses.
    pub fn services(&self) -> Vec<Service> {
        let mut services = vec![Service::Posts, Service::Ballots];
        if self.lottery.is_some() {
            services.push(Service::Bets);
        }
        services.extend([Service::Keys, Service::Journal]);
        services
    }

    /// The key of a write.
    pub fn key(&self, number: u32) -> String {
        format!("drill:{}:{number}", self.tag)
    }

    /// The journal.
    pub fn journal(&self) -> String {
        format!("drill:{}", self.tag)
    }

    /// The code of a ballot: by it the ballot is found in the poll's record.
    pub fn code(&self, number: u32) -> String {
        format!("drill-{}-ballot-{number:08}", self.tag)
    }

    async fn write(&self, client: &Client, service: Service, number: u32) -> Result<(), Error> {
        match service {
            Service::Posts => {
                let post = NewPost {
                    title: number.to_string(),
                    text: format!("Entrada {number} del simulacro {}.", self.tag),
                };
                client.publish(&self.area, &post).await.map(drop)
            }
            Service::Ballots => {
                let ballot = CastBallot {
                    choice: Some(1 + i64::from(number % 2)),
                    blank: None,
                    code: self.code(number),
                    voter: Some(format!("drill-{}-voter-{number:08}", self.tag)),
                };
                client
                    .without_token()
                    .vote(self.poll, &ballot)
                    .await
                    .map(drop)
            }
            Service::Bets => {
                let lottery = self.lottery.as_deref().unwrap_or_default();
                client.store_bets(lottery, &bet(number)).await.map(drop)
            }
            Service::Keys => {
                let value = Bytes::from(number.to_string());
                client
                    .put_key(self.key(number).as_bytes(), value)
                    .await
                    .map(drop)
            }
            Service::Journal => {
                let data = Bytes::from(number.to_string());
                client
                    .append(self.journal().as_bytes(), data)
                    .await
                    .map(drop)
            }
        }
    }
}

fn poll(tag: &str) -> NewPoll {
    NewPoll {
        question: format!("Simulacro {tag}"),
        options: vec!["Sí".to_owned(), "No".to_owned()],
        voters: PollVoters::Anyone,
        list: vec![],
        live: true,
        open_ballot: false,
        opens_at: None,
        closes_at: None,
        quorum: None,
        quorum_percent: None,
        majority: Default::default(),
        from_list: None,
    }
}

fn bet(number: u32) -> NewBets {
    NewBets {
        agency: 1,
        bets: vec![Bet {
            first_name: "Simulacro".to_owned(),
            last_name: "De Fallos".to_owned(),
            document: number.to_string(),
            birthdate: "2000-01-01".to_owned(),
            number: u16::try_from(number % 10_000).unwrap_or_default(),
        }],
    }
}

/// Writes at a pace until it is told to stop; what is under way then comes to its end.
pub async fn drive(
    client: Client,
    places: Places,
    service: Service,
    (start, period): (Instant, Duration),
    stop: CancellationToken,
) -> Ledger {
    let mut ledger = Ledger::default();
    let mut ticks = tokio::time::interval(period);
    // Whoever was kept waiting does not shout afterwards.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 1.. {
        let go_on = stop.run_until_cancelled(ticks.tick()).await;
        if go_on.is_none() {
            break;
        }
        let asked_ms = since(start);
        let fate = match places.write(&client, service, number).await {
            Ok(()) => Fate::Acknowledged,
            Err(Error::OutcomeUnknown { .. } | Error::Unintelligible { .. }) => Fate::Unknown,
            Err(_) => Fate::Refused,
        };
        let answered_ms = since(start);
        ledger.entries.push(Entry {
            number,
            asked_ms,
            answered_ms,
            fate,
        });
    }
    ledger
}

/// Milliseconds from the start of the load.
pub fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
