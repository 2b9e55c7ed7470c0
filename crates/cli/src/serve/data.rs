//! The data directory: one process at a time, and readable by its owner only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// The file in the data directory that holds the secret with which other nodes join.
pub const TOKEN_FILE: &str = "join-token";

/// The file that a running process holds locked.
pub const LOCK_FILE: &str = "lock";

/// A data directory that is ours while this value lives, and until the process ends at the latest.
#[derive(Debug)]
pub struct Data {
    dir: PathBuf,
    new: bool,
    _lock: File,
}

impl Data {
    /// Makes the directory if there is none, and locks it.
    pub fn claim(dir: &Path) -> Outcome<Self> {
        let fail = |error: &dyn std::fmt::Display| {
            Failure::failed(format!(
                "cannot use the data directory {}: {error}",
                dir.display()
            ))
        };
        make_dir(dir).map_err(|error| fail(&error))?;
        let new = is_empty(dir).map_err(|error| fail(&error))?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(LOCK_FILE))
            .map_err(|error| fail(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(fail(&in_use(dir))),
            Err(TryLockError::Error(error)) => return Err(fail(&error)),
        }
        note_owner(&mut lock).map_err(|error| fail(&error))?;
        Ok(Data {
            dir: dir.to_owned(),
            new,
            _lock: lock,
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// True if no node has kept anything here before.
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// Leaves no trace of a start that came to nothing, if the directory was new.
    pub fn leave_as_found(self) {
        if self.new {
            // What cannot be removed hurts nobody.
            drop(fs::remove_file(self.dir.join(LOCK_FILE)));
            drop(fs::remove_dir(&self.dir));
        }
    }

    /// Writes a secret into a file that only the owner may read, whole or not at all.
    pub fn write_secret(&self, name: &str, secret: &str) -> io::Result<()> {
        let (target, draft) = (self.dir.join(name), self.dir.join(format!("{name}.new")));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&draft)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        fs::rename(draft, target)
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    // One that was there before may be open to others: it holds secrets and password hashes.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// A start that failed early leaves its lock file behind and nothing else.
fn is_empty(dir: &Path) -> io::Result<bool> {
    let mut entries = fs::read_dir(dir)?;
    entries.try_fold(true, |empty, entry| {
        Ok(empty && entry?.file_name() == LOCK_FILE)
    })
}

/// The process id is for the reader of the message below; the lock is what counts.
fn note_owner(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn in_use(dir: &Path) -> String {
    let owner = fs::read_to_string(dir.join(LOCK_FILE)).unwrap_or_default();
    match owner.trim() {
        "" => "another process uses it".to_owned(),
        id => format!("process {id} uses it"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        let first = Data::claim(&dir).unwrap();
        let refused = Data::claim(&dir).unwrap_err();
        let owner = format!("process {} uses it", std::process::id());
        assert!(refused.message.contains(&owner), "{refused}");
        assert!(first.is_new());
        drop(first);
        let second = Data::claim(&dir).unwrap();
        assert!(second.is_new());
        second.write_secret(TOKEN_FILE, "one").unwrap();
        drop(second);
        assert!(!Data::claim(&dir).unwrap().is_new());
    }

    #[test]
    fn a_secret_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::claim(dir.path()).unwrap();
        data.write_secret(TOKEN_FILE, "one").unwrap();
        data.write_secret(TOKEN_FILE, "two").unwrap();
        let path = dir.path().join(TOKEN_FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_path_that_cannot_be_a_directory_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let failure = Data::claim(&file.path().join("x")).unwrap_err();
        assert!(
            failure.message.contains("cannot use the data directory"),
            "{failure}"
        );
    }
}
