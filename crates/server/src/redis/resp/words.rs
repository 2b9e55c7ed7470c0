//! A line of words with quotes, as one types it: `set greeting "hello\nworld"`.

use std::ops::Range;

/// A quote has no other, or something follows it without a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// Splits the line at `line` of `buffer` into words, which are written in their place without
/// quotes and escapes: they never get longer. Answers how many there are.
pub fn split(
    buffer: &mut [u8],
    line: Range<usize>,
    words: &mut Vec<Range<u32>>,
) -> Result<usize, Unbalanced> {
    let before = words.len();
    let mut cursor = Cursor {
        buffer,
        at: line.start,
        end: line.end,
        written: line.start,
    };
    while cursor.skip_space() {
        words.push(cursor.word()?);
    }
    Ok(words.len() - before)
}

struct Cursor<'a> {
    buffer: &'a mut [u8],
    at: usize,
    end: usize,
    /// Where the next byte of a word goes, never past `at`.
    written: usize,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.buffer[at])
    }

    /// True if a word follows.
    fn skip_space(&mut self) -> bool {
        while self.peek(0).is_some_and(is_space) {
            self.at += 1;
        }
        self.at < self.end
    }

    fn word(&mut self) -> Result<Range<u32>, Unbalanced> {
        // Between two words there is a space at least, so the next one begins past this one.
        let start = self.written;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => self.double_quoted()?,
                b'\'' => self.single_quoted()?,
                space if is_space(space) => break,
                other => self.put(other, 1),
            }
        }
        Ok(start as u32..self.written as u32)
    }

    fn double_quoted(&mut self) -> Result<(), Unbalanced> {
        self.at += 1;
        loop {
            match (self.peek(0).ok_or(Unbalanced)?, self.peek(1)) {
                (b'"', after) => return self.close(after),
                (b'\\', Some(b'x')) => match (self.hex(2), self.hex(3)) {
                    (Some(high), Some(low)) => self.put(high << 4 | low, 4),
                    _ => self.put(b'x', 2),
                },
                (b'\\', Some(escaped)) => self.put(unescaped(escaped), 2),
                (other, _) => self.put(other, 1),
            }
        }
    }

    fn single_quoted(&mut self) -> Result<(), Unbalanced> {
        self.at += 1;
        loop {
            match (self.peek(0).ok_or(Unbalanced)?, self.peek(1)) {
                (b'\'', after) => return self.close(after),
                (b'\\', Some(b'\'')) => self.put(b'\'', 2),
                (other, _) => self.put(other, 1),
            }
        }
    }

    /// Ends a quote, after which there is a space or nothing.
    fn close(&mut self, after: Option<u8>) -> Result<(), Unbalanced> {
        self.at += 1;
        match after.is_none_or(is_space) {
            true => Ok(()),
            false => Err(Unbalanced),
        }
    }

    fn hex(&self, ahead: usize) -> Option<u8> {
        let digit = char::from(self.peek(ahead)?).to_digit(16)?;
        u8::try_from(digit).ok()
    }

    /// Writes a byte that took so many in the line.
    fn put(&mut self, byte: u8, taken: usize) {
        self.buffer[self.written] = byte;
        self.written += 1;
        self.at += taken;
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// What C calls a space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
