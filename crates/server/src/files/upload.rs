//! Taking a file in.

use std::time::Duration;

use axum::body::{Body, Bytes};
use bytes::{BufMut, BytesMut};
use domain::files::{HASH_BYTES, SIZE_MAX_BYTES};
use engine::{CHUNK_MAX_BYTES, Chunk, ChunkError, Engine};
use http_body_util::BodyExt;
use tokio::task::JoinSet;

use crate::app::App;
use crate::problem::{Kind, Trouble};

/// Chunks of one file that are being stored at once: while two are on their way, a third is made.
const UNDER_WAY_MAX: usize = 3;

/// Of a body that is refused at once, this much is still read, so that the client gets to see the
/// answer instead of a broken connection.
const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;

/// … for so long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A file whose chunks are stored, and that has no entry yet.
#[derive(Debug)]
pub(crate) struct Stored {
    /// How long it is.
    pub size_bytes: u64,
    /// BLAKE3 of all its bytes.
    pub root: [u8; 32],
    /// The hashes of its chunks, one after the other.
    pub chunks: Bytes,
}

/// Stores a body as chunks. `announced` is how long it was said to be.
pub(crate) async fn store(
    app: &App,
    mut body: Body,
    announced: Option<u64>,
    copies: u32,
) -> Result<Stored, Trouble> {
    let mut intake = Intake::new(app.engine.clone(), copies);
    while let Some(bytes) = next(app, &mut body).await? {
        intake.take(&bytes).await?;
    }
    let stored = intake.finish().await?;
    match announced {
        Some(announced) if announced != stored.size_bytes => {
            let (came, announced) = (stored.size_bytes, announced);
            let detail = format!("{announced} bytes were announced, and {came} came");
            Err(Trouble::new(Kind::Malformed, detail))
        }
        _ => Ok(stored),
    }
}

/// Reads what is left of a body whose request is refused, so that the client hears why; nothing if
/// it is too long for that anyway.
pub(crate) async fn drain(app: &App, mut body: Body, announced: Option<u64>) {
    if announced.is_some_and(|bytes| bytes > DRAIN_MAX_BYTES as u64) {
        return;
    }
    let mut left = DRAIN_MAX_BYTES;
    let draining = async {
        while let Ok(Some(bytes)) = next(app, &mut body).await {
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whoever is slower than that hears of it by a broken connection.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, draining).await;
}

/// The next bytes of a body, or `None` at its end.
async fn next(app: &App, body: &mut Body) -> Result<Option<Bytes>, Trouble> {
    loop {
        let frame = tokio::time::timeout(app.config.limits.body_timeout, body.frame());
        match frame.await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Ok(Some(Err(error))) => {
                let detail = format!("the body broke off: {error}");
                return Err(Trouble::new(Kind::Malformed, detail));
            }
            Err(_) => {
                let detail = "nothing more of the body arrived in time";
                return Err(Trouble::new(Kind::RequestTimeout, detail));
            }
        }
    }
}

/// A file on its way in.
struct Intake {
    engine: Engine,
    copies: u32,
    /// What has come of the next chunk.
    buffer: BytesMut,
    size_bytes: u64,
    root: blake3::Hasher,
    chunks: Vec<u8>,
    under_way: JoinSet<Result<(), ChunkError>>,
}

impl Intake {
    fn new(engine: Engine, copies: u32) -> Self {
        Intake {
            engine,
            copies,
            buffer: BytesMut::new(),
            size_bytes: 0,
            root: blake3::Hasher::new(),
            chunks: Vec::new(),
            under_way: JoinSet::new(),
        }
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Trouble> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > SIZE_MAX_BYTES as u64 {
            return Err(too_large());
        }
        while !bytes.is_empty() {
            let room = CHUNK_MAX_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.put_slice(now);
            bytes = later;
            if self.buffer.len() == CHUNK_MAX_BYTES {
                self.store().await?;
            }
        }
        Ok(())
    }

    /// Begins to store what is in the buffer.
    async fn store(&mut self) -> Result<(), Trouble> {
        while self.under_way.len() >= UNDER_WAY_MAX {
            self.stored().await?;
        }
        // Another one comes after a whole one, most likely as long.
        let room = if self.buffer.len() == CHUNK_MAX_BYTES {
            CHUNK_MAX_BYTES
        } else {
            0
        };
        let next = BytesMut::with_capacity(room);
        let bytes = std::mem::replace(&mut self.buffer, next).freeze();
        self.root.update(&bytes);
        let chunk = Chunk::of(bytes);
        self.chunks.extend_from_slice(&chunk.hash);
        let (engine, copies) = (self.engine.clone(), self.copies);
        self.under_way
            .spawn(async move { engine.store_chunk(chunk, copies).await });
        Ok(())
    }

    /// Waits until one of the chunks under way is stored.
    async fn stored(&mut self) -> Result<(), Trouble> {
        match self.under_way.join_next().await {
            Some(Ok(stored)) => Ok(stored?),
            Some(Err(error)) => Err(Trouble::internal(error)),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Result<Stored, Trouble> {
        if !self.buffer.is_empty() {
            self.store().await?;
        }
        while !self.under_way.is_empty() {
            self.stored().await?;
        }
        debug_assert_eq!(self.chunks.len() % HASH_BYTES, 0);
        Ok(Stored {
            size_bytes: self.size_bytes,
            root: *self.root.finalize().as_bytes(),
            chunks: self.chunks.into(),
        })
    }
}

/// A file that is longer than a file may be.
pub(super) fn too_large() -> Trouble {
    Trouble::new(Kind::TooLarge, "a file has at most 16 GiB")
}
