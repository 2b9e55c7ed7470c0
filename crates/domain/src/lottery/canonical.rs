//! The canonical text of a batch: what is stored, what the Merkle tree hashes, and what anybody
//! can write again from a record.
//!
//! ```text
//!   1;7;0;3;1;2                               version;lottery;leaf;agency;first bet;bets
//!   Ana;Pérez;30904465;1999-03-17;7574        first name;last name;document;birthdate;number
//!   Eva;Luna;27123456;1980-12-01;12
//! ```
//!
//! UTF-8, every line ended by one `\n`, numbers in decimal without leading zeros. No field can hold
//! `;` or a control character ([`Bet::check`]), so two batches never have the same text. The leaf
//! of the batch is SHA-256 of a zero byte and this text: `{ printf '\0'; cat text; } | sha256sum`.

use crate::lottery::Bet;

/// The first field of the text; another number is another format.
pub const VERSION: u32 = 1;

/// Bytes of a bet's line beside its fields: four separators, a line end and four digits.
const LINE_EXTRA: usize = 9;

/// The place of a batch in its lottery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Lottery id.
    pub lottery: i64,
    /// Index of the leaf, from 0.
    pub leaf: i64,
    /// The agency, from 1.
    pub agency: u32,
    /// Index of the batch's first bet, from 1 over the whole lottery.
    pub first: i64,
}

/// Writes a batch.
pub fn write(place: Place, bets: &[Bet]) -> String {
    let Place {
        lottery,
        leaf,
        agency,
        first,
    } = place;
    let count = bets.len();
    let mut text = format!("{VERSION};{lottery};{leaf};{agency};{first};{count}\n");
    text.reserve(bets.iter().map(line_bytes).sum());
    for bet in bets {
        for field in [
            &bet.first_name,
            &bet.last_name,
            &bet.document,
            &bet.birthdate,
        ] {
            text.push_str(field);
            text.push(';');
        }
        push_number(&mut text, bet.number);
        text.push('\n');
    }
    text
}

/// Reads the bets of a batch; `None` if the text is not one that [`write()`] made.
pub fn read(text: &str) -> Option<Vec<Bet>> {
    lines(text)?.map(bet).collect()
}

/// The documents of those who bet on `number`, in order; `None` if the text is not a batch.
pub(super) fn documents_on(text: &str, number: u16) -> Option<impl Iterator<Item = &str>> {
    let mut end = String::with_capacity(5);
    end.push(';');
    push_number(&mut end, number);
    let winning = lines(text)?.filter(move |line| line.ends_with(&end));
    // The last field is the number alone: the separator before it is in `end`.
    Some(winning.filter_map(|line| line.split(';').nth(2)))
}

/// The lines of the bets, once the first line shows the version.
fn lines(text: &str) -> Option<std::str::Lines<'_>> {
    let (head, bets) = text.split_once('\n')?;
    let (version, _) = head.split_once(';')?;
    (version.parse() == Ok(VERSION)).then(|| bets.lines())
}

fn bet(line: &str) -> Option<Bet> {
    let mut fields = line.split(';');
    let mut field = || fields.next().map(str::to_owned);
    Some(Bet {
        first_name: field()?,
        last_name: field()?,
        document: field()?,
        birthdate: field()?,
        number: field()?.parse().ok()?,
    })
}

fn line_bytes(bet: &Bet) -> usize {
    bet.first_name.len()
        + bet.last_name.len()
        + bet.document.len()
        + bet.birthdate.len()
        + LINE_EXTRA
}

/// Appends a number without the detour over a formatter, which would take most of the time.
fn push_number(text: &mut String, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && number < divisor {
        divisor /= 10;
    }
    while divisor > 0 {
        let digit = (number / divisor % 10) as u8;
        text.push(char::from(b'0' + digit));
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Place, documents_on, push_number, read, write};
    use crate::lottery::Bet;

    fn bet(first_name: &str, document: &str, number: u16) -> Bet {
        Bet {
            first_name: first_name.to_owned(),
            last_name: "Pérez".to_owned(),
            document: document.to_owned(),
            birthdate: "1999-03-17".to_owned(),
            number,
        }
    }

    const PLACE: Place = Place {
        lottery: 7,
        leaf: 0,
        agency: 3,
        first: 1,
    };

    #[test]
    fn a_batch_is_written_as_documented_and_read_back() {
        let bets = vec![bet("Ana", "30904465", 7574), bet("Eva", "27", 0)];
        let text = write(PLACE, &bets);
        let expected = "1;7;0;3;1;2\nAna;Pérez;30904465;1999-03-17;7574\n\
            Eva;Pérez;27;1999-03-17;0\n";
        assert_eq!(text, expected);
        assert_eq!(read(&text).unwrap(), bets);
        assert_eq!(read("2;7;0;3;1;0\n"), None);
        assert_eq!(read("1;7;0;3;1;1\nAna;Pérez\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn winners_bet_on_the_number_and_not_on_its_end() {
        let bets = [
            bet("a", "1", 7574),
            bet("b", "2", 74),
            bet("c", "3", 4),
            bet("d", "4", 74),
        ];
        let text = write(PLACE, &bets);
        let on = |number| documents_on(&text, number).unwrap().collect::<Vec<_>>();
        assert_eq!(on(74), ["2", "4"]);
        assert_eq!(on(4), ["3"]);
        assert_eq!(on(7574), ["1"]);
        assert!(on(757).is_empty());
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 99, 100, 7574, 9999, 10_000, u16::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
