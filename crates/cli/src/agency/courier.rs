//! Brings packets to whichever node takes them, as often as it needs.

use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use api::lottery_packets::{Answer, Request};
use tracing::warn;

use super::connection::Connection;
use super::settings::Settings;
use crate::failure::Failure;
use crate::interrupt;

/// A batch that is refused this often at once is refused for good. Before that it may be that the
/// lottery is opened only now: a refusal says that nothing was stored.
const REFUSALS_MAX: u32 = 5;

/// A refusal that comes later than this is not the lottery's but that of a node that waited for a
/// leader, and waiting goes on.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A node that takes the question for the winners and closes without an answer this often has more
/// of them than fit a packet.
const SILENCES_MAX: u32 = 10;

/// Why there is no answer.
pub enum Ended {
    /// The agency was told to stop.
    Told,
    /// There will be none.
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

/// Asks nodes in turn.
pub struct Courier {
    servers: Vec<String>,
    /// The one that is asked now.
    place: usize,
    connection: Option<Connection>,
    /// The lottery that is meant, once it is known.
    lottery: Option<i64>,
    pause: Pauses,
    packet: Vec<u8>,
}

impl Courier {
    pub fn new(settings: &Settings) -> Self {
        Courier {
            servers: settings.servers.clone(),
            place: 0,
            connection: None,
            lottery: settings.lottery,
            pause: Pauses {
                first: settings.retry_sleep,
                longest: settings.retry_sleep_max,
                next: settings.retry_sleep,
            },
            packet: Vec::new(),
        }
    }

    /// Has bets stored. The request must be one that may be repeated. Other answers than "stored"
    /// come after some patience.
    pub fn store(&mut self, request: &Request<'_>) -> Result<Answer, Ended> {
        let mut refusals = 0;
        loop {
            let asked = Instant::now();
            match self.attempt(std::slice::from_ref(request))? {
                Ok(answer @ (Answer::Store { stored: true } | Answer::Receipt(_))) => {
                    self.pause.next = self.pause.first;
                    return Ok(answer);
                }
                Ok(answer) => {
                    refusals += u32::from(asked.elapsed() < AT_ONCE);
                    if refusals >= REFUSALS_MAX {
                        return Ok(answer);
                    }
                    warn!("the lottery refused a batch; asking the next node");
                    self.turn();
                    self.pause.wait()?;
                }
                Err(error) => self.move_on(&error)?,
            }
        }
    }

    /// Closes the agency and waits for its winners. Closing has no answer, so each question is
    /// preceded by it: closing twice is closing once.
    pub fn winners(&mut self, agency: u32) -> Result<Vec<String>, Ended> {
        let requests = [
            Request::AgencyClose { agency },
            Request::WinnersRequest { agency },
        ];
        let mut silences = 0;
        loop {
            match self.attempt(&requests)? {
                Ok(Answer::Winners(winners)) => return Ok(winners),
                Ok(Answer::NotReady) => {
                    silences = 0;
                    // A pause may be longer than a node keeps a connection that is silent.
                    self.connection = None;
                    self.pause.wait()?;
                }
                Ok(Answer::Store { .. } | Answer::Receipt(_)) => {
                    return Err(Ended::Failed(no_such_agency(agency)));
                }
                Ok(Answer::Lottery(_)) => {
                    return Err(Ended::Failed(Failure::failed("there is no such lottery")));
                }
                Err(error) => {
                    silences += u32::from(error.kind() == ErrorKind::UnexpectedEof);
                    if silences >= SILENCES_MAX {
                        return Err(Ended::Failed(too_many_winners()));
                    }
                    self.move_on(&error)?;
                }
            }
        }
    }

    /// Sends requests over one connection, all but the last without an answer.
    fn attempt(&mut self, requests: &[Request<'_>]) -> Result<io::Result<Answer>, Ended> {
        self.packet.clear();
        for request in requests {
            request.render(&mut self.packet).map_err(Failure::failed)?;
        }
        let answer = self.ask();
        if interrupt::asked() {
            return Err(Ended::Told);
        }
        Ok(answer)
    }

    fn ask(&mut self) -> io::Result<Answer> {
        if self.connection.is_none() {
            let mut fresh = connect(&self.servers[self.place])?;
            match bind(&mut fresh, self.lottery)? {
                0 => return Ok(Answer::Lottery(0)),
                id => self.lottery = Some(id),
            }
            self.connection = Some(fresh);
        }
        match &mut self.connection {
            Some(connection) => connection.ask(&self.packet),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// After a failure: another node, on a new connection, after a pause.
    fn move_on(&mut self, error: &io::Error) -> Result<(), Ended> {
        let server = &self.servers[self.place];
        warn!(%server, %error, "no answer; trying the next node");
        self.turn();
        self.pause.wait()
    }

    /// The next node is asked, on a new connection.
    fn turn(&mut self) {
        self.connection = None;
        self.place = (self.place + 1) % self.servers.len();
    }
}

/// Has a connection mean one lottery, whichever is opened later; answers its id, or 0 if there is
/// none.
fn bind(connection: &mut Connection, lottery: Option<i64>) -> io::Result<i64> {
    let mut packet = Vec::new();
    let request = Request::Lottery { lottery };
    request.render(&mut packet).map_err(io::Error::other)?;
    match connection.ask(&packet)? {
        Answer::Lottery(id) => Ok(id),
        _ => Err(io::Error::new(
            ErrorKind::InvalidData,
            "it does not know which lottery is meant",
        )),
    }
}

fn connect(server: &str) -> io::Result<Connection> {
    let mut refusal = ErrorKind::NotFound.into();
    for address in server.to_socket_addrs()? {
        match Connection::open(address) {
            Ok(connection) => return Ok(connection),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Pauses that double.
struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    fn wait(&mut self) -> Result<(), Ended> {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        interrupt::sleep(pause).map_err(|_| Ended::Told)
    }
}

fn no_such_agency(agency: u32) -> Failure {
    Failure::failed(format!("the lottery has no agency {agency}"))
}

fn too_many_winners() -> Failure {
    Failure::failed(
        "the nodes close without an answer: if their logs say that the winners do not fit a \
         packet, they also say where the list is",
    )
}
