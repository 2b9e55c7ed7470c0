//! Requests out of a stream of bytes: incremental, so that what has been looked at is not looked at
//! again, and without a copy of what the client sent.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::number::parse_integer;
use super::words::{self, Unbalanced};

/// Bytes of one string: what a log entry's command holds.
pub const BULK_MAX_BYTES: usize = 1024 * 1024;

/// Bytes of one request: a log entry's command, and as much again for what it is wrapped in.
pub const REQUEST_MAX_BYTES: usize = 2 * 1024 * 1024;

/// Strings of one request, its name included: 32,767 pairs of a MSET.
pub const ARGUMENTS_MAX: usize = 64 * 1024;

/// Bytes of a request that comes as a line: Redis's own bound.
pub const INLINE_MAX_BYTES: usize = 64 * 1024;

/// Strings of a request from somebody who has not authenticated: Redis's own bound.
pub const UNKNOWN_ARGUMENTS_MAX: usize = 10;

/// Bytes of one string from somebody who has not authenticated: Redis's own bound.
pub const UNKNOWN_BULK_MAX_BYTES: usize = 16 * 1024;

/// A count has at most twenty digits and a sign; a longer line is none.
const COUNT_LINE_MAX_BYTES: usize = 32;

/// Requests taken together: many times what a client keeps under way, a fraction of a second's
/// work.
const REQUESTS_MAX: usize = 4_096;

/// What is wrong with the bytes of a client; afterwards nobody knows where a request would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line after `*` does not end.
    TooBigCount,
    /// What follows `*` is no number of strings, or too many.
    InvalidCount,
    /// Too many strings from somebody who has not authenticated.
    UnknownCount,
    /// The line after `$` does not end.
    TooBigLength,
    /// What follows `$` is no length, or too long.
    InvalidLength,
    /// Too long a string from somebody who has not authenticated.
    UnknownLength,
    /// Something else where `$` must be.
    Expected(u8),
    /// A line of words that does not end.
    TooBigLine,
    /// A quote without its other.
    Unbalanced,
    /// All strings together are too long.
    TooBigRequest,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::TooBigCount => f.write_str("too big mbulk count string"),
            ProtocolError::InvalidCount => f.write_str("invalid multibulk length"),
            ProtocolError::UnknownCount => f.write_str("unauthenticated multibulk length"),
            ProtocolError::TooBigLength => f.write_str("too big bulk count string"),
            ProtocolError::InvalidLength => f.write_str("invalid bulk length"),
            ProtocolError::UnknownLength => f.write_str("unauthenticated bulk length"),
            // Redis sends the byte as it is; one that would break the line is shown instead.
            ProtocolError::Expected(byte) => match byte {
                b' '..=b'~' => write!(f, "expected '$', got '{}'", char::from(*byte)),
                _ => write!(f, "expected '$', got '\\x{byte:02x}'"),
            },
            ProtocolError::TooBigLine => f.write_str("too big inline request"),
            ProtocolError::Unbalanced => f.write_str("unbalanced quotes in request"),
            ProtocolError::TooBigRequest => f.write_str("too big request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<Unbalanced> for ProtocolError {
    fn from(_: Unbalanced) -> Self {
        ProtocolError::Unbalanced
    }
}

/// The requests of a pipeline, in their order. Reused from one to the next: parsing allocates
/// nothing for a request.
#[derive(Debug, Default)]
pub struct Requests {
    data: Bytes,
    words: Vec<Range<u32>>,
    /// For each request, where its words end in `words`.
    ends: Vec<u32>,
    error: Option<ProtocolError>,
}

/// One request: a name and its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    data: &'a Bytes,
    words: &'a [Range<u32>],
}

/// Finds the requests in what was read.
#[derive(Debug, Default)]
pub struct Parser {
    /// How far the unfinished request at the start of the buffer has been read.
    at: usize,
    /// Its words so far.
    words: Vec<Range<u32>>,
    /// Strings of it that are still to come.
    left: usize,
    /// The length of the string that comes next, if its line has been read.
    length: Option<usize>,
    /// True until the client has authenticated, where it must.
    pub unknown: bool,
}

/// Where a request stands after a step.
enum Step {
    /// All of it has come.
    Complete,
    /// There was nothing in it: an empty line or an empty array.
    Empty,
    /// The rest has not come yet.
    Incomplete,
}

