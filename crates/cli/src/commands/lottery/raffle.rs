//! `consorcio lottery raffle`: RFC 3797's selection, for raffles among members.

use std::path::PathBuf;

use domain::lottery::raffle;
use serde::Serialize;

use super::super::output::{Output, cell};
use crate::failure::{Failure, Outcome};

/// What `--help` says.
pub const LONG: &str = "\
Select among members with numbers that were drawn in public (RFC 3797)

Publish beforehand: the numbered list, how many are selected, and which public numbers will decide
(for example two lotteries of a later date). Then anybody can run this command, or any other program
that follows RFC 3797, and gets the same selection.

Each SOURCE is the numbers of one drawing, separated by commas, in any order; the order of the
sources is the one that was announced. With --names the list is a file with a name a line.

  consorcio lottery raffle --pool 25 --select 10 9319 2,5,12,8,10 9,18,26,34,41,45";

/// What is raffled.
#[derive(clap::Args)]
pub struct Args {
    /// How many there are to select from, numbered from 1
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "names",
        conflicts_with = "names"
    )]
    pool: Option<usize>,
    /// A file with a name a line, numbered from 1
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// How many are selected
    #[arg(long, value_name = "N", default_value_t = 1)]
    select: usize,
    /// The numbers of one drawing, separated by commas
    #[arg(required = true, value_name = "SOURCE", value_parser = numbers)]
    sources: Vec<Numbers>,
}

/// The numbers of one drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbers(Vec<u64>);

/// What came of it.
#[derive(Serialize)]
struct Selection {
    key: String,
    selected: Vec<Selected>,
}

#[derive(Serialize)]
struct Selected {
    /// From 1.
    number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

fn numbers(text: &str) -> Result<Numbers, String> {
    let number = |part: &str| part.trim().parse().map_err(|_| part.to_owned());
    let numbers: Result<_, String> = text.split(',').map(number).collect();
    numbers
        .map(Numbers)
        .map_err(|part| format!("{part:?} is not a whole number"))
}

/// Runs the command.
pub fn run(out: &Output, args: Args) -> Outcome {
    let names = args.names.map(read_names).transpose()?;
    let pool = match (&names, args.pool) {
        (Some(names), _) => names.len(),
        (None, pool) => pool.unwrap_or_default(),
    };
    let sources: Vec<Vec<u64>> = args.sources.into_iter().map(|source| source.0).collect();
    let key = raffle::key(&sources).map_err(Failure::usage)?;
    let selected = raffle::select(&key, pool, args.select).map_err(Failure::usage)?;
    let selected = selected.into_iter().map(|number| Selected {
        number,
        name: names
            .as_ref()
            .and_then(|names| names.get(number - 1).cloned()),
    });
    let selection = Selection {
        selected: selected.collect(),
        key,
    };
    if out.json {
        return out.json(&selection);
    }
    let rows = selection.selected.iter().enumerate().map(|(at, selected)| {
        let name = selected.name.as_deref().unwrap_or_default();
        vec![
            cell(at + 1).right(),
            cell(selected.number).right(),
            cell(name),
        ]
    });
    let rows: Vec<_> = rows.collect();
    out.table(&["SELECTED", "NUMBER", "NAME"], &rows, "")?;
    out.line(&format!("Key: {}", selection.key))
}

fn read_names(path: PathBuf) -> Outcome<Vec<String>> {
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_whole_numbers_between_commas() {
        assert_eq!(numbers("9319"), Ok(Numbers(vec![9319])));
        assert_eq!(numbers("2, 5,12"), Ok(Numbers(vec![2, 5, 12])));
        for text in ["", "1,", "1;2", "-1", "1.5"] {
            assert!(numbers(text).is_err(), "{text}");
        }
    }
}
