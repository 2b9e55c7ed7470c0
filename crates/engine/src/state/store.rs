//! The one writer of the state: applies entries inside an open SQLite transaction and commits it
//! behind the log.
//!
//! The log is the durability. An entry's outcome is answered once it is applied inside the open
//! transaction; the transaction is committed a little later, or when a reader needs it. What is
//! not committed yet is kept in `pending`, so that a full disk (which makes SQLite roll back) only
//! means doing it again. What the state reports as applied after a start is what it durably has,
//! and the log is purged no further than a synced commit.

use std::path::{Path, PathBuf};

use domain::store::Memory;
use domain::{Event, EventId, Fault, Machine, Outcome, Proposal, StateHash};
use openraft::EntryPayload;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::env::Disk;
use crate::sql::Sqlite;
use crate::state::commands::decode;
use crate::types::{Batch, Entry, LogId, Outcomes, StoredMembership};

/// Page cache of the writing connection in KiB; it fills only as far as the data is used.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// Page cache of a reading connection in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Entries held back from a commit, in bytes: what a crash of the process makes us apply again.
pub const PENDING_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Past this a commit is due at once, so that it is done before it must be.
const PENDING_MANY_BYTES: usize = PENDING_MAX_BYTES / 2;

/// Where the state of a data directory is.
pub fn path(data: &Path) -> PathBuf {
    data.join("state.db")
}

/// The state and the connection that writes it. Every method may block.
pub struct Store {
    connection: Connection,
    machine: Machine,
    /// What the open transaction has applied.
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Entries applied since the last commit.
    pending: Vec<Entry>,
    pending_bytes: usize,
    /// What the last commit holds.
    committed: Option<LogId>,
}

/// What is true of the state at one moment.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The last entry applied, also if not committed yet.
    pub applied: Option<LogId>,
    /// The last entry that readers can see.
    pub committed: Option<LogId>,
    /// The hash chain at `applied`.
    pub hash: StateHash,
}

/// What applying entries came to.
pub struct Applied {
    /// One for each entry, in order.
    pub outcomes: Vec<Outcomes>,
    /// What happened.
    pub events: Vec<Event>,
}

impl Store {
    /// Opens the state, or makes an empty one. What it finds may not be durable yet.
    pub fn open<D: Disk>(disk: &D, path: &Path) -> Result<Self, Fault> {
        let connection = connect(disk, path, true)?;
        connection
            .pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
            .map_err(fault)?;
        connection
            .pragma_update(None, "wal_autocheckpoint", 0)
            .map_err(fault)?;
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS engine \
                 (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            )
            .map_err(fault)?;
        let mut store = Store {
            connection,
            machine: Machine::default(),
            applied: None,
            membership: StoredMembership::default(),
            pending: Vec::new(),
            pending_bytes: 0,
            committed: None,
        };
        store.load()?;
        Ok(store)
    }

