//! Stories of a ring: runs every script of `crates/ring/scripts`.
//!
//! The circle of a script has 256 places, so that `64` is a quarter of the way round. A packet
//! takes 50 ms, silence of 500 ms is death, and nodes stabilise once a second. Times count from the
//! command that is being run.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p ring --test scripts` writes what they print.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod show;
mod story;

use std::path::PathBuf;

#[test]
fn scripts() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are no scripts");
    for path in paths {
        println!("{}", path.display());
        goldenscript::run(&mut story::Story::default(), path).unwrap();
    }
}
