//! Frames between nodes on TCP. TCP's own checksum lets one damaged packet in some ten thousand
//! through, and what a node forwards is written to the log of all.
//!
//! ```text
//!   length u32 │ CRC-32C of the payload u32 │ payload        numbers are big-endian
//! ```

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::env::FRAME_MAX_BYTES;

const HEADER_BYTES: usize = 8;

/// Room that is made at once for a frame of which only the beginning is there.
const RESERVE_MAX_BYTES: usize = 256 * 1024;

/// Writes and reads frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frames;

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, payload: Bytes, out: &mut BytesMut) -> io::Result<()> {
        let length = u32::try_from(payload.len()).ok();
        let length = length.filter(|_| payload.len() <= FRAME_MAX_BYTES);
        let length = length.ok_or_else(|| io::Error::other("the frame is too large"))?;
        out.reserve(HEADER_BYTES + payload.len());
        out.put_u32(length);
        out.put_u32(crc32c::crc32c(&payload));
        out.put_slice(&payload);
        Ok(())
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let Some(mut header) = source.get(..HEADER_BYTES) else {
            return Ok(None);
        };
        let (length, checksum) = (header.get_u32() as usize, header.get_u32());
        if length > FRAME_MAX_BYTES {
            return Err(damaged("the frame is too large"));
        }
        let whole = HEADER_BYTES + length;
        if source.len() < whole {
            source.reserve((whole - source.len()).min(RESERVE_MAX_BYTES));
            return Ok(None);
        }
        source.advance(HEADER_BYTES);
        let payload = source.split_to(length).freeze();
        match crc32c::crc32c(&payload) == checksum {
            true => Ok(Some(payload)),
            false => Err(damaged("the frame arrived damaged")),
        }
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn encoded(payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        Frames
            .encode(Bytes::copy_from_slice(payload), &mut out)
            .unwrap();
        out
    }

    #[test]
    fn frames_come_through_in_pieces() {
        let mut whole = encoded(b"one");
        whole.unsplit(encoded(b""));
        whole.unsplit(encoded(&[7; 100_000]));
        let mut source = BytesMut::new();
        let mut found = Vec::new();
        for piece in whole.chunks(5) {
            source.extend_from_slice(piece);
            while let Some(frame) = Frames.decode(&mut source).unwrap() {
                found.push(frame);
            }
        }
        assert_eq!(found, [&b"one"[..], &b""[..], &[7; 100_000][..]]);
        assert!(source.is_empty());
    }

    #[test]
    fn one_wrong_bit_is_an_error_or_leaves_the_frame_unfinished() {
        let whole = encoded(b"INCR visits");
        for bit in 0..whole.len() * 8 {
            let mut source = whole.clone();
            source[bit / 8] ^= 1 << (bit % 8);
            let decoded = Frames.decode(&mut source);
            assert!(!matches!(decoded, Ok(Some(_))), "bit {bit}");
        }
    }

    #[test]
    fn what_is_too_large_is_neither_sent_nor_waited_for() {
        let large = Bytes::from(vec![0; FRAME_MAX_BYTES + 1]);
        assert!(Frames.encode(large, &mut BytesMut::new()).is_err());
        let mut source = BytesMut::from(&[0xff; HEADER_BYTES][..]);
        assert!(Frames.decode(&mut source).is_err());
    }
}
