//! The rules, told as stories: runs every script of `crates/domain/scripts` on SQLite and on
//! PostgreSQL. Both must print what the script says, to the byte.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p engine --test golden` writes what they print.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod dump;
mod files;
mod keys;
mod lottery;
mod polls;
mod script;
mod server;
mod show;
mod story;

use std::path::PathBuf;

use engine::sql::{Postgres, Prepared, Sqlite};

#[test]
fn scripts_on_sqlite() {
    for path in scripts() {
        println!("{}", path.display());
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let mut sql = Sqlite::new(&connection);
        goldenscript::run(&mut story::Story::begin(&mut sql), path).unwrap();
    }
}

#[test]
fn scripts_on_postgres() {
    let Some(server) = server::start() else {
        return;
    };
    for path in scripts() {
        println!("{}", path.display());
        let mut client = server.connect();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(&own_schema()).unwrap();
        let mut prepared = Prepared::default();
        let mut sql = Postgres::new(&mut transaction, &mut prepared);
        goldenscript::run(&mut story::Story::begin(&mut sql), path).unwrap();
        transaction.rollback().unwrap();
    }
}

/// Makes a schema that nobody else has, in the transaction, so that nothing of it stays.
fn own_schema() -> String {
    let name = format!("consorcio_{}", std::process::id());
    format!("CREATE SCHEMA {name}; SET LOCAL search_path TO {name}")
}

/// Every script, in the order of their names.
fn scripts() -> Vec<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../domain/scripts");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are no scripts");
    paths
}
