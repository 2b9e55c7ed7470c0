//! Replies on their way to a client, in the version of the protocol that it speaks.

use super::number::Integer;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The default, until a client says `HELLO 3`.
    #[default]
    Two,
    /// With types for maps, sets, numbers with fractions, and what the server sends by itself.
    Three,
}

/// Bytes of replies that wait to be sent.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
    /// What the client speaks.
    pub version: Version,
}

impl Replies {
    /// None, in version 2.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is to be sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to be kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All was sent. A buffer that had to grow past `keep` bytes is given back.
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
    }

    /// Forgets what was written after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Replies that were written elsewhere, in the same version.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `+OK` and the like.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// An error: a word in capitals that programs look at, and a sentence. What would break its
    /// line (the client's own bytes may be in it) is sent as spaces.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.bytes.push(b'-');
        let one_line = |byte: &u8| match byte {
            b'\r' | b'\n' => b' ',
            other => *other,
        };
        self.bytes.extend(text.as_ref().iter().map(one_line));
        self.end();
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        self.line(b':', Integer::new(value).as_bytes());
    }

    /// A string of any bytes.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.length(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.end();
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(Integer::new(value).as_bytes());
    }

    /// A string, or nothing.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Nothing, where a string would stand.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(match self.version {
            Version::Two => b"$-1\r\n",
            Version::Three => b"_\r\n",
        });
    }

    /// Nothing, where an array would stand.
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(match self.version {
            Version::Two => b"*-1\r\n",
            Version::Three => b"_\r\n",
        });
    }

    /// The head of an array of so many replies.
    pub fn array(&mut self, count: usize) {
        self.length(b'*', count);
    }

    /// The head of a map of so many pairs; in version 2 they are an array, one after the other.
    pub fn map(&mut self, pairs: usize) {
        match self.version {
            Version::Two => self.length(b'*', pairs * 2),
            Version::Three => self.length(b'%', pairs),
        }
    }

    /// The head of a set; an array in version 2.
    pub fn set(&mut self, count: usize) {
        self.length(self.either(b'*', b'~'), count);
    }

    /// The head of what the server sends by itself; an array in version 2.
    pub fn push(&mut self, count: usize) {
        self.length(self.either(b'*', b'>'), count);
    }

    /// True or false; 1 or 0 in version 2.
    pub fn boolean(&mut self, value: bool) {
        self.bytes.extend_from_slice(match (self.version, value) {
            (Version::Two, true) => b":1\r\n",
            (Version::Two, false) => b":0\r\n",
            (Version::Three, true) => b"#t\r\n",
            (Version::Three, false) => b"#f\r\n",
        });
    }

    /// A number with a fraction; a string in version 2.
    pub fn double(&mut self, value: f64) {
        let text = value.to_string();
        match self.version {
            Version::Two => self.bulk(text.as_bytes()),
            Version::Three => self.line(b',', text.as_bytes()),
        }
    }

    /// Text for people; a string in version 2.
    pub fn text(&mut self, text: &str) {
        match self.version {
            Version::Two => self.bulk(text.as_bytes()),
            Version::Three => {
                self.length(b'=', text.len() + 4);
                self.bytes.extend_from_slice(b"txt:");
                self.bytes.extend_from_slice(text.as_bytes());
                self.end();
            }
        }
    }

    fn either(&self, two: u8, three: u8) -> u8 {
        match self.version {
            Version::Two => two,
            Version::Three => three,
        }
    }

    fn length(&mut self, kind: u8, length: usize) {
        // Nothing that is held in memory is longer than an i64 says.
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.line(kind, Integer::new(length).as_bytes());
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(text);
        self.end();
    }

    fn end(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}
