//! Packets from and to a peer that may be slow, silent, gone or broken.

use std::io;
use std::time::Duration;

use api::lottery_packets::{BODY_MAX_BYTES, BrokenFrame, HEADER_BYTES, body_bytes};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::LotteryLimits;

/// A stream of packets.
pub(super) struct Packets {
    stream: TcpStream,
    buffer: BytesMut,
}

/// Why there are no more packets. An agency that closes between two has only left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error(transparent)]
    Broken(#[from] BrokenFrame),
    #[error("it closed in the middle of a packet, after {0} bytes")]
    ClosedInside(usize),
    #[error("it sent only {bytes} bytes of a packet in {limit:?}")]
    TooSlow { bytes: usize, limit: Duration },
    #[error("it does not take its answer")]
    Stalled,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Packets {
    pub fn new(stream: TcpStream) -> Self {
        let buffer = BytesMut::with_capacity(HEADER_BYTES + BODY_MAX_BYTES);
        Packets { stream, buffer }
    }

    /// The body of the next packet; `None` if there is none: the peer has closed, or was silent.
    pub async fn next(&mut self, limits: &LotteryLimits) -> Result<Option<Bytes>, Cut> {
        if self.buffer.is_empty() {
            match timeout(limits.idle, self.fill()).await {
                Ok(Ok(1..)) => {}
                Ok(Err(error)) => return Err(error.into()),
                Ok(Ok(0)) | Err(_) => return Ok(None),
            }
        }
        let until = Instant::now() + limits.packet;
        loop {
            if let Some(body) = self.take()? {
                return Ok(Some(body));
            }
            let bytes = self.buffer.len();
            match timeout_at(until, self.fill()).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0)) => return Err(Cut::ClosedInside(bytes)),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    let limit = limits.packet;
                    return Err(Cut::TooSlow { bytes, limit });
                }
            }
        }
    }

    /// The packet that has come, if all of it has.
    fn take(&mut self) -> Result<Option<Bytes>, BrokenFrame> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = body_bytes(*header)?;
        if self.buffer.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Reads what there is; 0 bytes if the peer has closed.
    async fn fill(&mut self) -> io::Result<usize> {
        // Never more than a packet: what a peer sends ahead of its answers waits in its own socket.
        self.buffer
            .reserve(HEADER_BYTES + BODY_MAX_BYTES - self.buffer.len().min(BODY_MAX_BYTES));
        self.stream.read_buf(&mut self.buffer).await
    }

    /// Sends whole packets.
    pub async fn send(&mut self, packets: &[u8], limits: &LotteryLimits) -> Result<(), Cut> {
        match timeout(limits.write_stall, self.stream.write_all(packets)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Cut::Stalled),
        }
    }
}