    /// Applies entries. If the disk is full nothing of them is kept; try again later.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Applied, Fault> {
        let commands = decode(entries)?;
        self.apply_decoded(entries, commands)
    }

    /// The same if no command of them may take long; otherwise `None`, and nothing was done.
    pub fn apply_quick(&mut self, entries: &[Entry]) -> Option<Result<Applied, Fault>> {
        let commands = match decode(entries) {
            Ok(commands) => commands,
            Err(fault) => return Some(Err(fault)),
        };
        let mut all = commands.iter().flatten();
        if all.any(|proposal| proposal.action.may_take_long()) {
            return None;
        }
        Some(self.apply_decoded(entries, commands))
    }

    fn apply_decoded(
        &mut self,
        entries: &[Entry],
        commands: Vec<Vec<Proposal>>,
    ) -> Result<Applied, Fault> {
        if self.pending_bytes > PENDING_MAX_BYTES {
            self.commit()?;
        }
        self.begin()?;
        let kept = self.pending.len();
        match self.apply_all(entries, commands) {
            Ok(applied) => {
                self.pending.extend_from_slice(entries);
                self.pending_bytes += entries
                    .iter()
                    .map(crate::log::frame::size_of)
                    .sum::<usize>();
                Ok(applied)
            }
            Err(fault) => {
                self.pending.truncate(kept);
                self.roll_back()?;
                Err(fault)
            }
        }
    }

    fn apply_all(
        &mut self,
        entries: &[Entry],
        commands: Vec<Vec<Proposal>>,
    ) -> Result<Applied, Fault> {
        let mut applied = Applied {
            outcomes: Vec::with_capacity(entries.len()),
            events: vec![],
        };
        for (entry, proposals) in entries.iter().zip(commands) {
            let outcomes = self.apply_one(entry, proposals)?;
            applied
                .events
                .extend(outcomes.iter().filter_map(|outcome| outcome.event.clone()));
            applied.outcomes.push(Outcomes(outcomes));
        }
        Ok(applied)
    }

    fn apply_one(
        &mut self,
        entry: &Entry,
        proposals: Vec<Proposal>,
    ) -> Result<Vec<Outcome>, Fault> {
        if self.applied.is_some_and(|applied| entry.log_id <= applied) {
            return Err(Fault::Corrupt("an entry would be applied a second time"));
        }
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(batch) => self.apply_batch(entry.log_id, batch, proposals)?,
            EntryPayload::Membership(membership) => {
                let log_id = Some(entry.log_id);
                self.membership = StoredMembership::new(log_id, membership.clone());
                Vec::new()
            }
        };
        self.applied = Some(entry.log_id);
        self.machine.memory().reached(entry.log_id.index);
        Ok(outcomes)
    }

    fn apply_batch(
        &mut self,
        log_id: LogId,
        batch: &Batch,
        proposals: Vec<Proposal>,
    ) -> Result<Vec<Outcome>, Fault> {
        let (index, term) = (log_id.index, log_id.leader_id.term);
        let mut sql = Sqlite::new(&self.connection);
        let mut outcomes = Vec::with_capacity(proposals.len());
        for (number, proposal) in (0..).zip(proposals) {
            let position = EventId { index, number };
            let command = proposal.place(position, term, batch.at_ms, batch.entropy(number));
            outcomes.push(self.machine.apply(&mut sql, &command)?);
        }
        Ok(outcomes)
    }

    /// Writes some of what a commit would have to write, so that it keeps nobody waiting for long;
    /// answers how many rows are left.
    pub fn write_some(&mut self, rows: usize) -> Result<usize, Fault> {
        if self.connection.is_autocommit() && self.pending.is_empty() {
            return Ok(0);
        }
        self.begin()?;
        let written = self
            .machine
            .save_some(&mut Sqlite::new(&self.connection), rows);
        if written.is_err() {
            self.roll_back()?;
        }
        written
    }

    /// True if so much is held back that it should be committed.
    pub fn is_full(&self) -> bool {
        self.pending_bytes > PENDING_MANY_BYTES
    }

    /// Makes what is applied visible to readers. Not yet durable: the log is.
    pub fn commit(&mut self) -> Result<(), Fault> {
        if self.connection.is_autocommit() && self.pending.is_empty() {
            return Ok(());
        }
        match self.save_and_commit() {
            Ok(()) => {
                self.machine.committed();
                self.pending.clear();
                self.pending_bytes = 0;
                self.committed = self.applied;
                Ok(())
            }
            Err(fault) => {
                self.roll_back()?;
                Err(fault)
            }
        }
    }

    /// Makes what is applied durable: the log may be purged up to it.
    pub fn commit_durably(&mut self) -> Result<(Option<LogId>, StoredMembership), Fault> {
        self.commit()?;
        self.synchronous("FULL")?;
        let committed = self
            .begin()
            .and_then(|()| self.touch())
            .and_then(|()| self.write_commit());
        if committed.is_err() {
            // The setting cannot be changed inside a transaction.
            self.roll_back()?;
        }
        self.synchronous("NORMAL")?;
        committed?;
        Ok((self.committed, self.membership.clone()))
    }

    fn synchronous(&self, level: &str) -> Result<(), Fault> {
        self.connection
            .pragma_update(None, "synchronous", level)
            .map_err(fault)
    }

    /// Moves the write-ahead log into the database file; answers how many of its pages are left.
    pub fn checkpoint(&mut self) -> Result<i64, Fault> {
        self.commit()?;
        checkpoint(&self.connection)
    }

    /// Replaces the whole state with the database at `path`, atomically and durably, if that is the
    /// state that is `wanted`. The new state says of itself that it was installed: until the log is
    /// purged it is ahead of it. When the disk is full it can be tried again.
    pub fn replace<D: Disk>(
        &mut self,
        disk: &D,
        path: &Path,
        wanted: Option<LogId>,
    ) -> Result<(Option<LogId>, StoredMembership), Fault> {
        let source = connect(disk, path, false)?;
        let applied: Option<LogId> = get(&source, "applied")?.flatten();
        if applied != wanted {
            return Err(Fault::Corrupt(
                "a snapshot does not hold the state it announced",
            ));
        }
        put(&source, "installed", &applied)?;
        self.abandon()?;
        self.connection.flush_prepared_statement_cache();
        whole_backup(&source, &mut self.connection)?;
        self.load()?;
        self.commit_durably()
    }

    /// Where the state stands.
    pub fn standing(&self) -> Standing {
        Standing {
            applied: self.applied,
            committed: self.committed,
            hash: self.machine.hash,
        }
    }

    /// The store's rows in memory; the same for as long as the state is open.
    pub fn memory(&self) -> &Memory {
        self.machine.memory()
    }

    /// True if nothing was applied since the state was installed from a snapshot.
    pub fn is_as_installed(&self) -> Result<bool, Fault> {
        let installed: Option<LogId> = get(&self.connection, "installed")?.flatten();
        Ok(installed.is_some() && installed == self.applied)
    }

    /// The members as of the last applied entry.
    pub fn membership(&self) -> &StoredMembership {
        &self.membership
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if !self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(fault)?;
        // After a rollback: what was applied but not committed has to be applied again.
        let pending = std::mem::take(&mut self.pending);
        let replayed = decode(&pending).and_then(|commands| self.apply_all(&pending, commands));
        self.pending = pending;
        match replayed {
            Ok(_) => Ok(()),
            Err(fault) => {
                self.roll_back()?;
                Err(fault)
            }
        }
    }

    fn save_and_commit(&mut self) -> Result<(), Fault> {
        self.begin()?;
        self.write_commit()
    }

    /// Changes a row: SQLite syncs nothing for a transaction that changed nothing, and a row
    /// overwritten with the same bytes is no change.
    fn touch(&mut self) -> Result<(), Fault> {
        let syncs: u64 = get(&self.connection, "syncs")?.unwrap_or_default();
        put(&self.connection, "syncs", &(syncs + 1))
    }

    fn write_commit(&mut self) -> Result<(), Fault> {
        self.machine.save(&mut Sqlite::new(&self.connection))?;
        put(&self.connection, "applied", &self.applied)?;
        put(&self.connection, "membership", &self.membership)?;
        self.connection.execute_batch("COMMIT").map_err(fault)
    }

    /// Back to the last commit; `pending` stays and is applied again by the next `begin`.
    fn roll_back(&mut self) -> Result<(), Fault> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").map_err(fault)?;
        }
        self.load()
    }

    fn abandon(&mut self) -> Result<(), Fault> {
        self.pending.clear();
        self.pending_bytes = 0;
        self.roll_back()
    }

    fn load(&mut self) -> Result<(), Fault> {
        self.machine.reload(&mut Sqlite::new(&self.connection))?;
        self.applied = get(&self.connection, "applied")?.flatten();
        let index = self.applied.map_or(0, |applied| applied.index);
        self.machine.memory().reached(index);
        self.membership = get(&self.connection, "membership")?.unwrap_or_default();
        self.committed = self.applied;
        Ok(())
    }
}

