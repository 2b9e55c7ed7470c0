//! An agency of the field: the packets that know no request id, over a connection that is kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use api::Client;
use api::lottery_packets::{Answer, Bet, HEADER_BYTES, Request};
use api::types::NewLottery;

use super::harness::PATIENCE;

/// Bets of a batch.
pub const BATCH: usize = 63;

/// What a node answers.
pub const STORED: Option<Answer> = Some(Answer::Store { stored: true });
pub const REFUSED: Option<Answer> = Some(Answer::Store { stored: false });

/// An agency of the field: the packets that know no request id.
pub struct Agency {
    stream: TcpStream,
    /// Batches that it was told are stored.
    pub stored: i64,
    next: u32,
}

impl Agency {
    /// Connects to a node's door.
    pub fn at(door: SocketAddr) -> Self {
        let stream = TcpStream::connect(door).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Agency {
            stream,
            stored: 0,
            next: 0,
        }
    }

    /// The answer; `None` if the node closed instead.
    pub fn ask(&mut self, request: &Request<'_>) -> Option<Answer> {
        let mut packet = Vec::new();
        request.render(&mut packet).unwrap();
        self.stream.write_all(&packet).unwrap();
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(header))];
        self.stream.read_exact(&mut body).unwrap();
        Some(Answer::parse(&body).unwrap())
    }

    /// Sends a batch of bets that nobody has sent before.
    pub fn send(&mut self) -> Option<Answer> {
        self.next += 1;
        let document = self.next.to_string();
        let bet = Bet {
            first_name: "Ana",
            last_name: "Paz",
            document: &document,
            birthdate: "1999-03-17",
            number: 7574,
        };
        let answer = self.ask(&Request::StoreBatch {
            agency: 1,
            bets: vec![bet; BATCH],
        });
        self.stored += i64::from(answer == STORED);
        answer
    }

    pub fn bets(&self) -> i64 {
        self.stored * BATCH as i64
    }
}

/// Opens a lottery of two agencies.
pub async fn open(client: &Client) {
    let lottery = NewLottery {
        name: "De Navidad".to_owned(),
        agencies: 2,
        rule: None,
        commitment: None,
        source: None,
    };
    client.open_lottery(&lottery).await.unwrap();
}
