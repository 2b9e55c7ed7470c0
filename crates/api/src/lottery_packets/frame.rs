//! The frame of a packet: a length and a body.

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 2;

/// Bytes of a body: with its header it fills 8 KiB.
pub const BODY_MAX_BYTES: usize = 8190;

/// A frame after which nothing on the connection can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenFrame {
    /// There is no packet without a type.
    #[error("a packet of no bytes")]
    Empty,
    /// More than a packet holds.
    #[error("a packet of {0} bytes; at most {BODY_MAX_BYTES} are allowed")]
    TooLong(usize),
}

/// A body that fits no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes do not fit a packet; at most {BODY_MAX_BYTES} do")]
pub struct TooLong(pub usize);

/// How many bytes follow a header.
///
/// # Errors
///
/// If a body cannot have that length.
pub fn body_bytes(header: [u8; HEADER_BYTES]) -> Result<usize, BrokenFrame> {
    match usize::from(u16::from_be_bytes(header)) {
        0 => Err(BrokenFrame::Empty),
        length if length > BODY_MAX_BYTES => Err(BrokenFrame::TooLong(length)),
        length => Ok(length),
    }
}

/// Appends a packet to `out`, whose body `write` appends. Nothing is appended if it does not fit.
///
/// # Errors
///
/// If the body is longer than a packet's.
pub fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
    let start = out.len();
    out.extend([0; HEADER_BYTES]);
    write(out);
    let length = out.len() - start - HEADER_BYTES;
    match u16::try_from(length) {
        Ok(bytes) if length <= BODY_MAX_BYTES => {
            out[start..start + HEADER_BYTES].copy_from_slice(&bytes.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(TooLong(length))
        }
    }
}
