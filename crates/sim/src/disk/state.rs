//! The state behind a disk: the cached image, the durable one, and the journal between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Honesty;
use super::image::Image;
use super::journal::{Change, Crash, Medium};
use crate::dice::Dice;
use crate::vfs;

/// A file, whatever its name.
pub(super) type Inode = u64;

pub(super) struct State {
    on: bool,
    /// Counts the losses of power: what was opened in another life is dead.
    pub(super) life: u64,
    /// What reads see.
    cached: Medium,
    /// What a crash leaves for sure.
    durable: Medium,
    /// What leads from `durable` to `cached`, in order.
    journal: Vec<Change>,
    open_files: BTreeMap<Inode, u64>,
    next_inode: Inode,
    /// What SQLite's connections share, by database file.
    pub(super) databases: BTreeMap<Inode, Arc<Mutex<vfs::Database>>>,
    pub(super) changes: u64,
    pub(super) faults: Faults,
    honesty: Honesty,
    /// How many changes of a file its last sync should have made durable: see [`Honesty::Late`].
    late: BTreeMap<Inode, usize>,
    /// How many files of a name were made.
    pub(super) made: BTreeMap<String, u64>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) sync_time: Range<Duration>,
    pub(super) queue_time: Range<Duration>,
    dice: Dice,
}

/// Faults that end with the disk's life.
#[derive(Default)]
pub(super) struct Faults {
    /// The number of changes to go, and what happens then.
    pub(super) crash_at: Option<(u64, Crash)>,
    pub(super) fail_syncs: bool,
}

impl State {
    pub(super) fn new(dice: Dice, sync_time: Range<Duration>) -> Self {
        let mut durable = Medium::default();
        durable.dirs.insert(PathBuf::from("/"));
        State {
            on: true,
            life: 0,
            cached: durable.clone(),
            durable,
            journal: Vec::new(),
            open_files: BTreeMap::new(),
            next_inode: 1,
            databases: BTreeMap::new(),
            changes: 0,
            faults: Faults::default(),
            honesty: Honesty::Honest,
            late: BTreeMap::new(),
            made: BTreeMap::new(),
            capacity_bytes: None,
            sync_time,
            queue_time: Duration::ZERO..Duration::ZERO,
            dice,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.on {
            Ok(())
        } else {
            Err(io::Error::other("the disk has no power"))
        }
    }

    pub(super) fn power_off(&mut self, crash: Crash) {
        if !self.on {
            return;
        }
        self.on = false;
        self.life += 1;
        self.open_files.clear();
        self.databases.clear();
        if crash != Crash::KillOnly {
            let journal = std::mem::take(&mut self.journal);
            self.durable.crash(&journal, crash, &mut self.dice);
            self.cached = self.durable.clone();
        }
    }

    pub(super) fn power_on(&mut self) {
        self.on = true;
        self.faults = Faults::default();
    }

    pub(super) fn set_honesty(&mut self, honesty: Honesty) {
        self.honesty = honesty;
    }

    pub(super) fn erase(&mut self) {
        self.power_off(Crash::KillOnly);
        let mut empty = Medium::default();
        empty.dirs.insert(PathBuf::from("/"));
        self.cached = empty.clone();
        self.durable = empty;
        self.journal.clear();
    }

    /// The same contents, or only what is durable, under other circumstances: never full, honest.
    pub(super) fn copy(&self, durable: bool) -> State {
        let mut copy = State::new(self.dice.clone(), Duration::ZERO..Duration::ZERO);
        copy.durable = self.durable.clone();
        if !durable {
            copy.durable = self.cached.clone();
        }
        copy.durable.forget_lost_files();
        copy.cached = copy.durable.clone();
        copy.next_inode = self.next_inode;
        copy
    }

    /// Counts a change and tells whether the power fails in the middle of it.
    fn count_change(&mut self) -> Option<Crash> {
        self.changes += 1;
        let (to_go, crash) = self.faults.crash_at.as_mut()?;
        *to_go -= 1;
        (*to_go == 0).then_some(*crash)
    }

    /// Makes a change in the cache.
    fn change(&mut self, change: Change) -> io::Result<()> {
        let crash = self.count_change();
        self.cached.apply(&change);
        self.journal.push(change);
        if let Some(crash) = crash {
            self.power_off(crash);
        }
        self.check_power()
    }

    /// Makes durable what `chosen` says.
    fn sync(&mut self, chosen: impl FnMut(&Change) -> bool) -> io::Result<()> {
        if let Some(crash) = self.count_change() {
            self.power_off(crash);
        }
        self.check_power()?;
        if self.faults.fail_syncs {
            return Err(io::Error::other("the disk reports an error"));
        }
        self.make_durable(chosen);
        Ok(())
    }

    fn make_durable(&mut self, mut chosen: impl FnMut(&Change) -> bool) {
        for change in std::mem::take(&mut self.journal) {
            if chosen(&change) {
                self.durable.apply(&change);
            } else {
                self.journal.push(change);
            }
        }
    }

    pub(super) fn sync_duration(&mut self) -> Duration {
        let range = self.sync_time.clone();
        self.dice.within(&range)
    }

    pub(super) fn queue_duration(&mut self) -> Duration {
        let range = self.queue_time.clone();
        self.dice.within(&range)
    }

    pub(super) fn make_inode(&mut self) -> Inode {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.cached.files.entry(inode).or_default();
        inode
    }

    pub(super) fn opened(&mut self, inode: Inode) {
        *self.open_files.entry(inode).or_default() += 1;
    }

    pub(super) fn closed(&mut self, inode: Inode) {
        let Some(count) = self.open_files.get_mut(&inode) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.open_files.remove(&inode);
            self.databases.remove(&inode);
            self.forget_if_unused(inode);
        }
    }

