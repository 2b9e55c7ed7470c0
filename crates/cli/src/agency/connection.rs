//! A connection to a node's lottery: a packet there, a packet back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use api::lottery_packets::{Answer, HEADER_BYTES, body_bytes};

use crate::interrupt;

/// A node that does not take a connection in this time is asked again later, or another is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A node that has not answered in this time does not: it gives up itself well before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that nobody looks whether a signal came.
const GLANCE: Duration = Duration::from_millis(100);

/// A connection to a node.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a node.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Connection {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a packet that has no answer.
    pub fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.stream.write_all(packet)
    }

    /// Sends a packet and waits for the answer.
    pub fn ask(&mut self, packet: &[u8]) -> io::Result<Answer> {
        self.send(packet)?;
        let mut header = [0; HEADER_BYTES];
        let until = Instant::now() + ANSWER_TIMEOUT;
        fill(&mut self.stream, &mut header, until)?;
        let length = body_bytes(header).map_err(odd)?;
        self.buffer.resize(length, 0);
        fill(&mut self.stream, &mut self.buffer, until)?;
        Answer::parse(&self.buffer).map_err(odd)
    }
}

fn odd(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// Reads exactly as much as there is room for; gives up when a signal comes, or at `until`.
fn fill(stream: &mut TcpStream, mut room: &mut [u8], until: Instant) -> io::Result<()> {
    while !room.is_empty() {
        match stream.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => room = &mut room[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_a_glance(&error) => {
                if interrupt::asked() || Instant::now() > until {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time to look around has come, and no more.
fn is_a_glance(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
