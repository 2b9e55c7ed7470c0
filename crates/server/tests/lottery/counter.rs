//! A node with a lottery's front door, and an agency that hides nothing.

use std::net::SocketAddr;
use std::time::Duration;

use api::lottery_packets::{Answer, Bet, HEADER_BYTES, Request};
use domain::lottery::{CurrentLottery, GetLottery, Rule};
use domain::{Action, Actor, Proposal, Reply};
use engine::production::Production;
use engine::{Consistency, Engine, Options, Tuning};
use server::{Allowed, LotteryConfig, serve_lottery};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The number that the lotteries of these tests draw.
pub const DRAWN: u16 = 7574;

pub struct Counter {
    pub address: SocketAddr,
    pub engine: Engine,
    shutdown: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
    _data: TempDir,
}

/// A configuration with little patience: what must end ends soon.
pub fn hasty() -> LotteryConfig {
    let mut config = LotteryConfig::default();
    config.limits.idle = Duration::from_millis(300);
    config.limits.packet = Duration::from_millis(300);
    config
}

impl Counter {
    /// A node whose current lottery has so many agencies.
    pub async fn with_agencies(agencies: u32) -> Self {
        let counter = Counter::start(LotteryConfig::default()).await;
        counter.open(agencies).await;
        counter
    }

    pub async fn start(config: LotteryConfig) -> Self {
        let data = TempDir::new().unwrap();
        let peers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            name: "n1".to_owned(),
            data: data.path().to_owned(),
            peer: peers.local_addr().unwrap().to_string(),
            http: "http://127.0.0.1:1".to_owned(),
            join: None,
            tuning: Tuning::default(),
        };
        let engine = Engine::start(Production::new(peers), options)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let served = serve_lottery(listener, engine.clone(), config, shutdown.clone());
        Counter {
            address,
            engine,
            shutdown,
            served: tokio::spawn(served),
            _data: data,
        }
    }

    /// Stops the door, then the node.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
        self.engine.stop().await;
    }

    /// Opens a lottery; answers its id.
    pub async fn open(&self, agencies: u32) -> i64 {
        let rule = Rule::Fixed { number: DRAWN };
        let name = "La de prueba".to_owned();
        let action = Action::OpenLottery {
            name,
            agencies,
            rule,
        };
        match self.propose(action).await {
            Reply::LotteryOpened { id } => id,
            other => panic!("{other:?}"),
        }
    }

    async fn propose(&self, action: Action) -> Reply {
        let actor = Actor::System;
        let proposal = Proposal {
            actor,
            request: None,
            action,
        };
        self.engine
            .write(proposal)
            .await
            .unwrap()
            .value
            .result
            .unwrap()
    }

    /// Bets of the current lottery.
    pub async fn bets(&self) -> i64 {
        let read = self
            .engine
            .read(Consistency::Linearizable, CurrentLottery)
            .await;
        read.unwrap().value.unwrap().bets
    }

    /// Bets of each agency of a lottery that has any or has closed.
    pub async fn bets_by_agency(&self, id: i64) -> Vec<(u32, i64)> {
        let read = self
            .engine
            .read(Consistency::Linearizable, GetLottery { id })
            .await;
        let (_, agencies) = read.unwrap().value.unwrap();
        agencies
            .iter()
            .map(|agency| (agency.agency, agency.bets))
            .collect()
    }

    pub async fn agency(&self) -> Agency {
        Agency(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends a request on a connection of its own.
    pub async fn ask(&self, request: &Request<'_>) -> Option<Answer> {
        self.agency().await.ask(request).await
    }

    /// Sends the body of a packet on a connection of its own.
    pub async fn ask_text(&self, body: &str) -> Option<Answer> {
        self.agency().await.ask_body(body.as_bytes()).await
    }

    /// Closes an agency, on a connection that is used until it is certain.
    pub async fn close_and_wait(&self, agency: u32) -> Option<Answer> {
        let mut connection = self.agency().await;
        connection.send(&Request::AgencyClose { agency }).await;
        connection.ask(&Request::WinnersRequest { agency }).await
    }

    pub async fn winners(&self, agency: u32) -> Option<Answer> {
        self.ask(&Request::WinnersRequest { agency }).await
    }
}

pub const STORED: Option<Answer> = Some(Answer::Store { stored: true });
pub const REFUSED: Option<Answer> = Some(Answer::Store { stored: false });

/// Winners with these documents.
pub fn won(documents: &[&str]) -> Option<Answer> {
    Some(Answer::Winners(
        documents.iter().map(|one| (*one).to_owned()).collect(),
    ))
}

/// A bet.
pub fn bet(document: &str, number: u16) -> Bet<'_> {
    Bet {
        first_name: "Ana María",
        last_name: "Núñez",
        document,
        birthdate: "1999-03-17",
        number,
    }
}

/// A connection.
pub struct Agency(pub TcpStream);

impl Agency {
    pub async fn send(&mut self, request: &Request<'_>) {
        let mut packet = Vec::new();
        request.render(&mut packet).unwrap();
        self.0.write_all(&packet).await.unwrap();
    }

    /// The answer; `None` if the node closed instead.
    pub async fn ask(&mut self, request: &Request<'_>) -> Option<Answer> {
        self.send(request).await;
        self.answer().await
    }

    pub async fn ask_body(&mut self, body: &[u8]) -> Option<Answer> {
        let length = u16::try_from(body.len()).unwrap();
        self.0.write_all(&length.to_be_bytes()).await.unwrap();
        self.0.write_all(body).await.unwrap();
        self.answer().await
    }

    pub async fn answer(&mut self) -> Option<Answer> {
        let mut header = [0; HEADER_BYTES];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut header))
            .await
            .unwrap();
        read.ok()?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(header))];
        self.0
            .read_exact(&mut body)
            .await
            .expect("an answer is whole");
        Some(Answer::parse(&body).unwrap())
    }

    /// Waits until the node closes the connection.
    pub async fn let_go(mut self) {
        let mut rest = Vec::new();
        let read = self.0.read_to_end(&mut rest);
        // A connection that is closed with bytes unread is reset.
        let _ = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the node closes");
        assert!(rest.is_empty(), "{rest:?}");
    }
}

/// Networks of these tests.
pub fn allowed(text: &str) -> LotteryConfig {
    LotteryConfig {
        allowed: text.parse::<Allowed>().unwrap(),
        ..LotteryConfig::default()
    }
}
