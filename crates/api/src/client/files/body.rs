//! A file on its way to a node, read a piece at a time.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// Bytes that are read and sent at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces that are read ahead of the network.
const AHEAD: usize = 4;

/// Where a file's bytes come from. They may be needed more than once, if a node is lost.
#[derive(Clone, Debug)]
pub enum Content {
    /// From memory.
    Bytes(Bytes),
    /// From a file, as long as it is when it is opened.
    Path(PathBuf),
}

/// The body of a request that puts a file.
#[derive(Debug)]
pub(in crate::client) struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    sent: Arc<AtomicU64>,
}

impl Content {
    /// Opens it for one try.
    pub(super) async fn open(&self) -> io::Result<FileBody> {
        match self {
            Content::Bytes(bytes) => {
                let size_bytes = bytes.len() as u64;
                Ok(FileBody::reading(
                    io::Cursor::new(bytes.clone()),
                    size_bytes,
                ))
            }
            Content::Path(path) => {
                let file = fs::File::open(path).await?;
                let about = file.metadata().await?;
                match about.is_file() {
                    true => Ok(FileBody::reading(file, about.len())),
                    false => Err(io::Error::other("it is not an ordinary file")),
                }
            }
        }
    }
}

impl FileBody {
    fn reading(source: impl AsyncRead + Unpin + Send + 'static, size_bytes: u64) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::spawn(read(source.take(size_bytes), sender));
        FileBody {
            pieces,
            left: size_bytes,
            sent: Arc::default(),
        }
    }

    /// How much of it was taken to be sent.
    pub(in crate::client) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }
}

/// Reads until the end, an error, or nobody wants more.
async fn read(mut source: impl AsyncRead + Unpin, pieces: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let read = match source.read_buf(&mut piece).await {
            Ok(0) => return,
            Ok(_) => Ok(piece.freeze()),
            Err(error) => Err(error),
        };
        let ended = read.is_err();
        if pieces.send(read).await.is_err() || ended {
            return;
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match ready!(self.pieces.poll_recv(context)) {
            Some(piece) => piece?,
            None if self.left > 0 => {
                let became = "the file became shorter while it was read";
                return Poll::Ready(Some(Err(io::Error::other(became))));
            }
            None => return Poll::Ready(None),
        };
        let length = piece.len() as u64;
        self.left = self.left.saturating_sub(length);
        self.sent.fetch_add(length, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
