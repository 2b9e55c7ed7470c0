//! A file as one SQLite connection has it open.

use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use engine::env::{Disk, File};
use rusqlite::ffi;

use super::shared::{Database, Held};
use crate::context::lock;
use crate::disk::{SimDisk, SimFile};

/// What makes a file different for the VFS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// A journal or WAL that was just made: its name is made durable with its first sync.
    NewJournal,
    /// It is removed when it is closed.
    Temporary,
}

/// An open file.
pub(super) struct DatabaseFile {
    disk: SimDisk,
    file: SimFile,
    kind: Kind,
    path: PathBuf,
    database: Arc<Mutex<Database>>,
    /// The connection's lock on the file.
    level: c_int,
    /// Its locks of the WAL index; `None` before it has mapped that.
    wal: Option<Held>,
}

impl Kind {
    pub(super) fn of(flags: c_int, is_new: bool) -> Self {
        let journals =
            ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        match flags {
            _ if flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0 => Kind::Temporary,
            _ if is_new && flags & journals != 0 => Kind::NewJournal,
            _ => Kind::Plain,
        }
    }
}

impl DatabaseFile {
    pub(super) fn new(disk: SimDisk, path: PathBuf, file: SimFile, kind: Kind) -> Self {
        let database = disk.database(&file);
        DatabaseFile {
            disk,
            path,
            file,
            kind,
            database,
            level: ffi::SQLITE_LOCK_NONE,
            wal: None,
        }
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(super) fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.kind == Kind::NewJournal {
            self.kind = Kind::Plain;
            self.path
                .parent()
                .map_or(Ok(()), |dir| self.disk.sync_dir(dir))?;
        }
        Ok(())
    }

    /// Raises the lock on the file; false if another connection is in the way.
    pub(super) fn lock(&mut self, wanted: c_int) -> bool {
        self.level = lock(&self.database).lock(self.level, wanted);
        self.level >= wanted
    }

    /// Lowers the lock on the file.
    pub(super) fn unlock(&mut self, wanted: c_int) {
        if self.level > wanted {
            lock(&self.database).unlock(self.level, wanted);
            self.level = wanted;
        }
    }

    pub(super) fn is_reserved(&self) -> bool {
        lock(&self.database).is_reserved()
    }

    /// A region of the WAL index.
    pub(super) fn region(&mut self, number: usize, extend: bool) -> Option<*mut u8> {
        let mut database = lock(&self.database);
        if self.wal.is_none() {
            database.users += 1;
            self.wal = Some(Held::default());
        }
        database.region(number, extend)
    }

    /// Takes locks of the WAL index; false if another connection is in the way.
    pub(super) fn take(&mut self, locks: Range<usize>, shared: bool) -> bool {
        let Some(held) = &mut self.wal else {
            return false;
        };
        lock(&self.database).take(held, locks, shared)
    }

    /// Gives locks of the WAL index back.
    pub(super) fn give_back(&mut self, locks: Range<usize>) {
        if let Some(held) = &mut self.wal {
            lock(&self.database).give_back(held, locks);
        }
    }

    /// Lets go of the WAL index.
    pub(super) fn unmap(&mut self) {
        if let Some(mut held) = self.wal.take() {
            lock(&self.database).unmap(&mut held);
        }
    }
}

impl Drop for DatabaseFile {
    fn drop(&mut self) {
        self.unmap();
        self.unlock(ffi::SQLITE_LOCK_NONE);
        if self.kind == Kind::Temporary {
            // Without power there is nothing to remove it from; a temporary file left over after a
            // crash is nobody's business.
            let _ = self.disk.remove(&self.path);
        }
    }
}
