//! One agency's connection: a request, an answer, and the line in the log for each.

use std::net::SocketAddr;
use std::sync::Arc;

use api::lottery_packets::{Answer, Bet, Request};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{Level, debug, info, warn};

use super::counter::{Asked, Batch, Counter, NONE, Once, Stored};
use super::packets::Packets;

/// A connection.
pub(super) struct Connection {
    packets: Packets,
    peer: SocketAddr,
    counter: Arc<Counter>,
    /// The lottery that the agency means; the current one if it has not said.
    meant: Option<i64>,
    /// Answers on their way out; reused.
    out: Vec<u8>,
}

/// What follows a packet.
enum Next {
    /// This answer.
    Answer(Answer),
    /// The next packet: there is no answer to this one.
    Nothing,
    /// The end of the connection: no answer would be true.
    Close,
}

impl Connection {
    pub fn new(stream: TcpStream, peer: SocketAddr, counter: Arc<Counter>) -> Self {
        // An answer is one small write that must not wait for the next.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY cannot be set");
        }
        Connection {
            packets: Packets::new(stream),
            peer,
            meant: counter.named(),
            counter,
            out: Vec::new(),
        }
    }

    /// Answers packets until the agency leaves, or is cut.
    pub async fn run(mut self, stopping: &CancellationToken) {
        let counter = self.counter.clone();
        let limits = counter.limits();
        loop {
            let body = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                body = self.packets.next(limits) => body,
            };
            let body = match body {
                Ok(Some(body)) => body,
                Ok(None) => return,
                Err(cut) => return self.tell_cut(&cut),
            };
            match self.answer(&body).await {
                Next::Answer(answer) => {
                    self.out.clear();
                    if answer.render(&mut self.out).is_err() {
                        return;
                    }
                }
                Next::Nothing => continue,
                Next::Close => return,
            }
            if let Err(cut) = self.packets.send(&self.out, limits).await {
                return self.tell_cut(&cut);
            }
        }
    }

    fn tell_cut(&self, reason: &dyn std::fmt::Display) {
        warn!(peer = %self.peer, %reason, "an agency's connection is closed");
    }

    async fn answer(&mut self, body: &Bytes) -> Next {
        let request = match Request::parse(body) {
            Ok(request) => request,
            Err(reason) => {
                self.tell_received(Err(&reason), 0);
                return Next::Answer(Answer::Store { stored: false });
            }
        };
        match request {
            Request::StoreBet { agency, bet } => self.store_bet(agency, &bet).await,
            Request::StoreBatch { agency, bets } => {
                let batch = Batch {
                    agency,
                    bets: &bets,
                    once: self.counter.own_id(),
                };
                respond(&self.store_batch(&batch).await)
            }
            Request::StoreBatchOnce {
                id,
                agency,
                bets,
                receipt,
            } => {
                let batch = Batch {
                    agency,
                    bets: &bets,
                    once: Some(Once::Agency(id, content(body))),
                };
                match self.store_batch(&batch).await {
                    Stored::Yes(Some(stored)) if receipt => Next::Answer(Answer::Receipt(stored)),
                    stored => respond(&stored),
                }
            }
            Request::AgencyClose { agency } => self.close(agency).await,
            Request::WinnersRequest { agency } => self.winners(agency).await,
            Request::Lottery { lottery } => self.mean(lottery).await,
        }
    }

    async fn store_bet(&self, agency: u32, bet: &Bet<'_>) -> Next {
        let batch = Batch {
            agency,
            bets: std::slice::from_ref(bet),
            once: self.counter.own_id(),
        };
        let stored = self.counter.store(self.meant, &batch).await;
        let Bet {
            document, number, ..
        } = bet;
        match &stored {
            Stored::Yes(_) => tell_alone(bet),
            Stored::No(reason) | Stored::Unknown(reason) => warn!(
                peer = %self.peer, reason,
                "action: apuesta_almacenada | result: fail | dni: {document} | numero: {number}"
            ),
        }
        respond(&stored)
    }

    async fn store_batch(&self, batch: &Batch<'_>) -> Stored {
        let stored = self.counter.store(self.meant, batch).await;
        let count = batch.bets.len();
        match &stored {
            Stored::Yes(_) => {
                match batch.bets {
                    [bet] => tell_alone(bet),
                    // A line for each of thousands of bets a second is for those who ask for it.
                    bets if tracing::enabled!(Level::DEBUG) => bets.iter().for_each(tell_stored),
                    _ => {}
                }
                self.tell_received(Ok(()), count);
            }
            Stored::No(reason) | Stored::Unknown(reason) => {
                self.tell_received(Err(reason), count);
            }
        }
        stored
    }

    /// The line about a batch, or about a packet that is none.
    fn tell_received(&self, result: Result<(), &dyn std::fmt::Display>, count: usize) {
        match result {
            Ok(()) => info!("action: apuesta_recibida | result: success | cantidad: {count}"),
            Err(reason) => warn!(
                peer = %self.peer, %reason,
                "action: apuesta_recibida | result: fail | cantidad: {count}"
            ),
        }
    }

    /// Binds the connection to one lottery.
    async fn mean(&mut self, asked: Option<i64>) -> Next {
        match self.counter.find(asked).await {
            Ok(NONE) => {
                warn!(peer = %self.peer, asked, "there is no such lottery, or none is open");
                Next::Answer(Answer::Lottery(NONE))
            }
            Ok(found) => {
                self.meant = Some(found);
                Next::Answer(Answer::Lottery(found))
            }
            Err(reason) => {
                warn!(peer = %self.peer, %reason, "the lottery cannot be looked up now");
                Next::Close
            }
        }
    }

    async fn close(&self, agency: u32) -> Next {
        match self.counter.close(self.meant, agency).await {
            Stored::Yes(_) => info!(agency, "the agency has closed"),
            Stored::No(reason) | Stored::Unknown(reason) => {
                warn!(peer = %self.peer, agency, reason, "the agency could not be closed");
            }
        }
        Next::Nothing
    }

    async fn winners(&self, agency: u32) -> Next {
        match self.counter.winners(self.meant, agency).await {
            Asked::Winners(documents) => Next::Answer(Answer::Winners(documents)),
            Asked::NotDrawn => Next::Answer(Answer::NotReady),
            Asked::Nobody(reason) => {
                warn!(peer = %self.peer, agency, reason, "nobody can have won");
                Next::Answer(Answer::Store { stored: false })
            }
            Asked::TooMany { list } => {
                warn!(peer = %self.peer, agency, %list, "the winners do not fit a packet");
                Next::Close
            }
            Asked::Unknown(reason) => {
                warn!(peer = %self.peer, agency, reason, "the winners cannot be read now");
                Next::Close
            }
        }
    }
}

/// A packet without its type: the same bets are the same, whichever answer is asked for.
fn content(body: &[u8]) -> &[u8] {
    let colon = body.iter().position(|byte| *byte == b':');
    &body[colon.unwrap_or_default()..]
}

/// Only what is certain is answered.
fn respond(stored: &Stored) -> Next {
    match stored {
        Stored::Yes(_) => Next::Answer(Answer::Store { stored: true }),
        Stored::No(_) => Next::Answer(Answer::Store { stored: false }),
        Stored::Unknown(_) => Next::Close,
    }
}

/// A bet that came alone.
fn tell_alone(bet: &Bet<'_>) {
    let Bet {
        document, number, ..
    } = bet;
    info!("action: apuesta_almacenada | result: success | dni: {document} | numero: {number}");
}

/// A bet of many.
fn tell_stored(bet: &Bet<'_>) {
    let Bet {
        document, number, ..
    } = bet;
    debug!("action: apuesta_almacenada | result: success | dni: {document} | numero: {number}");
}