    /// Frees a file that has neither a name nor a user.
    fn forget_if_unused(&mut self, inode: Inode) {
        if !self.cached.is_named(inode) && !self.open_files.contains_key(&inode) {
            self.cached.files.remove(&inode);
            self.forget_unreachable();
        }
    }

    /// Forgets the bytes of files that no crash can bring back.
    fn forget_unreachable(&mut self) {
        let mut reachable: BTreeSet<Inode> = self.cached.files.keys().copied().collect();
        reachable.extend(self.durable.names.values());
        reachable.extend(self.journal.iter().filter_map(|change| match change {
            Change::Link { inode, .. } => Some(*inode),
            _ => None,
        }));
        self.durable
            .files
            .retain(|inode, _| reachable.contains(inode));
        self.journal
            .retain(|change| change.inode().is_none_or(|i| reachable.contains(&i)));
    }

    pub(super) fn find(&self, path: &Path) -> Option<Inode> {
        self.cached.names.get(&absolute(path)).copied()
    }

    pub(super) fn create_dir_all(&mut self, dir: &Path) -> io::Result<()> {
        self.check_power()?;
        let dir = absolute(dir);
        let mut missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|dir| !self.cached.dirs.contains(*dir))
            .collect();
        missing.reverse();
        missing
            .into_iter()
            .try_for_each(|dir| self.change(Change::MakeDir { dir: dir.into() }))
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.check_power()?;
        let dir = absolute(dir);
        if !self.cached.dirs.contains(&dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self
            .cached
            .names
            .keys()
            .filter(|path| path.parent() == Some(&dir));
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        Ok(inside.filter_map(name).collect())
    }

