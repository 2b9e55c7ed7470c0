//! An agency's bets, from a file or from the environment, in batches that are known by an id.

use std::path::Path;

use api::lottery_packets::{BadBet, Bet, Request};
use csv::StringRecord;
use domain::lottery::BetProblem;

use crate::failure::{Failure, Outcome};

/// A file is held in memory while its bets are sent: this is some three million of them.
const FILE_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The variables of a single bet, in the order of its fields.
const VARIABLES: [&str; 5] = ["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"];

/// Bytes of a request id, which is written as twice as many digits.
const ID_BYTES: usize = 16;

/// The bets of an agency.
#[derive(Debug)]
pub struct Bets {
    agency: u32,
    /// As a file has them, one a line.
    text: Vec<u8>,
    count: u64,
    single: bool,
}

/// Bets that are sent together.
#[derive(Debug)]
pub struct Batch {
    pub bets: Vec<OwnedBet>,
    /// A bet from the environment, not from a file.
    pub single: bool,
    agency: u32,
    id: String,
    /// Of its first bet, from 1.
    first: u64,
}

/// A bet that was read and found to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedBet {
    fields: StringRecord,
    number: u16,
}

impl OwnedBet {
    fn new(fields: StringRecord) -> Result<Self, String> {
        let five = five(&fields).map_err(|why| why.to_string())?;
        let bet = Bet::from_fields(five).map_err(|why| why.to_string())?;
        let number = bet.number;
        // By the rule that the nodes apply, so that they refuse nothing of a file that passed.
        judged(&bet).map_err(|problem| format!("{}: {}", problem.field, problem.reason))?;
        Ok(OwnedBet { fields, number })
    }

    /// The bet as it is sent.
    pub fn borrowed(&self) -> Bet<'_> {
        let field = |place| self.fields.get(place).unwrap_or_default();
        Bet {
            first_name: field(0),
            last_name: field(1),
            document: field(2),
            birthdate: field(3),
            number: self.number,
        }
    }
}

impl Bets {
    /// Reads a file and checks every bet of it.
    pub fn read(agency: u32, path: &Path) -> Outcome<Self> {
        let refuse = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let size = std::fs::metadata(path)
            .map_err(|error| refuse(error.to_string()))?
            .len();
        if size > FILE_MAX_BYTES {
            return Err(refuse(format!("more than {FILE_MAX_BYTES} bytes")));
        }
        let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
        Bets::of_text(agency, text, false).map_err(refuse)
    }

    /// Takes one bet from the environment.
    pub fn from_environment(agency: u32) -> Outcome<Self> {
        let value = |name: &&str| std::env::var(name).ok();
        let values: Vec<String> = VARIABLES.iter().filter_map(value).collect();
        if values.len() < VARIABLES.len() {
            return Err(Failure::usage(format!(
                "say with --file where the bets are, or set {}",
                VARIABLES.join(", ")
            )));
        }
        let mut line = csv::Writer::from_writer(Vec::new());
        let text = line
            .write_record(values)
            .and_then(|()| line.into_inner().map_err(|error| error.into_error().into()))
            .map_err(Failure::usage)?;
        Bets::of_text(agency, text, true).map_err(Failure::usage)
    }

    /// Takes the bets of a text, one a line, and checks every one of them; `single` if it is one
    /// of the environment. An error is one sentence, with the line it is about.
    pub fn of_text(agency: u32, text: Vec<u8>, single: bool) -> Result<Self, String> {
        let mut count = 0;
        for bet in records(&text) {
            bet?;
            count += 1;
        }
        Ok(Bets {
            agency,
            text,
            count,
            single,
        })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether it is one bet from the environment.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// All of them, up to `size` at a time.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Outcome<Batch>> {
        let content = blake3::hash(&self.text);
        let mut records = records(&self.text);
        let mut first = 1;
        std::iter::from_fn(move || {
            let bets: Result<Vec<OwnedBet>, String> = records.by_ref().take(size).collect();
            let bets = match bets {
                Ok(bets) if bets.is_empty() => return None,
                Ok(bets) => bets,
                Err(why) => return Some(Err(Failure::usage(why))),
            };
            let place = first;
            first += bets.len() as u64;
            Some(Ok(Batch {
                bets,
                single: self.single,
                agency: self.agency,
                id: request_id(self.agency, &content, place),
                first: place,
            }))
        })
    }
}

