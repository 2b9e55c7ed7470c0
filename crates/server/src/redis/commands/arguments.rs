//! The words of a request, read one after the other.

use std::borrow::Cow;

use bytes::Bytes;

use crate::redis::resp::{Replies, Request, parse_float, parse_integer};

/// Why a request is refused before anything is asked of the store, in Redis's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An option that there is not, or two that exclude each other.
    Syntax,
    /// Something else where an integer must be.
    NotInteger,
    /// A negative count.
    NotPositive,
    /// Too many or too few words.
    Arity,
    /// A time to live that cannot be.
    InvalidExpiry,
    /// `ERR` and this sentence.
    Because(Cow<'static, str>),
    /// A whole line, the word in capitals at its start included.
    Line(Cow<'static, str>),
}

impl Refusal {
    /// `ERR` and a sentence that is always the same.
    pub const fn because(text: &'static str) -> Self {
        Refusal::Because(Cow::Borrowed(text))
    }

    /// The line as a reply to the command of this name.
    pub fn write(&self, command: &str, replies: &mut Replies) {
        match self {
            Refusal::Syntax => replies.error("ERR syntax error"),
            Refusal::NotInteger => {
                replies.error("ERR value is not an integer or out of range");
            }
            Refusal::NotPositive => {
                replies.error("ERR value is out of range, must be positive");
            }
            Refusal::Arity => replies.error(format!(
                "ERR wrong number of arguments for '{command}' command"
            )),
            Refusal::InvalidExpiry => {
                replies.error(format!("ERR invalid expire time in '{command}' command"));
            }
            Refusal::Because(text) => replies.error(format!("ERR {text}")),
            Refusal::Line(line) => replies.error(line.as_bytes()),
        }
    }
}

/// What reading the words of a request comes to.
pub(crate) type Parsed<T> = Result<T, Refusal>;

/// The words of a request that have not been read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a> {
    request: Request<'a>,
    next: usize,
}

impl<'a> Arguments<'a> {
    /// The words after the command's name.
    pub fn of(request: Request<'a>) -> Self {
        Arguments { request, next: 1 }
    }

    /// The words from `place` on, where the command's name is at 0.
    pub fn from(request: Request<'a>, place: usize) -> Self {
        Arguments {
            request,
            next: place,
        }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.request.len().saturating_sub(self.next)
    }

    /// The next one, if there is one.
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.request.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next one, which must be there.
    pub fn word(&mut self) -> Parsed<&'a [u8]> {
        self.next().ok_or(Refusal::Syntax)
    }

    /// The next one, to be kept.
    pub fn bytes(&mut self) -> Parsed<Bytes> {
        let bytes = self.request.bytes(self.next).ok_or(Refusal::Syntax)?;
        self.next += 1;
        Ok(bytes)
    }

    /// The next one as a glob or the name of a channel, to be kept.
    pub fn pattern(&mut self) -> Parsed<Bytes> {
        let pattern = self.bytes()?;
        check_pattern(&pattern)?;
        Ok(pattern)
    }

    /// The next one as an integer.
    pub fn integer(&mut self) -> Parsed<i64> {
        parse_integer(self.word()?).ok_or(Refusal::NotInteger)
    }

    /// The next one as an integer that is not negative.
    pub fn count(&mut self) -> Parsed<u64> {
        u64::try_from(self.integer()?).map_err(|_| Refusal::NotPositive)
    }

    /// True, and one word further, if the next is this one in any case.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self
            .request
            .get(self.next)
            .is_some_and(|next| is(next, word));
        self.next += usize::from(found);
        found
    }

    /// All the rest, to be kept.
    pub fn rest(&mut self) -> Vec<Bytes> {
        let from = self.next;
        self.next = self.request.len().max(from);
        let places = from..self.next;
        places
            .filter_map(|place| self.request.bytes(place))
            .collect()
    }

    /// So many of the rest, to be kept.
    pub fn several(&mut self, count: usize) -> Parsed<Vec<Bytes>> {
        if self.left() < count {
            return Err(Refusal::Syntax);
        }
        (0..count).map(|_| self.bytes()).collect()
    }

    /// All the rest in pairs, at least one, to be kept.
    pub fn pairs(&mut self) -> Parsed<Vec<(Bytes, Bytes)>> {
        if self.left() == 0 || !self.left().is_multiple_of(2) {
            return Err(Refusal::Arity);
        }
        let pairs = 0..self.left() / 2;
        pairs.map(|_| Ok((self.bytes()?, self.bytes()?))).collect()
    }

    /// Nothing may be left.
    pub fn end(&self) -> Parsed<()> {
        match self.left() {
            0 => Ok(()),
            _ => Err(Refusal::Syntax),
        }
    }

    /// The next one as a time to wait, in seconds with a fraction; `None` is without end.
    pub fn timeout(&mut self) -> Parsed<Option<std::time::Duration>> {
        let not_a_float = Refusal::because("timeout is not a float or out of range");
        let seconds = parse_float(self.word()?).ok_or(not_a_float)?;
        if seconds < 0.0 {
            return Err(Refusal::because("timeout is negative"));
        }
        if seconds > TIMEOUT_MAX_SECONDS {
            return Err(Refusal::because("timeout is out of range"));
        }
        Ok((seconds > 0.0).then(|| std::time::Duration::from_secs_f64(seconds)))
    }
}

/// A glob, or the name of a channel, has at most as many bytes as a key, with which globs are
/// compared: that takes as many steps at the worst as the product of both lengths.
pub(crate) const PATTERN_MAX_BYTES: usize = domain::store::KEY_MAX_BYTES;

/// Refuses a glob, or the name of a channel, that is too long.
pub(crate) fn check_pattern(pattern: &[u8]) -> Parsed<()> {
    match pattern.len() <= PATTERN_MAX_BYTES {
        true => Ok(()),
        false => Err(Refusal::Because(
            format!("a pattern or channel has at most {PATTERN_MAX_BYTES} bytes").into(),
        )),
    }
}

/// Nobody waits for thirty years; more would overflow clocks.
const TIMEOUT_MAX_SECONDS: f64 = 1e9;

/// True if these are the same letters, in any case.
pub(crate) fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
