//! The first bytes of a connection: the client says that it speaks HTTP/2, or is told that it must.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// What a client that speaks HTTP/2 says first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// For who speaks HTTP/1, such as a browser or plain curl.
const REFUSAL: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\n\
    content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: 92\r\n\r\n\
    This port speaks gRPC: HTTP/2 without TLS, from the first byte on. REST is at another port.\n";

/// A stream whose preface was read already, and is read again.
pub(super) struct Prefaced<S> {
    stream: S,
    again: &'static [u8],
}

impl<S: AsyncRead + AsyncWrite + Unpin> Prefaced<S> {
    /// Waits for the preface; anything else is refused.
    pub async fn read(mut stream: S, patience: Duration) -> io::Result<Self> {
        let read = async {
            let mut seen = [0; PREFACE.len()];
            let mut length = 0;
            while length < PREFACE.len() {
                let count = stream.read(&mut seen[length..]).await?;
                length += count;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if seen[..length] != PREFACE[..length] {
                    stream.write_all(REFUSAL).await?;
                    stream.shutdown().await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
                }
            }
            Ok(())
        };
        tokio::time::timeout(patience, read).await??;
        Ok(Prefaced {
            stream,
            again: PREFACE,
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.again.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let (now, later) = self
            .again
            .split_at(self.again.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.again = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn the_preface_is_read_again() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(PREFACE).await.unwrap();
        client.write_all(b"more").await.unwrap();
        let read = Prefaced::read(server, Duration::from_secs(20)).await;
        let mut all = [0; 28];
        read.unwrap().read_exact(&mut all).await.unwrap();
        assert_eq!(&all[..24], PREFACE);
        assert_eq!(&all[24..], b"more");
    }

    #[tokio::test]
    async fn whoever_speaks_something_else_is_told() {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let read = Prefaced::read(server, Duration::from_secs(20)).await;
        assert!(read.is_err());
        let mut told = String::new();
        client.read_to_string(&mut told).await.unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 505 "), "{told}");
        let length = format!("content-length: {}", body.len());
        assert!(head.ends_with(&length), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_may_be_silent_for_long() {
        let (_client, server) = tokio::io::duplex(64);
        let read = Prefaced::read(server, Duration::from_secs(10)).await;
        assert_eq!(read.err().unwrap().kind(), io::ErrorKind::TimedOut);
    }
}