impl Batch {
    /// What is sent, and whether a receipt is to come back.
    pub fn request(&self, receipt: bool) -> Request<'_> {
        Request::StoreBatchOnce {
            id: &self.id,
            agency: self.agency,
            bets: self.bets.iter().map(OwnedBet::borrowed).collect(),
            receipt,
        }
    }

    /// Which bets these are, for a person.
    pub fn place(&self) -> String {
        let last = self.first + self.bets.len() as u64 - 1;
        match self.bets.len() {
            1 => format!("bet {}", self.first),
            _ => format!("the bets {} to {last}", self.first),
        }
    }
}

fn judged(bet: &Bet<'_>) -> Result<(), BetProblem> {
    let bet = domain::lottery::Bet {
        first_name: bet.first_name.to_owned(),
        last_name: bet.last_name.to_owned(),
        document: bet.document.to_owned(),
        birthdate: bet.birthdate.to_owned(),
        number: bet.number,
    };
    bet.check()
}

/// The bets of a text, each with the line it is on if it is none.
fn records(text: &[u8]) -> impl Iterator<Item = Result<OwnedBet, String>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text)
        .into_records()
        .map(|record| {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            OwnedBet::new(record).map_err(|why| format!("line {line}: {why}"))
        })
}

fn five(record: &StringRecord) -> Result<[&str; 5], BadBet> {
    if record.len() > VARIABLES.len() {
        return Err(BadBet::Extra);
    }
    // What is missing is empty, and named by the check of the fields.
    Ok(std::array::from_fn(|place| {
        record.get(place).unwrap_or_default()
    }))
}

/// Follows from what is sent and where it stands. The size of a batch is no part of it: bets that
/// are sent again in other batches are refused rather than stored twice.
fn request_id(agency: u32, content: &blake3::Hash, first: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&agency.to_le_bytes());
    hasher.update(content.as_bytes());
    hasher.update(&first.to_le_bytes());
    let digits = hasher.finalize().to_hex();
    digits[..ID_BYTES * 2].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bets(text: &str) -> Result<Bets, String> {
        Bets::of_text(1, text.as_bytes().to_vec(), false)
    }

    fn ids(bets: &Bets, size: usize) -> Vec<(usize, String)> {
        let batches = bets.batches(size).map(Result::unwrap);
        batches.map(|batch| (batch.bets.len(), batch.id)).collect()
    }

    #[test]
    fn a_file_is_cut_into_batches_that_have_the_same_ids_every_time() {
        let text = "Ana,Paz,1,2000-01-01,1\r\n\"De la Cruz, Eva\",Ñu,2,2000-01-02,2\n".repeat(3);
        let bets = bets(&text).unwrap();
        assert_eq!(bets.count(), 6);
        let first = ids(&bets, 4);
        assert_eq!(
            first.iter().map(|(count, _)| *count).collect::<Vec<_>>(),
            [4, 2]
        );
        assert_eq!(first, ids(&bets, 4));
        assert_ne!(first[0].1, first[1].1);
        assert_eq!(
            ids(&bets, 6)[0].1,
            first[0].1,
            "the size is no part of the id"
        );
        let other = super::Bets { agency: 2, ..bets };
        assert_ne!(ids(&other, 4)[0].1, first[0].1);
        let batch = other.batches(2).next().unwrap().unwrap();
        assert_eq!(batch.bets[1].borrowed().first_name, "De la Cruz, Eva");
        assert_eq!(batch.place(), "the bets 1 to 2");
    }

    #[test]
    fn a_line_that_is_no_bet_is_named() {
        let good = "Ana,Paz,1,2000-01-01,1\n";
        let cases = [
            ("Ana,Paz,1,2000-01-01\n", "line 2: the number is missing"),
            (
                "Ana,Paz,1,2000-01-01,1,x\n",
                "line 2: more fields than a bet has",
            ),
            (
                "Ana,Paz,1,2000-02-30,1\n",
                "line 2: birthdate: it must be a date that exists",
            ),
            (
                "A\u{200b}na,Paz,1,2000-02-03,1\n",
                "line 2: first_name: it must not hold",
            ),
            ("A;na,Paz,1,2000-02-03,1\n", "line 2: the first name holds"),
        ];
        for (line, expected) in cases {
            let why = bets(&format!("{good}{line}")).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        }
        assert_eq!(bets("").unwrap().count(), 0);
        assert!(Bets::of_text(1, b"\xff,b,1,2000-01-01,1\n".to_vec(), false).is_err());
    }
}