impl Parser {
    /// Moves the complete requests at the start of `buffer` into `requests`, up to a bound; the
    /// unfinished one stays. What is wrong with the bytes after them is [`Requests::error`], and
    /// nothing can be parsed any more.
    pub fn parse(&mut self, buffer: &mut BytesMut, requests: &mut Requests) {
        requests.clear();
        requests.words.append(&mut self.words);
        let mut consumed = 0;
        while requests.ends.len() < REQUESTS_MAX && self.at < buffer.len() {
            match self.step(buffer, consumed, &mut requests.words) {
                Ok(Step::Incomplete) => break,
                Ok(Step::Empty) => consumed = self.at,
                Ok(Step::Complete) => {
                    consumed = self.at;
                    requests.ends.push(requests.words.len() as u32);
                }
                Err(error) => {
                    requests.error = Some(error);
                    break;
                }
            }
        }
        let whole = requests.ends.last().map_or(0, |end| *end as usize);
        let moved = |word: Range<u32>| word.start - consumed as u32..word.end - consumed as u32;
        self.words.extend(requests.words.drain(whole..).map(moved));
        self.at -= consumed;
        if consumed > 0 {
            requests.data = buffer.split_to(consumed).freeze();
        }
    }

    /// True if a part of a request waits for its rest.
    pub fn is_inside(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty()
    }

    /// How many more bytes the string that is coming needs, if that is known.
    pub fn wants(&self, buffer: &BytesMut) -> usize {
        let end = self.length.map_or(0, |length| self.at + length + 2);
        end.saturating_sub(buffer.len())
    }

    fn step(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        words: &mut Vec<Range<u32>>,
    ) -> Result<Step, ProtocolError> {
        if self.left == 0 {
            match buffer.get(start) {
                None => return Ok(Step::Incomplete),
                Some(b'*') => match self.count(buffer)? {
                    None => return Ok(Step::Incomplete),
                    Some(0) => return Ok(Step::Empty),
                    Some(count) => self.left = count,
                },
                Some(_) => return self.line(buffer, start, words),
            }
        }
        while self.left > 0 {
            if !self.string(buffer, start, words)? {
                return Ok(Step::Incomplete);
            }
        }
        Ok(Step::Complete)
    }

    /// The number of strings in the array that begins here.
    fn count(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = count_line(&buffer[self.at..]).map_err(|_| ProtocolError::TooBigCount)?
        else {
            return Ok(None);
        };
        let count = parse_integer(&line[1..]).ok_or(ProtocolError::InvalidCount)?;
        // As Redis has it, fewer than none are none.
        let count = usize::try_from(count).unwrap_or(0);
        if count > ARGUMENTS_MAX {
            return Err(ProtocolError::InvalidCount);
        }
        if self.unknown && count > UNKNOWN_ARGUMENTS_MAX {
            return Err(ProtocolError::UnknownCount);
        }
        self.at += line.len() + 2;
        Ok(Some(count))
    }

    /// Reads the next string of an array; false if its rest has not come yet.
    fn string(
        &mut self,
        buffer: &[u8],
        start: usize,
        words: &mut Vec<Range<u32>>,
    ) -> Result<bool, ProtocolError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.string_length(buffer)? {
                Some(length) => *self.length.insert(length),
                None => return Ok(false),
            },
        };
        let end = self.at + length;
        if end - start > REQUEST_MAX_BYTES {
            return Err(ProtocolError::TooBigRequest);
        }
        if buffer.len() < end + 2 {
            return Ok(false);
        }
        words.push(self.at as u32..end as u32);
        self.at = end + 2;
        self.left -= 1;
        self.length = None;
        Ok(true)
    }

    fn string_length(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let rest = &buffer[self.at..];
        match rest.first() {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::Expected(*other)),
        }
        let Some(line) = count_line(rest).map_err(|_| ProtocolError::TooBigLength)? else {
            return Ok(None);
        };
        let length = parse_integer(&line[1..]).ok_or(ProtocolError::InvalidLength)?;
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidLength)?;
        if length > BULK_MAX_BYTES {
            return Err(ProtocolError::InvalidLength);
        }
        if self.unknown && length > UNKNOWN_BULK_MAX_BYTES {
            return Err(ProtocolError::UnknownLength);
        }
        self.at += line.len() + 2;
        Ok(Some(length))
    }

    /// A request as a line of words.
    fn line(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        words: &mut Vec<Range<u32>>,
    ) -> Result<Step, ProtocolError> {
        let newline = buffer[self.at..].iter().position(|byte| *byte == b'\n');
        let Some(newline) = newline else {
            self.at = buffer.len();
            if self.at - start > INLINE_MAX_BYTES {
                return Err(ProtocolError::TooBigLine);
            }
            return Ok(Step::Incomplete);
        };
        let newline = self.at + newline;
        if newline - start > INLINE_MAX_BYTES {
            return Err(ProtocolError::TooBigLine);
        }
        let end = match newline.checked_sub(1) {
            Some(before) if before >= start && buffer[before] == b'\r' => before,
            _ => newline,
        };
        let found = words::split(buffer, start..end, words)?;
        self.at = newline + 1;
        match found {
            0 => Ok(Step::Empty),
            _ => Ok(Step::Complete),
        }
    }
}

