//! How fast can a log append and sync? Each way of keeping one takes the same entries of 256 bytes
//! in batches of 1, 16 and 256, and must have them on the disk before it takes the next batch. The
//! figures behind our choice stand in ARCHITECTURE.md.
//!
//! ```text
//! cargo bench -p engine --bench log [DIR]      DIR: on the disk to measure; default: target/tmp
//! ```

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use engine::Tuning;
use engine::log::LogOptions;
use engine::production::Production;
use engine::types::{Batch, LogId};
use openraft::EntryPayload;
use openraft::storage::RaftLogStorageExt as _;

/// Bytes of an entry: a 64-byte value with its key, stamp and framing, rounded up.
const ENTRY_BYTES: usize = 256;

/// How many times everything is measured; the median is shown.
const ROUNDS: usize = 7;

/// Entries in a batch, and batches in a measurement: enough for most of a second, and few enough
/// that all of it fits into one segment.
const LOADS: [(usize, usize); 3] = [(1, 2000), (16, 1500), (256, 800)];

/// Bytes of a zero-filled segment.
const SEGMENT_BYTES: usize = 64 * 1024 * 1024;

type Entry = [u8; ENTRY_BYTES];

/// Something that keeps entries in order.
trait Log {
    /// Appends the entries; they are durable when it returns.
    fn append(&mut self, first: u64, entries: &[Entry]);
}

/// A log in an empty directory.
type Open = fn(&Path) -> Box<dyn Log>;

const LOGS: [(&str, Open); 6] = [
    ("our log, one record a batch", |dir| {
        Box::new(Ours::open(dir))
    }),
    ("file that grows, fdatasync", |dir| {
        Box::new(Growing::open(dir))
    }),
    ("file filled with zeros before, fdatasync", |dir| {
        Box::new(Zeroed::open(dir))
    }),
    ("SQLite, WAL, synchronous=FULL", |dir| {
        Box::new(Sqlite::open(dir))
    }),
    ("fjall, SyncData", |dir| Box::new(Fjall::open(dir))),
    ("redb, Immediate", |dir| Box::new(Redb::open(dir))),
];

fn main() {
    let given = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let base = PathBuf::from(given.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()));
    println!("entries of {ENTRY_BYTES} bytes a second, synced before return, median of {ROUNDS}");
    println!("in {}\n", base.display());
    let mut rates = vec![[const { Vec::new() }; LOADS.len()]; LOGS.len()];
    for round in 0..ROUNDS {
        for (log, (_, open)) in LOGS.iter().enumerate() {
            for (load, (batch, batches)) in LOADS.iter().enumerate() {
                let dir = base.join(format!("log-bench-{round}-{log}-{load}"));
                rates[log][load].push(measure(&dir, *open, *batch, *batches));
            }
        }
    }
    print_table(&mut rates);
}

/// Entries a second.
fn measure(dir: &Path, open: Open, batch: usize, batches: usize) -> f64 {
    fs::create_dir_all(dir).unwrap();
    let mut log = open(dir);
    let mut entries = vec![[0; ENTRY_BYTES]; batch];
    let started = Instant::now();
    for number in 0..batches {
        let first = (number * batch) as u64;
        vary(&mut entries, first);
        log.append(first, &entries);
    }
    let rate = (batch * batches) as f64 / started.elapsed().as_secs_f64();
    drop(log);
    fs::remove_dir_all(dir).unwrap();
    rate
}

/// Gives every entry bytes of its own: equal ones would be compressed, or not written at all.
fn vary(entries: &mut [Entry], first: u64) {
    for (entry, number) in entries.iter_mut().zip(first..) {
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for chunk in entry.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
    }
}

fn print_table(rates: &mut [[Vec<f64>; LOADS.len()]]) {
    println!(
        "{:<42} {:>10} {:>10} {:>10}",
        "batches of", LOADS[0].0, LOADS[1].0, LOADS[2].0
    );
    for ((name, _), rates) in LOGS.iter().zip(rates) {
        print!("{name:<42}");
        for rates in rates {
            rates.sort_by(f64::total_cmp);
            print!(" {:>10.0}", rates[rates.len() / 2]);
        }
        println!();
    }
}

