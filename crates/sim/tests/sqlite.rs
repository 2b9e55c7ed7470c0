//! SQLite on the simulated disk: it works, and a crash does to it what its documentation says.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use engine::env::Disk;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use sim::{Crash, Dice, Honesty, SimDisk};

const DIR: &str = "/data";
const DATABASE: &str = "/data/state.db";

fn new_disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(Dice::new(seed, 0));
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk
}

fn open(disk: &SimDisk, pragmas: &str) -> Result<Connection, Error> {
    let path = disk.database_path(Path::new(DATABASE));
    let vfs = disk.vfs().unwrap();
    let database = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs.as_str())?;
    database.execute_batch(pragmas)?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    )?;
    Ok(database)
}

fn insert(database: &Connection, number: u32, bytes: u32) -> Result<(), Error> {
    let mut insert = database.prepare_cached("INSERT INTO entry VALUES (?1, zeroblob(?2))")?;
    insert.execute([number, bytes]).map(|_| ())
}

fn numbers(database: &Connection) -> Vec<u32> {
    let mut select = database
        .prepare("SELECT number FROM entry ORDER BY number")
        .unwrap();
    select
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn integrity(disk: &SimDisk) -> Result<String, Error> {
    open(disk, "")?.query_row("PRAGMA integrity_check", [], |row| row.get(0))
}

/// What was committed before a crash, and what is there after it.
struct Survival {
    committed: u32,
    found: Result<Vec<u32>, Error>,
}

impl Survival {
    /// The first commits are there, in order and without a gap.
    fn is_prefix(&self) -> bool {
        self.found
            .as_ref()
            .is_ok_and(|found| found.iter().copied().eq(0..found.len() as u32))
    }

    fn lost(&self) -> bool {
        self.found
            .as_ref()
            .is_ok_and(|found| (found.len() as u32) < self.committed)
    }
}

/// Commits until the power fails at a random change, then looks at what is left.
fn commit_and_crash(seed: u64, pragmas: &str, lying: bool) -> Survival {
    let disk = new_disk(seed);
    let mut dice = Dice::new(seed, 1);
    let database = open(&disk, pragmas).unwrap();
    disk.set_honesty(if lying {
        Honesty::Lying
    } else {
        Honesty::Honest
    });
    disk.crash_at(1 + dice.below(300), Crash::any(&mut dice));
    let commits = (0..400_u32).take_while(|number| {
        if number % 16 == 15 {
            // Now and then the WAL goes into the database and starts anew.
            let _ = database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        insert(&database, *number, dice.below(6_000) as u32).is_ok()
    });
    let committed = commits.count() as u32;
    drop(database);
    disk.power_off(Crash::LoseUnsynced);
    disk.set_honesty(Honesty::Honest);
    disk.power_on();
    let found = integrity(&disk).and_then(|verdict| {
        assert!(
            lying || pragmas.contains("OFF") || verdict == "ok",
            "seed {seed}: {verdict}"
        );
        open(&disk, "")
    });
    Survival {
        committed,
        found: found.map(|database| numbers(&database)),
    }
}

const SEEDS: u64 = 120;

fn survivals(pragmas: &'static str, lying: bool) -> impl Iterator<Item = Survival> {
    (0..SEEDS).map(move |seed| commit_and_crash(seed, pragmas, lying))
}

#[test]
fn a_reader_keeps_its_view_while_a_writer_commits() {
    let disk = new_disk(0);
    let writer = open(&disk, "PRAGMA journal_mode = WAL").unwrap();
    insert(&writer, 0, 10).unwrap();
    let reader = open(&disk, "PRAGMA query_only = ON; BEGIN").unwrap();
    assert_eq!(numbers(&reader), [0]);
    insert(&writer, 1, 10).unwrap();
    assert_eq!(numbers(&reader), [0]);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(numbers(&reader), [0, 1]);
}

#[test]
fn two_writers_exclude_each_other() {
    let disk = new_disk(0);
    for mode in ["WAL", "DELETE"] {
        let pragmas = format!("PRAGMA journal_mode = {mode}");
        let (one, two) = (
            open(&disk, &pragmas).unwrap(),
            open(&disk, &pragmas).unwrap(),
        );
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        let busy = two.execute_batch("BEGIN IMMEDIATE").unwrap_err();
        assert_eq!(
            busy.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy),
            "{mode}"
        );
        one.execute_batch("COMMIT").unwrap();
        two.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
    }
}

#[test]
fn with_wal_and_full_a_crash_loses_no_commit() {
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
    for (seed, survival) in survivals(pragmas, false).enumerate() {
        assert!(survival.is_prefix() && !survival.lost(), "seed {seed}");
    }
}

#[test]
fn with_a_rollback_journal_and_full_a_crash_loses_no_commit() {
    // EXTRA also syncs the directory after the journal's removal, which is the commit.
    let pragmas = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA";
    for (seed, survival) in survivals(pragmas, false).enumerate() {
        assert!(survival.is_prefix() && !survival.lost(), "seed {seed}");
    }
}

#[test]
fn with_wal_and_normal_a_crash_loses_recent_commits_at_most() {
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    let mut losses = 0;
    for (seed, survival) in survivals(pragmas, false).enumerate() {
        assert!(survival.is_prefix(), "seed {seed}");
        losses += u64::from(survival.lost());
    }
    assert!(
        losses > SEEDS / 10,
        "a disk that forgets loses some: {losses}"
    );
}

#[test]
fn a_checkpoint_makes_durable_what_normal_left_open() {
    let disk = new_disk(0);
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    let database = open(&disk, pragmas).unwrap();
    (0..20).for_each(|number| insert(&database, number, 500).unwrap());
    database
        .execute_batch("PRAGMA wal_checkpoint(PASSIVE)")
        .unwrap();
    (20..30).for_each(|number| insert(&database, number, 500).unwrap());
    disk.power_off(Crash::LoseUnsynced);
    disk.power_on();
    assert_eq!(
        numbers(&open(&disk, "").unwrap()),
        (0..20).collect::<Vec<_>>()
    );
}

/// A test that does not find these would not find a bug of ours either.
#[test]
fn a_lying_sync_and_no_sync_are_found_out() {
    let full = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
    assert!(survivals(full, true).any(|survival| !survival.is_prefix() || survival.lost()));
    let off = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF";
    assert!(
        survivals(off, false).any(|survival| !survival.is_prefix()),
        "OFF corrupts"
    );
}

#[test]
fn a_connection_from_before_a_crash_changes_nothing_after_it() {
    let disk = new_disk(0);
    let wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    let before = open(&disk, wal).unwrap();
    insert(&before, 0, 10).unwrap();
    disk.power_off(Crash::KeepAll);
    assert!(insert(&before, 1, 10).is_err());
    disk.power_on();
    let after = open(&disk, wal).unwrap();
    insert(&after, 2, 10).unwrap();
    let changes = disk.changes();
    drop(before);
    assert_eq!(disk.changes(), changes, "closing writes nothing");
    insert(&after, 3, 10).unwrap();
    assert_eq!(numbers(&after), [0, 2, 3]);
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let disk = new_disk(0);
    let database = open(&disk, "PRAGMA journal_mode = WAL").unwrap();
    disk.set_capacity_bytes(Some(disk.used_bytes() + 50_000));
    let refused = (0..100)
        .find_map(|number| insert(&database, number, 2_000).err())
        .unwrap();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DiskFull));
    let before = numbers(&database);
    assert!(!before.is_empty());
    disk.set_capacity_bytes(None);
    insert(&database, 1_000, 2_000).unwrap();
    assert_eq!(numbers(&database).len(), before.len() + 1);
    assert_eq!(integrity(&disk).unwrap(), "ok");
}

