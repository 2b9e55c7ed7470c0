//! The fuzz target of an agency's file on a stable toolchain: see `fuzz/`.
#![allow(clippy::expect_used, clippy::panic)]

use super::bets::{Bets, OwnedBet};

#[path = "../../../../fuzz/properties/agency_csv.rs"]
mod agency_csv;
#[path = "../../../../fuzz/properties/runner.rs"]
mod runner;

#[test]
fn no_file_makes_an_agency_fall_and_what_it_takes_is_sent_whole() {
    let line = "Ana María,Núñez,30904465,1999-03-17,7574\n";
    let quoted = "\"De la Cruz, \"\"Eva\"\"\",Ñu,2,2000-02-29,0002\r\n";
    let examples = [
        line.to_owned(),
        quoted.to_owned(),
        line.repeat(5) + quoted,
        format!(" {line}\n{quoted}\"\""),
        line.repeat(70),
    ];
    let examples: Vec<Vec<u8>> = examples.map(String::into_bytes).into();
    runner::run(
        agency_csv::hold,
        &examples,
        b",,\"\"\n\r;:09- \xff\xc3\x00A",
    );
}
