//! A bet as it travels: five fields with `;` between them. What cannot travel, or is no number, is
//! refused here; everything else about a bet is the lottery's to judge.

use std::fmt;

/// Bytes of a first name, and of a last name.
pub const NAME_MAX_BYTES: usize = 50;

/// Bytes of a document's number.
pub const DOCUMENT_MAX_BYTES: usize = 10;

/// Bytes of a birthdate.
pub const BIRTHDATE_MAX_BYTES: usize = 10;

/// The largest number to bet on.
pub const NUMBER_MAX: u16 = 9999;

/// Digits of a number to bet on.
const NUMBER_MAX_BYTES: usize = 4;

/// A bet, borrowed from where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bet<'a> {
    /// 1 to [`NAME_MAX_BYTES`] bytes.
    pub first_name: &'a str,
    /// 1 to [`NAME_MAX_BYTES`] bytes.
    pub last_name: &'a str,
    /// 1 to [`DOCUMENT_MAX_BYTES`] bytes.
    pub document: &'a str,
    /// 1 to [`BIRTHDATE_MAX_BYTES`] bytes, as `YYYY-MM-DD`. Whether it is a day that exists is for
    /// the lottery to say.
    pub birthdate: &'a str,
    /// 0 to [`NUMBER_MAX`].
    pub number: u16,
}

/// A field of a bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The number of the document.
    Document,
    /// The birthdate.
    Birthdate,
    /// The number that is bet on.
    Number,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::FirstName => "first name",
            Field::LastName => "last name",
            Field::Document => "document",
            Field::Birthdate => "birthdate",
            Field::Number => "number",
        })
    }
}

/// Why something is no bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBet {
    /// A field is empty, or there are too few.
    #[error("the {0} is missing")]
    Missing(Field),
    /// More fields than five, which is also what a `;` in a name looks like.
    #[error("more fields than a bet has")]
    Extra,
    /// More bytes than the field may have.
    #[error("the {field} has more than {max_bytes} bytes")]
    TooLong {
        /// Which.
        field: Field,
        /// The limit.
        max_bytes: usize,
    },
    /// A character that separates fields or bets, or a control character.
    #[error("the {0} holds ';', ':' or a control character")]
    Reserved(Field),
    /// Not a number from 0 to 9999.
    #[error("the number is none from 0 to 9999")]
    NoNumber,
}

impl<'a> Bet<'a> {
    /// The bet of five fields.
    ///
    /// # Errors
    ///
    /// What is wrong with the first field that is wrong.
    pub fn from_fields(fields: [&'a str; 5]) -> Result<Self, BadBet> {
        let [first_name, last_name, document, birthdate, number] = fields;
        Ok(Bet {
            first_name: text(Field::FirstName, first_name, NAME_MAX_BYTES)?,
            last_name: text(Field::LastName, last_name, NAME_MAX_BYTES)?,
            document: text(Field::Document, document, DOCUMENT_MAX_BYTES)?,
            birthdate: text(Field::Birthdate, birthdate, BIRTHDATE_MAX_BYTES)?,
            number: read_number(present(Field::Number, number)?)?,
        })
    }

    /// Reads `first name;last name;document;birthdate;number`.
    pub(super) fn parse(text: &'a str) -> Result<Self, BadBet> {
        let mut fields = text.split(';');
        let mut next = || fields.next().unwrap_or_default();
        let five = [next(), next(), next(), next(), next()];
        let extra = fields.next().is_some();
        match extra {
            true => Err(BadBet::Extra),
            false => Bet::from_fields(five),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for field in [
            self.first_name,
            self.last_name,
            self.document,
            self.birthdate,
        ] {
            out.extend_from_slice(field.as_bytes());
            out.push(b';');
        }
        write_number(out, u32::from(self.number));
    }
}

/// Appends a number in decimal.
pub(super) fn write_number(out: &mut Vec<u8>, number: u32) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{number}");
}

fn present(field: Field, text: &str) -> Result<&str, BadBet> {
    match text.is_empty() {
        true => Err(BadBet::Missing(field)),
        false => Ok(text),
    }
}

fn text(field: Field, text: &str, max_bytes: usize) -> Result<&str, BadBet> {
    let text = present(field, text)?;
    if text.len() > max_bytes {
        return Err(BadBet::TooLong { field, max_bytes });
    }
    let reserved = |c: char| c == ';' || c == ':' || c.is_control();
    match text.contains(reserved) {
        true => Err(BadBet::Reserved(field)),
        false => Ok(text),
    }
}

fn read_number(text: &str) -> Result<u16, BadBet> {
    let plain = text.len() <= NUMBER_MAX_BYTES && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| *number <= NUMBER_MAX)
        .ok_or(BadBet::NoNumber)
}