/// The engine's log as the engine uses it: the commands that are ready become one entry.
struct Ours {
    runtime: tokio::runtime::Runtime,
    log: engine::log::Log<Production>,
}

impl Ours {
    fn open(dir: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = LogOptions {
            dir: dir.to_owned(),
            segment_bytes: Tuning::default().segment_bytes,
        };
        let log = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            engine::log::Log::open(&Production::new(listener), options)
                .await
                .unwrap()
        });
        Ours { runtime, log }
    }
}

impl Log for Ours {
    fn append(&mut self, first: u64, entries: &[Entry]) {
        let proposals = entries
            .iter()
            .map(|entry| Bytes::copy_from_slice(entry))
            .collect();
        let batch = Batch {
            at_ms: 0,
            seed: [0; 32],
            proposals,
        };
        let index = first / entries.len() as u64;
        let id = LogId::new_term_index(1, index);
        let entry = engine::types::Entry {
            log_id: id,
            payload: EntryPayload::Normal(batch),
        };
        self.runtime
            .block_on(self.log.blocking_append([entry]))
            .unwrap();
    }
}

struct Growing(File);

impl Growing {
    fn open(dir: &Path) -> Self {
        let path = dir.join("log");
        Growing(
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap(),
        )
    }
}

impl Log for Growing {
    fn append(&mut self, _first: u64, entries: &[Entry]) {
        self.0.write_all(entries.as_flattened()).unwrap();
        self.0.sync_data().unwrap();
    }
}

struct Zeroed(File);

impl Zeroed {
    fn open(dir: &Path) -> Self {
        let file = File::create_new(dir.join("log")).unwrap();
        file.write_all_at(&vec![0; SEGMENT_BYTES], 0).unwrap();
        file.sync_all().unwrap();
        Zeroed(file)
    }
}

impl Log for Zeroed {
    fn append(&mut self, first: u64, entries: &[Entry]) {
        let offset = first * ENTRY_BYTES as u64;
        self.0.write_all_at(entries.as_flattened(), offset).unwrap();
        self.0.sync_data().unwrap();
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(dir: &Path) -> Self {
        let connection = rusqlite::Connection::open(dir.join("log")).unwrap();
        let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE log (number INTEGER PRIMARY KEY, entry BLOB NOT NULL)";
        connection.execute_batch(schema).unwrap();
        Sqlite(connection)
    }
}

impl Log for Sqlite {
    fn append(&mut self, first: u64, entries: &[Entry]) {
        let transaction = self.0.transaction().unwrap();
        let mut insert = transaction
            .prepare_cached("INSERT INTO log VALUES (?1, ?2)")
            .unwrap();
        for (entry, number) in entries.iter().zip(first as i64..) {
            insert.execute((number, &entry[..])).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

impl Fjall {
    fn open(dir: &Path) -> Self {
        let database = fjall::Database::builder(dir).open().unwrap();
        let keyspace = database
            .keyspace("log", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        Fjall(database, keyspace)
    }
}

impl Log for Fjall {
    fn append(&mut self, first: u64, entries: &[Entry]) {
        let mut batch = self.0.batch();
        for (entry, number) in entries.iter().zip(first..) {
            batch.insert(&self.1, number.to_be_bytes(), &entry[..]);
        }
        batch.commit().unwrap();
        self.0.persist(fjall::PersistMode::SyncData).unwrap();
    }
}

const REDB_TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("log");

struct Redb(redb::Database);

impl Redb {
    fn open(dir: &Path) -> Self {
        Redb(redb::Database::create(dir.join("log")).unwrap())
    }
}

impl Log for Redb {
    fn append(&mut self, first: u64, entries: &[Entry]) {
        let transaction = self.0.begin_write().unwrap();
        let mut table = transaction.open_table(REDB_TABLE).unwrap();
        for (entry, number) in entries.iter().zip(first..) {
            table.insert(number, &entry[..]).unwrap();
        }
        drop(table);
        transaction.commit().unwrap();
    }
}