/// A line that should hold a number does not end.
struct TooLong;

/// The line at the start of `bytes` without its end, if its end has come.
fn count_line(bytes: &[u8]) -> Result<Option<&[u8]>, TooLong> {
    let looked_at = &bytes[..bytes.len().min(COUNT_LINE_MAX_BYTES)];
    match looked_at.iter().position(|byte| *byte == b'\r') {
        // As Redis has it, what follows the carriage return is taken for the line feed.
        Some(end) if bytes.len() > end + 1 => Ok(Some(&bytes[..end])),
        None if bytes.len() >= COUNT_LINE_MAX_BYTES => Err(TooLong),
        Some(_) | None => Ok(None),
    }
}

impl Requests {
    /// No requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// One request alone, copied: it keeps nothing else alive of what was read.
    pub fn copy_of(request: Request<'_>) -> Self {
        let mut data = Vec::with_capacity(request.size());
        let mut words = Vec::with_capacity(request.len());
        for word in request.words {
            let start = data.len() as u32;
            data.extend_from_slice(request.slice(word));
            words.push(start..data.len() as u32);
        }
        Requests {
            data: data.into(),
            ends: vec![words.len() as u32],
            words,
            error: None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What is wrong with the bytes after the last of them.
    pub fn error(&self) -> Option<ProtocolError> {
        self.error
    }

    /// The request at `place`.
    pub fn get(&self, place: usize) -> Option<Request<'_>> {
        let end = *self.ends.get(place)? as usize;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        Some(Request {
            data: &self.data,
            words: self.words.get(start..end)?,
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Request<'_>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Lets go of them, and of the buffer they came in.
    pub fn clear(&mut self) {
        self.data = Bytes::new();
        self.words.clear();
        self.ends.clear();
        self.error = None;
    }
}

impl<'a> Request<'a> {
    /// What it asks for, as the client wrote it.
    pub fn name(self) -> &'a [u8] {
        self.words.first().map_or(&[], |word| self.slice(word))
    }

    /// How many strings it has, the name included.
    pub fn len(self) -> usize {
        self.words.len()
    }

    /// Bytes of all its strings.
    pub fn size(self) -> usize {
        let lengths = self.words.iter().map(|word| word.end - word.start);
        lengths.sum::<u32>() as usize
    }

    /// True if it has no strings, which a parsed request never is.
    pub fn is_empty(self) -> bool {
        self.words.is_empty()
    }

    /// The string at `place`, where the name is at 0.
    pub fn get(self, place: usize) -> Option<&'a [u8]> {
        self.words.get(place).map(|word| self.slice(word))
    }

    /// The string at `place` as a part of what was read, kept alive by it.
    pub fn bytes(self, place: usize) -> Option<Bytes> {
        let word = self.words.get(place)?;
        Some(self.data.slice(word.start as usize..word.end as usize))
    }

    /// The strings after the name.
    pub fn arguments(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let words = self.words.get(1..).unwrap_or_default();
        words.iter().map(move |word| self.slice(word))
    }

    fn slice(self, word: &Range<u32>) -> &'a [u8] {
        // The parser made the ranges for these bytes.
        self.data
            .get(word.start as usize..word.end as usize)
            .unwrap_or_default()
    }
}