/// Opens a connection to a database of this disk.
pub fn connect<D: Disk>(disk: &D, path: &Path, create: bool) -> Result<Connection, Fault> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let path = disk.database_path(path);
    let connection = match disk.vfs() {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(fault)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(fault)?;
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .map_err(fault)?;
    connection
        .pragma_update(None, "cache_size", -READER_CACHE_KIB)
        .map_err(fault)?;
    connection
        .pragma_update(None, "temp_store", "MEMORY")
        .map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Prepared statements a connection keeps: more than the rules have.
const STATEMENTS_MAX: usize = 256;

/// Copies a consistent state into a new database at `to`; answers what it holds.
pub fn copy<D: Disk>(
    disk: &D,
    from: &Connection,
    to: &Path,
) -> Result<(Option<LogId>, StoredMembership), Fault> {
    remove_database(disk, to);
    let mut target = connect(disk, to, true)?;
    target
        .pragma_update(None, "journal_mode", "DELETE")
        .map_err(fault)?;
    whole_backup(from, &mut target)?;
    let applied = get(&target, "applied")?.flatten();
    let membership = get(&target, "membership")?.unwrap_or_default();
    target.close().map_err(|(_, error)| fault(error))?;
    Ok((applied, membership))
}

/// Removes a database with the files SQLite keeps beside it; what is not there is no error.
pub fn remove_database<D: Disk>(disk: &D, path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // A leftover costs space, nothing else: every use of the name begins by removing it.
        drop(disk.remove(Path::new(&name)));
    }
}

/// Copies a database over another. All pages in one step: one read transaction, so writers do not
/// make it start over.
fn whole_backup(from: &Connection, to: &mut Connection) -> Result<(), Fault> {
    let backup = Backup::new(from, to).map_err(fault)?;
    match backup.step(-1).map_err(fault)? {
        StepResult::Done => Ok(()),
        step => Err(Fault::Database(format!("a copy stopped: {step:?}").into())),
    }
}

/// Moves what readers allow of the write-ahead log into the database; answers the pages left.
pub fn checkpoint(connection: &Connection) -> Result<i64, Fault> {
    let (pages, done): (i64, i64) = connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })
        .map_err(fault)?;
    Ok(pages - done)
}

/// The last entry whose effects a connection's transaction sees.
pub fn visible(connection: &Connection) -> Result<Option<LogId>, Fault> {
    Ok(get(connection, "applied")?.flatten())
}

fn put<T: serde::Serialize>(connection: &Connection, key: &str, value: &T) -> Result<(), Fault> {
    let bytes =
        postcard::to_stdvec(value).map_err(|_| Fault::Corrupt("a value has no encoding"))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO engine (key, value) VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute((key, bytes)))
        .map_err(fault)?;
    Ok(())
}

fn get<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    key: &str,
) -> Result<Option<T>, Fault> {
    use rusqlite::OptionalExtension as _;
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM engine WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .map_err(fault)?;
    let damaged = |_| Fault::Corrupt("the engine's own rows cannot be read");
    bytes
        .map(|bytes| postcard::from_bytes(&bytes).map_err(damaged))
        .transpose()
}

fn fault(error: rusqlite::Error) -> Fault {
    crate::sql::sqlite::fault(error)
}