#[test]
fn temporary_files_work_and_leave_nothing() {
    let disk = new_disk(0);
    let small_cache = "PRAGMA temp_store = FILE; PRAGMA cache_size = 10; PRAGMA cache_spill = 5";
    let database = open(&disk, small_cache).unwrap();
    (0..2_000).for_each(|number| insert(&database, number, 1).unwrap());
    database
        .execute_batch(
            "CREATE TEMP TABLE shuffled AS
                SELECT number, hex(zeroblob(500)) AS filler
                FROM entry ORDER BY number * 7919 % 2003;
             CREATE INDEX temp.by_filler ON shuffled (filler, number);",
        )
        .unwrap();
    let count: u32 = database
        .query_row("SELECT count(*) FROM shuffled", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2_000);
    drop(database);
    let files = disk.files_under(Path::new("/"));
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn a_backup_copies_a_database() {
    let disk = new_disk(0);
    let database = open(&disk, "PRAGMA journal_mode = WAL").unwrap();
    (0..50).for_each(|number| insert(&database, number, 3_000).unwrap());
    let path = disk.database_path(Path::new("/data/copy.db"));
    let vfs = disk.vfs().unwrap();
    let flags = OpenFlags::default();
    let mut copy = Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()).unwrap();
    let backup = rusqlite::backup::Backup::new(&database, &mut copy).unwrap();
    backup
        .run_to_completion(1_000, std::time::Duration::ZERO, None)
        .unwrap();
    drop(backup);
    assert_eq!(numbers(&copy).len(), 50);
}
