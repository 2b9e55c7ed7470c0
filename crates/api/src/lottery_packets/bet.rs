//! A bet as it travels: five fields with `;` between them.

use std::fmt;

/// Bytes of a first name, and of a last name.
pub const NAME_MAX_BYTES: usize = 50;

/// Bytes of a document's number.
pub const DOCUMENT_MAX_BYTES: usize = 10;

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
    /// A day that exists, as `YYYY-MM-DD`.
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
    /// Not a day of the calendar, written `YYYY-MM-DD`.
    #[error("the birthdate is no date written YYYY-MM-DD")]
    NoDate,
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
        let bet = Bet {
            first_name: text(Field::FirstName, first_name, NAME_MAX_BYTES)?,
            last_name: text(Field::LastName, last_name, NAME_MAX_BYTES)?,
            document: text(Field::Document, document, DOCUMENT_MAX_BYTES)?,
            birthdate: present(Field::Birthdate, birthdate)?,
            number: read_number(present(Field::Number, number)?)?,
        };
        match is_date(birthdate) {
            true => Ok(bet),
            false => Err(BadBet::NoDate),
        }
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

/// Whether a text is a day of the calendar, written `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else {
        return false;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let value = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |sum, d| sum * 10 + u32::from(d - b'0'))
    };
    let (year, month, day) = (
        value(&digits[..4]),
        value(&digits[4..6]),
        value(&digits[6..]),
    );
    year > 0 && day > 0 && day <= days_of(year, month)
}

/// Days of a month of the Gregorian calendar; none of a month that there is not.
fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}
