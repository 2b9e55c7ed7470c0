//! Any bytes that an agency's file may hold. The reader is part of the program, not of a library:
//! its source is built into this target.
#![no_main]
#![allow(dead_code, reason = "the program uses more of the reader")]

#[path = "../properties/agency_csv.rs"]
mod agency_csv;
#[path = "../../crates/cli/src/agency/bets.rs"]
mod bets;
#[path = "../../crates/cli/src/failure.rs"]
mod failure;

use bets::{Bets, OwnedBet};

libfuzzer_sys::fuzz_target!(|file: &[u8]| agency_csv::hold(file));
