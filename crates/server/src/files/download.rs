//! Sending a file, or a part of it.

use std::io;
use std::ops::Range;

use axum::body::{Body, Bytes};
use engine::{CHUNK_MAX_BYTES, ChunkHash, Engine};
use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::problem::Trouble;

/// Chunks that are fetched while the one before is being sent.
const AHEAD: usize = 2;

/// A file that is being sent.
pub(crate) struct Fetched(pub Body);

/// A part of a chunk.
struct Piece {
    hash: ChunkHash,
    part: Range<usize>,
}

/// The bytes of a file in this range. The first chunk is there when this returns: a file whose
/// bytes cannot be found is told as a problem, and what breaks off later as a broken connection.
pub(crate) async fn fetch(app: &App, hashes: &[u8], range: Range<u64>) -> Result<Fetched, Trouble> {
    let mut pieces = pieces(hashes, range).into_iter();
    let Some(first) = pieces.next() else {
        return Ok(Fetched(Body::empty()));
    };
    let turn = app.traffic.download().await?;
    let engine = app.engine.clone();
    let first = piece(&engine, first).await?;
    let rest = stream::iter(pieces).map(move |next| {
        let engine = engine.clone();
        async move { piece(&engine, next).await.map_err(broken) }
    });
    let whole = stream::once(async { Ok(first) }).chain(rest.buffered(AHEAD));
    // The place is given up when the last of it was taken, or the connection is closed.
    let whole = whole.inspect(move |_| {
        let _held = &turn;
    });
    Ok(Fetched(Body::from_stream(whole)))
}

async fn piece(engine: &Engine, piece: Piece) -> Result<Bytes, Trouble> {
    let bytes = engine.fetch_chunk(piece.hash).await?;
    let part = piece.part.start.min(bytes.len())..piece.part.end.min(bytes.len());
    Ok(bytes.slice(part))
}

fn broken(trouble: Trouble) -> io::Error {
    tracing::warn!(problem = %trouble.detail, "a file breaks off");
    io::Error::other(trouble.detail)
}

/// The chunks in which a range of a file lies, and what of each.
fn pieces(hashes: &[u8], range: Range<u64>) -> Vec<Piece> {
    let whole = CHUNK_MAX_BYTES as u64;
    let (hashes, _) = hashes.as_chunks::<{ domain::files::HASH_BYTES }>();
    let first = range.start / whole;
    let last = range.end.div_ceil(whole);
    let piece = |number: u64| {
        let begin = number * whole;
        let start = range.start.max(begin) - begin;
        let end = range.end.min(begin + whole) - begin;
        Some(Piece {
            hash: *hashes.get(usize::try_from(number).ok()?)?,
            part: start as usize..end as usize,
        })
    };
    if range.is_empty() {
        return Vec::new();
    }
    (first..last).map_while(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = CHUNK_MAX_BYTES as u64;

    fn shown(range: Range<u64>) -> Vec<(u8, Range<usize>)> {
        let hashes = [[0; 32], [1; 32], [2; 32]].concat();
        let pieces = pieces(&hashes, range);
        pieces
            .into_iter()
            .map(|piece| (piece.hash[0], piece.part))
            .collect()
    }

    #[test]
    fn a_range_lies_in_some_chunks() {
        let whole = CHUNK_MAX_BYTES;
        assert_eq!(shown(0..5), [(0, 0..5)]);
        assert_eq!(shown(MIB - 1..MIB), [(0, whole - 1..whole)]);
        assert_eq!(shown(MIB..MIB + 1), [(1, 0..1)]);
        assert_eq!(
            shown(MIB - 1..2 * MIB + 7),
            [(0, whole - 1..whole), (1, 0..whole), (2, 0..7)]
        );
        assert_eq!(shown(7..7), []);
    }
}