    pub(super) fn open(&mut self, path: &Path, create: bool) -> io::Result<Inode> {
        self.check_power()?;
        if let Some(inode) = self.find(path) {
            return Ok(inode);
        }
        let path = absolute(path);
        let in_a_dir = path
            .parent()
            .is_some_and(|dir| self.cached.dirs.contains(dir));
        if !create || !in_a_dir {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = self.make_inode();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            *self.made.entry(name.to_owned()).or_default() += 1;
        }
        self.change(Change::Link { path, inode })?;
        Ok(inode)
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.check_power()?;
        let inode = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Unlink {
            path: absolute(path),
        })?;
        self.forget_if_unused(inode);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_power()?;
        let inode = self.find(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = self.find(to);
        self.change(Change::Rename {
            from: absolute(from),
            to: absolute(to),
            inode,
        })?;
        if let Some(replaced) = replaced {
            self.forget_if_unused(replaced);
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.check_power()?;
        let dir = absolute(dir);
        if !self.cached.dirs.contains(&dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let lies = self.honesty == Honesty::Lying;
        self.sync(|change| match change {
            _ if lies => false,
            Change::Link { path, .. } | Change::Unlink { path } => path.parent() == Some(&dir),
            Change::Rename { from, to, .. } => {
                from.parent() == Some(&dir) || to.parent() == Some(&dir)
            }
            Change::MakeDir { dir: made } => dir.starts_with(made) || made.parent() == Some(&dir),
            Change::Write { .. } | Change::SetLen { .. } => false,
        })?;
        self.forget_unreachable();
        Ok(())
    }

    pub(super) fn read(&self, inode: Inode, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = self
            .cached
            .files
            .get(&inode)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(file.read(buffer, offset))
    }

    pub(super) fn len(&self, inode: Inode) -> io::Result<u64> {
        Ok(self
            .cached
            .files
            .get(&inode)
            .ok_or(io::ErrorKind::NotFound)?
            .len())
    }

    /// Writes what there is space for, as a real disk does when it gets full.
    pub(super) fn write(&mut self, inode: Inode, bytes: &[u8], offset: u64) -> io::Result<()> {
        let missing = self.missing_bytes(inode, offset + bytes.len() as u64)?;
        let fits = bytes.len().saturating_sub(missing as usize);
        if missing == 0 || fits > 0 {
            self.change(Change::Write {
                inode,
                offset,
                bytes: bytes[..fits].to_vec(),
            })?;
        }
        if missing > 0 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    /// How many bytes of space are missing to make the file this long.
    fn missing_bytes(&self, inode: Inode, len: u64) -> io::Result<u64> {
        let growth = len.saturating_sub(self.len(inode)?);
        let free = match self.capacity_bytes {
            Some(capacity) if growth > 0 => capacity.saturating_sub(self.used_bytes()),
            _ => u64::MAX,
        };
        Ok(growth.saturating_sub(free))
    }

    pub(super) fn set_len(&mut self, inode: Inode, len: u64) -> io::Result<()> {
        if self.missing_bytes(inode, len)? > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(Change::SetLen { inode, len })
    }

    pub(super) fn sync_data(&mut self, inode: Inode) -> io::Result<()> {
        let of_file = |change: &Change| change.inode() == Some(inode);
        let mut count = match self.honesty {
            Honesty::Honest => usize::MAX,
            Honesty::Late => self.late.remove(&inode).unwrap_or_default(),
            Honesty::DatabasesLie if !self.is_of_a_database(inode) => usize::MAX,
            Honesty::Lying | Honesty::DatabasesLie => 0,
        };
        self.sync(|change| of_file(change) && take_one(&mut count))?;
        if self.honesty == Honesty::Late {
            let left = self.journal.iter().filter(|change| of_file(change)).count();
            self.late.insert(inode, left);
        }
        Ok(())
    }

    fn is_of_a_database(&self, inode: Inode) -> bool {
        let of_a_database = |path: &Path| path.to_string_lossy().contains(".db");
        let mut names = self.cached.names.iter();
        names.any(|(path, named)| *named == inode && of_a_database(path))
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.cached.files.values().map(Image::len).sum()
    }

    pub(super) fn flip_byte(&mut self, path: &Path, offset: u64) -> io::Result<()> {
        let inode = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        for medium in [&mut self.cached, &mut self.durable] {
            let file = medium
                .files
                .get_mut(&inode)
                .ok_or(io::ErrorKind::NotFound)?;
            let mut byte = [0];
            if file.read(&mut byte, offset) != 1 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write(&[byte[0] ^ 0x40], offset);
        }
        Ok(())
    }

    pub(super) fn files_under(&self, dir: &Path) -> Vec<(PathBuf, u64)> {
        let dir = absolute(dir);
        let under = self
            .cached
            .names
            .iter()
            .filter(|(path, _)| path.starts_with(&dir));
        let size = |inode| self.cached.files.get(inode).map_or(0, Image::len);
        under
            .map(|(path, inode)| (path.clone(), size(inode)))
            .collect()
    }
}

/// Takes one from a count; false if there is none left.
fn take_one(count: &mut usize) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

/// Every path is of the disk's root.
fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}
