//! Agencies with their packets ready, so that nothing but the lottery is measured.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use api::lottery_packets::{Answer, Bet, Request};

use crate::agency::{Connection, sample};
use crate::interrupt;

/// The number that is drawn unless another is asked for.
const DRAWN: u16 = 7574;

/// The same bets in every run.
const SEED: u64 = 1;

/// Between two questions for winners: little against what is measured, and little load.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// The longest wait for the node to know the lottery, or for the draw.
const AT_MOST: Duration = Duration::from_secs(60);

/// All of them.
pub struct Agencies(Vec<Agency>);

/// One agency, with all that it will send.
struct Agency {
    number: u32,
    bets: u64,
    batches: Vec<Vec<u8>>,
    close: Vec<u8>,
    ask: Vec<u8>,
    winners: Vec<String>,
}

/// What a lottery took.
pub struct Figures {
    /// From the first packet to the last winner.
    pub all: Duration,
    /// From the last closing to the last winner.
    pub draw: Duration,
    /// Winning bets.
    pub winners: usize,
}

/// When an agency closed, and when it had its winners.
struct Times {
    closed: Instant,
    done: Instant,
}

impl Agencies {
    /// Invents bets and writes their packets.
    pub fn new(agencies: u32, bets: u64, batch: usize) -> anyhow::Result<Self> {
        let made = (1..=agencies).map(|number| {
            let share = bets / u64::from(agencies);
            let rest = u64::from(u64::from(number) <= bets % u64::from(agencies));
            Agency::new(number, share + rest, batch)
        });
        Ok(Agencies(made.collect::<Result<_, _>>()?))
    }

    pub fn bets(&self) -> u64 {
        self.0.iter().map(|agency| agency.bets).sum()
    }

    /// Waits until every node has heard of the lottery that was just opened.
    pub fn wait_for(&self, addresses: &[SocketAddr]) -> anyhow::Result<()> {
        let agency = self.0.first().context("there are agencies")?;
        for address in addresses {
            agency.until(*address, |answer| *answer == Answer::NotReady)?;
        }
        Ok(())
    }

    /// Runs all of them at once, and checks that each gets exactly its winners.
    pub fn run(&self, addresses: &[SocketAddr], keep: bool) -> anyhow::Result<Figures> {
        let start = Barrier::new(self.0.len() + 1);
        let (began, times) = thread::scope(|scope| {
            let place = |place: usize| addresses[place % addresses.len()];
            let threads = self.0.iter().enumerate().map(|(number, agency)| {
                let (address, start) = (place(number), &start);
                scope.spawn(move || {
                    start.wait();
                    agency.run(address, keep)
                })
            });
            let threads: Vec<_> = threads.collect();
            start.wait();
            let began = Instant::now();
            let ended = threads.into_iter().map(|thread| match thread.join() {
                Ok(times) => times,
                Err(_) => bail!("an agency's thread panicked"),
            });
            (began, ended.collect::<anyhow::Result<Vec<Times>>>())
        });
        let times = times?;
        let done = times.iter().map(|times| times.done).max().unwrap_or(began);
        let closed = times
            .iter()
            .map(|times| times.closed)
            .max()
            .unwrap_or(began);
        Ok(Figures {
            all: done - began,
            draw: done - closed,
            winners: self.0.iter().map(|agency| agency.winners.len()).sum(),
        })
    }
}

impl Agency {
    fn new(number: u32, bets: u64, size: usize) -> anyhow::Result<Self> {
        let mut agency = Agency {
            number,
            bets,
            batches: Vec::new(),
            close: packet(&Request::AgencyClose { agency: number })?,
            ask: packet(&Request::WinnersRequest { agency: number })?,
            winners: Vec::new(),
        };
        let mut bets = sample::bets(SEED, number, bets);
        loop {
            let fields: Vec<[String; 5]> = bets.by_ref().take(size).collect();
            if fields.is_empty() {
                return Ok(agency);
            }
            agency.add(&fields, size)?;
        }
    }

    fn add(&mut self, fields: &[[String; 5]], size: usize) -> anyhow::Result<()> {
        let bets = fields
            .iter()
            .map(|five| Bet::from_fields(five.each_ref().map(String::as_str)));
        let bets: Vec<Bet<'_>> = bets.collect::<Result<_, _>>()?;
        let winning = bets.iter().filter(|bet| bet.number == DRAWN);
        self.winners
            .extend(winning.map(|bet| bet.document.to_owned()));
        let agency = self.number;
        self.batches.push(match (size, bets.as_slice()) {
            (1, [bet]) => packet(&Request::StoreBet { agency, bet: *bet })?,
            _ => packet(&Request::StoreBatch { agency, bets })?,
        });
        Ok(())
    }

    fn run(&self, address: SocketAddr, keep: bool) -> anyhow::Result<Times> {
        let mut kept = keep.then(|| Connection::open(address)).transpose()?;
        for batch in &self.batches {
            let answer = match &mut kept {
                Some(connection) => connection.ask(batch)?,
                None => Connection::open(address)?.ask(batch)?,
            };
            ensure!(
                answer == Answer::Store { stored: true },
                "a batch was refused"
            );
        }
        let closed = Instant::now();
        Connection::open(address)?.send(&self.close)?;
        let winners = self.until(address, |answer| *answer != Answer::NotReady)?;
        let done = Instant::now();
        match winners {
            Answer::Winners(winners) if winners == self.winners => Ok(Times { closed, done }),
            other => bail!("agency {} was told {other:?}", self.number),
        }
    }

    /// Asks for winners until the answer is as wished.
    fn until(&self, address: SocketAddr, wish: impl Fn(&Answer) -> bool) -> anyhow::Result<Answer> {
        let until = Instant::now() + AT_MOST;
        loop {
            interrupt::check()?;
            let answer = Connection::open(address)?.ask(&self.ask)?;
            if wish(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < until, "the answer is still {answer:?}");
            thread::sleep(ASK_AGAIN);
        }
    }
}

fn packet(request: &Request<'_>) -> anyhow::Result<Vec<u8>> {
    let mut packet = Vec::new();
    request.render(&mut packet)?;
    Ok(packet)
}
